/* What people do with callbacks: look, try again, purge. */
#include "callback/parts.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "callback/target.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <stdlib.h>

enum errcode callback_view_decode(uint64_t id, struct bytes head, struct callback_view *out, struct err *e)
{
	struct callback_record r;
	struct json_member m[2];
	size_t n;
	enum errcode code = callback_record_decode(head, &r, e);
	if (!code)
		code = json_span_members(r.target, m, ARRAY_SIZE(m), &n, e);
	const struct bytes *url = code ? NULL : json_span_find(m, n, "url");
	if (!url || url->size < 2)
		return code ? code : err_set(e, E_INVALID, "a callback without a url");
	*out = (struct callback_view){.id = id,
		.job_id = r.job_id,
		.batch_id = r.batch_id,
		.namespace = r.namespace.size ? r.namespace : bytes_of("default"),
		.type = r.type,
		.url = {url->data + 1, url->size - 2},
		.failed = r.failed,
		.attempts = (int)r.attempts,
		.last_status = (int)r.status,
		.created_at_ms = r.created_at_ms,
		.last_at_ms = r.last_at_ms,
		.next_at_ms = r.failed ? 0 : r.next_at_ms,
		.error = r.error};
	return E_OK;
}

struct change { /* of one callback */
	struct list link; /* in callbacks.changes; first member: callbacks_free frees it by this */
	struct callbacks *set;
	uint64_t id;
	struct callback *callback; /* what a retried one becomes, or the pending one that goes; else NULL */
	bool retry, was_failed;
	queue_done *done;
	void *context;
};

static void changed(void *context, enum errcode code)
{
	struct change *c = context;
	list_remove(&c->link);
	if (!code) {
		c->set->stats.failed -= c->was_failed;
		if (c->retry)
			callback_wait(c->callback, 0);
		else if (c->callback)
			callback_free(c->callback);
		deliver_due(c->set);
	}
	if (c->done)
		c->done(c->context, code);
	free(c);
}

static void commit(struct change c, struct store_batch *b)
{
	struct change *own = NEW(struct change);
	*own = c;
	c.set->prune.stale = true;
	list_append(&c.set->changes, &own->link);
	queues_commit(c.set->o.queues, b, changed, own);
}

/* A failed one is not in memory, but may be about to go or to come back. */
static bool is_changing(const struct callbacks *cs, uint64_t id)
{
	list_each((struct list *)&cs->changes, at)
	{
		if (container_of(at, struct change, link)->id == id)
			return true;
	}
	return false;
}

static enum errcode find(
	struct callbacks *cs, uint64_t id, struct buf *head, struct callback_record *r, struct callback **c, struct err *e)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	*c = idmap_get(&cs->by_id, id);
	if (is_changing(cs, id) || (*c && (*c)->state != CALLBACK_WAITING))
		return err_set(e, E_STATE, "callback %s: is being sent or changed just now", text);
	enum errcode code =
		cs->o.store->ops->read(cs->o.store, STORE_CALLBACK, (struct store_key){.id = id}, head, NULL, e);
	if (code == E_NOT_FOUND)
		return err_set(e, code, "there is no callback %s: it was delivered, or purged", text);
	if (!code)
		code = callback_record_decode(buf_bytes(head), r, e);
	if (!code && !*c && !r->failed) /* how it ended is not on the disk yet: on a full one that takes long */
		return err_set(e, E_STATE, "callback %s: is being sent or changed just now", text);
	return code;
}

static enum errcode retry_failed(struct callbacks *cs, uint64_t id, struct callback_record *r, int64_t now_ms,
	queue_done *done, void *context, struct err *e)
{
	struct target t;
	scoped(buf_fini) struct buf head = {0};
	enum errcode code = target_read(r->target, &t, e);
	if (code)
		return code;
	r->failed = false;
	r->attempts = 0;
	r->since_ms = now_ms;
	r->next_at_ms = now_ms;
	callback_record_encode(r, &head);
	struct store_batch *b = store_batch_new();
	store_batch_put_head(b, STORE_CALLBACK, (struct store_key){.id = id}, buf_bytes(&head));
	commit((struct change){.set = cs,
			   .id = id,
			   .callback = callback_new(cs, id, t.host_hash),
			   .retry = true,
			   .was_failed = true,
			   .done = done,
			   .context = context},
		b);
	target_fini(&t);
	return E_OK;
}

enum errcode callbacks_retry(
	struct callbacks *cs, uint64_t id, int64_t now_ms, queue_done *done, void *context, struct err *e)
{
	struct callback_record r;
	struct callback *c;
	scoped(buf_fini) struct buf head = {0};
	enum errcode code = find(cs, id, &head, &r, &c, e);
	if (code)
		return code;
	if (!c)
		return retry_failed(cs, id, &r, now_ms, done, context, e);
	c->host->not_before_ms = 0; /* a person knows better than the receiver did */
	callback_wait(c, 0);
	deliver_due(cs);
	if (done)
		done(context, E_OK);
	return E_OK;
}

enum errcode callbacks_purge(struct callbacks *cs, uint64_t id, queue_done *done, void *context, struct err *e)
{
	struct callback_record r;
	struct callback *c;
	scoped(buf_fini) struct buf head = {0};
	enum errcode code = find(cs, id, &head, &r, &c, e);
	if (code)
		return code;
	if (c) {
		heap_remove(&c->host->due, &c->due);
		deliver_turn(c->host);
		c->state = CALLBACK_GOING;
	}
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, STORE_CALLBACK, (struct store_key){.id = id});
	commit((struct change){.set = cs, .id = id, .callback = c, .was_failed = !c, .done = done, .context = context}, b);
	return E_OK;
}
