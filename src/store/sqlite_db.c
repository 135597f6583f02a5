#include "store/sqlite_db.h"

#include "base/mem.h"
#include "store/sqlite_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUSY_MS = 60000 }; /* only a person with the sqlite3 program can make us wait */

enum errcode db_code(struct sqlite_db *d)
{
	int rc = sqlite3_extended_errcode(d->db), os = sqlite3_system_errno(d->db);
	if ((rc & 0xff) == SQLITE_FULL)
		return E_NO_SPACE;
	/* After a failed fsync nobody knows what is on the disk: that one is never "try again". */
	bool fsync_failed = rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
	if ((rc & 0xff) == SQLITE_IOERR && !fsync_failed && (os == ENOSPC || os == EDQUOT))
		return E_NO_SPACE;
	return E_IO;
}

enum errcode db_error(struct sqlite_db *d, const char *what, struct err *e)
{
	int rc = sqlite3_errcode(d->db);
	enum errcode code = rc == SQLITE_NOTADB ? E_INVALID : db_code(d);
	return err_set(e, code, "%s: %s (%d)", what, sqlite3_errmsg(d->db), sqlite3_extended_errcode(d->db));
}

enum errcode db_exec(struct sqlite_db *d, const char *sql, struct err *e)
{
	if (sqlite3_exec(d->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(d, "store", e);
	return E_OK;
}

static sqlite3_stmt *prepare(struct sqlite_db *d, sqlite3_stmt **slot, const char *sql)
{
	if (!*slot)
		sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
	return *slot;
}

int64_t db_pragma(struct sqlite_db *d, const char *name)
{
	char sql[100];
	sqlite3_stmt *s = NULL;
	int64_t value = -1;
	snprintf(sql, sizeof sql, "PRAGMA %s", name);
	if (prepare(d, &s, sql) && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

enum errcode db_open(struct sqlite_db *d, const char *path, const struct sqlite_options *o, bool writer, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
	char sql[400];
	*d = (struct sqlite_db){0};
	db_set_memory();
	if (sqlite3_open_v2(path, &d->db, flags, o->vfs) != SQLITE_OK) {
		enum errcode code = db_error(d, path, e);
		db_close(d);
		return code;
	}
	sqlite3_extended_result_codes(d->db, 1);
	sqlite3_busy_timeout(d->db, BUSY_MS);
	/* Page size and auto_vacuum count only before the file has pages; afterwards SQLite ignores them. */
	snprintf(sql, sizeof sql,
		"PRAGMA page_size=%u; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"
		"PRAGMA secure_delete=OFF", /* else pages that are only freed are written, too */
		o->page_size ? o->page_size : 4096, writer ? 8192 : 2048);
	enum errcode code = db_exec(d, sql, e);
	if (code) {
		err_prefix(e, "%s", path);
		db_close(d);
	}
	return code;
}

void db_close(struct sqlite_db *d)
{
	for (int t = 0; t < STORE_TABLES; t++) {
		for (int i = 0; i < DB_STATEMENTS; i++)
			sqlite3_finalize(d->statements[t][i]);
	}
	sqlite3_finalize(d->begin);
	sqlite3_finalize(d->commit);
	sqlite3_finalize(d->rollback);
	sqlite3_finalize(d->epoch);
	sqlite3_finalize(d->position);
	sqlite3_close(d->db);
	*d = (struct sqlite_db){0};
}

/* ── writing ── */

static enum errcode step(struct sqlite_db *d, sqlite3_stmt *s)
{
	if (!s)
		return db_code(d);
	int rc = sqlite3_step(s);
	enum errcode code = rc == SQLITE_DONE || rc == SQLITE_ROW ? E_OK : db_code(d);
	sqlite3_reset(s);
	return code;
}

enum errcode db_begin(struct sqlite_db *d, uint64_t epoch)
{
	enum errcode code = step(d, prepare(d, &d->begin, "BEGIN IMMEDIATE"));
	if (code)
		return code;
	sqlite3_stmt *s = prepare(d, &d->epoch, "SELECT value FROM meta WHERE key = 'epoch'");
	if (!s || sqlite3_step(s) != SQLITE_ROW)
		code = db_code(d);
	else if ((uint64_t)sqlite3_column_int64(s, 0) != epoch)
		code = E_FENCE;
	sqlite3_reset(s);
	return code;
}

enum errcode db_commit(struct sqlite_db *d)
{
	return step(d, prepare(d, &d->commit, "COMMIT"));
}

void db_rollback(struct sqlite_db *d)
{
	if (!sqlite3_get_autocommit(d->db))
		step(d, prepare(d, &d->rollback, "ROLLBACK"));
}

enum errcode db_sync(struct sqlite_db *d)
{
	sqlite3_file *wal = NULL;
	if (sqlite3_file_control(d->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK || !wal || !wal->pMethods)
		return E_OK; /* nothing was written yet */
	return wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) == SQLITE_OK ? E_OK : E_IO;
}

static void bind_bytes(sqlite3_stmt *s, int i, struct bytes b)
{
	sqlite3_bind_blob64(s, i, b.size ? b.data : "", b.size, SQLITE_STATIC);
}

/* Binds the key to ?1 (and ?2); the next free number. */
static int bind_key(sqlite3_stmt *s, enum sqlite_kind kind, const struct store_key *key)
{
	if (kind == KIND_TEXT) {
		bind_bytes(s, 1, key->text);
		return 2;
	}
	sqlite3_bind_int64(s, 1, (sqlite3_int64)key->id);
	if (kind == KIND_ID)
		return 2;
	sqlite3_bind_int64(s, 2, (sqlite3_int64)(key->sub ^ SUB_FLIP));
	return 3;
}

enum { S_GET = 4 };

static sqlite3_stmt *statement(struct sqlite_db *d, enum store_table table, int which)
{
	/* By enum batch_kind, then S_GET; by kind of table. */
	static const char *const sql[DB_STATEMENTS][3] = {
		{"INSERT OR REPLACE INTO %s VALUES (?1, ?2, ?3)", "INSERT OR REPLACE INTO %s VALUES (?1, ?2, ?3, ?4)",
			"INSERT OR REPLACE INTO %s VALUES (?1, ?2, ?3)"},
		{"UPDATE %s SET head = ?2 WHERE id = ?1", "UPDATE %s SET head = ?3 WHERE id = ?1 AND sub = ?2",
			"UPDATE %s SET head = ?2 WHERE key = ?1"},
		{"DELETE FROM %s WHERE id = ?1", "DELETE FROM %s WHERE id = ?1 AND sub = ?2", "DELETE FROM %s WHERE key = ?1"},
		{"DELETE FROM %s WHERE id = ?1", "DELETE FROM %s WHERE id = ?1", "DELETE FROM %s WHERE key = ?1"},
		{"SELECT head, body FROM %s WHERE id = ?1", "SELECT head, body FROM %s WHERE id = ?1 AND sub = ?2",
			"SELECT head, body FROM %s WHERE key = ?1"},
	};
	sqlite3_stmt **slot = &d->statements[table][which];
	if (*slot)
		return *slot;
	char text[200];
	const char *format = sql[which][sqlite_tables[table].kind];
	const char *at = strstr(format, "%s");
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - format), format, sqlite_tables[table].name, at + 2);
	return prepare(d, slot, text);
}

enum errcode db_apply(struct sqlite_db *d, const struct batch_op *op)
{
	sqlite3_stmt *s = statement(d, op->table, (int)op->kind);
	if (!s)
		return db_code(d);
	int i = bind_key(s, op->kind == BATCH_DELETE_ALL ? KIND_ID : sqlite_tables[op->table].kind, &op->key);
	if (op->kind == BATCH_PUT || op->kind == BATCH_PUT_HEAD)
		bind_bytes(s, i, op->head);
	if (op->kind == BATCH_PUT)
		bind_bytes(s, i + 1, op->body);
	return step(d, s);
}

enum errcode db_set_position(struct sqlite_db *d, uint64_t sequence, uint64_t position)
{
	sqlite3_stmt *s =
		prepare(d, &d->position, "INSERT OR REPLACE INTO meta VALUES ('log_sequence', ?1), ('log_position', ?2)");
	if (!s)
		return db_code(d);
	sqlite3_bind_int64(s, 1, (sqlite3_int64)sequence);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)position);
	return step(d, s);
}

/* ── reading ── */

static void give(struct buf *out, sqlite3_stmt *s, int column)
{
	if (!out)
		return;
	buf_clear(out);
	buf_add(out, sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column));
}

enum errcode db_get(struct sqlite_db *d, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	sqlite3_stmt *s = statement(d, table, S_GET);
	if (!s)
		return db_error(d, sqlite_tables[table].name, e);
	bind_key(s, sqlite_tables[table].kind, &key);
	int rc = sqlite3_step(s);
	enum errcode code = E_OK;
	if (rc == SQLITE_ROW) {
		give(head, s, 0);
		give(body, s, 1);
	} else if (rc == SQLITE_DONE) {
		code = err_set(e, E_NOT_FOUND, "no such row");
	} else {
		code = db_error(d, sqlite_tables[table].name, e);
	}
	sqlite3_reset(s); /* at once: an open read transaction would keep the WAL from being used anew */
	return code;
}
