#include "callback/callback.h"
#include "callback/target.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void a_url_with_headers_is_read(void **state)
{
	struct target t;
	struct err e;
	size_t at = 0;
	scoped(buf_fini) struct buf line = {0};
	struct bytes text =
		bytes_of("{\"url\":\"https:\\/\\/Hooks.example.com:8443/a?b=c\",\"headers\":{\"Authorization\":\"Bearer "
				 "x\",\"X-Two\":\"\\u00e4\"}}");
	if (target_read(text, &t, &e) != E_OK)
		fail_msg("%s", e.text);
	assert_string_equal(t.url.data, "https://Hooks.example.com:8443/a?b=c");
	assert_string_equal(t.host, "hooks.example.com");
	assert_true(target_next_header(t.headers, &at, &line));
	assert_string_equal(line.data, "Authorization: Bearer x");
	assert_true(target_next_header(t.headers, &at, &line));
	assert_string_equal(line.data, "X-Two: \xc3\xa4");
	assert_false(target_next_header(t.headers, &at, &line));
	target_fini(&t);
}

static uint64_t hash_of(const char *url)
{
	char text[200];
	struct target t;
	snprintf(text, sizeof text, "{\"url\":\"%s\"}", url);
	assert_int_equal(target_read(bytes_of(text), &t, NULL), E_OK);
	target_fini(&t);
	return t.host_hash;
}

static void urls_of_one_host_and_port_share_a_limit(void **state)
{
	assert_true(hash_of("http://h/a") == hash_of("http://H:80/b?c"));
	assert_true(hash_of("http://h/") != hash_of("https://h/"));
	assert_true(hash_of("http://h:81/") != hash_of("http://h/"));
}

static void what_is_no_callback_is_refused_with_the_reason(void **state)
{
	static const char *const cases[][2] = {{"[]", "expected"}, {"{}", "url: is missing"},
		{"{\"url\":7}", "url: is not a string"}, {"{\"url\":\"\"}", "url: is not a string"},
		{"{\"url\":\"ftp://h/\"}", "must begin with http:// or https://"},
		{"{\"url\":\"file:///etc/passwd\"}", "must begin with"}, {"{\"url\":\"h/path\"}", "is no URL"},
		{"{\"url\":\"http://\"}", "url"}, {"{\"url\":\"http://u:p@h/\"}", "user or a password"},
		{"{\"url\":\"http://u@h/\"}", "user or a password"}, {"{\"url\":\"http://h/a b\"}", "percent-encoded"},
		{"{\"url\":\"http://h\\r\\nX: y/\"}", "percent-encoded"}, {"{\"url\":\"http://h:99999/\"}", "is no URL"},
		{"{\"url\":\"http://h/\",\"method\":\"PUT\"}", "unknown member \"method\""},
		{"{\"url\":\"http://h/\",\"headers\":[]}", "headers"},
		{"{\"url\":\"http://h/\",\"headers\":{\"a b\":\"c\"}}", "no header's name"},
		{"{\"url\":\"http://h/\",\"headers\":{\"Content-length\":\"3\"}}", "set by reeve"},
		{"{\"url\":\"http://h/\",\"headers\":{\"Reeve-Signature\":\"3\"}}", "set by reeve"},
		{"{\"url\":\"http://h/\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}", "not a line"},
		{"{\"url\":\"http://h/\",\"headers\":{\"A\":7}}", "not a line"},
		{"{\"url\":\"http://169.254.169.254/latest\"}", "may not be reached"},
		{"{\"url\":\"http://2130706433/\"}", "127.0.0.1 may not be reached"},
		{"{\"url\":\"http://0x7f.1/\"}", "127.0.0.1 may not be reached"},
		{"{\"url\":\"http://[::ffff:10.0.0.1]/\"}", "may not be reached"}};
	struct allow *a = allow_new();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = {0};
		if (callback_check(a, bytes_of(cases[i][0]), &e) == E_OK)
			fail_msg("%s was taken", cases[i][0]);
		if (!strstr(e.text, cases[i][1]))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i][0], e.text, cases[i][1]);
	}
	allow_free(a);
}

static void every_size_has_a_limit(void **state)
{
	struct err e;
	scoped(buf_fini) struct buf b = {0};
	buf_text(&b, "{\"url\":\"http://h/");
	for (int i = 0; i < CALLBACK_URL_MAX; i++)
		buf_text(&b, "a");
	buf_text(&b, "\"}");
	assert_int_equal(callback_check(NULL, buf_bytes(&b), &e), E_TOO_LARGE);
	buf_clear(&b);
	buf_text(&b, "{\"url\":\"http://h/\",\"headers\":{\"A0\":\"b\"");
	for (int i = 1; i <= CALLBACK_HEADERS_MAX; i++)
		buf_format(&b, ",\"A%d\":\"b\"", i);
	buf_text(&b, "}}");
	assert_int_equal(callback_check(NULL, buf_bytes(&b), &e), E_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_with_headers_is_read),
		cmocka_unit_test(urls_of_one_host_and_port_share_a_limit),
		cmocka_unit_test(what_is_no_callback_is_refused_with_the_reason),
		cmocka_unit_test(every_size_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
