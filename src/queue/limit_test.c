#include "queue/limit.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

static bool take(struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms)
{
	int64_t at;
	if (gate_look(g, l, now_ms, drained_at_ms, &at) != GATE_OPEN)
		return false;
	gate_spend(g, l, now_ms, drained_at_ms);
	return true;
}

static void a_full_bucket_gives_its_burst_at_once_and_then_a_token_at_a_time(void **state)
{
	struct limit l = {.rate_milli = 4000, .burst = 3}; /* four a second */
	struct gate g = {0};
	int64_t at = 0;
	for (int i = 0; i < 3; i++)
		assert_true(take(&g, &l, T0, 0));
	assert_int_equal(gate_look(&g, &l, T0, 0, &at), GATE_RATE);
	assert_int_equal(at, T0 + 250);
	assert_false(take(&g, &l, T0 + 249, 0));
	assert_true(take(&g, &l, T0 + 250, 0));
	assert_int_equal(gate_look(&g, &l, T0 + 250, 0, &at), GATE_RATE);
	assert_int_equal(at, T0 + 500);
}

static void a_token_that_nobody_takes_is_kept_up_to_the_burst(void **state)
{
	struct limit l = {.rate_milli = 1000, .burst = 2};
	struct gate g = {0};
	assert_true(take(&g, &l, T0, 0));
	assert_true(take(&g, &l, T0 + 3600000, 0));
	assert_true(take(&g, &l, T0 + 3600000, 0));
	assert_false(take(&g, &l, T0 + 3600000, 0));
}

static void a_bucket_that_was_drained_fills_from_then_on(void **state)
{
	struct limit l = {.rate_milli = 1000, .burst = 2};
	struct gate g = {0};
	int64_t at = 0;
	assert_int_equal(gate_look(&g, &l, T0, T0, &at), GATE_RATE);
	assert_int_equal(at, T0 + 1000);
	assert_true(take(&g, &l, T0 + 2000, T0));
	assert_true(take(&g, &l, T0 + 2000, T0));
	assert_false(take(&g, &l, T0 + 2000, T0));
}

static void a_slow_limit_that_was_replaced_does_not_hold_up_a_fast_one(void **state)
{
	struct limit slow = {.rate_milli = 1, .burst = 1}, fast = {.rate_milli = 10000, .burst = 1};
	struct gate g = {0};
	assert_true(take(&g, &slow, T0, 0));
	assert_false(take(&g, &slow, T0 + 999999, 0));
	assert_false(take(&g, &fast, T0 + 1, 0));
	assert_true(take(&g, &fast, T0 + 101, 0));
}

static void as_many_places_as_the_concurrency_and_no_more(void **state)
{
	struct limit l = {.concurrency = 2};
	struct gate g = {.places = 1};
	int64_t at;
	assert_int_equal(gate_look(&g, &l, T0, 0, &at), GATE_OPEN);
	g.places = 2;
	assert_int_equal(gate_look(&g, &l, T0, 0, &at), GATE_CONCURRENCY);
	g.places = 3; /* it was lowered */
	assert_int_equal(gate_look(&g, &l, T0, 0, &at), GATE_CONCURRENCY);
}

static uint64_t next_random(uint64_t *s)
{
	*s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
	return *s >> 33;
}

/* At random moments as many as it gives: whatever window one looks at, at most burst + rate * its length; and none is withheld
 * for longer than it must be. */
static void no_window_holds_more_than_burst_and_rate_allow(void **state)
{
	enum { TAKEN = 3000 };
	static int64_t taken[TAKEN];
	static const struct limit limits[] = {{0, 7000, 1}, {0, 333, 4}, {0, 100000, 10}, {0, 3333333, 40}, {0, 1, 2}};
	for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
		const struct limit *l = &limits[k];
		struct gate g = {0};
		uint64_t random = k + 1;
		int64_t now = T0, interval_ms = 1000000 / l->rate_milli + 1, at = 0;
		for (int n = 0; n < TAKEN;) {
			while (n < TAKEN && take(&g, l, now, 0))
				taken[n++] = now;
			assert_true(gate_look(&g, l, now, 0, &at) == GATE_RATE || n == TAKEN);
			assert_true(at <= now + interval_ms);
			now = next_random(&random) % 4 ? at : now + (int64_t)(next_random(&random) % (8 * (uint64_t)interval_ms));
		}
		for (int from = 0; from < TAKEN; from++) {
			for (int to = from; to < TAKEN && to < from + 300; to++) {
				double most = l->burst + l->rate_milli * 1e-6 * (double)(taken[to] - taken[from]);
				if (to - from + 1 > most + 1e-6)
					fail_msg("rate %u/1000, burst %u: %d jobs within %lld ms", l->rate_milli, l->burst, to - from + 1,
						(long long)(taken[to] - taken[from]));
			}
		}
	}
}

