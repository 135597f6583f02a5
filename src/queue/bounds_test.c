/* What one call of the loop may cost at most, and what happens at the borders: the clock, the disk, the number of names. */
#include "queue/test_queue.h"

static void submit_many(struct fixture *f, struct job_spec *s, unsigned n)
{
	while (n--) {
		f->id_n = 0;
		submit_spec(f, s);
	}
}

static void a_lease_that_finds_many_expired_jobs_lets_others_have_their_turn(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.expires_at_ms = T0 + 1000;
	submit_many(f, &s, 120);
	submit(f, 5);
	f->now += 2000;
	assert_null(lease(f));
	assert_true(info(f).pending > 60);
	struct job *j = NULL;
	for (int turns = 0; !j && turns < 5; turns++) {
		int before = f->ready_n;
		queues_tick(f->qs, f->now); /* the rest expires, and the queue says that it is ready */
		settle(f);
		assert_true(f->ready_n > before);
		j = lease(f);
	}
	assert_non_null(j);
	assert_int_equal(j->id, f->ids[f->id_n - 1]);
}

static void a_lease_that_finds_many_keys_at_their_limit_goes_on_in_the_next_turn(void **state)
{
	struct fixture *f = *state;
	struct flow_limits flow = {.key = {.rate_milli = 1000, .burst = 1}};
	struct job_spec s = spec(5);
	char name[16];
	queue_set_flow(f->q, &flow, NULL, NULL);
	for (int i = 0; i < 120; i++) {
		snprintf(name, sizeof name, "key-%d", i);
		s.key = bytes_of(name);
		submit_many(f, &s, 1);
	}
	submit(f, 5); /* without a key, behind all of them */
	crash_and_restart(f); /* all buckets are empty */
	assert_null(lease(f));
	assert_true(info(f).keys_blocked < 120);
	struct job *j = NULL;
	for (int turns = 0; !j && turns < 5; turns++) {
		queues_tick(f->qs, f->now);
		j = lease(f);
	}
	assert_non_null(j);
	assert_null(j->more);
}

static void keys_are_swept_a_few_at_a_time_however_many_there_are(void **state)
{
	enum { KEYS = 100000 };
	struct keys k = {.kind = KEY_IDEMPOTENCY};
	for (uint64_t i = 1; i <= KEYS; i++) {
		struct key key = {.job_id = i, .expires_at_ms = T0};
		uint64_t name = i * 0x9e3779b97f4a7c15ULL;
		memcpy(key.name, &name, sizeof name);
		keys_add(&k, &key);
	}
	for (size_t before = KEYS; k.n; before = k.n) {
		struct store_batch *b = store_batch_new();
		keys_sweep(&k, T0, b);
		store_batch_free(b);
		assert_true(before - k.n <= KEYS_SWEEP);
	}
	keys_fini(&k);
}

static void jobs_that_waited_wait_no_longer_where_the_clock_was_set_back_before_a_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t first = submit(f, 5);
	f->now += 60000;
	uint64_t second = submit(f, 5);
	f->now = T0 - 3600000;
	crash_and_restart(f);
	submit(f, 5);
	assert_int_equal(info(f).pending, 3);
	assert_int_equal(lease(f)->id, first);
	struct job *j = lease(f);
	assert_int_equal(j->id, second);
	job_release(j, f->now);
	assert_int_equal(lease(f)->id, second);
}

static void who_cancels_a_job_that_was_not_kept_is_told(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	store_memory_set_full(f->store, true);
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL), E_OK);
	uint64_t id = f->qs->ids.last;
	assert_int_equal(queue_cancel(f->qs, id, f->now, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->submit_code, E_NO_SPACE);
	assert_int_equal(f->done_n, 1);
	assert_int_equal(f->done_code, E_NOT_FOUND);
	assert_true(list_empty(&f->qs->cancels));
}

static void namespaces_that_others_name_have_a_limit(void **state)
{
	struct fixture *f = *state;
	struct err e;
	char name[16];
	struct flow_limits flow = {0};
	for (int i = 0; f->qs->space_n < QUEUES_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		assert_int_equal(namespaces_check(f->qs, bytes_of(name), &e), E_OK);
		namespace_configure(f->qs, bytes_of(name), &flow, 1);
	}
	assert_int_equal(namespaces_check(f->qs, bytes_of("n0"), &e), E_OK);
	assert_int_equal(namespaces_check(f->qs, bytes_of("more"), &e), E_LIMIT);
	assert_string_equal(e.text, "namespace \"more\": there are 10000 namespaces already, at most 10000 may be");
	assert_int_equal(namespaces_check(f->qs, bytes_of("a b"), &e), E_INVALID);
}

static void count_namespace(void *context, const struct namespace_info *i)
{
	uint64_t *sums = context;
	sums[0] += i->queues;
	sums[1] += i->pending;
}

static void namespaces_are_counted_anew_each_time(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	submit_spec(f, &s);
	s.namespace = bytes_of("other");
	submit_spec(f, &s);
	for (int i = 0; i < 2; i++) {
		uint64_t sums[2] = {0};
		namespaces_each(f->qs, count_namespace, sums);
		assert_int_equal(sums[0], 2);
		assert_int_equal(sums[1], 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_that_finds_many_expired_jobs_lets_others_have_their_turn),
		TEST(a_lease_that_finds_many_keys_at_their_limit_goes_on_in_the_next_turn),
		TEST(keys_are_swept_a_few_at_a_time_however_many_there_are),
		TEST(jobs_that_waited_wait_no_longer_where_the_clock_was_set_back_before_a_restart),
		TEST(who_cancels_a_job_that_was_not_kept_is_told),
		TEST(namespaces_that_others_name_have_a_limit),
		TEST(namespaces_are_counted_anew_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
