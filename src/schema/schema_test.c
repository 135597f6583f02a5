#include "schema/schema.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static struct schema *open_it(const char *text)
{
	struct schema *s = NULL;
	struct err e;
	if (schema_open(bytes_of(text), &s, &e) != E_OK)
		fail_msg("%s: %s", text, e.text);
	return s;
}

static void values_are_accepted_and_refused_by_each_keyword(void **state)
{
	static const struct {
		const char *schema, *good[4], *bad[4];
	} cases[] = {
		{"true", {"1", "{}"}, {NULL}},
		{"false", {NULL}, {"1"}},
		{"{\"type\":\"integer\"}", {"1", "-5", "1.0"}, {"1.5", "\"1\"", "null"}},
		{"{\"type\":[\"string\",\"null\"]}", {"\"\"", "null"}, {"1", "[]"}},
		{"{\"type\":\"boolean\"}", {"true", "false"}, {"0", "\"no\""}},
		{"{\"enum\":[1,\"a\",null]}", {"1", "\"a\"", "null"}, {"2", "\"b\""}},
		{"{\"const\":{\"a\":[1]}}", {"{\"a\":[1]}"}, {"{\"a\":[2]}"}},
		{"{\"minimum\":1,\"maximum\":9}", {"1", "9", "\"x\""}, {"0", "10", "0.99"}},
		{"{\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}", {"0.5"}, {"0", "1"}},
		{"{\"maximum\":9007199254740993}", {"9007199254740993"}, {"9007199254740994"}},
		{"{\"multipleOf\":0.1}", {"0.3", "1"}, {"0.35"}},
		{"{\"multipleOf\":3}", {"9", "0"}, {"10"}},
		{"{\"minLength\":2,\"maxLength\":3}", {"\"\xc3\xa9\xc3\xa9\"", "\"abc\""}, {"\"\xc3\xa9\"", "\"abcd\""}},
		{"{\"pattern\":\"^[a-z]+\\\\.[a-z]+$\"}", {"\"email.parse\""}, {"\"Email\"", "\"a.\""}},
		{"{\"format\":\"duration\"}", {"\"5s\"", "\"1h30m\""}, {"\"5\"", "\"PT5S\""}},
		{"{\"format\":\"size\"}", {"\"64KiB\""}, {"\"64\""}},
		{"{\"format\":\"path\"}", {"\"/a\""}, {"\"\""}},
		{"{\"format\":\"date-time\"}", {"\"2026-11-22T03:45:00Z\""}, {"\"yesterday\""}},
		{"{\"format\":\"unheard-of\"}", {"\"x\""}, {NULL}},
		{"{\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":2}", {"[1]", "[1,2]", "{}"},
			{"[]", "[1,2,3]", "[\"a\"]"}},
		{"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", {"[\"a\"]", "[]"}, {"[1]", "[\"a\",1]"}},
		{"{\"uniqueItems\":true}", {"[1,2]"}, {"[1,2,1]"}},
		{"{\"required\":[\"a\"]}", {"{\"a\":null}", "3"}, {"{}"}},
		{"{\"properties\":{\"a\":{\"type\":\"string\"}},\"additionalProperties\":false}", {"{}", "{\"a\":\"\"}"},
			{"{\"a\":1}", "{\"b\":1}"}},
		{"{\"additionalProperties\":{\"type\":\"integer\"}}", {"{\"x\":1}"}, {"{\"x\":\"\"}"}},
		{"{\"patternProperties\":{\"^x-\":true},\"additionalProperties\":false}", {"{\"x-a\":1}"}, {"{\"y\":1}"}},
		{"{\"propertyNames\":{\"maxLength\":2}}", {"{\"ab\":1}"}, {"{\"abc\":1}"}},
		{"{\"minProperties\":1,\"maxProperties\":1}", {"{\"a\":1}"}, {"{}", "{\"a\":1,\"b\":2}"}},
		{"{\"dependentRequired\":{\"a\":[\"b\"]}}", {"{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"}, {"{\"a\":1}"}},
		{"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", {"1"}, {"0", "3"}},
		{"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", {"\"\"", "5"}, {"4"}},
		{"{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", {"0", "4"}, {"2"}},
		{"{\"not\":{\"type\":\"null\"}}", {"1"}, {"null"}},
		{"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]}}",
			{"{\"a\":1,\"b\":1}", "{\"c\":1}"}, {"{\"a\":1}", "{}"}},
		{"{\"$defs\":{\"p/~q\":{\"type\":\"integer\"}},\"items\":{\"$ref\":\"#/$defs/p~1~0q\"}}", {"[1]"}, {"[\"a\"]"}},
		{"{\"properties\":{\"child\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", {"{\"child\":{\"child\":{}}}"},
			{"{\"child\":{\"kid\":{}}}"}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct schema *s = open_it(cases[i].schema);
		for (int k = 0; k < 4 && cases[i].good[k]; k++) {
			struct err e;
			if (schema_check_text(s, bytes_of(cases[i].good[k]), NULL, &e) != E_OK)
				fail_msg("%s refuses %s: %s", cases[i].schema, cases[i].good[k], e.text);
		}
		for (int k = 0; k < 4 && cases[i].bad[k]; k++) {
			if (schema_check_text(s, bytes_of(cases[i].bad[k]), NULL, NULL) != E_INVALID)
				fail_msg("%s accepts %s", cases[i].schema, cases[i].bad[k]);
		}
		schema_close(s);
	}
}

