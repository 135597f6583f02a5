#include "store/sqlite.h"

#include "base/mem.h"
#include "store/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
	s->pending_batches--;
	batch_finish(b);
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
	return looked(s, db_get(&s->reader_db, table, key, head, body, e));
}

static enum errcode reader_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	struct sqlite_store *s = ((struct sqlite_reader *)r)->store;
	return looked(s, db_scan(&s->reader_db, range, visit, context, e));
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

static void ask(struct sqlite_store *s, struct reader_request *q)
{
	pthread_mutex_lock(&s->lock);
	request_list_add(&s->reads, &q->request);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->read_work);
}

static void sqlite_list(struct store *s, const struct store_range *range, store_visit *visit,
	void (*done)(void *context, enum errcode code), void *context)
{
	ask(store_of(s), reader_list(range, visit, done, context));
}

static void sqlite_query(
	struct store *s, void (*work)(void *context, struct store_reader *r), void (*done)(void *context), void *context)
{
	ask(store_of(s), reader_query(work, done, context));
}

static enum errcode sqlite_scan(
	struct store *s, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return looked(store_of(s), db_scan(&store_of(s)->loop_db, range, visit, context, e));
}

static enum errcode sqlite_load(
	struct store *s, enum store_table table, store_visit *visit, void *context, struct err *e)
{
	return sqlite_scan(s, &(struct store_range){.table = table}, visit, context, e);
}

static enum errcode sqlite_read(
	struct store *s, enum store_table table, struct store_key key, struct buf *head, struct buf *body, struct err *e)
{
	return looked(store_of(s), db_get(&store_of(s)->loop_db, table, key, head, body, e));
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

/* While it lives the WAL is not used anew from its start and grows; the next restart cuts it to its size again. */
static enum errcode sqlite_snapshot(struct store *store, struct store_reader **out, struct err *e)
{
	struct sqlite_store *s = store_of(store);
	struct sqlite_snapshot *snap = NEW(struct sqlite_snapshot);
	snap->reader = (struct store_reader){snapshot_get, snapshot_scan, snapshot_close};
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
		checkpoint_inline(s);
		deliver_add(&s->deliver, &group);
	}
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

static void stop_threads(struct sqlite_store *s)
{
	if (!s->threads)
		return;
	gather_flush(s->gather);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->read_work);
	pthread_cond_broadcast(&s->checkpoint_work);
	pthread_join(s->writer, NULL);
	pthread_join(s->reader, NULL);
	pthread_join(s->checkpointer, NULL);
	s->threads = false;
}

static void store_free(struct sqlite_store *s)
{
	db_close(&s->checkpoint_db);
	db_close(&s->reader_db);
	db_close(&s->loop_db);
	db_close(&s->write_db); /* the last one moves the WAL into the file */
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	deliver_fini(&s->deliver);
	gather_free(s->gather);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->read_work);
	pthread_cond_destroy(&s->checkpoint_work);
	pthread_cond_destroy(&s->gate_free);
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
	while (s->waiting.first || s->reads.first) {
		sqlite_flush(store);
		gather_flush(s->gather);
	}
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

/* After each commit of the writer's connection: how long the WAL is now. */
static int wal_grew(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *s = context;
	int64_t page = s->options.page_size ? s->options.page_size : 4096;
	pthread_mutex_lock(&s->lock);
	s->wal_bytes = pages * page;
	if (s->checkpointed_bytes > s->wal_bytes)
		s->checkpointed_bytes = 0; /* the WAL began anew */
	bool wanted = checkpoint_wanted(s);
	pthread_mutex_unlock(&s->lock);
	if (wanted)
		pthread_cond_signal(&s->checkpoint_work);
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
	pthread_cond_init(&s->checkpoint_work, NULL);
	pthread_cond_init(&s->gate_free, NULL);
	pthread_condattr_destroy(&clock);
	deliver_init(&s->deliver, loop);
	s->gather = gather_new(s);
	request_list_init(&s->waiting);
	request_list_init(&s->reads);
	s->lock_fd = -1;
}

static enum errcode open_files(struct sqlite_store *s, const char *directory, struct err *e)
{
	char lock[sizeof s->path];
	snprintf(lock, sizeof lock, "%s/lock", directory);
	if (snprintf(s->path, sizeof s->path, "%s/reeve.db", directory) >= (int)sizeof s->path)
		return err_set(e, E_INVALID, "data directory: its path has more than %zu bytes", sizeof s->path - 16);
	enum errcode code = lockfile_take(lock, &s->lock_fd, e);
	if (!code)
		code = db_open(&s->write_db, s->path, &s->options, true, e);
	if (!code)
		code = db_create(&s->write_db, s->path, s->options.epoch, &s->store.epoch, e);
	if (!code)
		code = db_open(&s->loop_db, s->path, &s->options, false, e);
	if (!code)
		code = db_open(&s->reader_db, s->path, &s->options, false, e);
	if (!code && s->deliver.loop)
		code = db_open(&s->checkpoint_db, s->path, &s->options, false, e);
	if (!code)
		sqlite3_wal_hook(s->write_db.db, wal_grew, s);
	if (!code && s->deliver.loop)
		sqlite3_busy_timeout(s->checkpoint_db.db, 0); /* it would wait with the writer at the gate */
	return code;
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
	checkpoint_extend_wal(s);
	if (pthread_create(&s->writer, NULL, writer_main, s) || pthread_create(&s->reader, NULL, reader_main, s) ||
		pthread_create(&s->checkpointer, NULL, checkpoint_main, s))
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
