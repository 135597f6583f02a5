#include "store/sqlite_db.h"
#include "store/sqlite_tables.h"

#include <stdio.h>

const char *store_table_name(enum store_table table)
{
	return sqlite_tables[table].name;
}

static bool given(const struct store_key *k)
{
	return k->id || k->sub || k->text.size;
}

/* ?1 ?2: the key to begin at, ?3: range.id, ?4: limit. */
static void build(const struct store_range *r, char sql[300])
{
	static const char *const keys[] = {[KIND_ID] = "id, 0, 0", [KIND_SUB] = "id, sub, 0", [KIND_TEXT] = "0, 0, key"};
	const struct sqlite_table *t = &sqlite_tables[r->table];
	const char *way = r->descending ? "DESC" : "ASC", *sign = r->descending ? "<=" : ">=";
	char from[60] = "1", by[60];
	if (given(&r->from) && t->kind == KIND_SUB)
		snprintf(from, sizeof from, "(id, sub) %s (?1, ?2)", sign);
	else if (given(&r->from))
		snprintf(from, sizeof from, "%s %s ?1", t->kind == KIND_ID ? "id" : "key", sign);
	if (t->kind == KIND_SUB)
		snprintf(by, sizeof by, "id %s, sub %s", way, way);
	else
		snprintf(by, sizeof by, "%s %s", t->kind == KIND_ID ? "id" : "key", way);
	snprintf(sql, 300, "SELECT %s, head, length(body), %s FROM %s WHERE %s%s ORDER BY %s LIMIT ?4", keys[t->kind],
		r->bodies ? "body" : "NULL", t->name, from, r->id && t->kind != KIND_TEXT ? " AND id = ?3" : "", by);
}

static void bind_range(sqlite3_stmt *s, const struct store_range *r)
{
	if (sqlite_tables[r->table].kind == KIND_TEXT) {
		if (r->from.text.size)
			sqlite3_bind_blob64(s, 1, r->from.text.data, r->from.text.size, SQLITE_STATIC);
	} else {
		sqlite3_bind_int64(s, 1, (sqlite3_int64)r->from.id);
	}
	sqlite3_bind_int64(s, 2, (sqlite3_int64)(r->from.sub ^ SUB_FLIP));
	sqlite3_bind_int64(s, 3, (sqlite3_int64)r->id);
	sqlite3_bind_int64(s, 4, r->scan_max ? (sqlite3_int64)r->scan_max : -1);
}

static struct bytes column(sqlite3_stmt *s, int i)
{
	const char *data = sqlite3_column_blob(s, i);
	return (struct bytes){data, (size_t)sqlite3_column_bytes(s, i)};
}

static void fill(sqlite3_stmt *s, const struct store_range *r, struct store_row *row)
{
	enum sqlite_kind kind = sqlite_tables[r->table].kind;
	*row = (struct store_row){.table = r->table, .key.id = (uint64_t)sqlite3_column_int64(s, 0)};
	if (kind == KIND_SUB)
		row->key.sub = (uint64_t)sqlite3_column_int64(s, 1) ^ SUB_FLIP;
	if (kind == KIND_TEXT)
		row->key.text = column(s, 2);
	row->head = column(s, 3);
	row->body_size = (uint64_t)sqlite3_column_int64(s, 4);
	if (r->bodies)
		row->body = column(s, 5);
}

enum errcode db_scan(
	struct sqlite_db *d, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	char sql[300];
	sqlite3_stmt *s = NULL;
	build(range, sql);
	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
		return db_error(d, sqlite_tables[range->table].name, e);
	bind_range(s, range);
	int rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct store_row row;
		fill(s, range, &row);
		if (!visit(context, &row))
			break;
	}
	enum errcode code = rc == SQLITE_ROW || rc == SQLITE_DONE ? E_OK : db_error(d, sqlite_tables[range->table].name, e);
	sqlite3_finalize(s);
	return code;
}
