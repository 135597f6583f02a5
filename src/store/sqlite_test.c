/* The durable store with its threads and its loop; and what only it has: the lock file, formats, bytes written. */
#include "store/sqlite.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char directory[64];
	struct loop *loop;
	struct store *s;
	int wanted, sent, came; /* batches */
	int lists, listed, rows;
	uint64_t next_id;
};

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	snprintf(f->directory, sizeof f->directory, "/tmp/reeve-sqlite-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.commits", "reeve.ballast"};
	store_close(f->s);
	loop_free(f->loop);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[100];
		snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
		unlink(path);
	}
	rmdir(f->directory);
	free(f);
	return 0;
}

static void open_with(struct fixture *f, bool with_loop, const struct sqlite_options *o)
{
	struct err e;
	if (with_loop)
		f->loop = loop_new();
	enum errcode code = sqlite_open(f->loop, f->directory, o, &f->s, &e);
	if (code)
		print_message("%s\n", e.text);
	assert_int_equal(code, E_OK);
}

static bool count_row(void *context, const struct store_row *row)
{
	((struct fixture *)context)->rows++;
	return true;
}

static void on_listed(void *context, enum errcode code)
{
	struct fixture *f = context;
	assert_int_equal(code, E_OK);
	if (++f->listed == f->lists && f->came == f->wanted)
		loop_stop(f->loop);
}

static void send_one(struct fixture *f);

static void on_done(void *context, enum errcode code)
{
	struct fixture *f = context;
	scoped(buf_fini) struct buf body = {0};
	assert_int_equal(code, E_OK);
	f->came++;
	/* What is told durable is seen by a read at once. */
	assert_int_equal(
		f->s->ops->read(f->s, STORE_JOB, (struct store_key){.id = (uint64_t)f->came}, NULL, &body, NULL), E_OK);
	assert_int_equal(body.size, 300);
	if (f->came % 100 == 0) {
		struct store_range range = {.table = STORE_JOB, .scan_max = 10};
		f->lists++;
		f->s->ops->list(f->s, &range, count_row, on_listed, f);
	}
	if (f->sent < f->wanted)
		send_one(f);
	if (f->came == f->wanted && f->listed == f->lists)
		loop_stop(f->loop);
}

static void send_one(struct fixture *f)
{
	static const char body[300];
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_JOB, (struct store_key){.id = ++f->next_id}, bytes_of("head"), (struct bytes){body, 300});
	f->sent++;
	store_commit(f->s, b, on_done, f);
}

static void commits_reads_lists_and_checkpoints_go_on_side_by_side(void **state)
{
	struct fixture *f = *state;
	open_with(f, true, &(struct sqlite_options){.checkpoint_bytes = 64 << 10, .apply_bytes = 20 << 10});
	f->wanted = 3000;
	while (f->sent < 32)
		send_one(f);
	loop_run(f->loop);
	assert_int_equal(f->came, 3000);
	assert_int_equal(f->listed, 30);
	assert_int_equal(f->rows, 300);
	struct store_stats st;
	f->s->ops->stats(f->s, &st);
	assert_int_equal(st.batches, 3000);
	assert_true(st.commits < 3000); /* groups */
	assert_in_range(st.bytes_written, 3000 * 300, 100 << 20);
	assert_true(
		st.wal_bytes <= 2 << 20); /* 32 in flight and the gate: the WAL does not run away; one just cut has none */
}

static void close_commits_what_waits(void **state)
{
	struct fixture *f = *state;
	open_with(f, true, NULL);
	f->wanted = 10;
	while (f->sent < 10)
		send_one(f);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(f->came, 10);
}

static void a_second_process_is_refused_and_told_the_pid_of_the_first(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	struct err e;
	char pid[30];
	open_with(f, false, NULL);
	snprintf(pid, sizeof pid, "process %ld;", (long)getpid());
	assert_int_equal(store_sqlite_open(NULL, f->directory, &other, &e), E_CONFLICT);
	assert_non_null(strstr(e.text, pid));
	assert_non_null(strstr(e.text, f->directory));
}

