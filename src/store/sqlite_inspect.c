/* A look at a store from outside, for `reeve doctor`. */
#include "base/mem.h"
#include "store/reader.h"
#include "store/sqlite_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct inspection {
	struct store_reader reader;
	struct sqlite_db db;
};

static struct sqlite_db *db_of(struct store_reader *r)
{
	return &((struct inspection *)r)->db;
}

static enum errcode get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	return db_get(db_of(r), table, key, head, body, e);
}

static enum errcode scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return db_scan(db_of(r), range, visit, context, e);
}

static void close_db(struct store_reader *r)
{
	db_close(db_of(r));
	free(r);
}

/* The settings of a connection that works with the file would be written into one that is none of ours. */
static enum errcode open_db(struct sqlite_db *d, const char *path, struct err *e)
{
	if (sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_error(d, path, e);
	sqlite3_extended_result_codes(d->db, 1);
	sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return db_exec(d, "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; BEGIN; SELECT count(*) FROM sqlite_schema", e);
}

static enum errcode check_format(struct sqlite_db *d, const char *path, int *format, struct err *e)
{
	*format = (int)db_meta(d, "format");
	if (*format < 1)
		return err_set(e, E_INVALID, "%s: is no store of reeve", path);
	if (*format > STORE_FORMAT)
		return err_set(e, E_STATE, "%s: is of format %d, this version reads up to %d; use a newer reeve", path, *format,
			STORE_FORMAT);
	return E_OK;
}

enum errcode store_sqlite_inspect(
	const char *directory, int *format, int *ours, struct store_reader **out, struct err *e)
{
	char path[1024];
	*ours = STORE_FORMAT;
	if (snprintf(path, sizeof path, "%s/reeve.db", directory) >= (int)sizeof path)
		return err_set(e, E_INVALID, "data directory: its path has more than %zu bytes", sizeof path - 10);
	if (access(path, F_OK) != 0)
		return err_set(e, E_NOT_FOUND, "%s: there is no such file", path);
	struct inspection *i = NEW(struct inspection);
	i->reader = (struct store_reader){get, scan, close_db};
	enum errcode code = open_db(&i->db, path, e);
	if (!code)
		code = check_format(&i->db, path, format, e);
	if (code)
		close_db(&i->reader);
	else
		*out = &i->reader;
	return code;
}

enum errcode store_sqlite_integrity(struct store_reader *r, struct err *e)
{
	sqlite3_stmt *s = NULL;
	struct sqlite_db *d = db_of(r);
	enum errcode code = E_OK;
	if (sqlite3_prepare_v2(d->db, "PRAGMA integrity_check(1)", -1, &s, NULL) != SQLITE_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		code = db_error(d, "integrity_check", e);
	else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
		code = err_set(e, E_INVALID, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return code;
}
