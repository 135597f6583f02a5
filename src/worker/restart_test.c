/* Policy, backoff and breaker, by their numbers: chance is 0, so each wait is half of what the formula says. */
#include "worker/restart.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct restart_policy policy(enum restart_when when)
{
	struct restart_rule rule = {3, 1000, 2};
	return (struct restart_policy){.when = when,
		.rules = {rule, rule, rule},
		.severity = {1, 1, 1},
		.profile = 1,
		.cap_ms = 10000,
		.window_ms = 60000};
}

static int64_t decide(const struct restart_policy *p, struct restart_breaker *b, struct restart_cause cause)
{
	return restart_decide(p, b, &cause, 5000, 0);
}

static const struct restart_cause crash = {RESTART_EXIT, RESTART_CRITICAL, 10, false, false};
static const struct restart_cause clean = {RESTART_EXIT, RESTART_WARNING, 10, true, false};
static const struct restart_cause sick = {RESTART_HEALTH, RESTART_CRITICAL, 10, false, false};

static void the_exit_status_is_judged_by_the_policy(void **state)
{
	static const struct {
		enum restart_when when;
		bool after_crash, after_clean;
	} table[] = {{RESTART_ALWAYS, true, true}, {RESTART_UNLESS_STOPPED, true, true}, {RESTART_ON_FAILURE, true, false},
		{RESTART_NEVER, false, false}};
	for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
		struct restart_policy p = policy(table[k].when);
		struct restart_breaker b = {0};
		assert_int_equal(decide(&p, &b, crash) >= 0, table[k].after_crash);
		assert_int_equal(decide(&p, &b, clean) >= 0, table[k].after_clean);
	}
}

static void what_would_fail_again_in_the_same_way_is_not_tried(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	assert_int_equal(decide(&p, &b, (struct restart_cause){.hopeless = true}), -1);
	assert_false(b.open);
}

static void the_wait_grows_to_its_cap_and_the_breaker_opens_after_max_retries(void **state)
{
	struct restart_policy p = policy(RESTART_ON_FAILURE);
	struct restart_breaker b = {0};
	p.cap_ms = 3000;
	assert_int_equal(decide(&p, &b, crash), 500);
	assert_int_equal(decide(&p, &b, crash), 1000);
	assert_int_equal(decide(&p, &b, crash), 1500);
	assert_false(b.open);
	assert_int_equal(decide(&p, &b, crash), -1);
	assert_true(b.open);
	assert_int_equal(b.attempts, 3);
	restart_reset(&b);
	assert_int_equal(decide(&p, &b, crash), 500);
}

static void a_wait_lies_between_half_and_the_whole(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	for (uint64_t chance = 0; chance < 2000; chance += 7) {
		struct restart_breaker b = {0};
		int64_t wait = restart_decide(&p, &b, &crash, 0, chance);
		assert_in_range(wait, 500, 1000);
	}
}

static void one_that_ran_for_the_window_begins_to_count_anew(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	struct restart_cause stable = crash;
	stable.ran_ms = p.window_ms + 1;
	for (int k = 0; k < 10; k++)
		assert_int_equal(decide(&p, &b, stable), 500);
	assert_false(b.open);
}

static void clean_ends_open_no_breaker(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	for (int k = 0; k < 20; k++)
		assert_int_equal(decide(&p, &b, clean), 500);
}

static void unlimited_means_it_is_never_given_up(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	p.rules[RESTART_EXIT].max_retries = RESTART_UNLIMITED;
	for (int k = 0; k < 1000; k++)
		assert_true(decide(&p, &b, crash) >= 0);
	p.rules[RESTART_EXIT].max_retries = 0;
	restart_reset(&b);
	assert_int_equal(decide(&p, &b, crash), -1);
}

static void severity_and_profile_multiply_retries_and_waits(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	p.severity[RESTART_CRITICAL] = 2;
	p.profile = 0.5;
	p.rules[RESTART_HEALTH] = (struct restart_rule){2, 3000, 1};
	assert_int_equal(decide(&p, &b, sick), 1500);
	p.profile = 1.5; /* 2 * 2 * 1.5 = 6 retries */
	p.cap_ms = 100000;
	for (int k = 0; k < 5; k++)
		assert_int_equal(decide(&p, &b, sick), 4500);
	assert_int_equal(decide(&p, &b, sick), -1);
	p.profile = 0.01; /* never fewer than one */
	restart_reset(&b);
	assert_true(decide(&p, &b, sick) >= 0);
	assert_int_equal(decide(&p, &b, sick), -1);
}

static void after_a_start_there_is_grace_for_probes_but_not_for_crashes(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	p.startup_grace_ms = 100;
	assert_int_equal(decide(&p, &b, sick), -1);
	assert_false(b.open);
	assert_true(decide(&p, &b, crash) >= 0);
	struct restart_cause later = sick;
	later.ran_ms = 100;
	assert_true(decide(&p, &b, later) >= 0);
}

static void what_the_breaker_counts_is_shown(void **state)
{
	struct restart_policy p = policy(RESTART_ALWAYS);
	struct restart_breaker b = {0};
	scoped(buf_fini) struct buf out = {0};
	restart_breaker_json(&b, &out);
	buf_text(&out, "\n");
	decide(&p, &b, sick);
	restart_breaker_json(&b, &out);
	buf_add(&out, "", 1);
	assert_string_equal(out.data,
		"{\"is_open\":false,\"restart_attempts\":0,\"last_restart_time\":null,\"last_trigger_type\":null,"
		"\"last_severity\":null}\n"
		"{\"is_open\":false,\"restart_attempts\":1,\"last_restart_time\":\"1970-01-01T00:00:05.000Z\","
		"\"last_trigger_type\":\"health_failure\",\"last_severity\":\"critical\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_status_is_judged_by_the_policy),
		cmocka_unit_test(what_would_fail_again_in_the_same_way_is_not_tried),
		cmocka_unit_test(the_wait_grows_to_its_cap_and_the_breaker_opens_after_max_retries),
		cmocka_unit_test(a_wait_lies_between_half_and_the_whole),
		cmocka_unit_test(one_that_ran_for_the_window_begins_to_count_anew),
		cmocka_unit_test(clean_ends_open_no_breaker),
		cmocka_unit_test(unlimited_means_it_is_never_given_up),
		cmocka_unit_test(severity_and_profile_multiply_retries_and_waits),
		cmocka_unit_test(after_a_start_there_is_grace_for_probes_but_not_for_crashes),
		cmocka_unit_test(what_the_breaker_counts_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
