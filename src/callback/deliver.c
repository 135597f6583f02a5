/* When which callback is sent, and what its answer means. Hosts take turns by the time of the earliest callback that each has due;
 * one that has as many requests under way as it may have is not among them. */
#include "callback/parts.h"

#include "base/mem.h"
#include "callback/target.h"
#include "job/job_record.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_AFTER_MAX_MS = 3600 * 1000 };

struct in_flight {
	struct callback_request request; /* first: callback_request_free frees it by this */
	struct buf head; /* of its row */
};

/* ── turns ── */

static bool has_room(const struct host *h)
{
	return h->in_flight < (h->silent ? 1 : h->set->o.limits.in_flight_per_host);
}

void deliver_turn(struct host *h)
{
	struct heap *turns = &h->set->turns;
	const struct heap_node *first = heap_first(&h->due);
	if (first && has_room(h))
		heap_put(turns, &h->turn, first->key > h->not_before_ms ? first->key : h->not_before_ms, first->tie);
	else
		heap_remove(turns, &h->turn);
}

void callback_wait(struct callback *c, int64_t next_at_ms)
{
	c->state = CALLBACK_WAITING;
	heap_put(&c->host->due, &c->due, next_at_ms, c->id);
	deliver_turn(c->host);
}

/* ── sending ── */

static struct in_flight *in_flight_new(
	struct callback *c, const struct callback_record *r, struct buf *head, struct buf *body)
{
	struct in_flight *f = NEW(struct in_flight);
	struct callback_request *q = &f->request;
	struct target t;
	if (target_read(r->target, &t, NULL) != E_OK)
		t = (struct target){0};
	f->head = *head;
	*head = (struct buf){0};
	q->id = c->id;
	q->attempt = (int)r->attempts + 1;
	snprintf(q->type, sizeof q->type, "%.*s", (int)r->type.size, r->type.data);
	q->url = t.url.data ? buf_take(&t.url) : mem_text("");
	q->headers = t.headers; /* within the head, which we keep */
	snprintf(q->host, sizeof q->host, "%s", t.host);
	q->body = *body;
	*body = (struct buf){0};
	q->callback = c;
	return f;
}

void callback_request_free(struct callback_request *q)
{
	struct in_flight *f = container_of(q, struct in_flight, request);
	free(q->url);
	buf_fini(&q->body);
	buf_fini(&f->head);
	free(f);
}

static void start(struct callback *c)
{
	struct callbacks *cs = c->set;
	struct host *h = c->host;
	struct callback_record r;
	scoped(buf_fini) struct buf head = {0}, body = {0};
	heap_remove(&h->due, &c->due);
	enum errcode code =
		cs->o.store->ops->read(cs->o.store, STORE_CALLBACK, (struct store_key){.id = c->id}, &head, &body, NULL);
	if (code || callback_record_decode(buf_bytes(&head), &r, NULL) != E_OK) {
		if (code && code != E_NOT_FOUND)
			callback_wait(c, cs->now_ms + cs->o.limits.retry_cap_ms); /* the disk cannot be read: later, perhaps */
		else
			callback_free(c);
		return;
	}
	c->state = CALLBACK_IN_FLIGHT;
	h->in_flight++;
	cs->stats.in_flight++;
	deliver_turn(h);
	cs->o.send(cs->o.context, &in_flight_new(c, &r, &head, &body)->request);
}

void deliver_due(struct callbacks *cs)
{
	struct heap_node *first;
	if (queues_now(cs->o.queues) > cs->now_ms)
		cs->now_ms = queues_now(cs->o.queues);
	while (
		cs->stats.in_flight < cs->o.limits.in_flight && (first = heap_first(&cs->turns)) && first->key <= cs->now_ms) {
		struct host *h = container_of(first, struct host, turn);
		start(container_of(heap_first(&h->due), struct callback, due));
	}
}

/* ── the answer ── */