static void the_lock_of_a_killed_process_is_free(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	if (child == 0) {
		struct store *s;
		store_sqlite_open(NULL, f->directory, &s, NULL);
		_exit(0); /* as after a kill: nothing is closed */
	}
	waitpid(child, NULL, 0);
	open_with(f, false, NULL);
}

static void sql(struct fixture *f, const char *text)
{
	char path[100];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/reeve.db", f->directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_newer_format_is_refused_with_both_numbers(void **state)
{
	struct fixture *f = *state;
	struct err e;
	open_with(f, false, NULL);
	store_close(f->s);
	f->s = NULL;
	char expected[80];
	snprintf(expected, sizeof expected, "is of format 1000, this version reads up to %d", STORE_FORMAT);
	sql(f, "UPDATE meta SET value = 1000 WHERE key = 'format'");
	assert_int_equal(store_sqlite_open(NULL, f->directory, &f->s, &e), E_STATE);
	assert_non_null(strstr(e.text, expected));
}

static void a_foreign_database_and_a_file_that_is_none_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;
	sql(f, "CREATE TABLE people (name)");
	assert_int_equal(store_sqlite_open(NULL, f->directory, &f->s, &e), E_INVALID);
	assert_non_null(strstr(e.text, "not one of reeve"));
	char path[100];
	snprintf(path, sizeof path, "%s/reeve.db", f->directory);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("hello ", file);
	fclose(file);
	assert_int_equal(store_sqlite_open(NULL, f->directory, &f->s, &e), E_INVALID);
	assert_int_equal(store_sqlite_open(NULL, "/nonexistent/x", &f->s, &e), E_IO);
}

/* 64 submits of 256 bytes and 64 ends per commit, as a busy queue does them. */
static void submit_and_end(struct fixture *f, uint64_t first, uint64_t n)
{
	static const char input[256], head[40], done_head[64];
	struct store_batch *b = store_batch_new();
	for (uint64_t id = first; id < first + n; id++) {
		store_batch_put(b, STORE_JOB, (struct store_key){.id = id}, (struct bytes){head, sizeof head},
			(struct bytes){input, sizeof input});
		if (id <= n)
			continue;
		store_batch_delete(b, STORE_JOB, (struct store_key){.id = id - n});
		store_batch_put(b, STORE_DONE, (struct store_key){.id = id - n}, (struct bytes){done_head, sizeof done_head},
			bytes_of("{\"ok\":1}"));
	}
	store_commit(f->s, b, NULL, NULL);
	store_flush(f->s);
}

