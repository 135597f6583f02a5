/* sqlite.h - inside store/: the durable store, its threads and what they share.
 *
 *   loop thread      commit: gathers the batches of a turn (sqlite_gather.c), which go into `waiting`; read: the overlay's
 *                    generations (overlay.h), then its own connection
 *   writer           takes every batch that waits: one record of the commit log, one fsync; finished ones go to `deliver`
 *   applier          moves what is durable into SQLite (sqlite_apply.c), and the WAL's pages into the file
 *   reader           lists and queries; its own connection
 *
 * With loop == NULL there are no threads: store_flush does their work, in the order of the calls. */
#pragma once
#include "store/ballast.h"
#include "store/commit_log.h"
#include "store/overlay.h"
#include "store/reader.h"
#include "store/sqlite_db.h"

#include <pthread.h>
#include <stdatomic.h>

struct sqlite_store {
	struct store store;
	struct deliver deliver;
	struct sqlite_options options;
	char path[1024];
	int lock_fd;
	struct sqlite_db write_db, loop_db, reader_db, checkpoint_db;
	pthread_t writer, applier, reader;
	bool threads;
	struct gather *gather; /* loop thread */
	uint64_t pending_batches; /* loop thread */
	struct commit_log log; /* writer */
	/* applier */
	int64_t wal_bytes;
	unsigned vacuum_commits; /* sqlite_vacuum.c */
	bool vacuum_wanted, tidied;
	struct ballast ballast;

	/* loop thread; sqlite_apply.c */
	struct generation generations[2], *active, *frozen; /* frozen: with the applier, or NULL */
	struct store_batch *spent; /* to be freed, two for each new one */
	struct request_list reads_active, reads_frozen; /* for the reader, when that generation is in SQLite */
	struct loop_timer *timer;
	bool timing, urged; /* the timer runs; freeze the active one as soon as may be */
	uint64_t log_share; /* of the log that a generation may take */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work; /* for the writer: batches, room in the log, the end */
	pthread_cond_t read_work, apply_work, writer_gone;
	struct request_list waiting, reads;
	unsigned waiting_n; /* batches in `waiting` */
	unsigned awaited; /* the writer wants to be woken when so many wait */
	bool stopping, writing, writer_over;
	struct generation *to_apply;
	struct request applied, urge; /* news for the loop: to_apply is in SQLite; the writer needs room */
	bool urging; /* `urge` is on its way */
	bool refusing, retry; /* the disk is full for the applier: take nothing new; look again now */
	uint64_t released; /* position in the log: what is before is in SQLite, on disk */
	struct store_stats stats;

	unsigned generation; /* loop thread: of commits from now on */
	unsigned failed_before; /* writer: batches of older generations fail with fail_code */
	enum errcode fail_code;
	atomic_bool full, dead;
};

enum errcode sqlite_open(
	struct loop *loop, const char *directory, const struct sqlite_options *options, struct store **out, struct err *e);

/* sqlite_writer.c: applies all of `group` as one transaction and sets each batch's code. */
void writer_commit(struct sqlite_store *s, struct request_list *group);
void *writer_main(void *store);

/* sqlite_vacuum.c; applier */
enum errcode vacuum_within(struct sqlite_store *s); /* a transaction, before its commit */
bool vacuum_idle(struct sqlite_store *s); /* true: there is more to do */

/* sqlite_gather.c; loop thread */
struct gather *gather_new(struct sqlite_store *s);
void gather_free(struct gather *g);
void gather_add(struct gather *g, struct request *r);
void gather_flush(struct gather *g); /* does not wait for the end of the turn */

/* sqlite_apply.c; loop thread */
void apply_open(struct sqlite_store *s); /* the log was recovered */
void apply_close(struct sqlite_store *s);
void apply_consider(struct sqlite_store *s); /* after a batch became durable: is it time? */
void apply_before(
	struct sqlite_store *s, struct request *read); /* the reader gets it when all that is durable is in SQLite */
void apply_all(struct sqlite_store *s); /* without threads */
/* applier */
void *apply_main(void *store);
/* writer, under the lock: the loop is to freeze what it has */
void apply_urge(struct sqlite_store *s);
/* Before there are threads: what the log has and SQLite has not. */
enum errcode apply_recover(struct sqlite_store *s);

/* sqlite_checkpoint.c; applier */
void checkpoint_run(struct sqlite_store *s); /* when it is worth it */
void checkpoint_run_idle(struct sqlite_store *s);

void wait_ms(pthread_cond_t *c, pthread_mutex_t *lock, int64_t ms); /* CLOCK_MONOTONIC */
