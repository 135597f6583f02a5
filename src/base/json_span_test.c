#include "base/json_span.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void valid_texts_are_accepted(void **state)
{
	static const char *const good[] = {"{}", "[]", " [ ] ", "0", "-0", "-0.5e+10", "1E2", "\"\"", "true", "null",
		"[[],{},[{}]]", "{\"a\":1,\"b\":[1,2,{\"c\":\"\\u00e9\\ud83d\\ude00\\n\"}]}",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\n{\t\"a\" :\r1 }\n"};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e;
		if (json_span_check(bytes_of(good[i]), &e) != E_OK)
			fail_msg("%s: %s", good[i], e.text);
	}
}

static void malformed_texts_are_refused(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[", "[1,]", "[,1]", "{,}", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{\"a\" \"b\"}", "{a:1}", "{'a':1}", "01", "1.", ".5", "-", "+1", "1e", "1e+", "0x10", "NaN",
		"tru", "truex", "[1 2]", "[1]]", "1 2", "{\"a\":1}}", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
		"\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "[1}", "{\"a\":1]", "nulL", "\xef\xbb\xbf{}"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (json_span_check(bytes_of(bad[i]), NULL) == E_OK)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(json_span_check((struct bytes){"[1\0]", 4}, NULL), E_INVALID);
}

static void every_prefix_of_a_valid_object_is_refused(void **state)
{
	const char *text = "{\"a\":[1,{\"b\":\"\\u00e9\xc3\xa9\"},true,null,-1.5e3],\"c\":{}}";
	for (size_t n = 0; n < strlen(text); n++) {
		char *copy = memcpy(mem_new(n), text, n); /* so that AddressSanitizer sees a read beyond it */
		assert_int_equal(json_span_check((struct bytes){copy, n}, NULL), E_INVALID);
		free(copy);
	}
}

static void nesting_has_a_limit_and_takes_no_stack(void **state)
{
	struct buf b = {0};
	for (int i = 0; i < JSON_SPAN_DEPTH_MAX; i++)
		buf_text(&b, "[");
	for (int i = 0; i < JSON_SPAN_DEPTH_MAX; i++)
		buf_text(&b, "]");
	assert_int_equal(json_span_check(buf_bytes(&b), NULL), E_OK);
	buf_clear(&b);
	for (int i = 0; i < 1000000; i++)
		buf_text(&b, "[");
	struct err e;
	assert_int_equal(json_span_check(buf_bytes(&b), &e), E_INVALID);
	assert_non_null(strstr(e.text, "256 levels"));
	buf_fini(&b);
}

static void members_are_given_as_they_were_written(void **state)
{
	struct json_member m[4];
	size_t n;
	const char *text =
		" { \"capability\" : \"email.parse\", \"input\" :\n{\"a\": [1, {\"input\": 2}]} , \"n\":-5,\"e\":[]}";
	assert_int_equal(json_span_members(bytes_of(text), m, 4, &n, NULL), E_OK);
	assert_int_equal(n, 4);
	assert_true(bytes_equal(*json_span_find(m, n, "input"), bytes_of("{\"a\": [1, {\"input\": 2}]}")));
	assert_true(bytes_equal(*json_span_find(m, n, "e"), bytes_of("[]")));
	assert_null(json_span_find(m, n, "inpu"));
	int64_t v;
	assert_true(json_span_integer(*json_span_find(m, n, "n"), &v));
	assert_int_equal(v, -5);
}

static void a_member_given_twice_is_refused_with_its_place(void **state)
{
	struct json_member m[4];
	size_t n;
	struct err e;
	assert_int_equal(json_span_members(bytes_of("{\"a\":1,\n \"a\":2}"), m, 4, &n, &e), E_INVALID);
	assert_non_null(strstr(e.text, "line 2, column 2"));
	assert_int_equal(json_span_members(bytes_of("{\"a\":1,\"b\":2}"), m, 1, &n, &e), E_TOO_LARGE);
	assert_int_equal(json_span_members(bytes_of("[1]"), m, 4, &n, &e), E_INVALID);
}

static void elements_of_an_array_come_one_by_one(void **state)
{
	const char *want[] = {"1", "{\"a\":[2]}", "\"x,]\"", "[]"};
	struct bytes array = bytes_of("[ 1 ,{\"a\":[2]},\"x,]\" , [] ]"), element;
	size_t at = 0, n = 0;
	for (; json_span_next(array, &at, &element); n++)
		assert_true(bytes_equal(element, bytes_of(want[n])));
	assert_int_equal(n, 4);
	at = 0;
	assert_false(json_span_next(bytes_of("[ ]"), &at, &element));
}

static void a_string_is_decoded_with_all_its_escapes(void **state)
{
	struct buf b = {0};
	assert_true(json_span_string(bytes_of("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00z\""), &b));
	assert_string_equal(b.data, "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	assert_false(json_span_string(bytes_of("\"\\u0000\""), &b));
	assert_false(json_span_string(bytes_of("12"), &b));
	buf_fini(&b);
}

static void integers_keep_all_their_64_bits(void **state)
{
	int64_t v;
	assert_true(json_span_integer(bytes_of("9223372036854775807"), &v));
	assert_true(v == INT64_MAX);
	assert_true(json_span_integer(bytes_of("-9223372036854775808"), &v));
	assert_true(v == INT64_MIN);
	assert_false(json_span_integer(bytes_of("9223372036854775808"), &v));
	assert_false(json_span_integer(bytes_of("1.0"), &v));
	assert_false(json_span_integer(bytes_of("-"), &v));
	assert_false(json_span_integer(bytes_of("\"1\""), &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_texts_are_accepted),
		cmocka_unit_test(malformed_texts_are_refused),
		cmocka_unit_test(every_prefix_of_a_valid_object_is_refused),
		cmocka_unit_test(nesting_has_a_limit_and_takes_no_stack),
		cmocka_unit_test(members_are_given_as_they_were_written),
		cmocka_unit_test(a_member_given_twice_is_refused_with_its_place),
		cmocka_unit_test(elements_of_an_array_come_one_by_one),
		cmocka_unit_test(a_string_is_decoded_with_all_its_escapes),
		cmocka_unit_test(integers_keep_all_their_64_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
