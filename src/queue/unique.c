/* A unique job holds its key while it is in one of the states that its submit named, and no longer than its period: then a
 * submit of another one gives this one. Which state a live job is in is looked up, so only its submit and its end write. */
#include "queue/state.h"

static enum job_state shown_state(const struct queues *qs, const struct job *j)
{
	if (j->state != JOB_SETTLING)
		return (enum job_state)j->state;
	if (j->flags & JOB_DURABLE)
		return JOB_PROCESSING;
	return j->due_at_ms > qs->now_ms ? JOB_SCHEDULED : JOB_PENDING;
}

const struct key *unique_holder(const struct queues *qs, const struct key *key)
{
	const struct key *k = keys_find(&qs->uniques, key);
	if (!k || k->expires_at_ms <= qs->now_ms)
		return NULL;
	const struct job *j = index_get(&qs->live, k->job_id);
	if (!j || j->flags & JOB_ENDING) /* it holds the key beyond its end, or unique_release had taken it away */
		return k;
	return k->detail >> shown_state(qs, j) & 1 ? k : NULL;
}

void unique_take(struct queues *qs, struct store_batch *b, const struct key *key)
{
	keys_add(&qs->uniques, key);
	keys_put_row(&qs->uniques, b, key);
}

void unique_release(struct queues *qs, struct store_batch *b, uint64_t job_id, const uint8_t name[KEY_NAME_SIZE])
{
	struct key key = {0};
	memcpy(key.name, name, sizeof key.name);
	const struct key *k = keys_find(&qs->uniques, &key);
	if (!k || k->job_id != job_id) /* another job has it now */
		return;
	keys_remove(&qs->uniques, &key);
	if (b)
		keys_delete_row(&qs->uniques, b, &key);
}
