#include "queue/state.h"

#include <stdlib.h>

struct cancel_later {
	struct list link; /* first member: queues_free frees it by this */
	uint64_t id;
	queue_done *done;
	void *context;
};

static const struct job_outcome cancelled = {
	.end = END_CANCELLED, .error = {.code = "cancelled", .message = "the job was cancelled"}};

static void cancel_now(struct queues *qs, struct job *j, queue_done *done, void *context)
{
	int64_t started_at_ms = 0;
	if (j->state == JOB_PENDING)
		order_remove(j->queue, j);
	else if (j->state == JOB_SCHEDULED)
		heap_remove(&qs->due, &j->due);
	else
		started_at_ms = lease_revoke(qs, j, REVOKE_CANCELLED);
	end_job(qs, j, &cancelled, started_at_ms, done, context);
}

static struct cancel_later *take_cancel(struct queues *qs, const struct job *j)
{
	list_each(&qs->cancels, l)
	{
		struct cancel_later *c = container_of(l, struct cancel_later, link);
		if (c->id != j->id)
			continue;
		list_remove(l);
		return c;
	}
	return NULL;
}

void cancel_settled(struct queues *qs, struct job *j)
{
	struct cancel_later *c = take_cancel(qs, j);
	if (!c)
		return;
	j->flags &= (uint8_t)~JOB_CANCEL_LATER;
	cancel_now(qs, j, c->done, c->context);
	free(c);
}

void cancel_given_up(struct queues *qs, const struct job *j)
{
	struct cancel_later *c = j->flags & JOB_CANCEL_LATER ? take_cancel(qs, j) : NULL;
	if (c && c->done)
		c->done(c->context, E_NOT_FOUND);
	free(c);
}

/* A job whose submit or retry is being committed has nothing to take back yet. */
static void cancel_later(struct queues *qs, struct job *j, queue_done *done, void *context)
{
	struct cancel_later *c = NEW(struct cancel_later);
	*c = (struct cancel_later){.id = j->id, .done = done, .context = context};
	list_append(&qs->cancels, &c->link);
	j->flags |= JOB_CANCEL_LATER;
}

enum errcode queue_cancel(
	struct queues *qs, uint64_t id, int64_t now_ms, queue_done *done, void *context, struct err *e)
{
	char text[ID_TEXT_SIZE];
	queues_touch(qs, now_ms);
	struct job *j = index_get(&qs->live, id);
	id_format(id, text);
	if (!j)
		return err_set(e, E_NOT_FOUND, "job %s: is not live", text);
	if (j->state != JOB_SETTLING)
		cancel_now(qs, j, done, context);
	else if (j->flags & JOB_ENDING)
		return err_set(e, E_STATE, "job %s: has ended already, its outcome is being saved", text);
	else if (j->flags & JOB_CANCEL_LATER)
		return err_set(e, E_STATE, "job %s: is being cancelled already", text);
	else
		cancel_later(qs, j, done, context);
	return E_OK;
}
