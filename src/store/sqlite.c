#include "store/sqlite.h"

#include "base/mem.h"
#include "store/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LOG_MOST_BYTES = 32 << 20, LOG_LEAST_BYTES = 1 << 20, BALLAST_MOST_BYTES = 8 << 20 };

struct sqlite_reader {
	struct store_reader reader;
	struct sqlite_store *store;
};

static struct sqlite_store *store_of(struct store *s)
{
	return (struct sqlite_store *)s;
}

/* ── commit ── */

static void finish_batch(struct request *r)
{
	struct store_batch *b = container_of(r, struct store_batch, request);
	struct sqlite_store *s = store_of(b->store);
	if (b->code && s->generation <= b->generation)
		s->generation = b->generation + 1;
	s->store.failures += b->code != E_OK;
	s->pending_batches--;
	if (!b->code) {
		b->kept = true;
		generation_add(s->active, b); /* first: what is told is seen by a read */
	}
	overlay_free_spent(&s->spent, 2);
	batch_finish(b);
	apply_consider(s);
}

static void sqlite_commit(
	struct store *store, struct store_batch *b, void (*done)(void *context, enum errcode code), void *context)
{
	struct sqlite_store *s = store_of(store);
	b->request.run = finish_batch;
	b->store = store;
	b->done = done;
	b->context = context;
	b->generation = s->generation;
	s->pending_batches++;
	gather_add(s->gather, &b->request);
}

/* ── reading ── */

/* What was durable and did not get into SQLite would be missing in what it says. */
static enum errcode check_alive(struct sqlite_store *s, struct err *e)
{
	return atomic_load(&s->dead) ? err_set(e, E_IO, "the store has failed") : E_OK;
}

/* See store.h, rule 5. */
static enum errcode looked(struct sqlite_store *s, enum errcode code)
{
	if (code && code != E_NOT_FOUND)
		atomic_store(&s->dead, true);
	return code;
}

static enum errcode reader_get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	struct sqlite_store *s = ((struct sqlite_reader *)r)->store;
	enum errcode code = check_alive(s, e);
	return code ? code : looked(s, db_get(&s->reader_db, table, key, head, body, e));
}

static enum errcode reader_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	struct sqlite_store *s = ((struct sqlite_reader *)r)->store;
	enum errcode code = check_alive(s, e);
	return code ? code : looked(s, db_scan(&s->reader_db, range, visit, context, e));
}

static void read_all(struct sqlite_store *s, struct request_list *asked)
{
	struct sqlite_reader reader = {{reader_get, reader_scan, NULL}, s};
	struct request_list one;
	for (struct request *r; (r = request_list_take(asked));) {
		reader_do(container_of(r, struct reader_request, request), &reader.reader);
		request_list_init(&one);
		request_list_add(&one, r);
		deliver_add(&s->deliver, &one);
	}
}

static void *reader_main(void *store)
{
	struct sqlite_store *s = store;
	struct request_list asked;
	request_list_init(&asked);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->reads.first && !s->stopping)
			pthread_cond_wait(&s->read_work, &s->lock);
		if (!s->reads.first)
			break;
		request_list_move(&asked, &s->reads);
		pthread_mutex_unlock(&s->lock);
		read_all(s, &asked);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	batch_forget_kept();
	return NULL;
}

static void sqlite_list(struct store *s, const struct store_range *range, store_visit *visit,
	void (*done)(void *context, enum errcode code), void *context)
{
	apply_before(store_of(s), &reader_list(range, visit, done, context)->request);
}

static void sqlite_query(
	struct store *s, void (*work)(void *context, struct store_reader *r), void (*done)(void *context), void *context)
{
	apply_before(store_of(s), &reader_query(work, done, context)->request);
}

/* Of tests; with threads this is before the loop runs, and everything was recovered. */
static void apply_all_here(struct sqlite_store *s)
{
	if (!s->threads)
		apply_all(s);
}

static enum errcode sqlite_scan(
	struct store *s, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	apply_all_here(store_of(s));
	return looked(store_of(s), db_scan(&store_of(s)->loop_db, range, visit, context, e));
}

static enum errcode sqlite_load(
	struct store *s, enum store_table table, store_visit *visit, void *context, struct err *e)
{
	return sqlite_scan(s, &(struct store_range){.table = table}, visit, context, e);
}

static void give(struct buf *out, struct bytes bytes)
{
	if (!out)
		return;
	buf_clear(out);
	buf_add(out, bytes.data, bytes.size);
}

static enum errcode sqlite_read(struct store *store, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	struct sqlite_store *s = store_of(store);
	struct overlay_row row = {0};
	enum errcode code = E_OK;
	generation_find(s->active, table, &key, &row);
	if (s->frozen && !row.state)
		generation_find(s->frozen, table, &key, &row);
	if (row.state == OVERLAY_GONE)
		return err_set(e, E_NOT_FOUND, "no such row");
	if (row.state == OVERLAY_UNKNOWN)
		code = looked(s, db_get(&s->loop_db, table, key, head, body, e));
	if (!code && row.has_head)
		give(head, row.head);
	if (row.state == OVERLAY_THERE)
		give(body, row.body);
	return code;
}

