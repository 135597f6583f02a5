/* What answers mean, and what a declaration may ask. */
#include "worker/health.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct health_check checks[HEALTH_QUESTIONS];
static char at[128];
static struct err e;

static enum errcode parse(const char *text, bool managed)
{
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		health_check_fini(&checks[q]);
	enum errcode code = health_parse(json, managed, checks, at, &e);
	json_decref(json);
	return code;
}

static int tear_down(void **state)
{
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		health_check_fini(&checks[q]);
	return 0;
}

static void the_first_failure_degrades_and_the_threshold_makes_unhealthy(void **state)
{
	struct health_check c = {.failure_threshold = 3, .success_threshold = 2};
	struct health_state s = {0};
	assert_true(health_count(&c, &s, HEALTH_WELL, "", 1));
	assert_int_equal(s.status, HEALTH_HEALTHY);
	assert_true(health_count(&c, &s, HEALTH_UNWELL, "no", 2));
	assert_int_equal(s.status, HEALTH_DEGRADED);
	assert_string_equal(s.why, "no");
	assert_false(health_count(&c, &s, HEALTH_UNWELL, "no", 3));
	assert_true(health_count(&c, &s, HEALTH_UNWELL, "no", 4));
	assert_int_equal(s.status, HEALTH_UNHEALTHY);
	assert_false(health_count(&c, &s, HEALTH_WELL, "", 5)); /* one is not enough */
	assert_int_equal(s.status, HEALTH_UNHEALTHY);
	assert_true(health_count(&c, &s, HEALTH_WELL, "", 6));
	assert_int_equal(s.status, HEALTH_HEALTHY);
	assert_int_equal(s.last_at_ms, 6);
}

static void a_success_between_failures_begins_the_count_anew(void **state)
{
	struct health_check c = {.failure_threshold = 2, .success_threshold = 1};
	struct health_state s = {0};
	for (int k = 0; k < 10; k++) {
		health_count(&c, &s, HEALTH_UNWELL, "no", k);
		assert_int_equal(s.status, HEALTH_DEGRADED);
		health_count(&c, &s, HEALTH_WELL, "", k);
		assert_int_equal(s.status, HEALTH_HEALTHY);
		assert_string_equal(s.why, "");
	}
}

static void one_that_is_stuck_is_unhealthy_at_once(void **state)
{
	struct health_check c = {.failure_threshold = 5, .success_threshold = 1};
	struct health_state s = {0};
	assert_true(health_count(&c, &s, HEALTH_STUCK, "stuck", 1));
	assert_int_equal(s.status, HEALTH_UNHEALTHY);
}

static void without_a_word_a_worker_speaks_for_itself_and_a_managed_program_is_not_asked(void **state)
{
	assert_int_equal(parse("{}", false), E_OK);
	assert_int_equal(checks[HEALTH_LIVENESS].type, HEALTH_OWN);
	assert_int_equal(checks[HEALTH_READINESS].type, HEALTH_NONE);
	assert_int_equal(parse("{}", true), E_OK);
	assert_int_equal(checks[HEALTH_LIVENESS].type, HEALTH_NONE);
}

static void the_type_follows_from_what_is_given(void **state)
{
	static const struct {
		const char *text;
		enum health_type type;
	} table[] = {{"{\"endpoint\":\"http://127.0.0.1/\"}", HEALTH_HTTP}, {"{\"port\":80}", HEALTH_TCP},
		{"{\"command\":[\"true\"]}", HEALTH_EXEC}, {"{\"type\":\"grpc\",\"port\":80}", HEALTH_GRPC},
		{"{\"type\":\"process\"}", HEALTH_PROCESS}, {"{\"interval\":\"1s\"}", HEALTH_OWN}};
	for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
		char text[160];
		snprintf(text, sizeof text, "{\"health_check\":%s}", table[k].text);
		assert_int_equal(parse(text, false), E_OK);
		assert_int_equal(checks[HEALTH_LIVENESS].type, table[k].type);
	}
	assert_int_equal(parse("{\"liveness_probe\":{\"port\":80}}", false), E_OK);
	assert_string_equal(checks[HEALTH_LIVENESS].address, "127.0.0.1:80");
}

static void what_cannot_be_asked_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *at, *what;
		bool managed;
	} table[] = {
		{"{\"liveness_probe\":{},\"health_check\":{}}", "/liveness_probe", "give one of them", false},
		{"{\"health_check\":{\"type\":\"http\"}}", "/health_check/endpoint", "needs it: a URL", false},
		{"{\"health_check\":{\"endpoint\":\"/x\"}}", "/health_check/endpoint", "announces no URL", true},
		{"{\"health_check\":{\"address\":\"x:70000\"}}", "/health_check/address", "from 1 to 65535", false},
		{"{\"health_check\":{\"address\":\":80\"}}", "/health_check/address", "host:port", false},
		{"{\"startup_probe\":{\"type\":\"link\"}}", "/startup_probe/type", "is its liveness", false},
		{"{\"readiness_probe\":{\"port\":1,\"timeout\":\"0s\"}}", "/readiness_probe/timeout", "above 0", false},
	};
	for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
		assert_int_equal(parse(table[k].text, table[k].managed), E_INVALID);
		assert_string_equal(at, table[k].at);
		assert_non_null(strstr(e.text, table[k].what));
	}
}

static void a_package_s_endpoint_counts_when_the_declaration_says_nothing(void **state)
{
	assert_int_equal(parse("{}", false), E_OK);
	health_set_endpoint(&checks[HEALTH_LIVENESS], "/health", 30000);
	assert_int_equal(checks[HEALTH_LIVENESS].type, HEALTH_HTTP);
	assert_int_equal(checks[HEALTH_LIVENESS].interval_ms, 30000);
	health_set_endpoint(&checks[HEALTH_LIVENESS], NULL, 0);
	assert_int_equal(checks[HEALTH_LIVENESS].type, HEALTH_OWN);
	assert_int_equal(parse("{\"health_check\":{\"interval\":\"2s\"}}", false), E_OK);
	health_set_endpoint(&checks[HEALTH_LIVENESS], "/health", 30000);
	assert_int_equal(checks[HEALTH_LIVENESS].type, HEALTH_OWN);
	assert_int_equal(checks[HEALTH_LIVENESS].interval_ms, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_failure_degrades_and_the_threshold_makes_unhealthy),
		cmocka_unit_test(a_success_between_failures_begins_the_count_anew),
		cmocka_unit_test(one_that_is_stuck_is_unhealthy_at_once),
		cmocka_unit_test_teardown(
			without_a_word_a_worker_speaks_for_itself_and_a_managed_program_is_not_asked, tear_down),
		cmocka_unit_test_teardown(the_type_follows_from_what_is_given, tear_down),
		cmocka_unit_test_teardown(what_cannot_be_asked_is_refused_with_its_place, tear_down),
		cmocka_unit_test_teardown(a_package_s_endpoint_counts_when_the_declaration_says_nothing, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
