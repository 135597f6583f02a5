/* Is there room for these jobs? Queues and namespaces may have a greatest length: jobs that wait, pending or scheduled, and
 * those whose submit is on its way to the disk. What is in hands does not count, and what comes back from there is not refused. */
#include "queue/state.h"

enum { RETRY_AFTER_MAX_MS = 60000 };

static uint64_t length_of(const struct queue *q)
{
	return q->info.pending + q->info.scheduled + q->arriving;
}

/* When, at the rate that is allowed, there will be room; otherwise a second. */
static int64_t retry_after_ms(const struct limit *l, uint64_t too_many)
{
	int64_t ms = l->rate_milli ? (int64_t)(too_many * 1000000 / l->rate_milli) : 0;
	return ms < 1000 ? 1000 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static enum errcode refuse(struct queue *q, bool namespace, size_t asked, struct err *e)
{
	struct queues *qs = q->qs;
	const struct flow_limits *l = namespace ? &q->space->flow : &q->flow;
	struct submit_refusal *r = &qs->refusal;
	*r = (struct submit_refusal){.namespace = q->info.namespace,
		.capability = namespace ? (struct bytes){0} : q->info.capability,
		.length = namespace ? q->space->length : length_of(q),
		.max_length = l->max_length,
		.asked = asked};
	r->retry_after_ms = retry_after_ms(&l->all, r->length + asked - l->max_length);
	if (namespace)
		return err_set(e, E_LIMIT,
			"namespace \"%.*s\" is full: %llu jobs wait, at most %llu may (max_length); nothing was kept",
			(int)r->namespace.size, r->namespace.data, (unsigned long long)r->length,
			(unsigned long long)r->max_length);
	return err_set(e, E_LIMIT,
		"the queue of \"%.*s\" in namespace \"%.*s\" is full: %llu jobs wait, at most %llu may (max_length); nothing "
		"was kept",
		(int)r->capability.size, r->capability.data, (int)r->namespace.size, r->namespace.data,
		(unsigned long long)r->length, (unsigned long long)r->max_length);
}

void room_ask(struct queue *q)
{
	q->asked++;
	q->space->asked++;
}

enum errcode room_check(struct queue *q, struct err *e)
{
	if (!q->asked)
		return E_OK;
	if (q->flow.max_length && length_of(q) + q->asked > q->flow.max_length)
		return refuse(q, false, q->asked, e);
	if (q->space->flow.max_length && q->space->length + q->space->asked > q->space->flow.max_length)
		return refuse(q, true, q->space->asked, e);
	return E_OK;
}

void room_forget(struct queue *q)
{
	q->asked = 0;
	q->space->asked = 0;
}

const struct submit_refusal *queues_refusal(const struct queues *qs)
{
	return qs->refusal.max_length ? &qs->refusal : NULL;
}
