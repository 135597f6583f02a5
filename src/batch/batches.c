#include "batch/parts.h"

#include "base/mem.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <stdlib.h>

struct batches *batches_new(const struct batches_options *o)
{
	struct batches *bs = NEW(struct batches);
	bs->o = *o;
	list_init(&bs->live);
	list_init(&bs->news);
	list_init(&bs->waits);
	list_init(&bs->requests);
	return bs;
}

void batches_free(struct batches *bs)
{
	if (!bs)
		return;
	list_each(&bs->live, at) batch_free(container_of(at, struct batch, link));
	list_each(&bs->waits, at) list_remove(at); /* each is its owner's to free */
	list_each(&bs->requests, at) free(at); /* their first member */
	batches_prune_abandon(bs);
	idmap_fini(&bs->by_id);
	free(bs);
}

struct batch *batch_new(struct batches *bs, uint64_t id, struct bytes namespace, struct bytes name)
{
	struct batch *t = NEW(struct batch);
	t->set = bs;
	t->id = id;
	t->namespace = mem_copy(namespace.data, namespace.size);
	t->name = mem_copy(name.data, name.size);
	list_append(&bs->live, &t->link);
	idmap_put(&bs->by_id, id, t);
	bs->stats.live++;
	return t;
}

void batch_free(struct batch *t)
{
	list_remove(&t->link);
	if (t->news_link.next)
		list_remove(&t->news_link);
	idmap_remove(&t->set->by_id, t->id);
	t->set->stats.live--;
	free(t->namespace);
	free(t->name);
	free(t);
}

struct batch *batch_find(const struct batches *bs, uint64_t id)
{
	return id ? idmap_get(&bs->by_id, id) : NULL;
}

bool batches_lives(const struct batches *bs, uint64_t id)
{
	const struct batch *t = batch_find(bs, id);
	return t && !t->gone;
}

struct bytes batches_namespace(const struct batches *bs, uint64_t id)
{
	const struct batch *t = batch_find(bs, id);
	return t ? bytes_of(t->namespace) : (struct bytes){0};
}

void batch_news(struct batch *t)
{
	if (!t->news_link.next)
		list_append(&t->set->news, &t->news_link);
}

enum errcode batch_unknown(struct batches *bs, uint64_t id, struct err *e)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (bs->o.store->ops->read(bs->o.store, STORE_BATCH, (struct store_key){.id = id}, NULL, NULL, NULL) != E_OK)
		return err_set(e, E_NOT_FOUND, "there is no batch %s", text);
	return err_set(e, E_STATE, "batch %s: is over", text);
}

const char *batch_status(enum batch_state state, bool closed)
{
	static const char *const words[] = {"running", "cancelling", "completed", "failed", "cancelled"};
	return state == BATCH_RUNNING && !closed ? "open" : words[state];
}

uint64_t batch_ended(const struct batch_counts *c)
{
	return c->completed + c->failed + c->cancelled;
}

int batch_percent(uint64_t ended, uint64_t total, bool over)
{
	return over ? 100 : total ? (int)(ended * 100 / total) : 0;
}

void batches_get_stats(const struct batches *bs, struct batches_stats *out)
{
	*out = bs->stats;
}

/* ── load ── */

struct load {
	struct batches *set;
	struct err *e;
	enum errcode code;
};

static bool load_row(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct batch_record r;
	char text[ID_TEXT_SIZE];
	if ((l->code = batch_record_decode(row->head, &r, l->e))) {
		id_format(row->key.id, text);
		err_prefix(l->e, "batch %s", text);
		return false;
	}
	if (r.state >= BATCH_COMPLETED)
		return true;
	struct batch *t = batch_new(l->set, row->key.id, r.namespace.size ? r.namespace : bytes_of("default"), r.name);
	t->state = (enum batch_state)r.state;
	t->stored = true;
	t->created_at_ms = r.created_at_ms;
	t->max_failures = r.max_failures;
	t->decided = t->durable = (struct batch_counts){r.completed, r.failed, r.cancelled};
	t->cancel.ready = t->state == BATCH_CANCELLING;
	if (t->cancel.ready)
		batch_news(t);
	for (size_t at = 0; at + 8 <= r.failed_ids.size && t->failed_n < BATCH_FAILED_MAX; at += 8)
		memcpy(&t->failed_ids[t->failed_n++], r.failed_ids.data + at, 8);
	return true;
}

static enum errcode load_total(struct batch *t, struct err *e)
{
	const struct store *s = t->set->o.store;
	struct member_record m;
	scoped(buf_fini) struct buf head = {0};
	enum errcode code = s->ops->read(t->set->o.store, STORE_MEMBER, (struct store_key){.id = t->id}, &head, NULL, e);
	if (!code)
		code = member_record_decode(buf_bytes(&head), &m, e);
	if (code)
		return err_prefix(e, "the total of a batch");
	t->total = m.total;
	t->closed = m.closed;
	return E_OK;
}

enum errcode batches_load(struct batches *bs, int64_t now_ms, struct err *e)
{
	struct err own = {0};
	struct load l = {.set = bs, .e = e ? e : &own};
	bs->now_ms = now_ms;
	enum errcode code = bs->o.store->ops->load(bs->o.store, STORE_BATCH, load_row, &l, l.e);
	if (!code)
		code = l.code;
	list_each(&bs->live, at)
	{
		if (!code)
			code = load_total(container_of(at, struct batch, link), l.e);
	}
	if (code)
		return code;
	list_each(&bs->live, at) batch_end_if_complete(container_of(at, struct batch, link)); /* closed just before */
	return E_OK;
}

/* ── time ── */

static void tell_news(struct batches *bs)
{
	struct list *last = bs->news.prev; /* what has news again meanwhile waits for the next tick */
	for (bool more = !list_empty(&bs->news); more;) {
		struct batch *t = container_of(bs->news.next, struct batch, news_link);
		more = &t->news_link != last;
		list_remove(&t->news_link);
		if (bs->o.changed && !t->over)
			bs->o.changed(bs->o.context, t->id, bytes_of(t->namespace), batch_status(t->state, t->closed),
				batch_percent(batch_ended(&t->durable), t->total, false));
		if (t->cancel.ready && !t->over)
			batch_cancel_step(t);
	}
}

void batches_tick(struct batches *bs, int64_t now_ms)
{
	bs->now_ms = now_ms;
	tell_news(bs);
	batches_prune(bs);
}

/* ── waiting ── */

struct batch_wait *batches_wait(struct batches *bs, uint64_t id, void (*over)(void *context), void *context)
{
	struct batch_wait *w = NEW(struct batch_wait);
	*w = (struct batch_wait){.id = id, .over = over, .context = context};
	if (batches_lives(bs, id))
		list_append(&bs->waits, &w->link);
	else
		over(context);
	return w;
}

void batch_wait_free(struct batch_wait *w)
{
	if (!w)
		return;
	if (w->link.next)
		list_remove(&w->link);
	free(w);
}
