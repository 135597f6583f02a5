#include "job/job_record.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct job_record full = {
	.namespace = {"ns", 2},
	.capability = {"email.parse", 11},
	.tags = {"[\"a\"]", 5},
	.traceparent = {"00-1", 4},
	.submitted_at_ms = 1732247391123,
	.due_at_ms = 1732247391124,
	.expires_at_ms = 1,
	.run_id = INT64_MAX,
	.parent_id = 7,
	.item_key = UINT64_MAX,
	.step = 3,
	.timeout_ms = 900000,
	.max_attempts = 5,
	.attempts = 2,
	.crashes = 1,
	.priority = 9,
	.fence_floor = 1ull << 32 | 4,
	.streams = true,
	.retryable = true,
	.error_code = {"crashed", 7},
	.error_message = {"signal 11", 9},
	.state = JOB_FAILED,
	.started_at_ms = 5,
	.finished_at_ms = 6,
	.keep_until_ms = 7,
	.callback = {"{\"url\":\"http://h/\"}", 18},
	.batch_id = 77,
	.deadline_ms = 8,
	.retry_delay_ms = 9,
	.retry_cap_ms = 10,
	.unique_name = {"0123456789abcdef", 16},
	.unique_states = 7,
};

static void assert_same(const struct job_record *a, const struct job_record *b)
{
	scoped(buf_fini) struct buf x = {0}, y = {0};
	job_record_encode(a, &x);
	job_record_encode(b, &y);
	assert_true(bytes_equal(buf_bytes(&x), buf_bytes(&y)));
}

static void every_field_comes_back(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	struct job_record r;
	job_record_encode(&full, &b);
	assert_int_equal(job_record_decode(buf_bytes(&b), &r, NULL), E_OK);
	assert_true(bytes_equal(r.capability, full.capability));
	assert_true(bytes_equal(r.error_message, full.error_message));
	assert_true(
		r.item_key == UINT64_MAX && r.run_id == INT64_MAX && r.keep_until_ms == 7 && r.streams && r.batch_id == 77);
	assert_true(bytes_equal(r.callback, full.callback));
	assert_true(r.deadline_ms == 8 && r.retry_delay_ms == 9 && r.retry_cap_ms == 10 && r.unique_states == 7);
	assert_same(&r, &full);
}

static void a_plain_job_takes_few_bytes(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	struct job_record r = {.capability = {"email.parse", 11}, .submitted_at_ms = 1732247391123, .priority = 5};
	job_record_encode(&r, &b);
	assert_true(b.size < 32);
}

static void a_record_cut_anywhere_is_refused_or_lacks_whole_fields(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	job_record_encode(&full, &b);
	for (size_t n = 0; n < b.size; n++) {
		char *cut = mem_copy(b.data, n); /* its own allocation, so that ASan sees a read past the end */
		struct job_record r;
		struct err e = {0};
		if (job_record_decode((struct bytes){cut, n}, &r, &e) != E_OK)
			assert_int_equal(e.code, E_INVALID);
		mem_free_at(&cut);
	}
	struct job_record r = {.priority = 3};
	assert_int_equal(job_record_decode((struct bytes){b.data, b.size - 1}, &r, NULL), E_INVALID);
	assert_int_equal(r.priority, 3); /* untouched */
}

static void another_version_is_refused_and_an_unknown_field_is_skipped(void **state)
{
	struct job_record r;
	assert_int_equal(job_record_decode((struct bytes){"\2", 1}, &r, NULL), E_INVALID);
	assert_int_equal(job_record_decode((struct bytes){NULL, 0}, &r, NULL), E_INVALID);
	static const char with_unknown[] = {1, 60 << 1, 5, (char)(61 << 1 | 1), 2, 'x', 'y', 16 << 1, 7};
	assert_int_equal(job_record_decode((struct bytes){with_unknown, sizeof with_unknown}, &r, NULL), E_OK);
	assert_int_equal(r.priority, 7);
}

static void values_out_of_range_are_refused(void **state)
{
	struct job_record r;
	static const char priority[] = {1, 16 << 1, 10};
	assert_int_equal(job_record_decode((struct bytes){priority, sizeof priority}, &r, NULL), E_INVALID);
	static const char too_long[] = {1, 8 << 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2};
	assert_int_equal(job_record_decode((struct bytes){too_long, sizeof too_long}, &r, NULL), E_INVALID);
}

static void attempts_keys_and_items_come_back(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	struct attempt_record a = {5, 6, true, {"timeout", 7}, {"took too long", 13}}, a2;
	attempt_record_encode(&a, &b);
	assert_int_equal(attempt_record_decode(buf_bytes(&b), &a2, NULL), E_OK);
	assert_true(a2.ended_at_ms == 6 && a2.retryable && bytes_equal(a2.message, a.message));
	buf_clear(&b);
	struct key_record k = {1, 2, 3}, k2;
	key_record_encode(&k, &b);
	assert_int_equal(key_record_decode(buf_bytes(&b), &k2, NULL), E_OK);
	assert_memory_equal(&k, &k2, sizeof k);
	buf_clear(&b);
	uint64_t becomes = 0;
	item_record_encode(77, &b);
	assert_int_equal(item_record_decode(buf_bytes(&b), &becomes, NULL), E_OK);
	assert_int_equal(becomes, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(a_plain_job_takes_few_bytes),
		cmocka_unit_test(a_record_cut_anywhere_is_refused_or_lacks_whole_fields),
		cmocka_unit_test(another_version_is_refused_and_an_unknown_field_is_skipped),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(attempts_keys_and_items_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
