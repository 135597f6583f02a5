#include "queue/test_queue.h"

static struct job_spec unique(unsigned states, int64_t period_ms)
{
	struct job_spec s = spec(5);
	s.unique = (struct job_unique){.states = states, .period_ms = period_ms, .key = bytes_of("nightly")};
	return s;
}

/* Submits; tells whether an earlier job stands for it. */
static bool held(struct fixture *f, const struct job_spec *s)
{
	submit_spec(f, s);
	return f->existing[f->id_n - 1];
}

static void a_unique_job_is_the_earlier_one_until_that_has_ended(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING, 0);
	uint64_t id = submit_spec(f, &s);
	assert_true(held(f, &s));
	assert_int_equal(f->ids[1], id);
	struct job *j = lease(f);
	assert_true(held(f, &s));
	complete(f, j);
	assert_false(held(f, &s));
	assert_int_not_equal(f->ids[f->id_n - 1], id);
}

static void a_state_that_was_not_named_does_not_hold_the_key(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(1u << JOB_PENDING | 1u << JOB_SCHEDULED, 0);
	submit_spec(f, &s);
	struct job *first = lease(f);
	assert_false(held(f, &s));
	assert_true(held(f, &s)); /* by the second */
	complete(f, first); /* which is not the second's end */
	assert_true(held(f, &s));
}

static void a_job_that_is_over_holds_its_key_for_its_period(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING | 1u << JOB_COMPLETED, 60000);
	submit_spec(f, &s);
	complete(f, lease(f));
	f->now += 59999;
	assert_true(held(f, &s));
	f->now += 1;
	assert_false(held(f, &s));
	fail_job(f, lease(f), &never); /* failed is not among its states */
	assert_false(held(f, &s));
}

static void who_holds_a_key_is_known_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING | 1u << JOB_COMPLETED, 60000);
	uint64_t id = submit_spec(f, &s);
	crash_and_restart(f);
	assert_true(held(f, &s));
	assert_int_equal(f->ids[f->id_n - 1], id);
	complete(f, lease(f));
	crash_and_restart(f);
	assert_true(held(f, &s));
	f->now += 60000;
	queues_tick(f->qs, f->now);
	settle(f);
	assert_int_equal(f->qs->uniques.n, 0);
	crash_and_restart(f);
	assert_false(held(f, &s));
}

static void without_a_key_the_input_is_the_key(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING, 0);
	s.unique.key = (struct bytes){0};
	submit_spec(f, &s);
	assert_true(held(f, &s));
	s.input = bytes_of("{\"a\":2}");
	assert_false(held(f, &s));
	s.input = bytes_of("{}");
	s.unique.key = bytes_of("{\"a\":1}"); /* a key that reads like an input is another one */
	assert_false(held(f, &s));
}

static void two_of_one_submit_are_one_job(void **state)
{
	struct fixture *f = *state;
	struct job_spec s[2] = {unique(JOB_UNIQUE_WAITING_OR_RUNNING, 0), unique(JOB_UNIQUE_WAITING_OR_RUNNING, 0)};
	assert_int_equal(queues_submit(f->qs, s, 2, f->now, on_submitted, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->ids[0], f->ids[1]);
	assert_false(f->existing[0]);
	assert_true(f->existing[1]);
}

static void a_submit_that_a_full_disk_refused_holds_no_key(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING, 0);
	store_memory_set_full(f->store, true);
	submit_spec(f, &s);
	assert_int_equal(f->submit_code, E_NO_SPACE);
	store_memory_set_full(f->store, false);
	f->now += 200;
	queues_tick(f->qs, f->now); /* finds the space */
	settle(f);
	assert_false(held(f, &s));
}

static void a_dead_letter_holds_its_key_until_it_is_purged(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = unique(JOB_UNIQUE_WAITING_OR_RUNNING | 1u << JOB_FAILED, 60000);
	uint64_t id = submit_spec(f, &s);
	fail_job(f, lease(f), &never);
	assert_true(held(f, &s));
	assert_int_equal(queue_purge(f->qs, id, NULL, NULL, NULL), E_OK);
	settle(f);
	assert_false(held(f, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unique_job_is_the_earlier_one_until_that_has_ended),
		TEST(a_state_that_was_not_named_does_not_hold_the_key),
		TEST(a_job_that_is_over_holds_its_key_for_its_period),
		TEST(who_holds_a_key_is_known_after_a_restart),
		TEST(without_a_key_the_input_is_the_key),
		TEST(two_of_one_submit_are_one_job),
		TEST(a_submit_that_a_full_disk_refused_holds_no_key),
		TEST(a_dead_letter_holds_its_key_until_it_is_purged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
