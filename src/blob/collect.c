#include "blob/collect.h"

#include "base/mem.h"
#include "blob/sweep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CANDIDATES_MAX = 1 << 17, /* 5 MiB; more wait for the next collection */
	DELETE_STEP = 256, /* files in one go */
	SCAN_ROWS = 2000, /* rows in one go */
	SCAN_BYTES = 4 << 20,
	FIRST_MS = 1000,
	OFTEN_MS = 1000, /* no more often than so, and at least */
	SELDOM_MS = 3600 * 1000,
};

struct blob_collector {
	struct blob_collector_options o;
	struct loop_timer *timer;
	bool stopping, running;
	void (*done)(void *context, const struct blob_collection *r);
	void *done_context;

	struct sweep *sweep;
	unsigned first_folder, folder; /* where this one began, to spread the work; how many were visited */
	struct store_watch watch;
	enum store_table table;
	struct store_key from; /* of the scan; its text is in `text` */
	char text[512];
	unsigned rows;
	size_t bytes;
	bool more;
};

static void walk(struct blob_collector *c);
static void roots(struct blob_collector *c);
static void scan(struct blob_collector *c);
static void delete_some(struct blob_collector *c);

static void on_pool(struct blob_collector *c, void (*work)(void *context), void (*done)(void *context))
{
	if (c->o.loop)
		loop_work(c->o.loop, work, done, c);
	else
		c->o.pool(c->o.context, work, done, c);
}

static int64_t period_ms(const struct blob_collector *c)
{
	int64_t ms = c->o.keep_unused_ms / 4;
	return ms < OFTEN_MS ? OFTEN_MS : ms > SELDOM_MS ? SELDOM_MS : ms;
}

static void finish(struct blob_collector *c, bool given_up)
{
	struct sweep_counts n;
	if (!c->stopping)
		store_unwatch(c->o.store, &c->watch);
	sweep_get_counts(c->sweep, &n);
	struct blob_collection r = {n.candidates, n.deleted, n.deleted_bytes, given_up};
	sweep_free(take(c->sweep));
	c->running = false;
	c->first_folder += 61; /* coprime to 256: every folder is the first one some time */
	if (c->timer && !c->stopping)
		loop_timer_set(c->timer, period_ms(c));
	if (c->done)
		take(c->done)(c->done_context, &r);
}

/* True: the collection is over. Asked at each step. */
static bool give_up(struct blob_collector *c)
{
	if (!c->stopping && !(c->o.busy && c->o.busy(c->o.context)))
		return false;
	finish(c, true);
	return true;
}

/* ── candidates: a folder at a time ── */

static unsigned folder_of(const struct blob_collector *c)
{
	return (c->first_folder + c->folder) % BLOB_FOLDERS;
}

static void walk_work(void *context)
{
	struct blob_collector *c = context;
	sweep_walk(c->sweep, folder_of(c));
	if (c->folder == BLOB_FOLDERS - 1)
		sweep_sort(c->sweep);
}

static void walked(void *context)
{
	struct blob_collector *c = context;
	struct sweep_counts n;
	if (give_up(c))
		return;
	if (++c->folder < BLOB_FOLDERS) {
		walk(c);
		return;
	}
	sweep_get_counts(c->sweep, &n);
	atomic_store(&c->o.blobs->n, n.n);
	atomic_store(&c->o.blobs->bytes, n.bytes);
	c->folder = 0;
	if (n.candidates)
		roots(c);
	else
		finish(c, false);
}

static void walk(struct blob_collector *c)
{
	on_pool(c, walk_work, walked);
}

/* ── what names them: other blobs ── */

static void roots_work(void *context)
{
	struct blob_collector *c = context;
	sweep_roots(c->sweep, c->folder);
}

static void watched(void *context, struct bytes batch)
{
	blob_each_name(batch, sweep_mark, context);
}

/* What was committed before the watch began is durable, and the scan will see it. */
static void fenced(void *context, enum errcode code)
{
	struct blob_collector *c = context;
	if (code)
		finish(c, true);
	else if (!give_up(c))
		scan(c);
}

