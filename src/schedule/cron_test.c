#include "schedule/cron.h"

#include "base/civil.h"
#include "base/mem.h"
#include "base/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t wall(const char *text) /* "2026-11-22T03:45:00": on some wall clock */
{
	char utc[40];
	int64_t ms;
	struct err e;
	snprintf(utc, sizeof utc, "%sZ", text);
	if (rfc3339_parse(bytes_of(utc), &ms, &e) != E_OK)
		fail_msg("%s", e.text);
	return ms / 1000;
}

static struct cron cron_of(const char *text)
{
	struct cron c;
	struct err e;
	if (cron_parse(bytes_of(text), &c, &e) != E_OK)
		fail_msg("%s", e.text);
	return c;
}

static void an_expression_matches_the_times_that_every_cron_would_choose(void **state)
{
	static const struct {
		const char *cron, *from, *next;
	} cases[] = {
		{"* * * * *", "2026-11-22T03:45:00", "2026-11-22T03:45:00"},
		{"* * * * *", "2026-11-22T03:45:01", "2026-11-22T03:46:00"},
		{"*/5 8-18 * * mon-fri", "2026-11-22T03:45:00", "2026-11-23T08:00:00"}, /* a Sunday */
		{"*/5 8-18 * * mon-fri", "2026-11-23T18:56:00", "2026-11-24T08:00:00"},
		{"0 0 1 1 *", "2026-11-22T03:45:00", "2027-01-01T00:00:00"},
		{"30 4 1,15 * *", "2026-11-22T03:45:00", "2026-12-01T04:30:00"},
		{"30 4 1,15 * fri", "2026-11-22T03:45:00", "2026-11-27T04:30:00"}, /* either */
		{"30 4 */2 * fri", "2026-11-22T03:45:00", "2026-11-27T04:30:00"}, /* both: the 27th is odd, and a Friday */
		{"0 0 29 2 *", "2026-11-22T03:45:00", "2028-02-29T00:00:00"},
		{"0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"}, /* 2100 has none */
		{"0 0 31 * *", "2026-11-22T03:45:00", "2026-12-31T00:00:00"},
		{"0 0 31 * *", "2027-01-31T00:00:01", "2027-03-31T00:00:00"},
		{"0 0 L * *", "2028-02-01T00:00:00", "2028-02-29T00:00:00"},
		{"0 0 L * *", "2027-02-01T00:00:00", "2027-02-28T00:00:00"},
		{"0 9 * * fri#2", "2026-11-01T00:00:00", "2026-11-13T09:00:00"},
		{"0 9 * * friL", "2026-11-01T00:00:00", "2026-11-27T09:00:00"},
		{"0 9 * * 5L", "2026-11-27T09:00:01", "2026-12-25T09:00:00"},
		{"0 9 * * mon#5", "2026-11-01T00:00:00", "2026-11-30T09:00:00"},
		{"0 0 * * 7", "2026-11-22T00:00:01", "2026-11-29T00:00:00"},
		{"0 0 * * sat-sun", "2026-11-22T00:00:01", "2026-11-28T00:00:00"},
		{"0 0 * * 5-7", "2026-11-22T00:00:00", "2026-11-22T00:00:00"},
		{"0 22-23,0-2 * * *", "2026-11-22T03:00:00", "2026-11-22T22:00:00"},
		{"5-59/15 * * * *", "2026-11-22T03:21:00", "2026-11-22T03:35:00"},
		{"59 23 31 12 *", "2026-12-31T23:59:01", "2027-12-31T23:59:00"},
		{"0 12 * JAN,Jul *", "2026-11-22T00:00:00", "2027-01-01T12:00:00"},
		{"*/20 30 2 * * *", "2026-11-22T02:30:21", "2026-11-22T02:30:40"},
		{"15 0 0 * * *", "2026-11-22T00:00:16", "2026-11-23T00:00:15"},
		{"@yearly", "2026-11-22T00:00:00", "2027-01-01T00:00:00"},
		{"@monthly", "2026-11-22T00:00:00", "2026-12-01T00:00:00"},
		{"@weekly", "2026-11-22T00:00:01", "2026-11-29T00:00:00"},
		{"@daily", "2026-11-22T00:00:01", "2026-11-23T00:00:00"},
		{"@hourly", "2026-11-22T00:00:01", "2026-11-22T01:00:00"},
		{"  0\t0  1 1 * ", "2026-11-22T00:00:00", "2027-01-01T00:00:00"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cron c = cron_of(cases[i].cron);
		char got[RFC3339_SIZE];
		rfc3339_format(cron_next(&c, wall(cases[i].from)) * 1000, got);
		if (strncmp(got, cases[i].next, 19) != 0)
			fail_msg("%s after %s: %.19s, not %s", cases[i].cron, cases[i].from, got, cases[i].next);
	}
}

static void a_wrong_expression_is_refused_naming_field_value_and_position(void **state)
{
	static const struct {
		const char *cron, *words[3];
	} cases[] = {
		{"61 * * * *", {"minute \"61\" at position 1", "a number from 0 to 59"}},
		{"0 24 * * *", {"hour \"24\" at position 3", "0 to 23"}},
		{"0 0 0 * *", {"day of month \"0\" at position 5", "1 to 31"}},
		{"0 0 1 13 *", {"month \"13\" at position 7", "1 to 12 or jan to dec"}},
		{"0 0 1 foo *", {"month \"foo\"", "jan to dec"}},
		{"0 0 * * 8", {"day of week \"8\"", "0 to 7 or sun to sat"}},
		{"0 0 * * monday", {"day of week \"monday\"", "\"d\" is not understood"}},
		{"5,61 * * * *", {"minute \"61\" at position 3"}},
		{"*/0 * * * *", {"minute \"*/0\"", "a step from 1 to 59"}},
		{"*/90 * * * *", {"minute \"*/90\"", "a step from 1 to 59"}},
		{"5/15 * * * *", {"minute \"5/15\"", "a step needs a range before it, such as 5-59/15"}},
		{"0 22-2 * * *", {"hour \"22-2\"", "22-23,0-2"}},
		{"0 0 ? * *", {"day of month \"?\"", "write * for any"}},
		{"0 0 * * fri#6", {"fri#6", "1 to 5"}},
		{"1,,2 * * * *", {"minute \"\" at position 3"}},
		{"1, * * * *", {"minute \"\" at position 3"}},
		{"-5 * * * *", {"minute \"-5\""}},
		{"1-2-3 * * * *", {"minute \"1-2-3\"", "\"-\" is not understood"}},
		{"99999999999 * * * *", {"minute \"99999999999\""}},
		{"* * * *", {"4 fields", "minute, hour, day of month"}},
		{"* * * * * * *", {"7 fields"}},
		{"", {"0 fields"}},
		{"@reboot", {"@reboot", "@hourly", "`every`"}},
		{"@every 5m", {"@every 5m", "`every`"}},
		{"0 0 30 2 *", {"never happens"}},
		{"0 0 31 4,6,9,11 *", {"never happens"}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cron c;
		struct err e = {0};
		if (cron_parse(bytes_of(cases[i].cron), &c, &e) != E_INVALID)
			fail_msg("\"%s\" was taken", cases[i].cron);
		for (size_t w = 0; w < ARRAY_SIZE(cases[i].words) && cases[i].words[w]; w++)
			if (!strstr(e.text, cases[i].words[w]))
				fail_msg("\"%s\" does not say \"%s\"", e.text, cases[i].words[w]);
	}
}

static void what_happens_once_in_forty_years_is_found_and_is_no_never(void **state)
{
	struct cron c = cron_of("0 0 29 2 sun");
	c.either = false; /* as if a field began with *: no expression says "29 and Sunday" so plainly */
	char got[RFC3339_SIZE];
	rfc3339_format(cron_next(&c, wall("2026-11-22T00:00:00")) * 1000, got);
	assert_memory_equal(got, "2032-02-29", 10);
	rfc3339_format(cron_next(&c, wall("2088-03-01T00:00:00")) * 1000, got);
	assert_memory_equal(got, "2128-02-29", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_matches_the_times_that_every_cron_would_choose),
		cmocka_unit_test(a_wrong_expression_is_refused_naming_field_value_and_position),
		cmocka_unit_test(what_happens_once_in_forty_years_is_found_and_is_no_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
