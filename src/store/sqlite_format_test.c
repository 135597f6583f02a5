/* A file of each earlier format is brought up, and what is in it is still there. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define ID	 "(id INTEGER PRIMARY KEY, head BLOB, body BLOB)"
#define SUB	 "(id INTEGER, sub INTEGER, head BLOB, body BLOB, PRIMARY KEY (id, sub)) WITHOUT ROWID"
#define TEXT "(key BLOB PRIMARY KEY, head BLOB, body BLOB) WITHOUT ROWID"

/* What each format added or changed, as a file of it has it. Never edit one that was released: append. */
static const char *const formats[] = {
	[1] = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
		  "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
		  "CREATE TABLE job " ID ";CREATE TABLE done " ID ";CREATE TABLE dead " ID ";CREATE TABLE item " SUB
		  ";CREATE TABLE checkpoint " ID ";CREATE TABLE attempt " SUB ";CREATE TABLE key " TEXT ";CREATE TABLE run " ID
		  ";CREATE TABLE setting " TEXT ";INSERT INTO meta VALUES ('format', 1), ('epoch', 41)",
	[2] = "CREATE TABLE claim " ID,
	[3] = "CREATE TABLE schedule " TEXT,
	[4] = "CREATE TABLE callback " ID ";CREATE TABLE batch " ID ";CREATE TABLE member " SUB,
	[5] = "INSERT INTO meta VALUES ('log_id', 5), ('log_sequence', 0), ('log_position', 0)",
};
_Static_assert(ARRAY_SIZE(formats) == STORE_FORMAT + 1, "write down what the new format adds");

struct place {
	char directory[64], path[100];
};

static int setup(void **state)
{
	struct place *p = NEW(struct place);
	snprintf(p->directory, sizeof p->directory, "/tmp/reeve-format-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->path, sizeof p->path, "%s/reeve.db", p->directory);
	*state = p;
	return 0;
}

static void remove_files(const struct place *p)
{
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.commits", "reeve.ballast"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[100];
		snprintf(path, sizeof path, "%s/%s", p->directory, names[i]);
		unlink(path);
	}
}

static int teardown(void **state)
{
	struct place *p = *state;
	remove_files(p);
	rmdir(p->directory);
	free(p);
	return 0;
}

static void run_sql(const struct place *p, const char *text)
{
	sqlite3 *db;
	char *why = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

static int64_t number_of(const struct place *p, const char *query)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void make_file_of(const struct place *p, int format)
{
	char sql[100];
	for (int f = 1; f <= format; f++)
		run_sql(p, formats[f]);
	snprintf(sql, sizeof sql, "UPDATE meta SET value = %d WHERE key = 'format'", format);
	run_sql(p, sql);
	run_sql(p, "INSERT INTO job VALUES (7, x'0105', 'input');"
			   "INSERT INTO item VALUES (7, 3, x'01', 'item'); INSERT INTO key VALUES ('k', x'02', '')");
}

static void commit_a_row_to_each_table(struct store *s)
{
	struct store_batch *b = store_batch_new();
	for (int t = 0; t < STORE_TABLES; t++) {
		bool text = t == STORE_KEY || t == STORE_SETTING;
		store_batch_put(b, (enum store_table)t,
			text ? (struct store_key){.text = bytes_of("new")} : (struct store_key){.id = 99}, bytes_of("h"),
			bytes_of("b"));
	}
	store_commit(s, b, NULL, NULL);
	store_flush(s);
	struct store_stats st;
	s->ops->stats(s, &st);
	assert_int_equal(st.rows_written, STORE_TABLES);
}

static void a_file_of_every_earlier_format_is_brought_up_and_keeps_its_rows_and_its_epoch(void **state)
{
	const struct place *p = *state;
	for (int format = 1; format <= STORE_FORMAT; format++) {
		struct store *s;
		struct err e = {0};
		scoped(buf_fini) struct buf head = {0}, body = {0};
		make_file_of(p, format);
		if (store_sqlite_open(NULL, p->directory, &s, &e) != E_OK)
			fail_msg("format %d: %s", format, e.text);
		assert_int_equal(s->epoch, 42);
		assert_int_equal(s->ops->read(s, STORE_JOB, (struct store_key){.id = 7}, &head, &body, &e), E_OK);
		assert_memory_equal(head.data, "\x01\x05", 2);
		assert_string_equal(body.data, "input");
		commit_a_row_to_each_table(s);
		store_close(s);
		assert_int_equal(number_of(p, "SELECT value FROM meta WHERE key = 'format'"), STORE_FORMAT);
		remove_files(p);
	}
}

/* As after a crash in the middle of it: nothing of the new format is there, and the next start does it all. */
static void an_upgrade_that_fails_leaves_the_file_as_it_was(void **state)
{
	const struct place *p = *state;
	struct store *s;
	struct err e;
	make_file_of(p, 1);
	run_sql(p, "CREATE TRIGGER refuse BEFORE UPDATE ON meta BEGIN SELECT raise(ABORT, 'no'); END");
	assert_int_not_equal(store_sqlite_open(NULL, p->directory, &s, &e), E_OK);
	assert_non_null(strstr(e.text, p->path));
	run_sql(p, "DROP TRIGGER refuse");
	assert_int_equal(number_of(p, "SELECT value FROM meta WHERE key = 'format'"), 1);
	assert_int_equal(number_of(p, "SELECT count(*) FROM sqlite_master WHERE type = 'table'"), 10);
	assert_int_equal(store_sqlite_open(NULL, p->directory, &s, &e), E_OK);
	assert_int_equal(s->epoch, 42);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_file_of_every_earlier_format_is_brought_up_and_keeps_its_rows_and_its_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(an_upgrade_that_fails_leaves_the_file_as_it_was, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
