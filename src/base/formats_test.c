/* formats_test.c - durations, sizes, times, UTF-8, random text. */
#include "base/mem.h"
#include "base/nearest.h"
#include "base/random.h"
#include "base/rfc3339.h"
#include "base/units.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"250ms", 250}, {"5s", 5000}, {"2m", 120000}, {"1h", 3600000}, {"3d", 259200000}, {"1h30m", 5400000},
		{"1.5s", 1500}, {"0.25s", 250}, {"0", 0}, {"0s", 0}, {"2m0.5s", 120500}};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t ms = -1;
		if (units_duration(bytes_of(good[i].text), &ms, NULL) != E_OK || ms != good[i].ms)
			fail_msg("%s: %lld", good[i].text, (long long)ms);
	}
}

static void what_is_no_duration_is_refused_and_quoted(void **state)
{
	static const char *const bad[] = {"", "5", "s", "5 s", "5S", "-5s", "5s ", "1m1h", "5s5s", "1.s", ".5s", "0.0001s",
		"5x", "1e3s", "99999999999999999999s", "9999999d", "1y"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e;
		int64_t ms = 7;
		if (units_duration(bytes_of(bad[i]), &ms, &e) != E_INVALID || ms != 7 || !strstr(e.text, bad[i]))
			fail_msg("%s", bad[i]);
	}
}

static void sizes_are_read_and_refused(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"64KiB", 65536}, {"100MB", 100000000}, {"17B", 17}, {"1.5GiB", 1610612736}, {"2kb", 2000}, {"0", 0},
		{"1TiB", 1ULL << 40}};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t bytes = 1;
		if (units_size(bytes_of(good[i].text), &bytes, NULL) != E_OK || bytes != good[i].bytes)
			fail_msg("%s", good[i].text);
	}
	static const char *const bad[] = {"", "12", "MB", "1MB2KB", "0.5B", "99999999999TiB", "5 MB", "-1B"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t bytes;
		if (units_size(bytes_of(bad[i]), &bytes, NULL) != E_INVALID)
			fail_msg("%s", bad[i]);
	}
}

static void what_is_formatted_reads_back_the_same(void **state)
{
	char text[UNITS_TEXT_SIZE];
	static const int64_t times[] = {0, 1, 999, 1000, 61001, 90000, 5400000, 86400000 * 3LL + 1, UNITS_DURATION_MAX_MS};
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t back = -1;
		units_format_duration(times[i], text);
		assert_int_equal(units_duration(bytes_of(text), &back, NULL), E_OK);
		assert_true(back == times[i]);
	}
	static const uint64_t sizes[] = {0, 1, 17, 1000, 1024, 65536, 1000000, 1048577};
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t back = 1;
		units_format_size(sizes[i], text);
		assert_int_equal(units_size(bytes_of(text), &back, NULL), E_OK);
		assert_true(back == sizes[i]);
	}
	units_format_size(65536, text);
	assert_string_equal(text, "64KiB");
	units_format_duration(5400000, text);
	assert_string_equal(text, "1h30m");
}

static void times_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"1970-01-01T00:00:00Z", 0}, {"2026-11-22T03:45:00Z", 1795319100000},
		{"2026-11-22T05:45:00.125+02:00", 1795319100125}, {"2000-02-29T23:59:59.9999Z", 951868799999},
		{"2016-12-31T23:59:60Z", 1483228800000}, {"2026-11-21t22:45:00-05:00", 1795319100000}};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t ms = -1;
		if (rfc3339_parse(bytes_of(good[i].text), &ms, NULL) != E_OK || ms != good[i].ms)
			fail_msg("%s: %lld", good[i].text, (long long)ms);
	}
	char text[RFC3339_SIZE];
	rfc3339_format(1795319100125, text);
	assert_string_equal(text, "2026-11-22T03:45:00.125Z");
	for (int64_t ms = 0; ms < 4102444800000; ms += 86399999 * 13LL) { /* to 2100 */
		int64_t back;
		rfc3339_format(ms, text);
		assert_int_equal(rfc3339_parse(bytes_of(text), &back, NULL), E_OK);
		assert_true(back == ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {"", "2026-11-22", "2026-11-22T03:45:00", "2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T03:45:00.Z", "2026-11-22T03:45:00+2:00",
		"2026-11-22T03:45:00Zx", "1969-12-31T23:59:59Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"20a6-01-01T00:00:00Z"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t ms;
		if (rfc3339_parse(bytes_of(bad[i]), &ms, NULL) != E_INVALID)
			fail_msg("%s", bad[i]);
	}
}

static void every_code_point_is_utf8_and_no_surrogate_is(void **state)
{
	char text[4];
	for (unsigned c = 0; c <= 0x10FFFF; c++) {
		unsigned n = utf8_put(text, c);
		assert_int_equal(utf8_length(text, text + n), c >= 0xD800 && c <= 0xDFFF ? 0 : n);
		assert_int_equal(n > 1 ? utf8_length(text, text + n - 1) : 0, 0);
	}
	assert_false(utf8_valid(bytes_of("ok\x80")));
	assert_false(utf8_valid(bytes_of("\xf5\x80\x80\x80")));
	assert_true(utf8_valid(bytes_of("")));
}

static void random_hex_differs_and_is_hexadecimal(void **state)
{
	char a[33], b[33];
	random_hex(a, 32);
	random_hex(b, 32);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_int_equal(a[32], 0);
}

static const char *nearest_of(const char *wrong)
{
	static const char *const known[] = {"replicas", "concurrency", "id", "type", "data_dir"};
	struct nearest n = {.wrong = bytes_of(wrong)};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		nearest_try(&n, bytes_of(known[i]));
	return n.best.data ? n.best.data : "";
}

static void the_nearest_known_word_is_found_and_nothing_far_is(void **state)
{
	assert_string_equal(nearest_of("replica"), "replicas");
	assert_string_equal(nearest_of("concurency"), "concurrency");
	assert_string_equal(nearest_of("Data-Dir"), "data_dir");
	assert_string_equal(nearest_of("tpye"), "");
	assert_string_equal(nearest_of("typ"), "type");
	assert_string_equal(nearest_of("something"), "");
	assert_string_equal(nearest_of(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(what_is_no_duration_is_refused_and_quoted),
		cmocka_unit_test(sizes_are_read_and_refused),
		cmocka_unit_test(what_is_formatted_reads_back_the_same),
		cmocka_unit_test(times_are_read_and_written),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(every_code_point_is_utf8_and_no_surrogate_is),
		cmocka_unit_test(the_nearest_known_word_is_found_and_nothing_far_is),
		cmocka_unit_test(random_hex_differs_and_is_hexadecimal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
