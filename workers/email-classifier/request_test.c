/* Inputs that are understood, and inputs that are refused with a reason. */
#include "request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct request *request;
static char why[600];

static int set_up(void **state)
{
	request = malloc(sizeof *request);
	return !request;
}

static int tear_down(void **state)
{
	free(request);
	return 0;
}

static int ask(const char *json)
{
	return request_read(request, json, strlen(json), why, sizeof why);
}

static void refused(const char *json, const char *reason)
{
	assert_int_equal(ask(json), -1);
	if (!strstr(why, reason))
		fail_msg("%s: \"%s\" does not say \"%s\"", json, why, reason);
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.size, strlen(text));
	assert_memory_equal(s.at ? s.at : "", text, s.size);
}

static void the_seeds_call_is_understood(void **state)
{
	assert_int_equal(ask("{\"email_content\":\"Subject: a\\nBody: b "
						 "\\u00e9\\ud83d\\ude00\",\"types\":[\"bill_detection\",\"category\"],"
						 "\"confidence_threshold\":0.7}"),
		0);
	assert_span(request->mail.subject, "a");
	assert_span(request->mail.text, "b \xc3\xa9\xf0\x9f\x98\x80");
	assert_int_equal(request->asked_n, 2);
	assert_int_equal(request->asked[0], TYPE_BILL);
	assert_int_equal(request->asked[1], TYPE_CATEGORY);
	assert_true(request->threshold > 0.69 && request->threshold < 0.71);
}

static void an_item_of_the_parser_is_understood(void **state)
{
	assert_int_equal(ask("{\"key\":0,\"message_id\":null,\"from\":\"A "
						 "<a@b>\",\"to\":[\"x\",{\"y\":[1,2,{}]}],\"subject\":null,\"n\":-1.5e3,"
						 "\"ok\":true,\"text\":\"hello\\n\",\"attachments\":[]}"),
		0);
	assert_span(request->mail.from, "A <a@b>");
	assert_span(request->mail.subject, "");
	assert_span(request->mail.text, "hello\n");
	assert_int_equal(request->asked_n, TYPES_N);
	assert_true(request->threshold < 0);
}

static void an_unknown_type_is_refused_with_the_known_ones(void **state)
{
	refused("{\"text\":\"x\",\"types\":[\"spam\"]}", "\"spam\" is not known");
	for (int i = 0; i < TYPES_N; i++)
		assert_non_null(strstr(why, types[i].name));
}

static void bad_members_are_named(void **state)
{
	refused("{\"text\":\"x\",\"types\":\"spam_detection\"}", "types: must be a list");
	refused("{\"text\":\"x\",\"types\":[]}", "types: is empty");
	refused("{\"text\":\"x\",\"types\":[7]}", "types: must hold names");
	refused("{\"text\":\"x\",\"types\":[\"category\",\"category\"]}", "category is asked for twice");
	refused("{\"text\":7}", "text: must be a string");
	refused("{\"text\":\"x\",\"confidence_threshold\":1.5}", "1.5 is not from 0 to 1");
	refused("{\"text\":\"x\",\"confidence_threshold\":\"a\"}", "must be a number");
	refused("{\"text\":\"x\",\"email_content\":\"y\"}", "not both");
	refused("{\"types\":[\"category\"]}", "there is no mail");
	refused("[]", "must be a JSON object");
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = {"", "{", "{\"text\"", "{\"text\":", "{\"text\":\"x", "{\"text\":\"x\"",
		"{\"text\":\"\\q\"}", "{\"text\":\"\\u12\"}", "{\"text\":\"x\"}x", "{\"a\":[}", "{,}",
		"{\"text\":\"x\" \"b\":1}", "{\"a\":}", "{\"text\":\"x\",}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!ask(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static void nesting_has_a_limit(void **state)
{
	char deep[300] = "{\"a\":";
	memset(deep + 5, '[', 200);
	refused(deep, "nested too deeply");
}

static void a_long_text_is_cut_at_a_whole_character(void **state)
{
	size_t n = REQUEST_TEXT * 2;
	char *json = malloc(n + 100);
	char *at = json + sprintf(json, "{\"text\":\"a");
	for (size_t i = 0; i < n / 2; i++)
		at += sprintf(at, "\xc3\xa9");
	strcpy(at, "\",\"subject\":\"s\"}");
	assert_int_equal(ask(json), 0);
	assert_true(request->mail.text.size <= REQUEST_TEXT && request->mail.text.size > REQUEST_TEXT - 4);
	assert_int_equal(request->mail.text.size % 2, 1);
	assert_span(request->mail.subject, "s");
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seeds_call_is_understood),
		cmocka_unit_test(an_item_of_the_parser_is_understood),
		cmocka_unit_test(an_unknown_type_is_refused_with_the_known_ones),
		cmocka_unit_test(bad_members_are_named),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(a_long_text_is_cut_at_a_whole_character),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