/* ── snapshots ── */

struct sqlite_snapshot {
	struct store_reader reader;
	struct sqlite_db db;
};

static enum errcode snapshot_get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	return db_get(&((struct sqlite_snapshot *)r)->db, table, key, head, body, e);
}

static enum errcode snapshot_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return db_scan(&((struct sqlite_snapshot *)r)->db, range, visit, context, e);
}

static void snapshot_close(struct store_reader *r)
{
	struct sqlite_snapshot *snap = (struct sqlite_snapshot *)r;
	db_close(&snap->db); /* its transaction ends with it */
	free(snap);
}

/* While it lives the WAL is not used anew from its start and grows. */
static enum errcode sqlite_snapshot(struct store *store, struct store_reader **out, struct err *e)
{
	struct sqlite_store *s = store_of(store);
	struct sqlite_snapshot *snap = NEW(struct sqlite_snapshot);
	snap->reader = (struct store_reader){snapshot_get, snapshot_scan, snapshot_close};
	apply_all_here(s);
	enum errcode code = db_open(&snap->db, s->path, &s->options, false, e);
	if (!code)
		code = db_exec(&snap->db, "BEGIN; SELECT value FROM meta", e); /* the first read is what begins it */
	if (code)
		snapshot_close(&snap->reader);
	else
		*out = &snap->reader;
	return code;
}

/* ── without threads ── */

static void sqlite_flush(struct store *store)
{
	struct sqlite_store *s = store_of(store);
	struct request_list group;
	if (s->threads)
		return;
	request_list_init(&group);
	request_list_move(&group, &s->waiting);
	s->waiting_n = 0;
	if (group.first) {
		writer_commit(s, &group);
		deliver_add(&s->deliver, &group);
		deliver_run(&s->deliver);
	}
	if (s->reads_active.first)
		apply_all(s);
	request_list_move(&group, &s->reads);
	read_all(s, &group);
	deliver_run(&s->deliver);
}

/* ── stats, open, close ── */

static uint64_t file_bytes(const struct sqlite_store *s, const char *suffix)
{
	char path[sizeof s->path + 8];
	struct stat st;
	snprintf(path, sizeof path, "%s%s", s->path, suffix);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void sqlite_stats(struct store *store, struct store_stats *out)
{
	struct sqlite_store *s = store_of(store);
	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	pthread_mutex_unlock(&s->lock);
	out->epoch = store->epoch;
	out->pending_batches = s->pending_batches;
	out->file_bytes = file_bytes(s, "");
	out->wal_bytes = file_bytes(s, "-wal");
	out->full = atomic_load(&s->full);
	out->dead = atomic_load(&s->dead);
}

/* It may wait for room in the log, which needs us to take its answers. */
static void join_writer(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->writer_over) {
		wait_ms(&s->writer_gone, &s->lock, 5);
		pthread_mutex_unlock(&s->lock);
		deliver_run(&s->deliver);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->writer, NULL);
}

static void stop_threads(struct sqlite_store *s)
{
	if (!s->threads)
		return;
	gather_flush(s->gather);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_broadcast(&s->work);
	join_writer(s);
	pthread_cond_broadcast(&s->read_work);
	pthread_cond_broadcast(&s->apply_work);
	pthread_join(s->applier, NULL);
	pthread_join(s->reader, NULL);
	s->threads = false;
}

static void store_free(struct sqlite_store *s)
{
	db_close(&s->checkpoint_db);
	db_close(&s->reader_db);
	db_close(&s->loop_db);
	db_close(&s->write_db); /* the last one moves the WAL into the file */
	commit_log_close(&s->log);
	ballast_close(&s->ballast);
	apply_close(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	deliver_fini(&s->deliver);
	gather_free(s->gather);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->read_work);
	pthread_cond_destroy(&s->apply_work);
	pthread_cond_destroy(&s->writer_gone);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* What `done` callbacks commit is committed, too. */
static void sqlite_close(struct store *store)
{
	struct sqlite_store *s = store_of(store);
	stop_threads(s);
	deliver_run(&s->deliver);
	gather_flush(s->gather);
	while (s->waiting.first || s->reads.first || s->reads_active.first) {
		sqlite_flush(store);
		gather_flush(s->gather);
	}
	apply_all(s); /* what the disk has no room for stays in the log */
	store_free(s);
	batch_forget_kept();
}

static const struct store_ops sqlite_ops = {
	.name = "sqlite",
	.close = sqlite_close,
	.commit = sqlite_commit,
	.load = sqlite_load,
	.read = sqlite_read,
	.list = sqlite_list,
	.query = sqlite_query,
	.stats = sqlite_stats,
	.scan = sqlite_scan,
	.snapshot = sqlite_snapshot,
	.flush = sqlite_flush,
};

/* After each commit of the applier's connection: how long the WAL is now. */
static int wal_grew(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *s = context;
	int64_t page = s->options.page_size ? s->options.page_size : 4096;
	s->wal_bytes = pages * page;
	return SQLITE_OK;
}

static void init(struct sqlite_store *s, struct loop *loop)
{
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, &clock);
	pthread_cond_init(&s->read_work, NULL);
	pthread_cond_init(&s->apply_work, &clock);
	pthread_cond_init(&s->writer_gone, &clock);
	pthread_condattr_destroy(&clock);
	deliver_init(&s->deliver, loop);
	s->gather = gather_new(s);
	request_list_init(&s->waiting);
	request_list_init(&s->reads);
	s->lock_fd = -1;
}

