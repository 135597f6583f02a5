/* The schema, and what brings a file of an older format up to it: in one transaction with the new epoch, so that a file is never
 * between two formats.
 *
 * HOW TO CHANGE IT: raise STORE_FORMAT (sqlite_db.h) and append to `migrations`: NULL where all that is new is tables, which are made
 * anyway, else the function that does it. Then write down in sqlite_format_test.c what the format before looked like. */
#include "base/mem.h"
#include "store/sqlite_db.h"
#include "store/sqlite_tables.h"

#include <stdio.h>

typedef enum errcode migration(struct sqlite_db *d, struct err *e);

static enum errcode create_meta(struct sqlite_db *d, struct err *e)
{
	return db_exec(d,
		"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
		"INSERT INTO meta VALUES ('format', 0), ('epoch', 0)",
		e);
}

static migration *const migrations[] = {
	create_meta, /* a new file becomes format 1 */
	NULL, /* 2: claim */
	NULL, /* 3: schedule */
	NULL, /* 4: callback, batch, member */
	NULL, /* 5: the commit log, which an older reeve would not read; its rows in meta come with the first start */
};
_Static_assert(ARRAY_SIZE(migrations) == STORE_FORMAT, "a migration to each format");

static enum errcode create_tables(struct sqlite_db *d, struct err *e)
{
	static const char *const columns[] = {
		[KIND_ID] = "(id INTEGER PRIMARY KEY, head BLOB, body BLOB)",
		[KIND_SUB] = "(id INTEGER, sub INTEGER, head BLOB, body BLOB, PRIMARY KEY (id, sub)) WITHOUT ROWID",
		[KIND_TEXT] = "(key BLOB PRIMARY KEY, head BLOB, body BLOB) WITHOUT ROWID",
	};
	enum errcode code = E_OK;
	for (int t = 0; !code && t < STORE_TABLES; t++) {
		char sql[200];
		snprintf(
			sql, sizeof sql, "CREATE TABLE IF NOT EXISTS %s %s", sqlite_tables[t].name, columns[sqlite_tables[t].kind]);
		code = db_exec(d, sql, e);
	}
	return code;
}

static enum errcode migrate(struct sqlite_db *d, int64_t from, struct err *e)
{
	char sql[100];
	enum errcode code = E_OK;
	for (int64_t format = from; !code && format < STORE_FORMAT; format++) {
		if (migrations[format])
			code = migrations[format](d, e);
	}
	if (!code)
		code = create_tables(d, e);
	snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'format'", STORE_FORMAT);
	return code ? code : db_exec(d, sql, e);
}

int64_t db_meta(struct sqlite_db *d, const char *key)
{
	sqlite3_stmt *s = NULL;
	int64_t value = -1;
	sqlite3_prepare_v2(d->db, "SELECT value FROM meta WHERE key = ?1", -1, &s, NULL);
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

static enum errcode bring_up(struct sqlite_db *d, const char *path, struct err *e)
{
	int64_t format = db_meta(d, "format");
	if (format == STORE_FORMAT)
		return E_OK;
	if (format > STORE_FORMAT)
		return err_set(e, E_STATE, "%s: is of format %lld, this version reads up to %d; use a newer reeve", path,
			(long long)format, STORE_FORMAT);
	if (format < 1 && db_pragma(d, "schema_version") > 0)
		return err_set(e, E_INVALID, "%s: is a database, but not one of reeve", path);
	return migrate(d, format < 1 ? 0 : format, e);
}

enum errcode db_create(struct sqlite_db *d, const char *path, uint64_t least, uint64_t *epoch, struct err *e)
{
	char raise[120];
	snprintf(raise, sizeof raise, "UPDATE meta SET value = max(value + 1, %llu) WHERE key = 'epoch'",
		(unsigned long long)least);
	enum errcode code = db_exec(d, "BEGIN IMMEDIATE", e);
	if (!code)
		code = bring_up(d, path, e);
	if (!code)
		code = db_exec(d, raise, e);
	int64_t value = code ? 0 : db_meta(d, "epoch");
	if (!code)
		code = db_exec(d, "COMMIT", e);
	if (code) {
		db_rollback(d);
		if (!strstr(e ? e->text : path, path))
			err_prefix(e, "%s", path);
		return code;
	}
	*epoch = (uint64_t)value;
	return E_OK;
}