static void rooted(void *context)
{
	struct blob_collector *c = context;
	if (give_up(c))
		return;
	if (++c->folder < BLOB_FOLDERS) {
		roots(c);
		return;
	}
	c->watch = (struct store_watch){.seen = watched, .context = c->sweep};
	store_watch(c->o.store, &c->watch);
	c->table = 0;
	c->from = (struct store_key){0};
	store_commit(c->o.store, store_batch_new(), fenced, c);
}

static void roots(struct blob_collector *c)
{
	on_pool(c, roots_work, rooted);
}

/* ── what names them: the store's rows ── */

/* Reader thread. At least two rows at a time: the next step begins with the last one again. */
static bool look(void *context, const struct store_row *row)
{
	struct blob_collector *c = context;
	blob_each_name(row->head, sweep_mark, c->sweep);
	blob_each_name(row->body, sweep_mark, c->sweep);
	memcpy(c->text, row->key.text.data ? row->key.text.data : "", row->key.text.size);
	c->from = (struct store_key){row->key.id, row->key.sub, {c->text, row->key.text.size}};
	c->bytes += row->head.size + row->body.size;
	c->more = ++c->rows >= SCAN_ROWS || (c->rows >= 2 && c->bytes >= SCAN_BYTES);
	return !c->more;
}

static void looked(void *context, enum errcode code)
{
	struct blob_collector *c = context;
	if (code) {
		finish(c, true);
		return;
	}
	if (give_up(c))
		return;
	if (!c->more) {
		c->table++;
		c->from = (struct store_key){0};
	}
	if (c->table < STORE_TABLES)
		scan(c);
	else
		delete_some(c);
}

static void scan(struct blob_collector *c)
{
	struct store_range range = {.table = c->table, .from = c->from, .bodies = true};
	c->rows = 0;
	c->bytes = 0;
	c->more = false;
	c->o.store->ops->list(c->o.store, &range, look, looked, c);
}

/* ── deleting ── */

static void delete_work(void *context)
{
	struct blob_collector *c = context;
	c->more = sweep_delete(c->sweep, c->o.delete_step ? c->o.delete_step : DELETE_STEP);
}

static void deleted(void *context)
{
	struct blob_collector *c = context;
	if (!c->more)
		finish(c, false);
	else if (!give_up(c))
		delete_some(c);
}

static void delete_some(struct blob_collector *c)
{
	on_pool(c, delete_work, deleted);
}

/* ── */

static void begin(struct blob_collector *c, int64_t keep_unused_ms)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now); /* as the files' times */
	int64_t now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
	c->running = true;
	c->folder = 0;
	c->watch = (struct store_watch){0};
	c->sweep = sweep_new(c->o.blobs, now_ms - keep_unused_ms, CANDIDATES_MAX);
	if (!give_up(c))
		walk(c);
}

static void fire(void *context)
{
	struct blob_collector *c = context;
	if (!c->running)
		begin(c, c->o.keep_unused_ms);
}

struct blob_collector *blob_collector_new(const struct blob_collector_options *o)
{
	struct blob_collector *c = NEW(struct blob_collector);
	c->o = *o;
	if (o->loop) {
		c->timer = loop_timer_new(o->loop, fire, c);
		loop_timer_set(c->timer, FIRST_MS);
	}
	return c;
}

void blob_collector_stop(struct blob_collector *c)
{
	if (!c)
		return;
	c->stopping = true;
	store_unwatch(c->o.store, &c->watch);
	loop_timer_free(take(c->timer));
}

void blob_collector_free(struct blob_collector *c)
{
	if (!c)
		return;
	sweep_free(c->sweep);
	free(c);
}

enum errcode blob_collect(struct blob_collector *c, int64_t keep_unused_ms,
	void (*done)(void *context, const struct blob_collection *r), void *context, struct err *e)
{
	if (c->running)
		return err_set(e, E_CONFLICT, "a collection of blobs is under way");
	c->done = done;
	c->done_context = context;
	begin(c, keep_unused_ms);
	return E_OK;
}
