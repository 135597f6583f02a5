/* A backup has all that was committed before it began and nothing later, and comes back as it was; a bad file changes nothing. */
#include "upkeep/backup.h"

#include "base/mem.h"
#include "upkeep/pack.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { JOBS = 4000, BODY = 700 };

struct fixture {
	char top[64], from[80], to[80], file[80], blobs_path[100];
	struct store *store;
	struct blobs *blobs;
	char blob[BLOB_NAME_SIZE], large[BLOB_NAME_SIZE];
};

static void put_blob(struct blobs *b, size_t size, char name[BLOB_NAME_SIZE])
{
	struct blob_writer *w;
	scoped(mem_free_at) char *data = mem_new(size);
	memset(data, 'x', size);
	assert_int_equal(blob_writer_open(b, &w, NULL), E_OK);
	assert_int_equal(blob_writer_add(w, data, size, NULL), E_OK);
	assert_int_equal(blob_writer_close(w, name, NULL, NULL), E_OK);
}

static void commit_jobs(struct fixture *f, uint64_t first, uint64_t n)
{
	static const char body[BODY];
	struct store_batch *b = store_batch_new();
	for (uint64_t id = first; id < first + n; id++)
		store_batch_put(b, STORE_JOB, (struct store_key){.id = id}, bytes_of("head"), (struct bytes){body, BODY});
	store_commit(f->store, b, NULL, NULL);
	store_flush(f->store);
}