static enum errcode open_connections(struct sqlite_store *s, struct err *e)
{
	enum errcode code = db_open(&s->loop_db, s->path, &s->options, false, e);
	if (!code)
		code = db_open(&s->reader_db, s->path, &s->options, false, e);
	if (!code)
		code = db_open(&s->checkpoint_db, s->path, &s->options, false, e);
	if (!code)
		sqlite3_busy_timeout(s->checkpoint_db.db, 0); /* what a reader holds up can be done the next time */
	return code;
}

/* On a small disk not the most of it. */
static uint64_t log_bytes(const struct sqlite_store *s, const char *directory)
{
	struct statvfs disk;
	uint64_t bytes = LOG_MOST_BYTES;
	if (s->options.log_bytes)
		return s->options.log_bytes;
	if (statvfs(directory, &disk) == 0)
		while (bytes > LOG_LEAST_BYTES && bytes > (uint64_t)disk.f_bavail * disk.f_frsize / 8)
			bytes /= 2;
	return bytes;
}

static void open_ballast(struct sqlite_store *s, const char *directory)
{
	char path[sizeof s->path];
	snprintf(path, sizeof path, "%s/reeve.ballast", directory);
	ballast_open(&s->ballast, path, s->log.size < BALLAST_MOST_BYTES ? s->log.size : BALLAST_MOST_BYTES);
	s->refusing = !s->ballast.held;
}

/* What is in the log goes into SQLite, and from then on the log is ours. */
static enum errcode open_log(struct sqlite_store *s, const char *directory, struct err *e)
{
	char path[sizeof s->path];
	snprintf(path, sizeof path, "%s/reeve.commits", directory);
	s->log.unsynced = s->options.unsynced;
	enum errcode code = commit_log_open(&s->log, s->options.vfs, path, e);
	if (code)
		return code;
	if ((code = apply_recover(s)))
		return err_set(e, code, "%s: what was committed last cannot be brought into %s", path, s->path);
	code = commit_log_reserve(&s->log, log_bytes(s, directory));
	if (!code)
		code = commit_log_own(&s->log, s->store.epoch);
	if (!code)
		open_ballast(s, directory);
	return code ? err_set(e, code, "%s: there is no room for it", path) : E_OK;
}

static enum errcode open_files(struct sqlite_store *s, const char *directory, struct err *e)
{
	char lock[sizeof s->path];
	snprintf(lock, sizeof lock, "%s/lock", directory);
	if (snprintf(s->path, sizeof s->path, "%s/reeve.db", directory) >= (int)sizeof s->path - 8)
		return err_set(e, E_INVALID, "data directory: its path has more than %zu bytes", sizeof s->path - 24);
	enum errcode code = lockfile_take(lock, &s->lock_fd, e);
	if (!code)
		code = db_open(&s->write_db, s->path, &s->options, true, e);
	if (!code)
		code = db_create(&s->write_db, s->path, s->options.epoch, &s->store.epoch, e);
	if (!code) {
		sqlite3_wal_hook(s->write_db.db, wal_grew, s);
		code = open_log(s, directory, e);
	}
	return code ? code : open_connections(s, e);
}

/* A new file's name must survive, too. */
static enum errcode sync_directory(const char *directory, struct err *e)
{
	scoped(mem_close_at) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, errno, "%s", directory);
	return E_OK;
}

static void start_threads(struct sqlite_store *s)
{
	if (!s->deliver.loop)
		return;
	if (pthread_create(&s->writer, NULL, writer_main, s) || pthread_create(&s->reader, NULL, reader_main, s) ||
		pthread_create(&s->applier, NULL, apply_main, s))
		abort();
	s->threads = true;
}

enum errcode sqlite_open(
	struct loop *loop, const char *directory, const struct sqlite_options *options, struct store **out, struct err *e)
{
	struct sqlite_store *s = NEW(struct sqlite_store);
	s->store.ops = &sqlite_ops;
	if (options)
		s->options = *options;
	init(s, loop);
	enum errcode code = open_files(s, directory, e);
	if (!code)
		code = sync_directory(directory, e);
	if (code) {
		store_free(s);
		return code;
	}
	apply_open(s);
	start_threads(s);
	*out = &s->store;
	return E_OK;
}

enum errcode store_sqlite_open(struct loop *loop, const char *directory, struct store **out, struct err *e)
{
	return sqlite_open(loop, directory, NULL, out, e);
}

enum errcode store_sqlite_open_at(const char *directory, uint64_t epoch, struct store **out, struct err *e)
{
	return sqlite_open(NULL, directory, &(struct sqlite_options){.epoch = epoch}, out, e);
}