static void an_error_has_the_place_the_value_and_what_would_be_right(void **state)
{
	struct schema *s = open_it(
		"{\"properties\":{\"workers\":{\"items\":{\"properties\":{\"replicas\":{\"type\":\"integer\",\"minimum\":1},"
		"\"a/b\":{\"enum\":[\"x\",\"y\"]}},\"additionalProperties\":false}}}}");
	static const struct {
		const char *value, *pointer, *text;
	} cases[] = {
		{"{\"workers\":[{},{\"replicas\":\"two\"}]}", "/workers/1/replicas",
			"\"two\" is of type string; expected integer"},
		{"{\"workers\":[{\"replicas\":0}]}", "/workers/0/replicas", "0 is out of range; expected at least 1"},
		{"{\"workers\":[{\"a/b\":\"z\"}]}", "/workers/0/a~1b", "\"z\" is not known here; expected one of \"x\", \"y\""},
		{"{\"workers\":[{\"replica\":1}]}", "/workers/0/replica",
			"unknown key \"replica\"; did you mean \"replicas\"?"},
		{"{\"workers\":[{\"colour\":1}]}", "/workers/0/colour", "unknown key \"colour\"; known here: replicas, a/b"},
		{"{", "", "not JSON: line 1, column 1: string or '}' expected near end of file"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char pointer[SCHEMA_POINTER_SIZE];
		struct err e;
		assert_int_equal(schema_check_text(s, bytes_of(cases[i].value), pointer, &e), E_INVALID);
		assert_string_equal(pointer, cases[i].pointer);
		assert_string_equal(e.text, cases[i].text);
	}
	schema_close(s);
}

static void the_nearest_alternative_is_explained(void **state)
{
	struct schema *s = open_it(
		"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"object\",\"properties\":{\"min\":{\"type\":\"integer\"}}}]}");
	char pointer[SCHEMA_POINTER_SIZE];
	struct err e;
	assert_int_equal(schema_check_text(s, bytes_of("{\"min\":\"a\"}"), pointer, &e), E_INVALID);
	assert_string_equal(pointer, "/min");
	assert_non_null(strstr(e.text, "\"a\" is of type string; expected integer"));
	schema_close(s);
}

static void defaults_are_filled_in_also_within_what_was_filled(void **state)
{
	struct schema *s = open_it(
		"{\"properties\":{\"a\":{\"default\":1},\"o\":{\"default\":{},\"properties\":{\"b\":{\"default\":\"x\"}}},"
		"\"r\":{\"$ref\":\"#/$defs/"
		"d\"},\"c\":{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"properties\":{\"k\":{\"default\":5}}}]}},"
		"\"$defs\":{\"d\":{\"default\":[2]}},\"required\":[\"a\"]}");
	json_t *value = json_loads("{\"c\":{}}", 0, NULL),
		   *want = json_loads("{\"c\":{\"k\":5},\"a\":1,\"o\":{\"b\":\"x\"},\"r\":[2]}", 0, NULL);
	assert_int_equal(schema_check(s, value, true, NULL, NULL), E_OK);
	assert_true(json_equal(value, want));
	json_decref(value);
	value = json_object();
	assert_int_equal(schema_check(s, value, false, NULL, NULL), E_INVALID); /* not filled: `a` is missing */
	json_decref(value);
	json_decref(want);
	schema_close(s);
}

static void a_schema_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "1", "{\"type\":\"text\"}", "{\"type\":[]}", "{\"enum\":[]}",
		"{\"minimum\":\"1\"}", "{\"minLength\":-1}", "{\"pattern\":\"(\"}", "{\"pattern\":1}", "{\"items\":[1]}",
		"{\"properties\":{\"a\":1}}", "{\"required\":\"a\"}", "{\"$ref\":\"http://example.com\"}",
		"{\"$ref\":\"#/nowhere\"}", "{\"anyOf\":[]}", "{\"contains\":{}}", "{\"multipleOf\":0}",
		"{\"patternProperties\":{\"[\":true}}", "{\"type\":\"string\",\"type\":\"string\"}"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct schema *s = NULL;
		struct err e;
		if (schema_open(bytes_of(bad[i]), &s, &e) != E_INVALID || s)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void schemas_and_patterns_that_never_end_are_cut_short(void **state)
{
	struct schema *s = open_it("{\"$ref\":\"#\"}");
	assert_int_equal(schema_check_text(s, bytes_of("1"), NULL, NULL), E_INVALID);
	schema_close(s);
	s = open_it("{\"pattern\":\"^(a+)+$\"}");
	clock_t from = clock();
	assert_int_equal(
		schema_check_text(s, bytes_of("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""), NULL, NULL),
		E_INVALID);
	assert_true(clock() - from < CLOCKS_PER_SEC);
	schema_close(s);
	scoped(buf_fini) struct buf b = {0};
	for (int i = 0; i < 45; i++)
		buf_text(&b, "{\"anyOf\":[true,");
	buf_text(&b, "true");
	for (int i = 0; i < 45; i++)
		buf_text(&b, "]}");
	s = open_it(b.data);
	schema_check_text(s, bytes_of("1"), NULL, NULL);
	assert_true(clock() - from < 5 * CLOCKS_PER_SEC);
	schema_close(s);
	buf_clear(&b);
	for (int i = 0; i < 200; i++)
		buf_text(&b, "{\"not\":");
	buf_text(&b, "{}");
	for (int i = 0; i < 200; i++)
		buf_text(&b, "}");
	assert_int_equal(schema_open(buf_bytes(&b), &s, NULL), E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_accepted_and_refused_by_each_keyword),
		cmocka_unit_test(an_error_has_the_place_the_value_and_what_would_be_right),
		cmocka_unit_test(the_nearest_alternative_is_explained),
		cmocka_unit_test(defaults_are_filled_in_also_within_what_was_filled),
		cmocka_unit_test(a_schema_that_is_none_is_refused),
		cmocka_unit_test(schemas_and_patterns_that_never_end_are_cut_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