static void commit_one_of_each(struct fixture *f)
{
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_ITEM, (struct store_key){.id = 5, .sub = UINT64_MAX}, bytes_of("i"), bytes_of("last"));
	store_batch_put(b, STORE_ITEM, (struct store_key){.id = 5, .sub = 0}, bytes_of("i"), bytes_of(f->blob));
	store_batch_put(b, STORE_KEY, (struct store_key){.text = bytes_of("a/b")}, bytes_of("k"), (struct bytes){0});
	store_batch_put(b, STORE_CLAIM, (struct store_key){.id = 5}, bytes_of("c"), (struct bytes){0});
	store_batch_put(b, STORE_RUN, (struct store_key){.id = 9}, bytes_of("r"), bytes_of("run"));
	store_commit(f->store, b, NULL, NULL);
	store_flush(f->store);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	snprintf(f->top, sizeof f->top, "/tmp/reeve-backup-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(f->from, sizeof f->from, "%s/from", f->top);
	snprintf(f->to, sizeof f->to, "%s/to", f->top);
	snprintf(f->file, sizeof f->file, "%s/file", f->top);
	snprintf(f->blobs_path, sizeof f->blobs_path, "%s/blobs", f->from);
	mkdir(f->from, 0700);
	assert_int_equal(store_sqlite_open(NULL, f->from, &f->store, NULL), E_OK);
	assert_int_equal(blobs_open(f->blobs_path, 1 << 30, &f->blobs, NULL), E_OK);
	put_blob(f->blobs, 100, f->blob);
	put_blob(f->blobs, 5 << 20, f->large);
	commit_jobs(f, 1, JOBS);
	commit_one_of_each(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	store_close(f->store);
	blobs_close(f->blobs);
	snprintf(command, sizeof command, "rm -r -- '%s'", f->top);
	free(f);
	return system(command);
}

/* `between` is called once the backup has begun. */
static void backup(struct fixture *f, void (*between)(struct fixture *f))
{
	struct backup *b;
	struct err e;
	bool over = false;
	FILE *out = fopen(f->file, "w");
	if (backup_new(f->store, f->blobs, "here", &b, &e) != E_OK)
		fail_msg("%s", e.text);
	while (!over) {
		scoped(buf_fini) struct buf piece = {0};
		if (backup_read(b, &piece, &over, &e) != E_OK)
			fail_msg("%s", e.text);
		assert_true(piece.size < 4 << 20); /* memory is bounded */
		fwrite(piece.data, 1, piece.size, out);
		if (between)
			between(f);
		between = NULL;
	}
	backup_free(b);
	fclose(out);
}

static enum errcode restore(struct fixture *f, bool force, struct restored *n, struct err *e)
{
	return restore_run(&(struct restore_options){.file = f->file, .data_dir = f->to, .force = force}, n, e);
}

struct seen {
	uint64_t rows, sum;
};

static bool see(void *context, const struct store_row *row)
{
	struct seen *s = context;
	s->rows++;
	s->sum += row->key.id * 31 + row->key.sub * 17 + row->head.size + row->body.size * 7;
	for (size_t i = 0; i < row->body.size; i++)
		s->sum += (unsigned char)row->body.data[i] * (i + 1);
	return true;
}

static struct seen look(struct store *s, enum store_table table)
{
	struct seen n = {0};
	struct store_range range = {.table = table, .bodies = true};
	assert_int_equal(s->ops->scan(s, &range, see, &n, NULL), E_OK);
	return n;
}

static void commit_more(struct fixture *f)
{
	commit_jobs(f, JOBS + 1, 500);
}

static void what_was_committed_before_comes_back_and_what_came_later_does_not(void **state)
{
	struct fixture *f = *state;
	struct restored n;
	struct err e;
	struct store *again;
	struct seen before[STORE_TABLES];
	for (int t = 0; t < STORE_TABLES; t++)
		before[t] = look(f->store, (enum store_table)t);
	backup(f, commit_more);
	if (restore(f, false, &n, &e) != E_OK)
		fail_msg("%s", e.text);
	assert_int_equal(n.rows, JOBS + 5);
	assert_int_equal(n.blobs, 2);
	assert_int_equal(n.damaged, 0);
	assert_string_equal(n.node, "here");
	assert_int_equal(store_sqlite_open(NULL, f->to, &again, &e), E_OK);
	assert_true(again->epoch >= (uint64_t)time(NULL) - 60 && again->epoch > f->store->epoch);
	for (int t = 0; t < STORE_TABLES; t++) {
		struct seen now = look(again, (enum store_table)t);
		assert_int_equal(now.rows, t == STORE_CLAIM ? 0 : before[t].rows);
		assert_true(t == STORE_CLAIM || now.sum == before[t].sum);
	}
	store_close(again);
	struct blobs *blobs;
	char path[100];
	snprintf(path, sizeof path, "%s/blobs", f->to);
	assert_int_equal(blobs_open(path, 1 << 30, &blobs, NULL), E_OK);
	assert_int_equal(blob_verify(blobs, f->large, NULL, NULL), E_OK);
	blobs_close(blobs);
}

static void two_restores_never_give_the_same_epoch_twice(void **state)
{
	struct fixture *f = *state;
	struct restored first, second;
	struct store *s;
	backup(f, NULL);
	assert_int_equal(restore(f, false, &first, NULL), E_OK);
	assert_int_equal(store_sqlite_open(NULL, f->to, &s, NULL), E_OK);
	uint64_t lived = s->epoch;
	store_close(s);
	while ((uint64_t)time(NULL) <= lived) /* an epoch is no less than the time in seconds */
		usleep(1000);
	assert_int_equal(restore(f, true, &second, NULL), E_OK);
	assert_int_equal(store_sqlite_open(NULL, f->to, &s, NULL), E_OK);
	assert_true(s->epoch > lived);
	store_close(s);
}

static void a_directory_in_use_is_not_overwritten_without_a_word(void **state)
{
	struct fixture *f = *state;
	struct restored n;
	struct err e;
	backup(f, NULL);
	assert_int_equal(restore(f, false, &n, &e), E_OK);
	assert_int_equal(restore(f, false, &n, &e), E_CONFLICT);
	assert_non_null(strstr(e.text, "--force"));
	assert_int_equal(restore(f, true, &n, &e), E_OK);
	snprintf(f->to, sizeof f->to, "%s", f->from); /* a daemon has it */
	assert_int_equal(restore(f, true, &n, &e), E_CONFLICT);
	assert_non_null(strstr(e.text, "process"));
}

static void change_byte(struct fixture *f, const char *near, long off)
{
	struct stat st;
	assert_int_equal(stat(f->file, &st), 0);
	scoped(mem_free_at) char *data = mem_new((size_t)st.st_size);
	FILE *file = fopen(f->file, "r+");
	assert_int_equal(fread(data, 1, (size_t)st.st_size, file), st.st_size);
	char *at = memmem(data, (size_t)st.st_size, near, strlen(near));
	assert_non_null(at);
	fseek(file, at - data + off, SEEK_SET);
	fputc('!', file);
	fclose(file);
}

static void refused(struct fixture *f, enum errcode code, const char *text)
{
	struct restored n;
	struct err e;
	assert_int_equal(restore(f, false, &n, &e), code);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" does not say \"%s\"", e.text, text);
	char path[100];
	snprintf(path, sizeof path, "%s/reeve.db", f->to);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/restoring", f->to);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(restore_check_finished(f->to, &e), E_OK);
}

