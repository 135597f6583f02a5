/* The commit log alone: its ring, its end, and what it makes of a file that is broken. */
#include "store/commit_log.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { RING = 16 * LOG_BLOCK, ID = 77 };

struct fixture {
	char path[64];
	struct commit_log l;
	char heard[400]; /* of each record that was read: its first byte and its size */
};

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	snprintf(f->path, sizeof f->path, "/tmp/reeve-log-XXXXXX.log");
	close(mkstemps(f->path, 4));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	commit_log_close(&f->l);
	unlink(f->path);
	free(f);
	return 0;
}

static enum errcode hear(void *context, struct bytes payload)
{
	struct fixture *f = context;
	size_t n = strlen(f->heard);
	snprintf(f->heard + n, sizeof f->heard - n, "%c%zu ", payload.data[0], payload.size);
	for (size_t i = 1; i < payload.size; i++)
		assert_int_equal(payload.data[i], payload.data[0]);
	return E_OK;
}

static void reopen(struct fixture *f, uint64_t id, uint64_t sequence, uint64_t position)
{
	struct err e;
	commit_log_close(&f->l);
	f->heard[0] = 0;
	f->l.unsynced = true;
	assert_int_equal(commit_log_open(&f->l, NULL, f->path, &e), E_OK);
	assert_int_equal(commit_log_recover(&f->l, id, sequence, position, hear, f), E_OK);
	assert_int_equal(commit_log_reserve(&f->l, RING), E_OK);
	assert_int_equal(commit_log_own(&f->l, 1), E_OK);
}

static void add(struct fixture *f, char c, size_t size)
{
	scoped(mem_free_at) char *data = mem_new(size);
	memset(data, c, size);
	commit_log_add(&f->l, data, size);
}

static void write_one(struct fixture *f, char c, size_t size)
{
	add(f, c, size);
	assert_int_equal(commit_log_write(&f->l), E_OK);
}

static void what_was_written_is_read_again_from_where_the_rows_have_it(void **state)
{
	struct fixture *f = *state;
	reopen(f, ID, 0, 0);
	write_one(f, 'a', 1);
	uint64_t position = f->l.position;
	write_one(f, 'b', 5000);
	write_one(f, 'c', 64);
	reopen(f, ID, 0, 0);
	assert_string_equal(f->heard, "a1 b5000 c64 ");
	reopen(f, ID, 1, position);
	assert_string_equal(f->heard, "b5000 c64 ");
	assert_int_equal(f->l.sequence, 3);
	reopen(f, ID + 1, 0, 0); /* it belongs to other rows */
	assert_string_equal(f->heard, "");
}

static size_t size_of(int i)
{
	return (size_t)(i * 997 % 14000 + 1);
}

static void the_ring_goes_round_and_nothing_that_is_needed_is_overwritten(void **state)
{
	struct fixture *f = *state;
	uint64_t ends[101] = {0}; /* positions behind record i - 1 */
	reopen(f, ID, 0, 0);
	for (int i = 0; i < 100; i++) {
		int from = i < 2 ? 0 : i - 2; /* three records are always needed */
		char expected[100] = "";
		add(f, (char)('a' + i % 26), size_of(i));
		assert_true(commit_log_fits(&f->l, ends[from]));
		assert_int_equal(commit_log_write(&f->l), E_OK);
		ends[i + 1] = f->l.position;
		for (int k = from; k <= i; k++)
			snprintf(expected + strlen(expected), 30, "%c%zu ", 'a' + k % 26, size_of(k));
		reopen(f, ID, (uint64_t)from, ends[from]);
		assert_string_equal(f->heard, expected);
		assert_int_equal(f->l.position, ends[i + 1]);
	}
	assert_true(f->l.position > 5 * RING);
}

static void a_record_that_does_not_fit_is_known_and_the_ring_grows_for_it(void **state)
{
	struct fixture *f = *state;
	reopen(f, ID, 0, 0);
	write_one(f, 'a', 30000);
	add(f, 'b', 40000);
	assert_false(commit_log_fits(&f->l, 0));
	commit_log_drop(&f->l);
	add(f, 'c', RING + 1);
	assert_false(commit_log_fits(&f->l, f->l.position));
	uint64_t sequence = f->l.sequence, position = f->l.position;
	assert_int_equal(commit_log_grow(&f->l), E_OK);
	assert_true(commit_log_fits(&f->l, f->l.position));
	assert_int_equal(commit_log_write(&f->l), E_OK);
	reopen(f, ID, sequence, position); /* which was a place in the smaller ring */
	assert_string_equal(f->heard, "c65537 ");
}

static void who_no_longer_owns_it_writes_nothing(void **state)
{
	struct fixture *f = *state;
	reopen(f, ID, 0, 0);
	struct commit_log other = {0};
	struct err e;
	assert_int_equal(commit_log_open(&other, NULL, f->path, &e), E_OK);
	assert_int_equal(commit_log_own(&other, 2), E_OK);
	commit_log_close(&other);
	add(f, 'a', 10);
	assert_int_equal(commit_log_write(&f->l), E_FENCE);
	reopen(f, ID, 0, 0);
	assert_string_equal(f->heard, "");
}

/* Whatever is in the file: what is read is a beginning of what was written. */
static void a_broken_file_ends_before_the_first_broken_record(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = {100, 9000, 4064, 4065, 1};
	char all[100] = "";
	srand(1);
	for (int round = 0; round < 2000; round++) {
		unlink(f->path);
		reopen(f, ID, 0, 0);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			write_one(f, (char)('a' + i), sizes[i]);
		int fd = open(f->path, O_RDWR | O_CLOEXEC);
		for (int n = rand() % 4 + 1; n; n--) {
			off_t at = LOG_BLOCK + rand() % (7 * LOG_BLOCK);
			char junk[600];
			for (size_t i = 0; i < sizeof junk; i++)
				junk[i] = (char)rand();
			assert_true(pwrite(fd, junk, (size_t)(rand() % (int)sizeof junk), at) >= 0);
		}
		if (rand() % 8 == 0)
			assert_int_equal(ftruncate(fd, rand() % (RING + LOG_BLOCK)), 0);
		close(fd);
		all[0] = 0;
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			snprintf(all + strlen(all), 30, "%c%zu ", (char)('a' + i), sizes[i]);
		reopen(f, ID, 0, 0);
		assert_int_equal(strncmp(all, f->heard, strlen(f->heard)), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read_again_from_where_the_rows_have_it),
		TEST(the_ring_goes_round_and_nothing_that_is_needed_is_overwritten),
		TEST(a_record_that_does_not_fit_is_known_and_the_ring_grows_for_it),
		TEST(who_no_longer_owns_it_writes_nothing),
		TEST(a_broken_file_ends_before_the_first_broken_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