static void tell(struct callbacks *cs, const struct in_flight *f, enum callback_news news)
{
	struct callback_view v;
	if (cs->o.told && callback_view_decode(f->request.id, buf_bytes(&f->head), &v, NULL) == E_OK)
		cs->o.told(cs->o.context, &v, news);
}

/* Twice by an engine that dies before this is durable: at least once. */
static void delivered(struct callbacks *cs, struct callback *c, const struct in_flight *f)
{
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, STORE_CALLBACK, (struct store_key){.id = c->id});
	queues_commit(cs->o.queues, b, NULL, NULL);
	cs->stats.delivered_total++;
	tell(cs, f, CALLBACK_DELIVERED);
	callback_free(c);
}

/* splitmix64: the same seed gives the same waits. */
static uint64_t next_random(struct callbacks *cs)
{
	uint64_t z = cs->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static int64_t backoff_ms(struct callbacks *cs, uint64_t attempts)
{
	const struct callback_limits *l = &cs->o.limits;
	int64_t wait = l->retry_base_ms;
	for (uint64_t n = 1; n < attempts && wait < l->retry_cap_ms; n++)
		wait *= 2;
	if (wait > l->retry_cap_ms)
		wait = l->retry_cap_ms;
	return wait / 2 + (int64_t)(next_random(cs) % (uint64_t)(wait / 2 + 1));
}

static int64_t retry_after_ms(const struct callback_request *q)
{
	if (q->retry_after_ms < 0)
		return 0;
	return q->retry_after_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : q->retry_after_ms;
}

static bool over(const struct callbacks *cs, const struct callback_request *q, const struct callback_record *r)
{
	return q->status == 410 || q->refused || (int)r->attempts >= cs->o.limits.max_attempts ||
		   r->next_at_ms > r->since_ms + cs->o.limits.max_age_ms;
}

static void failed(struct callbacks *cs, struct callback *c, struct in_flight *f)
{
	const struct callback_request *q = &f->request;
	struct callback_record r;
	struct host *h = c->host;
	scoped(buf_fini) struct buf head = {0};
	callback_record_decode(buf_bytes(&f->head), &r, NULL); /* it was decoded before */
	r.attempts++;
	r.last_at_ms = cs->now_ms;
	r.status = (uint64_t)q->status;
	r.error = bytes_of(q->error);
	int64_t wait = backoff_ms(cs, r.attempts), asked = retry_after_ms(q);
	r.next_at_ms = cs->now_ms + (asked > wait ? asked : wait);
	r.failed = over(cs, q, &r);
	callback_record_encode(&r, &head);
	struct store_batch *b = store_batch_new();
	store_batch_put_head(b, STORE_CALLBACK, (struct store_key){.id = c->id}, buf_bytes(&head));
	queues_commit(cs->o.queues, b, NULL, NULL);
	struct buf old = f->head;
	f->head = head;
	head = old;
	cs->stats.attempts_failed_total++;
	tell(cs, f, r.failed ? CALLBACK_FAILED : CALLBACK_RETRIED);
	if (asked)
		h->not_before_ms = cs->now_ms + asked; /* whoever asks for peace gets it */
	if (!r.failed) {
		callback_wait(c, r.next_at_ms);
		return;
	}
	cs->stats.failed++;
	cs->stats.failed_total++;
	callback_free(c);
}

void callback_sent(struct callbacks *cs, struct callback_request *q, int64_t now_ms)
{
	struct in_flight *f = container_of(q, struct in_flight, request);
	struct callback *c = q->callback;
	struct host *h = c->host;
	if (now_ms > cs->now_ms)
		cs->now_ms = now_ms;
	h->in_flight--;
	h->silent = q->status == 0 && !q->refused;
	cs->stats.in_flight--;
	h->n++; /* it outlives its last callback, for a moment */
	if (q->status / 100 == 2)
		delivered(cs, c, f);
	else
		failed(cs, c, f);
	host_release(h);
	callback_request_free(q);
	deliver_due(cs);
}
