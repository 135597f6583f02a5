/* sqlite_db.h - one connection: its settings, schema, statements. Used by one thread at a time.
 *
 * Each table of the store is a table of SQLite. Ids are its rowid, so a submit is one INSERT at the right edge of one
 * b-tree and nothing else: there is no index. Format 5:
 *
 *   job done dead checkpoint run claim callback batch   (id INTEGER PRIMARY KEY, head BLOB, body BLOB)
 *   item attempt member       (id, sub, head, body, PRIMARY KEY (id, sub)) WITHOUT ROWID
 *   key setting schedule      (key BLOB PRIMARY KEY, head, body) WITHOUT ROWID
 *   meta                      (key TEXT PRIMARY KEY, value): format, epoch; log_id, and log_sequence, log_position: how far
 *                             what is in the commit log (commit_log.h) is here
 *
 * Format 1 had no claim, format 2 no schedule, format 3 no callback, batch and member,
 * format 4 no commit log.
 *
 * The head stands before the body: reading heads does not touch the overflow pages of large bodies. `sub` is stored with its
 * top bit turned over, so that SQLite's signed order is the unsigned one.
 * HOW TO CHANGE IT: sqlite_format.c. */
#pragma once
#include "store/batch.h"
#include "store/store.h"

#include <sqlite3.h>

enum { STORE_FORMAT = 5 };

struct sqlite_options { /* zero: what is right outside of tests and measurements */
	const char *vfs;
	bool unsynced; /* commits are told before they are on disk: for the test that must find losses then */
	unsigned page_size; /* 4096 */
	int64_t checkpoint_bytes; /* see sqlite_checkpoint.c */
	uint64_t log_bytes, apply_bytes; /* of the commit log's ring; see sqlite_apply.c */
	uint64_t epoch; /* at least */
};

enum { DB_STATEMENTS = 5 };

struct sqlite_db {
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_TABLES][DB_STATEMENTS];
	sqlite3_stmt *begin, *commit, *rollback, *epoch, *position;
};

void db_set_memory(void); /* sqlite_memory.c; does nothing once SQLite is in use */
/* `writer`: may create the file. E_IO, E_NO_SPACE, E_INVALID (not a database), E_STATE (of a newer format). */
enum errcode db_open(struct sqlite_db *d, const char *path, const struct sqlite_options *o, bool writer, struct err *e);
void db_close(struct sqlite_db *d); /* fine when it was never opened (zeroed) */
/* Creates the schema, or checks it and brings an older one up, and raises the epoch, to `least` at least; sqlite_format.c. */
enum errcode db_create(struct sqlite_db *d, const char *path, uint64_t least, uint64_t *epoch, struct err *e);
int64_t db_meta(struct sqlite_db *d, const char *key); /* "format", "epoch" ...; -1: it is not there */

/* What went wrong last: E_NO_SPACE where the disk is full and nothing is broken, else E_IO. */
enum errcode db_code(struct sqlite_db *d);
enum errcode db_error(struct sqlite_db *d, const char *what, struct err *e); /* with SQLite's own words */
enum errcode db_exec(struct sqlite_db *d, const char *sql, struct err *e);
int64_t db_pragma(struct sqlite_db *d, const char *name); /* its number, or -1 */

/* A transaction: begin checks the epoch (E_FENCE). When one of these fails call db_rollback. */
enum errcode db_begin(struct sqlite_db *d, uint64_t epoch);
enum errcode db_apply(struct sqlite_db *d, const struct batch_op *op);
enum errcode db_set_position(struct sqlite_db *d, uint64_t sequence, uint64_t position); /* of the commit log */
enum errcode db_commit(struct sqlite_db *d);
void db_rollback(struct sqlite_db *d);
/* What was committed is on disk; without it SQLite keeps it whole, but may forget the last of it when the power fails. */
enum errcode db_sync(struct sqlite_db *d);

enum errcode db_get(struct sqlite_db *d, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e);
enum errcode db_scan(
	struct sqlite_db *d, const struct store_range *range, store_visit *visit, void *context, struct err *e);
