/* The durable store when the power fails at any write, and when any write, fsync or truncation fails. */
#include "powercut_vfs.h"

#include "base/mem.h"
#include "store/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { GROUPS_MAX = 60, BATCHES = 3, ALL = GROUPS_MAX * BATCHES, LOG_BYTES = 128 << 10 };

struct fixture {
	char live[64], cut[64]; /* directories: where the store runs, what a cut left */
	struct store *s;
	int groups, sent; /* batches: sent */
	enum errcode code[ALL];
	bool told[ALL];
	/* of the power cuts */
	uint64_t every, at, cuts, lost, torn, broken; /* every: so many operations one cut */
	bool inside;
	bool never_moved; /* no checkpoint syncs the WAL by the way, and the ring goes round */
};

struct told {
	struct fixture *f;
	int batch;
};

static void clear(const char *directory)
{
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.db-journal", "reeve.commits", "reeve.ballast"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[100];
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
}

static void make_directory(char path[64], const char *name)
{
	struct stat st;
	snprintf(path, 64, "%s/reeve-%s-XXXXXX", stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp", name);
	assert_non_null(mkdtemp(path));
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	powercut_register();
	powercut_forget();
	make_directory(f->live, "live");
	make_directory(f->cut, "cut");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	powercut_watch(NULL, NULL);
	store_close(f->s);
	powercut_forget();
	clear(f->live);
	clear(f->cut);
	rmdir(f->live);
	rmdir(f->cut);
	free(f);
	return 0;
}

/* ── what is written: each batch is a pair of rows that must be there both or not at all ── */

static enum errcode open_store(struct fixture *f, bool unsynced, struct err *e)
{
	/* Small limits, so that the end of the log's ring, moves into SQLite and checkpoints are among the cut points. */
	struct sqlite_options o = {.vfs = "powercut",
		.unsynced = unsynced,
		.log_bytes = f->never_moved ? LOG_BYTES / 2 : LOG_BYTES,
		.apply_bytes = 40 << 10,
		.checkpoint_bytes = f->never_moved ? 1 << 30 : 100 << 10};
	return sqlite_open(NULL, f->live, &o, &f->s, e);
}

static void on_done(void *context, enum errcode code)
{
	struct told *t = context;
	t->f->told[t->batch] = true;
	t->f->code[t->batch] = code;
	free(t);
}

static char fill_of(int batch)
{
	return (char)('a' + batch % 26);
}

static void send_batch(struct fixture *f, int i)
{
	char body[3000];
	struct store_batch *b = store_batch_new();
	struct store_key id = {.id = (uint64_t)i + 1};
	size_t size = 100 + (size_t)i * 677 % 2900;
	memset(body, fill_of(i), size);
	store_batch_put(b, STORE_JOB, id, bytes_of("head"), (struct bytes){body, size});
	store_batch_put(b, STORE_ITEM, id, bytes_of("head"), (struct bytes){body, size});
	if (i >= 30) { /* what came long before goes, so that pages are used again */
		store_batch_delete(b, STORE_JOB, (struct store_key){.id = (uint64_t)i - 29});
		store_batch_delete_all(b, STORE_ITEM, (uint64_t)i - 29);
	}
	struct told *t = NEW(struct told);
	*t = (struct told){f, i};
	f->sent = i + 1;
	store_commit(f->s, b, on_done, t);
}

static void run(struct fixture *f)
{
	for (int group = 0; group < f->groups; group++) {
		for (int i = 0; i < BATCHES; i++)
			send_batch(f, group * BATCHES + i);
		store_flush(f->s);
	}
}

/* 1: both rows as written, 0: neither, -1: torn. */
static int look(struct store *s, int batch)
{
	scoped(buf_fini) struct buf job = {0}, item = {0};
	struct store_key id = {.id = (uint64_t)batch + 1};
	enum errcode a = s->ops->read(s, STORE_JOB, id, NULL, &job, NULL);
	enum errcode b = s->ops->read(s, STORE_ITEM, id, NULL, &item, NULL);
	if (a == E_NOT_FOUND && b == E_NOT_FOUND)
		return 0;
	if (a || b || !bytes_equal(buf_bytes(&job), buf_bytes(&item)))
		return -1;
	return job.size == 100 + (size_t)batch * 677 % 2900 && job.data[0] == fill_of(batch) ? 1 : -1;
}

/* Batches are told in order, so those that are certain are the first ones. */
static int acknowledged(const struct fixture *f)
{
	int n = 0;
	while (n < f->sent && f->told[n] && f->code[n] == E_OK)
		n++;
	return n;
}

static void check_rows(struct fixture *f, struct store *s)
{
	int sure = acknowledged(f), kept = 0;
	for (int i = 0; i < f->sent; i++) {
		int there = look(s, i);
		if (there < 0)
			f->torn++;
		if (there == 1 && i >= sure)
			kept = i + 1;
	}
	/* Of what was not told some may be there; then everything before it is, too, and its deletions count. */
	int reached = kept > sure ? kept : sure;
	for (int i = 0; i < reached; i++) {
		bool deleted = i + 30 < reached;
		f->lost += look(s, i) != !deleted;
	}
}

/* ── the power cut ── */

static void cut_once(struct fixture *f, enum cut cut, uint64_t seed)
{
	struct store *s = NULL;
	struct err e;
	clear(f->cut);
	powercut_leave(f->cut, cut, seed);
	f->cuts++;
	enum errcode code = sqlite_open(NULL, f->cut, &(struct sqlite_options){.log_bytes = LOG_BYTES}, &s, &e);
	if (code) {
		f->broken++;
		print_message("after a cut: %s\n", e.text);
		return;
	}
	check_rows(f, s);
	store_close(s);
}

static void cut_here(void *context)
{
	struct fixture *f = context;
	if (f->inside || f->at++ % f->every)
		return;
	f->inside = true;
	for (enum cut cut = 0; cut < CUTS; cut++)
		cut_once(f, cut, f->cuts * 31 + 7);
	f->inside = false;
}

static void run_with_cuts(struct fixture *f, bool unsynced, uint64_t every)
{
	f->every = every;
	f->groups = getenv("REEVE_LONG") ? GROUPS_MAX : 20;
	struct err e;
	assert_int_equal(open_store(f, unsynced, &e), E_OK);
	powercut_watch(cut_here, f);
	run(f);
	powercut_watch(NULL, NULL);
	assert_int_equal(acknowledged(f), f->groups * BATCHES);
	print_message("%s: %llu cuts, %llu rows of acknowledged batches wrong, %llu torn, %llu files broken\n",
		unsynced ? "not synced" : "synced", (unsigned long long)f->cuts, (unsigned long long)f->lost,
		(unsigned long long)f->torn, (unsigned long long)f->broken);
}

static void no_acknowledged_batch_is_lost_wherever_the_power_fails(void **state)
{
	struct fixture *f = *state;
	run_with_cuts(f, false, 1);
	assert_true(f->cuts > 1000);
	assert_int_equal(f->lost + f->torn + f->broken, 0);
}

static void the_log_is_overwritten_only_where_its_rows_are_synced(void **state)
{
	struct fixture *f = *state;
	f->never_moved = true;
	run_with_cuts(f, false, 1);
	assert_int_equal(f->lost + f->torn + f->broken, 0);
}

static void without_the_fsync_of_a_commit_this_very_test_finds_losses(void **state)
{
	struct fixture *f = *state;
	run_with_cuts(f, true, 5);
	assert_true(f->lost > 0);
	assert_int_equal(f->torn + f->broken, 0);
}

/* ── failing operations ── */

/* The files as they are now, read by a store that knows nothing of faults. */
static void check_files(struct fixture *f)
{
	struct store *s;
	struct err e;
	powercut_fail(0, 0, FAULT_NONE);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(sqlite_open(NULL, f->live, &(struct sqlite_options){.log_bytes = LOG_BYTES}, &s, &e), E_OK);
	for (int i = 0; i < f->sent; i++) {
		int there = look(s, i);
		assert_true(there >= 0);
		assert_true(f->told[i]);
		if (f->code[i] == E_OK)
			assert_int_equal(there, 1);
		if (f->code[i] == E_NO_SPACE)
			assert_int_equal(there, 0);
	}
	store_close(s);
}

static uint64_t opening, short_run; /* operations that they take */

/* Ten batches: none of them deletes anything. */
static void run_short(struct fixture *f)
{
	for (int i = 0; i < 10; i++) {
		send_batch(f, i);
		store_flush(f->s);
	}
}

static void again_from_scratch(struct fixture *f)
{
	clear(f->live);
	powercut_forget();
	memset(f->told, 0, sizeof f->told);
	f->sent = 0;
}

static void measure(struct fixture *f)
{
	struct err e;
	assert_int_equal(open_store(f, false, &e), E_OK);
	opening = powercut_operations();
	run_short(f);
	short_run = powercut_operations();
	store_close(f->s);
	f->s = NULL;
	assert_true(short_run > opening + 50);
}

static void a_full_disk_at_any_operation_is_said_and_the_store_goes_on(void **state)
{
	struct fixture *f = *state;
	struct err e;
	int said = 0;
	measure(f);
	for (uint64_t n = opening + 1; n <= short_run; n++) {
		again_from_scratch(f);
		assert_int_equal(open_store(f, false, &e), E_OK);
		powercut_fail(n, 3, FAULT_NO_SPACE);
		run_short(f);
		struct store_stats st;
		f->s->ops->stats(f->s, &st);
		if (!st.dead) { /* an fsync was not among the three */
			powercut_fail(0, 0, FAULT_NONE);
			send_batch(f, 10);
			store_flush(f->s);
			assert_int_equal(f->code[10], E_OK);
			f->s->ops->stats(f->s, &st);
			assert_false(st.full);
		}
		for (int i = 0; i < f->sent; i++)
			said += f->code[i] == E_NO_SPACE;
		check_files(f);
	}
	assert_true(said > 20);
}

static void after_a_failed_write_or_fsync_the_store_is_dead_and_recovers_from_disk(void **state)
{
	struct fixture *f = *state;
	struct err e;
	measure(f);
	for (uint64_t n = opening + 1; n <= short_run; n++) {
		again_from_scratch(f);
		assert_int_equal(open_store(f, false, &e), E_OK);
		powercut_fail(n, 1, FAULT_IO);
		run_short(f);
		struct store_stats st;
		f->s->ops->stats(f->s, &st);
		if (f->code[9] != E_OK) { /* it was a commit's, not a checkpoint's */
			assert_true(st.dead);
			assert_int_equal(f->code[9], E_IO); /* never tried again, though only one operation failed */
		}
		check_files(f);
	}
}

/* Whoever asks takes "cannot be read" for "is not there" somewhere; what follows from that must not be written down. */
static void after_a_read_that_failed_nothing_is_committed_any_more(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct store_stats st;
	scoped(buf_fini) struct buf body = {0};
	assert_int_equal(open_store(f, false, &e), E_OK);
	run_short(f);
	powercut_fail_reads(true);
	assert_int_equal(f->s->ops->read(f->s, STORE_JOB, (struct store_key){.id = 1}, NULL, &body, NULL), E_IO);
	powercut_fail_reads(false);
	f->s->ops->stats(f->s, &st);
	assert_true(st.dead);
	send_batch(f, 10);
	store_flush(f->s);
	assert_int_equal(f->code[10], E_IO);
	f->sent = 10;
	check_files(f);
}

static void a_store_that_cannot_be_opened_says_why(void **state)
{
	struct fixture *f = *state;
	struct err e;
	measure(f);
	for (uint64_t n = 1; n <= opening; n++) {
		again_from_scratch(f);
		powercut_fail(n, 1000, FAULT_NO_SPACE);
		enum errcode code = open_store(f, false, &e);
		assert_true(code == E_NO_SPACE || code == E_IO);
		assert_non_null(strstr(e.text, "/reeve."));
		f->s = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_acknowledged_batch_is_lost_wherever_the_power_fails),
		TEST(the_log_is_overwritten_only_where_its_rows_are_synced),
		TEST(without_the_fsync_of_a_commit_this_very_test_finds_losses),
		TEST(a_full_disk_at_any_operation_is_said_and_the_store_goes_on),
		TEST(after_a_failed_write_or_fsync_the_store_is_dead_and_recovers_from_disk),
		TEST(after_a_read_that_failed_nothing_is_committed_any_more),
		TEST(a_store_that_cannot_be_opened_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