static uint64_t bytes_written(void)
{
	char line[100];
	unsigned long long n = 0;
	FILE *file = fopen("/proc/self/io", "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file))
		sscanf(line, "wchar: %llu", &n);
	fclose(file);
	return n;
}

static void a_small_job_writes_at_most_a_kibibyte_at_64_per_commit(void **state)
{
	struct fixture *f = *state;
	open_with(f, false, NULL);
	for (uint64_t i = 0; i < 50; i++)
		submit_and_end(f, i * 64 + 1, 64);
	uint64_t before = bytes_written();
	for (uint64_t i = 50; i < 550; i++)
		submit_and_end(f, i * 64 + 1, 64);
	uint64_t each = (bytes_written() - before) / (500 * 64);
	print_message("%llu bytes written per job, checkpoints included\n", (unsigned long long)each);
	assert_in_range(each, 300, 1024);
}

static void the_file_shrinks_again_after_a_drain(void **state)
{
	struct fixture *f = *state;
	open_with(f, false, NULL);
	submit_and_end(f, 1, 30000); /* none of them ends */
	store_close(f->s);
	open_with(f, true, NULL);
	struct store_stats st;
	f->s->ops->stats(f->s, &st);
	uint64_t before = st.file_bytes;
	assert_true(before > 4 << 20);
	struct store_batch *b = store_batch_new();
	for (uint64_t id = 1; id <= 30000; id++)
		store_batch_delete(b, STORE_JOB, (struct store_key){.id = id});
	store_commit(f->s, b, NULL, NULL);
	for (int i = 0; i < 400 && st.file_bytes > before / 2; i++) { /* it tidies when it has been idle for a while */
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
		usleep(50000);
		f->s->ops->stats(f->s, &st);
	}
	assert_true(st.file_bytes <= before / 2);
}

static void the_file_shrinks_also_while_commits_go_on(void **state)
{
	struct fixture *f = *state;
	struct store_stats st;
	open_with(f, false, NULL);
	submit_and_end(f, 1, 30000); /* none of them ends */
	store_close(f->s);
	open_with(f, false, &(struct sqlite_options){.apply_bytes = 1});
	f->s->ops->stats(f->s, &st);
	uint64_t before = st.file_bytes;
	struct store_batch *b = store_batch_new();
	for (uint64_t id = 1; id <= 30000; id++)
		store_batch_delete(b, STORE_JOB, (struct store_key){.id = id});
	store_commit(f->s, b, NULL, NULL);
	for (uint64_t id = 1; id <= 250; id++) { /* never idle */
		store_flush(f->s);
		b = store_batch_new();
		store_batch_put(b, STORE_JOB, (struct store_key){.id = id}, bytes_of("h"), bytes_of("b"));
		store_commit(f->s, b, NULL, NULL);
	}
	store_close(f->s); /* moves it all into the file */
	open_with(f, false, NULL);
	f->s->ops->stats(f->s, &st);
	print_message("%llu KiB, before %llu\n", (unsigned long long)st.file_bytes >> 10, (unsigned long long)before >> 10);
	assert_true(st.file_bytes <= before / 2 + (5 << 20) && st.file_bytes < before * 3 / 4);
}

static void drained(void *context, enum errcode code)
{
	struct fixture *f = context;
	assert_int_equal(code, E_OK);
	if (++f->came == f->wanted)
		loop_stop(f->loop);
}

static void a_log_that_a_long_reader_made_grow_is_cut_again(void **state)
{
	static const char body[64 << 10];
	struct fixture *f = *state;
	struct store_reader *reader;
	struct store_stats st;
	open_with(f, true, NULL);
	f->wanted = 500;
	assert_int_equal(f->s->ops->snapshot(f->s, &reader, NULL), E_OK);
	for (uint64_t id = 1; id <= 500; id++) {
		struct store_batch *b = store_batch_new();
		store_batch_put(b, STORE_JOB, (struct store_key){.id = id}, bytes_of("h"), (struct bytes){body, sizeof body});
		store_commit(f->s, b, drained, f);
	}
	loop_run(f->loop);
	for (int i = 0; i < 400 && (f->s->ops->stats(f->s, &st), st.wal_bytes <= 24 << 20); i++) { /* it is applied soon */
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
		usleep(50000);
	}
	assert_true(st.wal_bytes > 24 << 20);
	store_snapshot_close(reader);
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_JOB, (struct store_key){.id = 501}, bytes_of("h"), bytes_of("b"));
	store_commit(f->s, b, NULL, NULL);
	for (int i = 0; i < 200 && st.wal_bytes > 20 << 20; i++) { /* it tidies when it has been idle for a while */
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
		usleep(50000);
		f->s->ops->stats(f->s, &st);
	}
	assert_true(st.wal_bytes <= 20 << 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commits_reads_lists_and_checkpoints_go_on_side_by_side),
		TEST(close_commits_what_waits),
		TEST(a_second_process_is_refused_and_told_the_pid_of_the_first),
		TEST(the_lock_of_a_killed_process_is_free),
		TEST(a_newer_format_is_refused_with_both_numbers),
		TEST(a_foreign_database_and_a_file_that_is_none_are_refused),
		TEST(a_small_job_writes_at_most_a_kibibyte_at_64_per_commit),
		TEST(the_file_shrinks_again_after_a_drain),
		TEST(the_file_shrinks_also_while_commits_go_on),
		TEST(a_log_that_a_long_reader_made_grow_is_cut_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
