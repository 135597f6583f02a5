#include "schedule/timing.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t at(const char *text)
{
	int64_t ms;
	struct err e;
	if (rfc3339_parse(bytes_of(text), &ms, &e) != E_OK)
		fail_msg("%s", e.text);
	return ms;
}

static struct timing cron_in(const char *expression, const char *zone)
{
	struct timing t = {0};
	struct err e;
	if (cron_parse(bytes_of(expression), &t.cron, &e) != E_OK || zone_find(bytes_of(zone), &t.zone, &e) != E_OK)
		fail_msg("%s", e.text);
	return t;
}

/* Each table begins before a change of the clocks; the times that follow are all there are until the last of them. */
static void around_a_change_of_the_clocks_the_times_are_those_that_are_documented(void **state)
{
	static const struct {
		const char *zone, *cron, *after, *times[6];
	} cases[] = {
		/* Berlin, 2026-03-29: 02:00 becomes 03:00 */
		{"Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00Z",
			{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"Europe/Berlin", "0,15,30 2 * * *", "2026-03-28T12:00:00Z",
			{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z",
			{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"Europe/Berlin", "30 * * * *", "2026-03-29T00:00:00Z",
			{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"}},
		{"Europe/Berlin", "30 1 * * *", "2026-03-28T12:00:00Z",
			{"2026-03-29T01:30:00+01:00", "2026-03-30T01:30:00+02:00"}},
		/* Berlin, 2026-10-25: 03:00 becomes 02:00 */
		{"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z",
			{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"Europe/Berlin", "0 2,3 * * *", "2026-10-24T12:00:00Z",
			{"2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00", "2026-10-26T02:00:00+01:00"}},
		{"Europe/Berlin", "30 * * * *", "2026-10-25T00:00:00Z",
			{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
		{"Europe/Berlin", "*/30 2 * * *", "2026-10-24T12:00:00Z",
			{"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00",
				"2026-10-25T02:30:00+01:00", "2026-10-26T02:00:00+01:00"}},
		/* New York, 2026-03-08 and 2026-11-01 */
		{"America/New_York", "15 2 * * sun", "2026-03-02T00:00:00Z",
			{"2026-03-08T03:00:00-04:00", "2026-03-15T02:15:00-04:00"}},
		{"America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z",
			{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		/* Lord Howe changes by half an hour: 2026-10-04 at 02:00, 2026-04-05 at 02:00 */
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z",
			{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z",
			{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		/* Troll changes by two hours: 2026-03-29 at 01:00 UTC */
		{"Antarctica/Troll", "30 1,2 * * *", "2026-03-28T12:00:00Z",
			{"2026-03-29T03:00:00+02:00", "2026-03-30T01:30:00+02:00"}},
		/* Samoa had no 30 December 2011 */
		{"Pacific/Apia", "0 12 * * *", "2011-12-29T00:00:00Z",
			{"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"}},
		/* Kolkata and Kathmandu have odd offsets and no changes */
		{"Asia/Kathmandu", "0 0 * * *", "2026-11-22T00:00:00Z",
			{"2026-11-23T00:00:00+05:45", "2026-11-24T00:00:00+05:45"}},
		/* far beyond what the files list, by the rule at their end */
		{"Europe/Berlin", "0 12 * * *", "2150-07-01T11:00:00Z", {"2150-07-02T12:00:00+02:00"}},
		{"UTC", "0 0 29 2 *", "2026-01-01T00:00:00Z", {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"Europe/Berlin", "30 2 29 3 *", "2020-04-01T00:00:00Z",
			{"2021-03-29T02:30:00+02:00", "2022-03-29T02:30:00+02:00", "2023-03-29T02:30:00+02:00",
				"2024-03-29T02:30:00+01:00", "2025-03-29T02:30:00+01:00", "2026-03-29T03:00:00+02:00"}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timing t = cron_in(cases[i].cron, cases[i].zone);
		int64_t now = at(cases[i].after);
		for (size_t k = 0; k < ARRAY_SIZE(cases[i].times) && cases[i].times[k]; k++) {
			char got[RFC3339_SIZE];
			now = timing_next(&t, now);
			rfc3339_format_at(now, timing_offset(&t, now), got);
			if (now != at(cases[i].times[k]))
				fail_msg("\"%s\" in %s, number %zu: %s, not %s", cases[i].cron, cases[i].zone, k + 1, got,
					cases[i].times[k]);
		}
	}
}

static void an_interval_keeps_its_anchor_whatever_the_clocks_do(void **state)
{
	struct timing t = {.every_ms = 5 * 60000};
	assert_int_equal(timing_next(&t, at("2026-03-29T00:58:01Z")), at("2026-03-29T01:00:00Z"));
	assert_int_equal(timing_next(&t, at("2026-03-29T01:00:00Z")), at("2026-03-29T01:05:00Z"));
	t = (struct timing){.every_ms = 7 * 3600000, .start_ms = at("2026-11-22T03:30:00Z")};
	assert_int_equal(timing_next(&t, 0), at("2026-11-22T03:30:00Z"));
	assert_int_equal(timing_next(&t, at("2026-11-22T03:30:00Z")), at("2026-11-22T10:30:00Z"));
	assert_int_equal(timing_next(&t, at("2026-11-29T03:29:00Z")), at("2026-11-29T03:30:00Z"));
}

static void nothing_happens_after_the_year_9999_and_nothing_overflows(void **state)
{
	struct timing every = {.every_ms = 100LL * 365 * 24 * 3600 * 1000}, cron = cron_in("0 0 1 1 *", "America/New_York");
	const int64_t late[] = {at("9999-06-01T00:00:00Z"), INT64_MAX - 1, INT64_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		assert_true(timing_next(&every, late[i]) == TIMING_NEVER);
		assert_true(timing_next(&cron, late[i]) == TIMING_NEVER);
	}
	assert_true(timing_next(&cron, at("9998-06-01T00:00:00Z")) == at("9999-01-01T05:00:00Z"));
}

static void start_and_end_are_the_first_and_the_last_moment(void **state)
{
	struct timing t = cron_in("0 * * * *", "UTC");
	t.start_ms = at("2026-11-22T03:00:00Z");
	t.end_ms = at("2026-11-22T05:00:00Z");
	assert_int_equal(timing_next(&t, 0), at("2026-11-22T03:00:00Z"));
	assert_int_equal(timing_next(&t, at("2026-11-22T04:00:00Z")), at("2026-11-22T05:00:00Z"));
	assert_true(timing_next(&t, at("2026-11-22T05:00:00Z")) == TIMING_NEVER);
	t.start_ms++;
	assert_int_equal(timing_next(&t, 0), at("2026-11-22T04:00:00Z"));
}

static void the_last_one_and_the_newest_are_found_by_halves(void **state)
{
	struct timing t = cron_in("*/10 9 * * mon", "Europe/Berlin");
	int64_t since = at("2026-01-01T00:00:00Z"), until = at("2026-11-22T00:00:00Z"); /* a Sunday */
	assert_int_equal(timing_last(&t, since, until), at("2026-11-16T09:50:00+01:00"));
	assert_true(timing_last(&t, at("2026-11-16T09:50:00+01:00"), until) == TIMING_NEVER);
	assert_int_equal(timing_last(&t, at("2026-11-16T09:49:59+01:00"), until), at("2026-11-16T09:50:00+01:00"));
	assert_int_equal(timing_count(&t, since, until, 1000), 46 * 6);
	assert_int_equal(timing_count(&t, since, until, 10), 10);
	int64_t newest = timing_newest(&t, since, until, 8);
	assert_int_equal(timing_next(&t, newest), at("2026-11-09T09:40:00+01:00"));
	assert_int_equal(timing_count(&t, newest, until, 1000), 8);
	assert_int_equal(timing_newest(&t, since, until, 1000), since);
}

static void intervals_are_counted_as_if_one_by_one(void **state)
{
	struct timing t = {.every_ms = 7000, .start_ms = at("2026-11-22T03:30:00Z"), .end_ms = at("2026-11-22T04:30:00Z")};
	for (int64_t after = t.start_ms - 20000; after < t.end_ms; after += 1234567)
		for (int64_t until = after - 9999; until < t.end_ms + 20000; until += 54321) {
			size_t n = 0;
			for (int64_t i = after; (i = timing_next(&t, i)) <= until;)
				n++;
			assert_int_equal(timing_count(&t, after, until, 100000), n);
		}
}

static void a_name_that_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = {"", "Europe/Atlantis", "/etc/localtime", "../../../etc/passwd", "Europe",
		"EST5EDT,M3.2.0,M11.1.0", "+03:00", "zone.tab", "leapseconds", "right/Europe/Berlin",
		"Europe/Berlin/Mitte/And/On/And/On/And/On/And/On/And/On/And/On/And/On"};
	const struct zone *z = NULL;
	struct err e;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(zone_find(bytes_of(names[i]), &z, &e), E_NOT_FOUND);
		assert_non_null(strstr(e.text, "IANA"));
	}
	assert_null(z);
	assert_int_equal(zone_find(bytes_of("Etc/GMT+3"), &z, &e), E_OK);
}

/* ── against a search that goes minute by minute, on the C library's idea of the zone ── */

static uint64_t random_state = 17;

static unsigned random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(random_state >> 33) % n;
}

static void random_field(char *out, size_t size, int min, int max, bool star)
{
	int a = min + (int)random_below((unsigned)(max - min + 1)), b = min + (int)random_below((unsigned)(max - min + 1));
	switch (random_below(star ? 6 : 4)) {
	case 0:
		snprintf(out, size, "%d", a);
		break;
	case 1:
		snprintf(out, size, "%d,%d", a, b);
		break;
	case 2:
		snprintf(out, size, "%d-%d", a < b ? a : b, a < b ? b : a);
		break;
	case 3:
		snprintf(out, size, "%d-%d/%u", min, max, 1 + random_below((unsigned)(max - min)));
		break;
	case 4:
		snprintf(out, size, "*/%u", 1 + random_below((unsigned)(max - min)));
		break;
	default:
		snprintf(out, size, "*");
	}
}

static bool matches(const struct cron *c, const struct tm *tm) /* without a look at cron_next */
{
	bool by_date = c->days >> tm->tm_mday & 1, by_weekday = c->weekdays >> tm->tm_wday & 1;
	return c->minutes >> tm->tm_min & 1 && c->hours >> tm->tm_hour & 1 && c->months >> (tm->tm_mon + 1) & 1 &&
		   (c->either ? by_date || by_weekday : by_date && by_weekday);
}

static int64_t local_of(time_t t)
{
	struct tm tm;
	localtime_r(&t, &tm);
	return t + tm.tm_gmtoff;
}

static bool is_time(const struct cron *c, int64_t local)
{
	struct tm tm;
	time_t as_utc = local;
	gmtime_r(&as_utc, &tm);
	return matches(c, &tm);
}

/* Is there an occurrence in the minute that begins at t? `seen`: the greatest local minute before it. */
static bool occurs(const struct cron *c, time_t t, int64_t *seen)
{
	int64_t local = local_of(t);
	bool found = is_time(c, local) && (c->wild || local > *seen);
	for (int64_t skipped = *seen + 60; !c->wild && !found && skipped < local; skipped += 60)
		found = is_time(c, skipped);
	if (local > *seen)
		*seen = local;
	return found;
}

static void compare(const char *zone, time_t from, int minutes, const char *expression)
{
	struct timing t = {0};
	struct err e;
	if (cron_parse(bytes_of(expression), &t.cron, &e) != E_OK)
		return; /* 30 February */
	assert_int_equal(zone_find(bytes_of(zone), &t.zone, &e), E_OK);
	int64_t seen = 0, expected = timing_next(&t, from * 1000LL - 1);
	for (int back = 1; back <= 26 * 60; back++) /* what came before the window may come again in it */
		if (local_of(from - back * 60) > seen)
			seen = local_of(from - back * 60);
	for (int i = 0; i < minutes; i++) {
		time_t now = from + i * 60;
		bool found = occurs(&t.cron, now, &seen);
		if (found != (expected == now * 1000LL))
			fail_msg("\"%s\" in %s: at %lld the slow search says %d, the next one is said to be %lld", expression, zone,
				(long long)now, found, (long long)expected / 1000);
		if (found)
			expected = timing_next(&t, expected);
	}
}

/* Cron expressions and moments at random, most of them near a change of the clocks. */
static void random_expressions_happen_when_a_slow_search_says(void **state)
{
	static const struct {
		const char *zone, *near[2];
	} places[] = {
		{"Europe/Berlin", {"2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"}},
		{"America/New_York", {"2026-03-08T06:00:00Z", "2026-11-01T05:00:00Z"}},
		{"Australia/Lord_Howe", {"2026-04-04T14:00:00Z", "2026-10-03T15:00:00Z"}},
		{"Antarctica/Troll", {"2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"}},
		{"Africa/Casablanca", {"2026-02-15T01:00:00Z", "2026-03-22T01:00:00Z"}},
		{"America/St_Johns", {"2026-03-08T04:00:00Z", "2026-11-01T03:00:00Z"}},
		{"Pacific/Apia", {"2011-12-30T00:00:00Z", "2012-04-01T00:00:00Z"}},
		{"Asia/Kolkata", {"2026-03-29T00:00:00Z", "2028-02-29T00:00:00Z"}},
		{"UTC", {"2026-03-29T00:00:00Z", "2027-12-31T00:00:00Z"}},
	};
	for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
		setenv("TZ", places[p].zone, 1);
		tzset();
		for (int n = 0; n < 60; n++) {
			char f[5][32], text[200];
			random_field(f[0], sizeof f[0], 0, 59, true);
			random_field(f[1], sizeof f[1], 0, random_below(2) ? 4 : 23, true);
			random_field(f[2], sizeof f[2], 1, 31, true);
			random_field(f[3], sizeof f[3], 1, 12, true);
			random_field(f[4], sizeof f[4], 0, 6, true);
			snprintf(text, sizeof text, "%s %s %s %s %s", f[0], f[1], random_below(3) ? "*" : f[2],
				random_below(3) ? "*" : f[3], random_below(3) ? "*" : f[4]);
			time_t near = at(places[p].near[random_below(2)]) / 1000;
			compare(places[p].zone, near - 60 * (time_t)random_below(3000), 3 * 1440, text);
		}
	}
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(around_a_change_of_the_clocks_the_times_are_those_that_are_documented),
		cmocka_unit_test(an_interval_keeps_its_anchor_whatever_the_clocks_do),
		cmocka_unit_test(nothing_happens_after_the_year_9999_and_nothing_overflows),
		cmocka_unit_test(start_and_end_are_the_first_and_the_last_moment),
		cmocka_unit_test(the_last_one_and_the_newest_are_found_by_halves),
		cmocka_unit_test(intervals_are_counted_as_if_one_by_one),
		cmocka_unit_test(a_name_that_is_no_zone_is_refused),
		cmocka_unit_test(random_expressions_happen_when_a_slow_search_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
