#include "wire/jsontext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool good(const char *text)
{
	return jsontext_check(text, strlen(text), NULL);
}

static void json_is_json(void **state)
{
	const char *yes[] = {"0", "-0", "1.5e-3", "-12E+4", "\"\"", "\"\\u00e9\\n\\/\"", "\"\\ud83d\\ude00\"", "[]",
		" [ 1 , {} ] ", "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":true}", "false", "\"\xc3\xa9\xf0\x9f\x98\x80\""};
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!good(yes[i]))
			fail_msg("refused: %s", yes[i]);
}

static void what_looks_like_json_is_not_json(void **state)
{
	const char *no[] = {"", " ", "01", "1.", ".5", "+1", "1e", "-", "nul", "nulll", "True", "'a'", "\"a", "\"\\x\"",
		"\"\\u12g4\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\t\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "[1,]",
		"[,1]", "[1 2]", "[", "]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{,}", "[1}", "{\"a\":1]", "1 2",
		"{} x", "NaN"};
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (good(no[i]))
			fail_msg("taken: %s", no[i]);
	assert_false(jsontext_check("\"a\0b\"", 5, NULL));
}

static void the_place_of_the_fault_is_told(void **state)
{
	size_t at = 99;
	assert_false(jsontext_check("{\"a\":1,x}", 9, &at));
	assert_int_equal(at, 7);
	assert_false(jsontext_check("[1", 2, &at));
	assert_int_equal(at, 2);
}

static void deep_nesting_is_refused_and_does_not_use_the_stack(void **state)
{
	size_t n = 1 << 20;
	char *deep = malloc(n);
	memset(deep, '[', n);
	assert_false(jsontext_check(deep, n, NULL));
	memset(deep, '[', JSONTEXT_DEPTH);
	memset(deep + JSONTEXT_DEPTH, ']', JSONTEXT_DEPTH);
	assert_true(jsontext_check(deep, 2 * JSONTEXT_DEPTH, NULL));
	free(deep);
}

static void members_are_found(void **state)
{
	const char *text = "{ \"a\" : [1,\"]\"], \"b\":\"x\\\"}\", \"n\":-5 , \"o\":{\"a\":2}}";
	struct jsontext o = {text, strlen(text)}, v;
	int64_t n;
	char s[8];
	assert_true(jsontext_get(o, "n", &v));
	assert_true(jsontext_int(v, &n));
	assert_int_equal(n, -5);
	assert_true(jsontext_get(o, "b", &v));
	assert_int_equal(jsontext_string(v, s, sizeof s), 3);
	assert_string_equal(s, "x\"}");
	assert_true(jsontext_get(o, "o", &v));
	assert_int_equal(v.size, 7);
	assert_false(jsontext_get(o, "c", &v));
	assert_false(jsontext_get((struct jsontext){"[1]", 3}, "a", &v));
}

static void elements_of_an_array_come_in_order(void **state)
{
	struct jsontext a = {"[1, [2], \"3\"]", 13}, k, v;
	size_t cursor = 0;
	int n = 0;
	while (jsontext_next(a, &cursor, &k, &v))
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(v.size, 3);
	cursor = 0;
	assert_false(jsontext_next((struct jsontext){"[]", 2}, &cursor, &k, &v));
}

static void strings_are_unescaped_within_their_room(void **state)
{
	char s[8];
	assert_int_equal(jsontext_string((struct jsontext){"\"\\u00e9\\ud83d\\ude00\"", 20}, s, sizeof s), 6);
	assert_string_equal(s, "\xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(jsontext_string((struct jsontext){"\"12345678\"", 10}, s, sizeof s), -1);
	assert_int_equal(jsontext_string((struct jsontext){"\"1234567\"", 9}, s, sizeof s), 7);
	assert_int_equal(jsontext_string((struct jsontext){"\"\\u0000\"", 8}, s, sizeof s), -1);
	assert_int_equal(jsontext_string((struct jsontext){"12", 2}, s, sizeof s), -1);
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
	int64_t n = 1;
	assert_true(jsontext_int((struct jsontext){"-9223372036854775808", 20}, &n));
	assert_true(n == INT64_MIN);
	assert_false(jsontext_int((struct jsontext){"9223372036854775808", 19}, &n));
	assert_false(jsontext_int((struct jsontext){"1.5", 3}, &n));
	assert_false(jsontext_int((struct jsontext){"-", 1}, &n));
}

static void what_is_quoted_is_json_whatever_it_was(void **state)
{
	char out[64];
	size_t used = 0;
	assert_true(jsontext_quote(out, sizeof out, &used, "a\"\\\n\xff\xc3\xa9", 7));
	assert_true(jsontext_check(out, used, NULL));
	assert_memory_equal(out, "\"a\\\"\\\\\\u000a\xef\xbf\xbd\xc3\xa9\"", used);
	used = 60;
	assert_false(jsontext_quote(out, sizeof out, &used, "abcdef", 6));
	assert_int_equal(used, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(what_looks_like_json_is_not_json),
		cmocka_unit_test(the_place_of_the_fault_is_told),
		cmocka_unit_test(deep_nesting_is_refused_and_does_not_use_the_stack),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(elements_of_an_array_come_in_order),
		cmocka_unit_test(strings_are_unescaped_within_their_room),
		cmocka_unit_test(numbers_that_do_not_fit_are_refused),
		cmocka_unit_test(what_is_quoted_is_json_whatever_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
