/* A waiting job goes to another place: another priority, another queue, or both. */
#include "queue/state.h"

#include <stdlib.h>

struct move {
	struct change change;
	struct job *job;
	queue_done *done;
	void *context;
};

static void moved(struct change *c, enum errcode code)
{
	struct move *m = container_of(c, struct move, change);
	if (!code) {
		queues_place(c->qs, m->job, false);
		if (m->job->flags & JOB_CANCEL_LATER)
			cancel_settled(c->qs, m->job);
	}
	if (m->done)
		m->done(m->context, code);
	free(m);
}

static enum errcode check_names(const struct job *j, const struct job_move *to, const char *id, struct err *e)
{
	enum errcode code = E_OK;
	if (to->capability.size)
		code = job_name_check("capability", to->capability, e);
	if (!code && to->namespace.size)
		code = job_name_check("namespace", to->namespace, e);
	if (!code && j->run_id && (to->capability.size || to->namespace.size))
		return err_set(e, E_STATE, "job %s: belongs to a run, which waits for it in its queue", id);
	return code;
}

static enum errcode check(struct queues *qs, uint64_t id, const struct job_move *to, struct job **out, struct err *e)
{
	char text[ID_TEXT_SIZE];
	struct job *j = index_get(&qs->live, id);
	id_format(id, text);
	if (to->priority == -1 && !to->namespace.size && !to->capability.size)
		return err_set(e, E_INVALID, "where to? priority, capability or namespace is needed");
	if (!j)
		return err_set(e, E_NOT_FOUND, "job %s: is not live", text);
	if (j->state != JOB_PENDING && j->state != JOB_SCHEDULED)
		return err_set(e, E_STATE, "job %s: is %s; only one that is pending or scheduled can be moved", text,
			job_state_word((enum job_state)j->state));
	if (to->priority < -1 || to->priority > JOB_PRIORITY_MAX)
		return err_set(e, E_INVALID, "priority %d: must be 0 to %d", to->priority, JOB_PRIORITY_MAX);
	*out = j;
	return check_names(j, to, text, e);
}

static enum errcode find_queue(
	struct queues *qs, const struct job *j, const struct job_move *to, struct queue **out, struct err *e)
{
	struct bytes namespace = to->namespace.size ? to->namespace : j->queue->info.namespace;
	struct bytes capability = to->capability.size ? to->capability : j->queue->info.capability;
	return queues_open(qs, namespace, capability, out, e);
}

/* It is settling. */
static void change_queue(struct job *j, struct queue *to)
{
	struct bytes key = tenant_key(j);
	scoped(mem_free_at) char *copy = key.size ? mem_copy(key.data, key.size) : NULL;
	if (j->queue == to)
		return;
	tenant_leave(j);
	j->queue->info.processing--;
	j->queue = to;
	j->queue->info.processing++;
	if (copy)
		tenant_join(j, (struct bytes){copy, key.size});
}

enum errcode queue_move(struct queues *qs, uint64_t id, const struct job_move *to, int64_t now_ms, queue_done *done,
	void *context, struct err *e)
{
	struct job *j = NULL;
	struct queue *q = NULL;
	queues_touch(qs, now_ms);
	enum errcode code = check(qs, id, to, &j, e);
	if (!code)
		code = find_queue(qs, j, to, &q, e);
	if (code)
		return code;
	if (j->state == JOB_PENDING)
		order_remove(j->queue, j);
	else
		heap_remove(&qs->due, &j->due);
	queues_set_state(j, JOB_SETTLING);
	change_queue(j, q);
	if (to->priority >= 0)
		j->priority = (uint8_t)to->priority;
	struct move *m = NEW(struct move);
	*m = (struct move){.job = j, .done = done, .context = context};
	struct store_batch *b = store_batch_new();
	head_put(b, j, (struct bytes){0}, false);
	change_commit(qs, &m->change, b, true, moved);
	return E_OK;
}
