#include "job/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct job_spec good(void)
{
	struct job_spec s;
	job_spec_init(&s);
	s.capability = bytes_of("email.parse");
	return s;
}

static void a_spec_with_only_a_capability_is_fine(void **state)
{
	struct job_spec s = good();
	assert_int_equal(s.priority, JOB_PRIORITY_DEFAULT);
	assert_int_equal(job_spec_check(&s, NULL), E_OK);
}

static void priority_10_is_refused_with_the_range(void **state)
{
	struct job_spec s = good();
	struct err e;
	s.priority = 10;
	assert_int_equal(job_spec_check(&s, &e), E_INVALID);
	assert_string_equal(e.text, "priority 10: must be 0 to 9");
	s.priority = -1;
	assert_int_equal(job_spec_check(&s, &e), E_INVALID);
}

static void a_traceparent_is_what_w3c_says(void **state)
{
	static const char *const good_ones[] = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"};
	static const char *const bad[] = {"", "x", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01later"};
	for (size_t i = 0; i < sizeof good_ones / sizeof *good_ones; i++)
		assert_int_equal(job_traceparent_check(bytes_of(good_ones[i]), NULL), E_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(job_traceparent_check(bytes_of(bad[i]), NULL), E_INVALID);
	struct job_spec s = good();
	s.traceparent = bytes_of(bad[1]);
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
}

static void a_deadline_before_the_job_may_begin_is_refused(void **state)
{
	struct job_spec s = good();
	s.due_at_ms = 1000;
	s.deadline_ms = 1000;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
	s.deadline_ms = 1001;
	assert_int_equal(job_spec_check(&s, NULL), E_OK);
}

static void a_job_that_is_over_holds_its_key_only_for_a_period(void **state)
{
	struct job_spec s = good();
	s.unique.states = 1u << JOB_COMPLETED;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
	s.unique.period_ms = 1;
	assert_int_equal(job_spec_check(&s, NULL), E_OK);
	s.unique.states |= 1u << JOB_SETTLING;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
}

static void a_capability_is_required_and_of_few_characters(void **state)
{
	struct job_spec s = good();
	struct err e;
	s.capability = (struct bytes){0};
	assert_int_equal(job_spec_check(&s, &e), E_INVALID);
	assert_string_equal(e.text, "capability: is missing");
	s.capability = bytes_of("e mail");
	assert_int_equal(job_spec_check(&s, &e), E_INVALID);
	assert_string_equal(e.text, "capability \"e \": must consist of letters, digits, '.', '_' and '-'");
	char long_name[200];
	memset(long_name, 'a', sizeof long_name);
	s.capability = (struct bytes){long_name, JOB_NAME_MAX};
	assert_int_equal(job_spec_check(&s, &e), E_OK);
	s.capability.size++;
	assert_int_equal(job_spec_check(&s, &e), E_INVALID);
}

static void an_input_above_the_limit_is_too_large_and_the_sentence_says_blob(void **state)
{
	struct job_spec s = good();
	struct err e;
	static char big[JOB_INPUT_MAX_BYTES + 1];
	s.input = (struct bytes){big, JOB_INPUT_MAX_BYTES};
	assert_int_equal(job_spec_check(&s, &e), E_OK);
	s.input.size++;
	assert_int_equal(job_spec_check(&s, &e), E_TOO_LARGE);
	assert_non_null(strstr(e.text, "blob"));
}

static void attempts_timeouts_and_times_have_limits(void **state)
{
	struct job_spec s = good();
	s.max_attempts = JOB_ATTEMPTS_MAX + 1;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
	s = good();
	s.timeout_ms = JOB_TIMEOUT_MAX_MS + 1;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
	s = good();
	s.due_at_ms = -5;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
	s = good();
	s.expires_at_ms = INT64_MAX;
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
}

static void an_idempotency_key_is_short_text(void **state)
{
	struct job_spec s = good();
	s.idempotency_key = bytes_of("order 17/b");
	assert_int_equal(job_spec_check(&s, NULL), E_OK);
	s.idempotency_key = bytes_of("a\nb");
	assert_int_equal(job_spec_check(&s, NULL), E_INVALID);
}

static void every_state_has_a_word_that_parses_back_and_settling_shows_as_processing(void **state)
{
	for (int i = JOB_SCHEDULED; i <= JOB_CANCELLED; i++) {
		int back = job_state_parse(bytes_of(job_state_word(i)));
		assert_int_equal(back, i == JOB_SETTLING ? JOB_PROCESSING : i);
	}
	assert_int_equal(job_state_parse(bytes_of("Pending")), -1);
	assert_int_equal(job_state_parse(bytes_of("")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_with_only_a_capability_is_fine),
		cmocka_unit_test(priority_10_is_refused_with_the_range),
		cmocka_unit_test(a_capability_is_required_and_of_few_characters),
		cmocka_unit_test(an_input_above_the_limit_is_too_large_and_the_sentence_says_blob),
		cmocka_unit_test(attempts_timeouts_and_times_have_limits),
		cmocka_unit_test(an_idempotency_key_is_short_text),
		cmocka_unit_test(a_traceparent_is_what_w3c_says),
		cmocka_unit_test(a_deadline_before_the_job_may_begin_is_refused),
		cmocka_unit_test(a_job_that_is_over_holds_its_key_only_for_a_period),
		cmocka_unit_test(every_state_has_a_word_that_parses_back_and_settling_shows_as_processing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
