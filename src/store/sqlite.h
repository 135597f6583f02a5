/* sqlite.h - inside store/: the durable store, its threads and what they share.
 *
 *   loop thread      commit: gathers the batches of a turn (sqlite_gather.c), which go into `waiting`; read: own connection
 *   writer           takes every batch that waits, one transaction, one fsync; finished ones go to `deliver`
 *   checkpointer     moves the WAL's pages into the file; its own connection (sqlite_checkpoint.c)
 *   reader           lists and queries; its own connection
 *
 * With loop == NULL there are no threads: store_flush does their work, in the order of the calls. */
#pragma once
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
	pthread_t writer, checkpointer, reader;
	bool threads;
	struct gather *gather; /* loop thread */
	uint64_t pending_batches; /* loop thread */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work; /* for the writer: batches, the gate, the end */
	pthread_cond_t read_work, checkpoint_work, gate_free;
	struct request_list waiting, reads;
	unsigned waiting_n; /* batches in `waiting` */
	unsigned awaited; /* the writer wants to be woken when so many wait */
	bool stopping;
	bool writing, gate_wanted; /* the writer is in a transaction; the checkpointer wants it to pause */
	bool idle; /* nothing was committed for a while */
	int64_t wal_bytes, checkpointed_bytes; /* in the WAL; of them moved into the file */
	struct store_stats stats;

	unsigned vacuum_commits; /* writer; see sqlite_vacuum.c */
	bool vacuum_wanted;

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

/* sqlite_vacuum.c; writer */
enum errcode vacuum_within(struct sqlite_store *s); /* a transaction, before its commit */
bool vacuum_idle(struct sqlite_store *s); /* true: there is more to do */

/* sqlite_gather.c; loop thread */
struct gather *gather_new(struct sqlite_store *s);
void gather_free(struct gather *g);
void gather_add(struct gather *g, struct request *r);
void gather_flush(struct gather *g); /* does not wait for the end of the turn */

/* sqlite_checkpoint.c */
bool checkpoint_wanted(const struct sqlite_store *s); /* under the lock */
void checkpoint_extend_wal(struct sqlite_store *s);
void checkpoint_inline(struct sqlite_store *s); /* without threads */
void *checkpoint_main(void *store);
