#include "queue/state.h"

#include <stdlib.h>

struct dead_change { /* a dead letter that is being replayed or purged */
	struct change change;
	uint64_t id;
	struct queue *queue;
	struct job *job; /* replay: what it becomes */
	queue_done *done;
	void *context;
};

static void applied(struct change *c, enum errcode code)
{
	struct dead_change *d = container_of(c, struct dead_change, change);
	idmap_remove(&c->qs->dead_busy, d->id);
	d->queue->purging -= !d->job;
	if (!code) {
		d->queue->info.failed--;
		if (d->job) {
			queues_place(c->qs, d->job, false);
			if (d->job->flags & JOB_CANCEL_LATER)
				cancel_settled(c->qs, d->job);
		}
	}
	if (d->done)
		d->done(d->context, code);
	free(d);
}

static enum errcode read_dead(
	struct queues *qs, uint64_t id, struct buf *head, struct buf *input, struct job_record *r, struct err *e)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (idmap_get(&qs->dead_busy, id) || index_get(&qs->live, id))
		return err_set(e, E_STATE, "dead letter %s: is being replayed or purged already", text);
	enum errcode code = qs->store->ops->read(qs->store, STORE_DEAD, (struct store_key){.id = id}, head, input, e);
	if (code == E_NOT_FOUND)
		return err_set(e, code, "dead letter %s: is not there", text);
	return code ? code : job_record_decode(buf_bytes(head), r, e);
}

static void delete_letter(struct store_batch *b, uint64_t id, const struct job_record *r)
{
	store_batch_delete(b, STORE_DEAD, (struct store_key){.id = id});
	store_batch_delete_all(b, STORE_ATTEMPT, id);
	if (r->streams && !r->run_id) /* a run's items are the run's */
		store_batch_delete_all(b, STORE_ITEM, id);
}

static void commit(struct queues *qs, uint64_t id, const struct job_record *r, struct job *j, struct store_batch *b,
	queue_done *done, void *context)
{
	struct dead_change *d = NEW(struct dead_change);
	*d = (struct dead_change){.id = id, .job = j, .done = done, .context = context};
	d->queue = queues_get(qs, r->namespace, r->capability);
	d->queue->purging += !j;
	idmap_put(&qs->dead_busy, id, d);
	delete_letter(b, id, r);
	change_commit(qs, &d->change, b, true, applied);
}

enum errcode queue_replay(
	struct queues *qs, uint64_t dead_id, int64_t now_ms, queue_done *done, void *context, struct err *e)
{
	struct job_record r;
	scoped(buf_fini) struct buf head = {0}, input = {0};
	queues_touch(qs, now_ms);
	enum errcode code = read_dead(qs, dead_id, &head, &input, &r, e);
	if (code)
		return code;
	struct job_record fresh = {.submitted_at_ms = qs->now_ms,
		.timeout_ms = r.timeout_ms,
		.max_attempts = r.max_attempts,
		.retry_delay_ms = r.retry_delay_ms,
		.retry_cap_ms = r.retry_cap_ms,
		.unique_name = r.unique_name,
		.unique_states = r.unique_states,
		.priority = r.priority,
		.fence_floor = r.fence_floor,
		.tags = r.tags,
		.traceparent = r.traceparent,
		.callback = r.callback, /* on its own, also when it was of a run or a batch */
		.key = r.key};
	struct job *j = queues_job_new(qs, dead_id, queues_get(qs, r.namespace, r.capability));
	struct store_batch *b = store_batch_new();
	head_apply(j, &fresh);
	input_keep(qs, buf_bytes(&input), &j->input);
	head_put(b, j, buf_bytes(&input), true);
	commit(qs, dead_id, &r, j, b, done, context);
	return E_OK;
}

enum errcode queue_purge(struct queues *qs, uint64_t dead_id, queue_done *done, void *context, struct err *e)
{
	struct job_record r;
	scoped(buf_fini) struct buf head = {0};
	enum errcode code = read_dead(qs, dead_id, &head, NULL, &r, e);
	if (code)
		return code;
	struct store_batch *b = store_batch_new();
	if (r.unique_name.size == KEY_NAME_SIZE)
		unique_release(qs, b, dead_id, (const uint8_t *)r.unique_name.data);
	commit(qs, dead_id, &r, NULL, b, done, context);
	return E_OK;
}
