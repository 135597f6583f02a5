#include "config/config.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void expect_json(const char *yaml, const char *json)
{
	struct config *c;
	struct err e;
	if (config_parse("t.yaml", bytes_of(yaml), NULL, &c, &e) != E_OK)
		fail_msg("%s", e.text);
	json_t *want = json_loads(json, JSON_DECODE_ANY, NULL);
	if (!json_equal(config_json(c), want)) {
		char *got = json_dumps(config_json(c), JSON_ENCODE_ANY);
		fail_msg("%s gave %s", yaml, got);
	}
	json_decref(want);
	config_free(c);
}

static void yaml_becomes_json_by_the_core_schema(void **state)
{
	expect_json("a: no\nb: 012\nc: 12\nd: 1.5\ne: ~\nf: true\ng: '1'\nh: yes\ni: 0x1F\nj: -3\nk: 1e3\nl: Null\nm: "
				"1.2.3\nn: .inf\no: 0o17\np: 99999999999999999999\n",
		"{\"a\":\"no\",\"b\":\"012\",\"c\":12,\"d\":1.5,\"e\":null,\"f\":true,\"g\":\"1\",\"h\":\"yes\",\"i\":31,\"j\":"
		"-3,\"k\":1000.0,"
		"\"l\":null,\"m\":\"1.2.3\",\"n\":\".inf\",\"o\":15,\"p\":1e20}");
	expect_json("- a: [1, {b: c}]\n- |\n  two\n  lines\n- !!str 5\n- \"x\\u00e9\"\n-\n",
		"[{\"a\":[1,{\"b\":\"c\"}]},\"two\\nlines\\n\",\"5\",\"x\\u00e9\",null]");
	expect_json("", "{}");
	expect_json("# only a comment\n", "{}");
	expect_json("{\"json\": [1, 2.5, null, \"x\"]}", "{\"json\":[1,2.5,null,\"x\"]}");
	expect_json("a: &anchor {b: 1}\n", "{\"a\":{\"b\":1}}");
}

static void expect_error(const char *yaml, const char *text)
{
	struct config *c = NULL;
	struct err e;
	if (config_parse("t.yaml", bytes_of(yaml), NULL, &c, &e) != E_INVALID)
		fail_msg("accepted: %s", yaml);
	if (strncmp(e.text, text, strlen(text)) != 0)
		fail_msg("%s gave: %s", yaml, e.text);
	assert_null(c);
}

static void what_is_not_taken_is_refused_with_its_place(void **state)
{
	expect_error("a: 1\nb: 2\na: 3\n", "t.yaml:3:1: the key \"a\" stands here a second time");
	expect_error("a: &x 1\nb: *x\n", "t.yaml:2:4: aliases");
	expect_error("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document");
	expect_error("a: !mine 1\n", "t.yaml:1:");
	expect_error("? [a]\n: 1\n", "t.yaml:1:3: a key must be plain text");
	expect_error("a: [1, 2\nb: 3\n", "t.yaml:");
	expect_error("a:\n\t- 1\n", "t.yaml:");
	expect_error("ok: 1\nx: \xff\n", "t.yaml:2:4: this byte (0xff)");
	expect_error("a: 'x\n", "t.yaml:");
	expect_error("{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{", "t.yaml:");
}

static void an_alias_bomb_is_refused_at_once(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	buf_text(&b, "a0: &a0 [x, x]\n");
	for (int i = 1; i < 30; i++)
		buf_format(&b, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1);
	expect_error(b.data, "t.yaml:2:10: aliases");
}

static void deep_nesting_is_refused(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	for (int i = 0; i < 5000; i++)
		buf_text(&b, "- ");
	expect_error(b.data, "t.yaml:1:65: more than 32 levels");
	buf_clear(&b);
	for (int i = 0; i < 5000; i++)
		buf_text(&b, "[");
	expect_error(b.data, "t.yaml:1:");
}

static void errors_of_the_schema_have_file_line_and_column(void **state)
{
	struct schema *s;
	struct err e;
	struct config *c = NULL;
	assert_int_equal(schema_open(bytes_of("{\"properties\":{\"workers\":{\"items\":{\"properties\":{\"id\":{\"type\":"
										  "\"string\"},\"replicas\":{\"type\":\"integer\"},"
										  "\"grace\":{\"default\":\"30s\"}},\"required\":[\"id\"],"
										  "\"additionalProperties\":false}}},\"additionalProperties\":false}"),
						 &s, NULL),
		E_OK);
	static const struct {
		const char *yaml, *text;
	} cases[] = {
		{"workers:\n  - id: a\n    replicas: two\n",
			"t.yaml:3:15: /workers/0/replicas: \"two\" is of type string; expected integer"},
		{"workers:\n  - id: a\n  - id: b\n    replica: 2\n",
			"t.yaml:4:5: /workers/1/replica: unknown key \"replica\"; did you mean \"replicas\"?"},
		{"workers:\n  - replicas: 2\n", "t.yaml:2:5: /workers/0: \"id\" is missing; it is required here"},
		{"worker: []\n", "t.yaml:1:1: /worker: unknown key \"worker\"; did you mean \"workers\"?"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(config_parse("t.yaml", bytes_of(cases[i].yaml), s, &c, &e), E_INVALID);
		assert_string_equal(e.text, cases[i].text);
	}
	assert_int_equal(config_parse("t.yaml", bytes_of("workers: [{id: a}]"), s, &c, &e), E_OK);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(config_json(c), "workers"), 0), "grace")),
		"30s");
	assert_int_equal(config_error(c, "/workers/0/id", &e, "no package \"%s\"", "x"), E_INVALID);
	assert_string_equal(e.text, "t.yaml:1:16: /workers/0/id: no package \"x\"");
	config_error(c, "/workers/0/grace", &e, "too long"); /* filled in: the place of what holds it */
	assert_string_equal(e.text, "t.yaml:1:11: /workers/0/grace: too long");
	config_free(c);
	schema_close(s);
}

static void a_file_that_is_absent_or_too_large_is_refused(void **state)
{
	struct config *c = NULL;
	struct err e;
	char path[] = "/tmp/reeve-config-XXXXXX";
	assert_int_equal(config_load("/nonexistent/reeve.yaml", NULL, &c, &e), E_NOT_FOUND);
	assert_non_null(strstr(e.text, "/nonexistent/reeve.yaml"));
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "a: 1\n", 5), 5);
	assert_int_equal(config_load(path, NULL, &c, &e), E_OK);
	config_free(c);
	assert_int_equal(ftruncate(fd, CONFIG_MAX_BYTES + 1), 0);
	assert_int_equal(config_load(path, NULL, &c, &e), E_TOO_LARGE);
	close(fd);
	unlink(path);
	assert_int_equal(config_load("/tmp", NULL, &c, &e), E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_becomes_json_by_the_core_schema),
		cmocka_unit_test(what_is_not_taken_is_refused_with_its_place),
		cmocka_unit_test(an_alias_bomb_is_refused_at_once),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(errors_of_the_schema_have_file_line_and_column),
		cmocka_unit_test(a_file_that_is_absent_or_too_large_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
