/* store.h - durable rows, written in atomic batches. No job verbs: it keeps rows and knows nothing of what they mean.
 *
 * A row lives in a table under (id, sub) or under a text key, and has a `head` (small, read back by store_load when the
 * engine starts and filtered by store_list) and a `body` (read only on demand: bodies of waiting jobs stay on disk).
 *
 * RULES
 *  1 A batch is atomic. Whatever can be refused was decided in memory before: no batch can fail alone. If the disk fails, the
 *    whole group fails: with E_NO_SPACE nothing of it was kept and the store goes on; with E_IO (fsync) the store is dead
 *    and the engine must exit and recover from disk. It is never retried.
 *  2 store_commit() takes the batch and returns at once; `done` is called on the loop thread after the batch is durable
 *    (or failed), in the order of the commits. Nothing is acknowledged or dispatched before that. When one fails, every
 *    batch committed before its `done` ran fails with it: no later batch of the caller's succeeds without an earlier one.
 *  3 Group commit: the writer takes every batch that waits; those of one turn of the loop reach it together, when the turn
 *    ends. A row's bytes are copied into the batch when added.
 *  4 The epoch: open() raises it in the store; a commit under an older epoch is refused (E_FENCE) for ever after.
 *  5 A read that fails otherwise than with E_NOT_FOUND makes the store dead: whatever was decided on it is never committed.
 * Implementations: memory.c (template, test double), sqlite.c. The contract test (store_contract_test.c) runs on both. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum store_table { /* what each keeps: the owner folder documents its head */
	STORE_JOB, /* (job id): live jobs; body = input */
	STORE_DONE, /* (job id): completed and cancelled; body = result */
	STORE_DEAD, /* (job id): dead letters; body = input */
	STORE_ITEM, /* (job id, item key): body = item */
	STORE_CHECKPOINT, /* (job id): body = checkpoint */
	STORE_ATTEMPT, /* (job id, attempt): failed attempts: head = when, error */
	STORE_KEY, /* (text key): idempotency and unique keys: head = job id, expiry */
	STORE_RUN, /* (run id): head = state of the run; body = input/result */
	STORE_SETTING, /* (text key): paused queues, workers added at run time ...: body = JSON */
	STORE_CLAIM, /* (job id): the job is in a pull client's hands: head = fence, how long its lease is */
	STORE_SCHEDULE, /* (text key): head = how far the schedule is, body = its definition */
	STORE_CALLBACK, /* (callback id): head = how far its delivery is, body = what is to be sent */
	STORE_BATCH, /* (batch id): head = how far it is, body = its definition */
	STORE_MEMBER, /* (batch id, 0): head = how many jobs it has; (batch id, job id): one of them */
	STORE_TABLES
};

const char *store_table_name(enum store_table table); /* "job"; the same for ever */

struct store_key {
	uint64_t id, sub;
	struct bytes text; /* tables STORE_KEY, STORE_SETTING, STORE_SCHEDULE: up to 512 bytes; there id and sub are 0 */
};

struct store_batch; /* heap; made by store_batch_new, owned by the store from store_commit on */

struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b); /* only one that was not committed */
bool store_batch_empty(const struct store_batch *b);
struct bytes store_batch_bytes(
	const struct store_batch *b); /* keys, heads and bodies, for looking for something in them */
/* Called on the loop thread after the commit's own `done`, in the order of adding: what belongs to the batch but not to who
 * commits it. Not called for a batch that was held. */
void store_batch_then(struct store_batch *b, void (*then)(void *context, enum errcode code), void *context);
/* Inside `done` with E_NO_SPACE: the batch is the caller's again, to be committed once more when there is space. */
void store_batch_hold(struct store_batch *b);
void store_batch_put(struct store_batch *b, enum store_table table, struct store_key key, struct bytes head,
	struct bytes body); /* insert or replace */
void store_batch_put_head(struct store_batch *b, enum store_table table, struct store_key key,
	struct bytes head); /* the row exists; its body stays */
void store_batch_delete(struct store_batch *b, enum store_table table, struct store_key key); /* may not exist */
void store_batch_delete_all(struct store_batch *b, enum store_table table, uint64_t id); /* every sub of id */

/* One row as seen by a visitor; bytes are borrowed for the call. */
struct store_row {
	enum store_table table;
	struct store_key key;
	struct bytes head, body; /* body is {NULL,0} where only heads are read */
	uint64_t body_size;
};
typedef bool store_visit(void *context, const struct store_row *row); /* false stops; which thread: see the caller */

struct store_range { /* in ascending order of the key, or descending */
	enum store_table table;
	struct store_key from; /* inclusive; zero: from the beginning (or the end when descending) */
	uint64_t id; /* when not 0: only rows of this id */
	bool descending, bodies;
	unsigned scan_max; /* give up after so many rows were looked at; 0: no limit */
};

struct store;
struct store_reader;

struct store_stats {
	uint64_t epoch, commits, batches, rows_written, bytes_written;
	uint64_t file_bytes, wal_bytes;
	uint64_t pending_batches; /* waiting for the writer */
	bool full, dead;
};