static void a_damaged_or_cut_off_file_is_refused_and_nothing_changes(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	refused(f, E_NOT_FOUND, f->file);
	backup(f, NULL);
	change_byte(f, "rows/000002", 700);
	refused(f, E_INVALID, "SHA-256");
	backup(f, NULL);
	change_byte(f, "\"format\":1", 9);
	refused(f, E_INVALID, "is no backup");
	backup(f, NULL);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(truncate(f->file, st.st_size / 2), 0);
	refused(f, E_INVALID, f->file);
	backup(f, NULL);
	assert_int_equal(truncate(f->file, st.st_size - 2048), 0); /* all but the last entry */
	refused(f, E_INVALID, f->file);
	FILE *file = fopen(f->file, "w");
	fputs("hello\n", file);
	fclose(file);
	refused(f, E_INVALID, f->file);
}

static void a_damaged_blob_is_left_out_and_named(void **state)
{
	struct fixture *f = *state;
	struct restored n;
	struct err e;
	backup(f, NULL);
	change_byte(f, "xxxxxxxxxxxxxxxx", 0);
	assert_int_equal(restore(f, false, &n, &e), E_OK);
	assert_int_equal(n.blobs + n.damaged, 2);
	assert_int_equal(n.damaged, 1);
	assert_int_equal(strncmp(n.damaged_name, "sha256:", 7), 0);
}

static void a_restore_that_was_interrupted_stops_the_engine_until_it_is_done_again(void **state)
{
	struct fixture *f = *state;
	struct restored n;
	struct err e;
	char mark[100];
	backup(f, NULL);
	assert_int_equal(restore(f, false, &n, &e), E_OK);
	snprintf(mark, sizeof mark, "%s/restore-unfinished", f->to);
	close(open(mark, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(restore_check_finished(f->to, &e), E_INVALID);
	assert_int_equal(restore(f, false, &n, &e), E_OK);
	assert_int_equal(restore_check_finished(f->to, &e), E_OK);
}

/* As fuzzing does it: rows of any bytes are read within their bounds. */
static void broken_rows_are_said_to_be(void **state)
{
	scoped(buf_fini) struct buf chunk = {0};
	struct store_row row = {STORE_ITEM, {.id = 1, .sub = 2}, bytes_of("h"), bytes_of("body"), 4}, got;
	pack_add(&chunk, &row);
	size_t at = 0;
	assert_true(pack_next(buf_bytes(&chunk), &at, &got));
	assert_int_equal(at, chunk.size);
	assert_int_equal(got.table, STORE_ITEM);
	assert_int_equal(got.key.sub, 2);
	assert_memory_equal(got.body.data, "body", 4);
	for (size_t cut = 1; cut < chunk.size; cut++) {
		scoped(mem_free_at) char *part = mem_copy(chunk.data, cut);
		at = 0;
		assert_false(pack_next((struct bytes){part, cut}, &at, &got));
		assert_int_equal(at, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_committed_before_comes_back_and_what_came_later_does_not),
		TEST(two_restores_never_give_the_same_epoch_twice),
		TEST(a_directory_in_use_is_not_overwritten_without_a_word),
		TEST(a_damaged_or_cut_off_file_is_refused_and_nothing_changes),
		TEST(a_damaged_blob_is_left_out_and_named),
		TEST(a_restore_that_was_interrupted_stops_the_engine_until_it_is_done_again),
		cmocka_unit_test(broken_rows_are_said_to_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
