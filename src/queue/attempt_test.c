#include "queue/test_queue.h"

static const struct job_error killed = {"crashed", "process 7 was ended by signal 11 (SIGSEGV)", 1};

static void a_deadline_ends_the_attempt_and_there_is_no_other(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.deadline_ms = f->now + 1000;
	submit_spec(f, &s);
	struct job *j = lease(f);
	assert_int_equal(job_ends_by(j, f->now), f->now + 1000);
	assert_int_equal(queues_tick(f->qs, f->now + 999), f->now + 1000);
	assert_int_equal(f->revoked_n, 0);
	queues_tick(f->qs, f->now += 1000);
	settle(f);
	assert_int_equal(f->revoked, REVOKE_TIMEOUT);
	assert_int_equal(f->ended_n, 1);
	assert_string_equal(f->last.error.code, "deadline");
}

static void a_timeout_that_comes_before_the_deadline_counts(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.deadline_ms = f->now + 1000000;
	s.timeout_ms = 100;
	submit_spec(f, &s);
	struct job *j = lease(f);
	queues_tick(f->qs, f->now += 100);
	settle(f);
	assert_int_equal(f->ended_n, 0);
	assert_int_equal(j->state, JOB_SCHEDULED);
}

static void no_attempt_is_waited_for_that_would_begin_after_the_deadline(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.deadline_ms = f->now + 400; /* the wait is 500 ms at least */
	submit_spec(f, &s);
	fail_job(f, lease(f), &again);
	assert_int_equal(f->ended_n, 1);
	assert_string_equal(f->last.error.code, "deadline");
	assert_non_null(strstr(f->last.error.message, "busy: try again"));
}

static void a_job_that_waits_at_its_deadline_fails_also_in_the_hands_of_one_who_has_not_begun(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.deadline_ms = f->now + 1000;
	submit_spec(f, &s);
	submit_spec(f, &s);
	queue_lease(f->q, f->now, f);
	queues_tick(f->qs, f->now += 1000);
	settle(f);
	assert_int_equal(f->ended_n, 2);
	assert_int_equal(f->revoked_n, 1);
	assert_string_equal(f->last.error.code, "deadline");
}

static void a_deadline_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.deadline_ms = f->now + 1000;
	submit_spec(f, &s);
	crash_and_restart(f);
	queues_tick(f->qs, f->now += 1000);
	settle(f);
	assert_string_equal(f->last.error.code, "deadline");
}

static void a_time_to_live_is_over_once_the_job_was_begun(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.expires_at_ms = f->now + 100;
	submit_spec(f, &s);
	struct job *j = lease(f);
	fail_job(f, j, &again);
	queues_tick(f->qs, f->now += 10000);
	assert_int_equal(j->state, JOB_PENDING);
	assert_ptr_equal(lease(f), j);
}

static void a_jobs_own_delay_and_cap_are_over_those_of_its_capability(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.retry_delay_ms = 100000;
	s.retry_cap_ms = 150000;
	submit_spec(f, &s);
	crash_and_restart(f);
	struct job *j = lease(f);
	fail_job(f, j, &again);
	assert_in_range(j->due_at_ms - f->now, 50000, 100000);
	queues_tick(f->qs, f->now += 100000);
	fail_job(f, lease(f), &again);
	assert_in_range(j->due_at_ms - f->now, 75000, 150000);
}

static void a_job_that_lost_its_worker_three_times_is_a_dead_letter_with_the_evidence(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.max_attempts = 100;
	uint64_t id = submit_spec(f, &s);
	for (int n = 1; n <= 3; n++) {
		queues_tick(f->qs, f->now += 600000);
		struct job *j = lease(f);
		queue_crashed(f->qs, id, job_fence(f->qs, j), &killed, bytes_of("stderr boom"), f->now, NULL);
		settle(f);
	}
	assert_int_equal(f->ended_n, 1);
	assert_int_equal(info(f).repeated_total, 2);
	assert_string_equal(f->last.error.code, "crashed");
	assert_string_equal(f->last.error.message,
		"3 times its worker was lost with it; at last: process 7 was ended by signal 11 (SIGSEGV)");
	scoped(buf_fini) struct buf log = {0};
	struct store_key second = {.id = id, .sub = 2};
	assert_int_equal(f->store->ops->read(f->store, STORE_ATTEMPT, second, NULL, &log, NULL), E_OK);
	assert_string_equal(log.data, "stderr boom");
}

static void an_attempt_after_a_timeout_is_counted_as_repeated_and_one_after_a_failure_is_not(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.timeout_ms = 100;
	submit_spec(f, &s);
	struct job *j = lease(f);
	queues_tick(f->qs, f->now += 100);
	settle(f);
	queues_tick(f->qs, f->now += 10000);
	assert_ptr_equal(lease(f), j);
	assert_int_equal(info(f).repeated_total, 1);
	fail_job(f, j, &again);
	queues_tick(f->qs, f->now += 10000);
	lease(f);
	assert_int_equal(info(f).repeated_total, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_deadline_ends_the_attempt_and_there_is_no_other),
		TEST(a_timeout_that_comes_before_the_deadline_counts),
		TEST(no_attempt_is_waited_for_that_would_begin_after_the_deadline),
		TEST(a_job_that_waits_at_its_deadline_fails_also_in_the_hands_of_one_who_has_not_begun),
		TEST(a_deadline_survives_a_restart),
		TEST(a_time_to_live_is_over_once_the_job_was_begun),
		TEST(a_jobs_own_delay_and_cap_are_over_those_of_its_capability),
		TEST(a_job_that_lost_its_worker_three_times_is_a_dead_letter_with_the_evidence),
		TEST(an_attempt_after_a_timeout_is_counted_as_repeated_and_one_after_a_failure_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
