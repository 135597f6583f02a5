/* From the commit log into SQLite, off the way of every commit.
 *
 *   loop      every durable batch goes into the active generation; when that has grown, or somebody wants to list, or a second
 *             has passed, it is frozen and handed to the applier, and the other one is active
 *   applier   one transaction of all that still matters of the frozen generation, with the position in the log; then the log's
 *             space is released
 *
 * Reads of one row ask the generations first. Lists and queries wait until what they must see is in SQLite. Without threads all
 * this happens within store_flush. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <stdio.h>

enum {
	APPLY_BYTES = 1 << 20, /* of operations in one transaction: more saves nothing */
	APPLY_MS = 1000,
	IDLE_MS = 500,
	RETRY_MS = 200, /* on a full disk */
};

/* ── one generation into SQLite ── */

static enum errcode put_rows(struct sqlite_store *s, const struct generation *g)
{
	struct sqlite_db *d = &s->write_db;
	struct batch_op op;
	uint32_t i = 0;
	enum errcode code = db_begin(d, s->store.epoch);
	for (const struct store_batch *b = g->first; b; b = b->next_kept) {
		for (size_t at = 0; !code && batch_next(b, &at, &op); i++) {
			if (!generation_superseded(g, i, &op))
				code = db_apply(d, &op);
		}
	}
	if (!code)
		code = db_set_position(d, g->sequence, g->position);
	if (!code)
		code = vacuum_within(s);
	if (!code)
		code = db_commit(d);
	if (code)
		db_rollback(d);
	return code ? code : db_sync(d);
}

/* E_NO_SPACE: nothing of it was kept, and it can be tried again. */
static enum errcode put_generation(struct sqlite_store *s, const struct generation *g)
{
	enum errcode code = put_rows(s, g);
	if (code == E_NO_SPACE && ballast_drop(&s->ballast))
		code = put_rows(s, g);
	if (code && code != E_NO_SPACE)
		atomic_store(&s->dead, true);
	return code;
}

/* ── loop thread ── */

static void pass_on(struct sqlite_store *s, struct request_list *reads)
{
	pthread_mutex_lock(&s->lock);
	request_list_move(&s->reads, reads);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->read_work);
}

/* The frozen generation is in SQLite. Or it never will be: then reads fail, and the engine hears of it from its next commit. */
static void applied(struct sqlite_store *s)
{
	if (atomic_load(&s->dead)) {
		request_list_move(&s->reads_frozen, &s->reads_active);
	} else {
		generation_clear(s->frozen, &s->spent);
		s->frozen = NULL;
	}
	if (s->reads_frozen.first)
		pass_on(s, &s->reads_frozen);
	apply_consider(s);
}

static void on_applied(struct request *r)
{
	applied(container_of(r, struct sqlite_store, applied));
}

static void apply_here(struct sqlite_store *s)
{
	enum errcode code = put_generation(s, s->frozen);
	s->refusing = code == E_NO_SPACE || !ballast_take(&s->ballast);
	if (!code) {
		s->released = s->frozen->position;
		checkpoint_run(s);
		applied(s);
	}
}

static void freeze(struct sqlite_store *s)
{
	s->frozen = s->active;
	s->active = &s->generations[s->frozen == s->generations];
	s->active->begun = s->active->position = s->frozen->position;
	s->urged = false;
	request_list_move(&s->reads_frozen, &s->reads_active);
	if (!s->threads) {
		apply_here(s);
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->to_apply = s->frozen;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->apply_work);
}

static bool due(const struct sqlite_store *s)
{
	uint64_t most = s->options.apply_bytes ? s->options.apply_bytes : APPLY_BYTES;
	const struct generation *g = s->active;
	return s->urged || s->reads_active.first || g->bytes >= most || g->position - g->begun >= s->log_share;
}

static void on_timer(void *store)
{
	struct sqlite_store *s = store;
	s->timing = false;
	s->urged = true;
	apply_consider(s);
}

void apply_consider(struct sqlite_store *s)
{
	if (!s->active->first)
		return;
	if (!s->frozen && s->active->whole && due(s)) {
		freeze(s);
	} else if (s->timer && !s->timing) {
		s->timing = true;
		loop_timer_set(s->timer, APPLY_MS);
	}
}

static void on_urge(struct request *r)
{
	struct sqlite_store *s = container_of(r, struct sqlite_store, urge);
	pthread_mutex_lock(&s->lock);
	s->urging = false;
	pthread_mutex_unlock(&s->lock);
	s->urged = true;
	apply_consider(s);
}

void apply_urge(struct sqlite_store *s)
{
	struct request_list one;
	if (s->urging)
		return;
	s->urging = true;
	request_list_init(&one);
	request_list_add(&one, &s->urge);
	deliver_add(&s->deliver, &one);
}

void apply_all(struct sqlite_store *s)
{
	if (atomic_load(&s->dead))
		return;
	if (s->frozen)
		apply_here(s);
	s->urged = true;
	apply_consider(s);
}