struct store_ops {
	const char *name; /* "sqlite" */
	void (*close)(struct store *s); /* waits for the writer; frees s. Loop thread */
	void (*commit)(
		struct store *s, struct store_batch *b, void (*done)(void *context, enum errcode code), void *context);
	/* Every row's head, in ascending order of the key. Blocks: only before the loop runs. A visitor that returns false ends
	 * it with E_OK. */
	enum errcode (*load)(struct store *s, enum store_table table, store_visit *visit, void *context, struct err *e);
	/* Blocks for one lookup (about 10 microseconds in the page cache): E_NOT_FOUND. Copies into *head, *body (either NULL).
	 * Sees what is durable. Loop thread. */
	enum errcode (*read)(struct store *s, enum store_table table, struct store_key key, struct buf *head,
		struct buf *body, struct err *e);
	/* Asynchronous: visits on the reader thread, then `done` on the loop thread. The visitor must only touch its context. */
	void (*list)(struct store *s, const struct store_range *range, store_visit *visit,
		void (*done)(void *context, enum errcode code), void *context);
	/* Runs work() on the reader thread with a reader of its own (many look-ups that belong together: a run's items with their
	 * results), then done() on the loop thread. It sees at least every batch whose `done` was called before. */
	void (*query)(struct store *s, void (*work)(void *context, struct store_reader *r), void (*done)(void *context),
		void *context);
	void (*stats)(struct store *s, struct store_stats *out);
	/* As load, of a part. */
	enum errcode (*scan)(
		struct store *s, const struct store_range *range, store_visit *visit, void *context, struct err *e);
	/* Blocks. A reader that sees the store as it is now, whatever is committed later; commits are not held up. Asked for within a query
	 * (a running store) it has every batch whose `done` was called before that query. For one thread at a time, until
	 * store_snapshot_close. E_STATE: this store cannot. */
	enum errcode (*snapshot)(struct store *s, struct store_reader **out, struct err *e);
	/* Only where loop is NULL: makes what waits durable, as one group, and calls every `done`. */
	void (*flush)(struct store *s);
};

/* Inside a query, or with a snapshot; both block. */
enum errcode store_reader_get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e);
enum errcode store_reader_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e);

void store_snapshot_close(struct store_reader *r); /* NULL is fine */

struct store {
	const struct store_ops *ops; /* implementations embed this struct first */
	uint64_t epoch;
	uint64_t failures; /* batches that failed, whoever committed them; counted before their `done` */
	struct store_watch *watch; /* or NULL */
};

/* Sees what is committed from now on: keys, heads and bodies of each batch, one after the other. One at a time; loop thread. */
struct store_watch {
	void (*seen)(void *context, struct bytes batch);
	void *context;
};
static inline void store_watch(struct store *s, struct store_watch *w)
{
	s->watch = w;
}

static inline void store_unwatch(struct store *s, const struct store_watch *w)
{
	if (s->watch == w)
		s->watch = NULL;
}

struct loop;

/* loop: callbacks come there; NULL for tests: then commit, list and query do nothing until store_flush.
 * The directory must exist. E_CONFLICT: another process holds it (its pid is named). */
enum errcode store_sqlite_open(struct loop *loop, const char *directory, struct store **out, struct err *e);
/* The same, without a loop; the epoch is at least `epoch`. */
enum errcode store_sqlite_open_at(const char *directory, uint64_t epoch, struct store **out, struct err *e);
/* A look at a file that may be in use: takes no lock and no epoch, changes nothing. *format is *ours, or an older one whose tables are not
 * all there. E_NOT_FOUND: there is none. E_INVALID: no store. E_STATE: of a newer format. */
enum errcode store_sqlite_inspect(
	const char *directory, int *format, int *ours, struct store_reader **out, struct err *e);
/* Of such a reader: are all pages and rows as SQLite wants them? E_INVALID with the first complaint. */
enum errcode store_sqlite_integrity(struct store_reader *r, struct err *e);
enum errcode store_memory_open(struct loop *loop, struct store **out, struct err *e);

/* Another handle on the same rows with the next epoch: a restart, or another node that takes over. The rows live until the
 * last handle is closed. */
void store_memory_again(struct store *s, struct store **out);
/* A crash: the first `durable` of the waiting batches are durable, though nobody was told; the rest is lost. Frees s (no
 * `done` is called) and gives the next handle. */
void store_memory_crash(struct store *s, unsigned durable, struct store **out);
void store_memory_set_full(struct store *s, bool full); /* commits fail with E_NO_SPACE */

static inline void store_commit(
	struct store *s, struct store_batch *b, void (*done)(void *, enum errcode), void *context)
{
	if (s->watch)
		s->watch->seen(s->watch->context, store_batch_bytes(b));
	s->ops->commit(s, b, done, context);
}

static inline void store_flush(struct store *s)
{
	s->ops->flush(s);
}

static inline void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}
