/* What is wrong is found and named, what is safe is repaired, and what is well is said to be well. */
#include "upkeep/doctor.h"

#include "base/mem.h"
#include "blob/blob.h"
#include "job/job_record.h"
#include "store/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char top[64], blob[BLOB_NAME_SIZE];
	struct buf said; /* a line a finding */
};

static void put_row(struct store *s, enum store_table table, uint64_t id, struct bytes head, const char *body)
{
	struct store_batch *b = store_batch_new();
	store_batch_put(b, table, (struct store_key){.id = id}, head, bytes_of(body));
	store_commit(s, b, NULL, NULL);
	store_flush(s);
}

static void put_job(struct store *s, uint64_t id, const char *body)
{
	scoped(buf_fini) struct buf head = {0};
	job_record_encode(&(struct job_record){.capability = bytes_of("a"), .submitted_at_ms = 1}, &head);
	put_row(s, STORE_JOB, id, buf_bytes(&head), body);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	struct store *s;
	struct blobs *b;
	struct blob_writer *w;
	char path[100], input[100];
	snprintf(f->top, sizeof f->top, "/tmp/reeve-doctor-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(path, sizeof path, "%s/blobs", f->top);
	assert_int_equal(blobs_open(path, 1 << 20, &b, NULL), E_OK);
	assert_int_equal(blob_writer_open(b, &w, NULL), E_OK);
	blob_writer_add(w, "hello", 5, NULL);
	assert_int_equal(blob_writer_close(w, f->blob, NULL, NULL), E_OK);
	blobs_close(b);
	assert_int_equal(store_sqlite_open(NULL, f->top, &s, NULL), E_OK);
	snprintf(input, sizeof input, "{\"blob\":\"%s\"}", f->blob);
	put_job(s, 1, input);
	put_job(s, 2, "{}");
	store_close(s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	snprintf(command, sizeof command, "rm -r -- '%s'", f->top);
	buf_fini(&f->said);
	free(f);
	return system(command);
}

static void found(void *context, const struct doctor_finding *finding)
{
	static const char *const words[] = {"ok", "warning", "error", "repaired"};
	struct fixture *f = context;
	buf_format(&f->said, "%s %s: %s\n", finding->check, words[finding->status], finding->text);
}

static bool doctor(struct fixture *f, bool repair)
{
	buf_clear(&f->said);
	return doctor_run(&(struct doctor_options){.data_dir = f->top, .repair = repair, .found = found, .context = f});
}

static void says(struct fixture *f, const char *text)
{
	if (!strstr(f->said.data, text))
		fail_msg("\"%s\" is not said:\n%s", text, f->said.data);
}

static void run_sql(struct fixture *f, const char *text)
{
	char path[100];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/reeve.db", f->top);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_healthy_directory_is_said_to_be_one(void **state)
{
	struct fixture *f = *state;
	if (!doctor(f, false))
		fail_msg("%s", f->said.data);
	says(f, "lock ok: no daemon uses it");
	says(f, "store ok");
	says(f, "rows ok: 2 rows");
	says(f, "references ok");
	says(f, "blobs ok: 1, 5 bytes");
	assert_null(strstr(f->said.data, "warning"));
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct fixture none = {.top = "/nonexistent"};
	assert_false(doctor(&none, false));
	says(&none, "directory error: /nonexistent");
	buf_fini(&none.said);
	assert_true(doctor(f, false));
}

static void rows_that_cannot_be_read_are_counted(void **state)
{
	struct fixture *f = *state;
	run_sql(f, "UPDATE job SET head = x'63' WHERE id = 2; INSERT INTO attempt VALUES (77, 0, x'01', ''),"
			   "(77, 1, x'01', '')");
	assert_false(doctor(f, false));
	says(f, "rows error: job: 1 of 2 rows cannot be read; the first: record of 1 bytes: is of version 99");
	says(f, "references warning: 2 items, checkpoints or attempts belong to no job");
}

static void a_damaged_file_is_found(void **state)
{
	struct fixture *f = *state;
	char path[100], zeros[4096] = {1, 2, 3};
	snprintf(path, sizeof path, "%s/reeve.db", f->top);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, zeros, sizeof zeros, 4L * 4096), sizeof zeros);
	close(fd);
	assert_false(doctor(f, false));
	says(f, "store error: the file is damaged");
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "not a database at all", 21, 0), 21);
	close(fd);
	assert_false(doctor(f, false));
	says(f, "format error: ");
}

static void a_newer_format_is_an_error_and_an_older_one_is_not(void **state)
{
	struct fixture *f = *state;
	run_sql(f, "UPDATE meta SET value = 1 WHERE key = 'format'");
	assert_true(doctor(f, false));
	says(f, "the next start brings it up");
	run_sql(f, "UPDATE meta SET value = 1000 WHERE key = 'format'");
	assert_false(doctor(f, false));
	says(f, "use a newer reeve");
}

static void blobs_that_are_damaged_missing_or_needed_by_nobody_are_told_apart(void **state)
{
	struct fixture *f = *state;
	char path[200];
	run_sql(f, "DELETE FROM job WHERE id = 1");
	assert_true(doctor(f, false));
	says(f, "blobs ok: 1 of them are named by no row");
	struct store *s;
	assert_int_equal(store_sqlite_open(NULL, f->top, &s, NULL), E_OK);
	put_job(s, 3, "{\"blob\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}");
	store_close(s);
	snprintf(path, sizeof path, "%s/blobs/%.2s/%s", f->top, f->blob + 7, f->blob + 9);
	FILE *file = fopen(path, "w");
	fputs("hellO", file);
	fclose(file);
	assert_false(doctor(f, false));
	says(f, "blobs error: 1 of 1 have another content");
	says(f, "blobs error: 1 inputs of jobs are not there; the first: sha256:0000");
}

static void only_what_is_safe_is_repaired_and_not_while_a_daemon_has_it(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	struct stat st;
	char path[100];
	chmod(f->top, 0755);
	snprintf(path, sizeof path, "%s/blobs/tmp/1-1", f->top);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(store_sqlite_open(NULL, f->top, &s, NULL), E_OK);
	assert_true(doctor(f, true));
	says(f, "lock warning");
	says(f, "directory warning");
	store_close(s);
	assert_true(doctor(f, false));
	says(f, "directory warning");
	says(f, "never finished; the next start removes them");
	assert_true(doctor(f, true));
	says(f, "directory repaired");
	says(f, "blobs repaired");
	stat(f->top, &st);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(doctor(f, false));
	assert_null(strstr(f->said.data, "warning"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_directory_is_said_to_be_one),
		TEST(a_directory_that_is_not_there_is_an_error),
		TEST(rows_that_cannot_be_read_are_counted),
		TEST(a_damaged_file_is_found),
		TEST(a_newer_format_is_an_error_and_an_older_one_is_not),
		TEST(blobs_that_are_damaged_missing_or_needed_by_nobody_are_told_apart),
		TEST(only_what_is_safe_is_repaired_and_not_while_a_daemon_has_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