/* ── JSON ── */

static enum errcode read(const char *text, struct flow_limits *out, char *pointer, struct err *e)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	pointer[0] = 0;
	enum errcode code = flow_limits_read(json, out, pointer, e);
	json_decref(json);
	return code;
}

static void limits_read_and_shown_are_the_same(void **state)
{
	static const char *const texts[] = {"{}", "{\"concurrency\":10}", "{\"rate\":0.25,\"burst\":3}",
		"{\"concurrency\":2,\"rate\":1000000,\"burst\":1000,\"max_length\":50000000,\"key\":{\"concurrency\":1,"
		"\"rate\":"
		"5,\"burst\":20}}"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct flow_limits l;
		struct err e;
		char pointer[96];
		assert_int_equal(read(texts[i], &l, pointer, &e), E_OK);
		json_t *shown = flow_limits_json(&l);
		char *text = json_dumps(shown, JSON_COMPACT);
		if (i == 3)
			assert_non_null(strstr(text, "\"key\":{\"concurrency\":1,\"rate\":5,\"burst\":20}"));
		else
			assert_string_equal(text, texts[i]);
		free(text);
		json_decref(shown);
	}
}

static void a_burst_is_the_rate_rounded_up_unless_said(void **state)
{
	struct flow_limits l;
	struct err e;
	char pointer[96];
	assert_int_equal(read("{\"rate\":2.5,\"key\":{\"rate\":0.1},\"max_length\":null}", &l, pointer, &e), E_OK);
	assert_int_equal(l.all.burst, 3);
	assert_int_equal(l.key.rate_milli, 100);
	assert_int_equal(l.key.burst, 1);
}

static void what_is_no_limit_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *pointer, *says;
	} cases[] = {
		{"{\"concurrency\":0}", "/concurrency", "concurrency: must be a whole number from 1 to 1000000, not 0"},
		{"{\"rate\":-1}", "/rate", "rate: must be a number of jobs a second from 0.001 to 1000000, not -1"},
		{"{\"key\":{\"rate\":\"5/s\"}}", "/key/rate", "key/rate: must be a number of jobs a second"},
		{"{\"burst\":5}", "/burst", "burst: must be absent without a rate"},
		{"{\"rate\":100000,\"burst\":50}", "/burst", "burst: must be at least a thousandth of the rate"},
		{"{\"max_length\":1.5}", "/max_length", "max_length: must be a whole number"},
		{"{\"concurency\":5}", "/concurency", "unknown limit \"concurency\"; did you mean \"concurrency\"?"},
		{"{\"key\":{\"max_length\":5}}", "/key/max_length", "there are concurrency, rate, burst"},
		{"{\"key\":5}", "/key", "limits/key: are an object"}, {"[]", "", "limits: are an object"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct flow_limits l;
		struct err e = {0};
		char pointer[96];
		assert_int_equal(read(cases[i].text, &l, pointer, &e), E_INVALID);
		assert_string_equal(pointer, cases[i].pointer);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, e.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_gives_its_burst_at_once_and_then_a_token_at_a_time),
		cmocka_unit_test(a_token_that_nobody_takes_is_kept_up_to_the_burst),
		cmocka_unit_test(a_bucket_that_was_drained_fills_from_then_on),
		cmocka_unit_test(a_slow_limit_that_was_replaced_does_not_hold_up_a_fast_one),
		cmocka_unit_test(as_many_places_as_the_concurrency_and_no_more),
		cmocka_unit_test(no_window_holds_more_than_burst_and_rate_allow),
		cmocka_unit_test(limits_read_and_shown_are_the_same),
		cmocka_unit_test(a_burst_is_the_rate_rounded_up_unless_said),
		cmocka_unit_test(what_is_no_limit_is_refused_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
