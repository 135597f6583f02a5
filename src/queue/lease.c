#include "queue/state.h"

#include <stdlib.h>

enum { LOOK_MAX = 50 }; /* jobs that a lease finds expired, or keys at their limit, before others have their turn */

static uint64_t next_fence(struct queues *qs, struct job *j)
{
	uint64_t fence = qs->store->epoch << 32 | ++j->lease_count;
	if (j->more && fence <= j->more->fence_floor) /* replayed within the epoch in which it failed */
		fence = qs->store->epoch << 32 | (j->lease_count = (uint32_t)j->more->fence_floor + 1);
	return fence;
}

static void lease_new(struct queues *qs, struct job *j, uint64_t fence, void *holder)
{
	struct input *in = j->input;
	struct lease *l = pool_get(&qs->leases);
	l->job = j;
	l->fence = fence;
	l->progress_percent = -1;
	input_move(in, &l->input);
	if (j->more) {
		heap_remove(&qs->expiries, &j->more->expiry);
		if (j->more->deadline_ms)
			heap_put(&qs->timeouts, &l->timeout, j->more->deadline_ms, j->id);
	}
	queues_set_state(j, JOB_PROCESSING);
	flow_enter(j);
	j->lease = l;
	j->holder = holder;
	j->link = (struct list){0};
}

static bool expired(const struct job *j, int64_t now_ms)
{
	int64_t at = queues_expires_at(j);
	return at && at <= now_ms;
}

struct job *queue_lease(struct queue *q, int64_t now_ms, void *holder)
{
	struct queues *qs = q->qs;
	queues_touch(qs, now_ms);
	if (!flow_open(q))
		return NULL;
	int left = LOOK_MAX;
	for (struct job *j, *urgent; (j = order_first(q, qs->now_ms, &urgent)); left--) {
		if (!left) {
			flow_later(q);
			return NULL;
		}
		/* What cannot be given out makes nothing else urgent. */
		if (!flow_key_open(urgent) || !flow_key_open(j))
			continue;
		order_take(q, j);
		if (!expired(j, qs->now_ms)) {
			flow_spend(j);
			lease_new(qs, j, next_fence(qs, j), holder);
			return j;
		}
		attempt_expired(qs, j);
	}
	return NULL;
}

uint64_t job_fence(const struct queues *qs, const struct job *j)
{
	return j->state == JOB_PROCESSING ? j->lease->fence : 0;
}

int64_t lease_timeout_ms(const struct job *j)
{
	int64_t ms = j->timeout_ms ? j->timeout_ms : j->queue->limits.timeout_ms;
	return ms > 0 ? ms : JOB_TIMEOUT_DEFAULT_MS;
}

int64_t job_ends_by(const struct job *j, int64_t start_ms)
{
	int64_t at = start_ms + lease_timeout_ms(j);
	return j->more && j->more->deadline_ms && j->more->deadline_ms < at ? j->more->deadline_ms : at;
}

bool job_ran_out(const struct job *j, int64_t now_ms)
{
	return j->state == JOB_PROCESSING && heap_has(&j->lease->timeout) && j->lease->timeout.key <= now_ms;
}

void job_started(struct job *j, int64_t now_ms)
{
	struct queues *qs = j->queue->qs;
	queues_touch(qs, now_ms);
	if (j->state != JOB_PROCESSING || j->lease->started_at_ms)
		return;
	j->lease->started_at_ms = qs->now_ms;
	if (j->attempts < UINT16_MAX)
		j->attempts++;
	if (j->flags & JOB_LEASE_LOST)
		j->queue->info.repeated_total++;
	j->flags &= (uint8_t)~JOB_LEASE_LOST;
	heap_put(&qs->timeouts, &j->lease->timeout, job_ends_by(j, qs->now_ms), j->id);
	if (qs->hooks.started)
		qs->hooks.started(qs->hooks.context, j);
}

int64_t lease_end(struct queues *qs, struct job *j)
{
	struct lease *l = j->lease;
	int64_t started_at_ms = l->started_at_ms;
	if (j->link.next)
		list_remove(&j->link);
	heap_remove(&qs->timeouts, &l->timeout);
	j->lease = NULL;
	input_move(l->input, &j->input);
	if (!l->input)
		j->input = NULL;
	free(l->progress_message);
	pool_put(&qs->leases, l);
	return started_at_ms;
}

void job_release(struct job *j, int64_t now_ms)
{
	struct queues *qs = j->queue->qs;
	queues_touch(qs, now_ms);
	if (j->state != JOB_PROCESSING)
		return;
	if (lease_end(qs, j))
		j->attempts--;
	j->holder = NULL;
	queues_place(qs, j, true);
}

enum errcode lease_check(struct queues *qs, uint64_t id, uint64_t fence, struct job **out, struct err *e)
{
	struct job *j = index_get(&qs->live, id);
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (!j)
		return err_set(e, E_NOT_FOUND, "job %s: is not live", text);
	if (j->state != JOB_PROCESSING || j->lease->fence != fence)
		return err_set(e, E_FENCE, "job %s: fence %llu is no longer valid", text, (unsigned long long)fence);
	*out = j;
	return E_OK;
}

int64_t lease_revoke(struct queues *qs, struct job *j, enum revoke_reason why)
{
	int64_t started_at_ms = lease_end(qs, j);
	queues_set_state(j, JOB_SETTLING);
	if (qs->hooks.revoke)
		qs->hooks.revoke(qs->hooks.context, j, why);
	j->holder = NULL;
	return started_at_ms;
}

/* A waiting job whose holder comes back after a restart. */
static bool may_reclaim(const struct queues *qs, const struct job *j, uint64_t fence)
{
	if (fence >> 32 >= qs->store->epoch || (j->more && fence <= j->more->fence_floor))
		return false;
	if (j->state == JOB_PROCESSING) /* by reclaim, too; the later lease is the valid one */
		return fence > j->lease->fence;
	return (j->state == JOB_PENDING || j->state == JOB_SCHEDULED) && j->lease_count == 0;
}

static void take_from_waiting(struct queues *qs, struct job *j)
{
	if (j->state == JOB_PENDING) {
		order_remove(j->queue, j);
	} else if (j->state == JOB_SCHEDULED) {
		heap_remove(&qs->due, &j->due);
	} else {
		uint16_t attempts = (uint16_t)(j->attempts - (j->lease->started_at_ms != 0));
		lease_revoke(qs, j, REVOKE_LEASE);
		j->attempts = attempts;
	}
}

enum errcode queue_reclaim(
	struct queues *qs, uint64_t id, uint64_t fence, int64_t now_ms, void *holder, struct job **out)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, NULL);
	if (!code) { /* a link that came back within the life of this engine */
		if (j->link.next)
			list_remove(&j->link);
		j->holder = holder;
		*out = j;
		return E_OK;
	}
	if (code == E_NOT_FOUND || !may_reclaim(qs, j = index_get(&qs->live, id), fence))
		return code;
	take_from_waiting(qs, j);
	lease_new(qs, j, fence, holder);
	*out = j;
	return E_OK;
}

enum errcode queue_progress(
	struct queues *qs, uint64_t id, uint64_t fence, int percent, struct bytes message, int64_t now_ms, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (code)
		return code;
	if (message.size > PROGRESS_MAX)
		message.size = PROGRESS_MAX;
	j->lease->progress_percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	free(j->lease->progress_message);
	j->lease->progress_message = message.size ? mem_copy(message.data, message.size) : NULL;
	if (qs->hooks.progress)
		qs->hooks.progress(qs->hooks.context, j, j->lease->progress_percent, message);
	return E_OK;
}
