#include "queue/state.h"

struct load {
	struct queues *qs;
	struct err *e;
	enum errcode code;
	bool streams; /* some job has items to read back */
};

static bool broken(struct load *l, const char *what, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	l->code = err_prefix(l->e, "%s %s", what, text);
	return false;
}

/* Rows come by id, so mostly in the order of their waiting; sort_queue mends what was retried or delayed. */
static void place(struct queues *qs, struct job *j)
{
	if (j->due_at_ms == j->submitted_at_ms && j->due_at_ms > qs->now_ms) /* the clock was set back: nobody delayed it */
		j->due_at_ms = qs->now_ms;
	if (queues_expires_at(j))
		heap_put(&qs->expiries, &j->more->expiry, queues_expires_at(j), j->id);
	if (j->due_at_ms > qs->now_ms) {
		queues_set_state(j, JOB_SCHEDULED);
		heap_put(&qs->due, &j->due, j->due_at_ms, j->id);
		return;
	}
	queues_set_state(j, JOB_PENDING);
	order_load(j->queue, j);
}

static bool load_job(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct job_record r;
	if (job_record_decode(row->head, &r, l->e))
		return broken(l, "job", row->key.id);
	struct job *j = queues_job_new(l->qs, row->key.id, queues_get(l->qs, r.namespace, r.capability));
	head_apply(j, &r);
	l->streams |= r.streams;
	place(l->qs, j);
	return true;
}

static bool load_item(void *context, const struct store_row *row)
{
	struct job *j = context;
	keyset_add(&j->more->items, row->key.sub);
	return true;
}

static bool load_dead(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct job_record r;
	if (job_record_decode(row->head, &r, l->e))
		return broken(l, "dead letter", row->key.id);
	queues_get(l->qs, r.namespace, r.capability)->info.failed++;
	return true;
}

static bool load_key(void *context, const struct store_row *row)
{
	struct queues *qs = ((struct load *)context)->qs;
	keys_load_row(&qs->keys, row);
	keys_load_row(&qs->uniques, row);
	return true;
}

static bool load_setting(void *context, const struct store_row *row)
{
	setting_load(context, row->key.text, row->body);
	return true;
}

static bool load_last(void *context, const struct store_row *row)
{
	struct queues *qs = context;
	if (row->key.id > qs->ids.last)
		qs->ids.last = row->key.id;
	return false;
}

static void sort_queue(void *context, struct queue *q)
{
	order_sort(q);
}

static enum errcode load_items(struct load *l)
{
	enum errcode code = E_OK;
	const struct index *x = &l->qs->live;
	for (size_t i = 0; !code && l->streams && i < x->room; i++) {
		struct job *j = x->slots[i];
		if (!j || !j->more || !j->more->streams)
			continue;
		struct store_range of_job = {.table = STORE_ITEM, .id = j->id};
		code = l->qs->store->ops->scan(l->qs->store, &of_job, load_item, j, l->e);
	}
	return code;
}

/* Ids go on after the greatest that was ever given, also when the clock was set back meanwhile. */
static enum errcode load_last_ids(struct load *l)
{
	static const enum store_table tables[] = {
		STORE_JOB, STORE_DONE, STORE_DEAD, STORE_RUN, STORE_CALLBACK, STORE_BATCH};
	enum errcode code = E_OK;
	for (size_t i = 0; !code && i < ARRAY_SIZE(tables); i++) {
		struct store_range last = {.table = tables[i], .descending = true, .scan_max = 1};
		code = l->qs->store->ops->scan(l->qs->store, &last, load_last, l->qs, l->e);
	}
	return code;
}

enum errcode queues_load(struct queues *qs, int64_t now_ms, struct err *e)
{
	static const struct {
		enum store_table table;
		store_visit *visit;
	} steps[] = {{STORE_JOB, load_job}, {STORE_DEAD, load_dead}, {STORE_KEY, load_key}};
	static const struct store_range settings = {.table = STORE_SETTING, .bodies = true};
	struct err own = {0};
	struct load l = {.qs = qs, .e = e ? e : &own};
	queues_touch(qs, now_ms);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		enum errcode code = qs->store->ops->load(qs->store, steps[i].table, steps[i].visit, &l, l.e);
		if (code || l.code)
			return code ? code : l.code;
	}
	enum errcode code = qs->store->ops->scan(qs->store, &settings, load_setting, qs, l.e);
	if (!code)
		code = load_items(&l);
	if (qs->store->epoch > 1)
		qs->drained_at_ms = qs->now_ms;
	queues_each(qs, sort_queue, NULL);
	return code ? code : load_last_ids(&l);
}