void apply_before(struct sqlite_store *s, struct request *read)
{
	struct request_list one;
	request_list_init(&one);
	if ((!s->active->first && !s->frozen) || atomic_load(&s->dead)) {
		request_list_add(&one, read);
		pass_on(s, &one);
		return;
	}
	request_list_add(s->active->first ? &s->reads_active : &s->reads_frozen, read);
	apply_consider(s);
}

void apply_open(struct sqlite_store *s)
{
	s->active = s->generations;
	s->active->begun = s->active->position = s->released = s->log.position;
	s->log_share = s->log.size / 4;
	s->applied.run = on_applied;
	s->urge.run = on_urge;
	request_list_init(&s->reads_active);
	request_list_init(&s->reads_frozen);
	if (s->deliver.loop)
		s->timer = loop_timer_new(s->deliver.loop, on_timer, s);
}

void apply_close(struct sqlite_store *s)
{
	loop_timer_free(s->timer);
	generation_fini(&s->generations[0]);
	generation_fini(&s->generations[1]);
	overlay_free_spent(&s->spent, UINT32_MAX);
}

/* ── applier ── */

static void tell_applied(struct sqlite_store *s)
{
	struct request_list news;
	s->released = s->to_apply->position;
	s->to_apply = NULL;
	request_list_init(&news);
	request_list_add(&news, &s->applied);
	deliver_add(&s->deliver, &news);
}

/* Under the lock; returns with it. */
static void apply_one(struct sqlite_store *s)
{
	const struct generation *g = s->to_apply;
	pthread_mutex_unlock(&s->lock);
	enum errcode code = g ? put_generation(s, g) : E_OK;
	if (!atomic_load(&s->dead))
		checkpoint_run(s);
	bool full = code == E_NO_SPACE || !ballast_take(&s->ballast);
	pthread_mutex_lock(&s->lock);
	s->refusing = full;
	s->retry = false;
	if (g && code != E_NO_SPACE)
		tell_applied(s);
	pthread_cond_signal(&s->work);
	if (code == E_NO_SPACE && !s->stopping)
		wait_ms(&s->apply_work, &s->lock, RETRY_MS);
}

/* Under the lock; returns with it. */
static void tidy(struct sqlite_store *s, bool *more)
{
	if (!*more)
		wait_ms(&s->apply_work, &s->lock, IDLE_MS);
	if (s->to_apply || s->retry || s->stopping)
		return;
	pthread_mutex_unlock(&s->lock);
	*more = vacuum_idle(s);
	if (!*more)
		checkpoint_run_idle(s);
	pthread_mutex_lock(&s->lock);
	s->tidied = !*more;
}

void *apply_main(void *store)
{
	struct sqlite_store *s = store;
	bool more = false;
	s->tidied = true;
	pthread_mutex_lock(&s->lock);
	while (s->to_apply || !s->stopping) {
		if (s->to_apply || s->retry) {
			apply_one(s);
			s->tidied = more = false;
			if (s->stopping && (s->refusing || atomic_load(&s->dead)))
				break; /* it is in the log */
		} else if (s->tidied) {
			pthread_cond_wait(&s->apply_work, &s->lock);
		} else {
			tidy(s, &more);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ── at the start ── */

struct recovery {
	struct sqlite_store *s;
	bool begun;
};

static enum errcode recover_one(void *context, struct bytes payload)
{
	struct recovery *r = context;
	struct store_batch b = {.ops = {.data = (char *)payload.data, .size = payload.size}};
	struct batch_op op;
	enum errcode code = batch_valid(payload) ? E_OK : E_INVALID;
	if (!code && !r->begun)
		code = db_begin(&r->s->write_db, r->s->store.epoch);
	r->begun = true;
	for (size_t at = 0; !code && batch_next(&b, &at, &op);)
		code = db_apply(&r->s->write_db, &op);
	return code;
}

/* The log's id is made with the first start, and durable before the first record. */
static enum errcode know_log(struct sqlite_db *d, uint64_t *id)
{
	char sql[120];
	int64_t known = db_meta(d, "log_id");
	if (known < 0) {
		sqlite3_randomness(sizeof known, &known);
		known = (int64_t)((uint64_t)known >> 1);
		snprintf(sql, sizeof sql, "INSERT INTO meta VALUES ('log_id', %lld), ('log_sequence', 0), ('log_position', 0)",
			(long long)known);
		enum errcode code = db_exec(d, sql, NULL);
		if (code)
			return code;
	}
	*id = (uint64_t)known;
	return E_OK;
}

enum errcode apply_recover(struct sqlite_store *s)
{
	struct sqlite_db *d = &s->write_db;
	struct recovery r = {s, false};
	uint64_t id = 0;
	enum errcode code = know_log(d, &id);
	if (!code)
		code = commit_log_recover(
			&s->log, id, (uint64_t)db_meta(d, "log_sequence"), (uint64_t)db_meta(d, "log_position"), recover_one, &r);
	if (!code && r.begun)
		code = db_set_position(d, s->log.sequence, s->log.position);
	if (!code && r.begun)
		code = db_commit(d);
	if (code)
		db_rollback(d);
	return code ? code : db_sync(d);
}
