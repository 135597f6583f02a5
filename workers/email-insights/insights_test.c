/* Insights against a recount that shares no code with them. */
#include "pass.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char why[400];

/* The report of some lines, or NULL with the reason in why. */
static json_t *report_of(const char *lines, size_t list_max, json_t *parse)
{
	FILE *file = fmemopen((void *)lines, strlen(lines), "r");
	struct tally t;
	json_t *report = NULL;
	tally_init(&t, list_max);
	if (pass_run(&t, file, NULL, why, sizeof why) == PASS_DONE) {
		char *text = report_write(&t, parse);
		report = json_loads(text, 0, NULL);
		free(text);
	}
	tally_fini(&t);
	fclose(file);
	return report;
}

static json_int_t number(json_t *report, const char *a, const char *b)
{
	return json_integer_value(json_object_get(json_object_get(report, a), b));
}

static double real(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static int near(double a, double b)
{
	return a - b < 1e-9 && b - a < 1e-9;
}

enum { MAILS = 1500 };

/* Mail i, by rules that the recount below applies again. */
static int is_failed(int i)
{
	return i % 50 == 7;
}

static int spam_points(int i)
{
	return 5000 + i * 37 % 5001;
}

static int bill_points(int i)
{
	return 5000 + i * 91 % 5001;
}

static char *many_lines(void)
{
	char *lines = malloc(MAILS * 400), *at = lines;
	for (int i = 0; i < MAILS; i++) {
		at += sprintf(at,
			"{\"key\":%d,\"message_id\":\"<%d@x>\",\"from\":null,\"subject\":\"s \\\"%d\\\"\",\"text\":\"{[\\\\\",",
			i * 10, i, i);
		if (is_failed(i))
			at += sprintf(at, "\"error\":{\"code\":\"TIMEOUT\",\"message\":\"x\"}}\n");
		else
			at += sprintf(at,
				"\"classifications\":[{\"type\":\"spam_detection\",\"prediction\":\"%s\",\"confidence\":%d.%04d},"
				"{\"type\":\"bill_detection\",\"prediction\":\"%s\",\"confidence\":%d.%04d}]}\n",
				i % 3 ? "not_spam" : "spam", spam_points(i) / 10000, spam_points(i) % 10000,
				i % 11 ? "not_bill" : "bill", bill_points(i) / 10000, bill_points(i) % 10000);
	}
	return lines;
}

static void the_report_is_what_a_recount_says(void **state)
{
	char *lines = many_lines();
	json_t *report = report_of(lines, 5, NULL);
	json_int_t failed = 0, spam = 0, sure_spam = 0, sure_bills = 0, spam_total = 0, all_total = 0;
	for (int i = 0; i < MAILS; i++) {
		failed += is_failed(i);
		if (is_failed(i))
			continue;
		all_total += spam_points(i);
		spam += i % 3 == 0;
		spam_total += i % 3 == 0 ? spam_points(i) : 0;
		sure_spam += i % 3 == 0 && spam_points(i) > 8000;
		sure_bills += i % 11 == 0 && bill_points(i) > 7000;
	}
	assert_non_null(report);
	assert_int_equal(number(report, "pipeline_summary", "total_emails_processed"), MAILS);
	assert_int_equal(number(report, "pipeline_summary", "items_failed"), failed);
	assert_int_equal(number(report, "pipeline_summary", "processing_stages_completed"), 3);
	assert_true(near(
		real(json_object_get(report, "pipeline_summary"), "pipeline_success_rate"), (double)(MAILS - failed) / MAILS));
	assert_int_equal(number(report, "enhanced_insights", "suspicious_emails_count"), sure_spam);
	assert_int_equal(number(report, "enhanced_insights", "likely_bills_count"), sure_bills);
	json_t *type = json_object_get(json_object_get(report, "ml_classification_results"), "spam_detection");
	json_t *answer = json_object_get(json_object_get(type, "predictions"), "spam");
	assert_int_equal(json_integer_value(json_object_get(type, "count")), MAILS - failed);
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), spam);
	assert_true(near(real(answer, "total_confidence"), (double)spam_total / 10000));
	double average = (double)all_total / 10000 / (double)(MAILS - failed);
	assert_true(
		real(type, "average_confidence") - average < 0.00006 && average - real(type, "average_confidence") < 0.00006);
	json_decref(report);
	free(lines);
}

static void lists_are_capped_and_in_order(void **state)
{
	char *lines = many_lines();
	json_t *report = report_of(lines, 5, NULL),
		   *list = json_object_get(json_object_get(report, "enhanced_insights"), "suspicious_emails");
	assert_int_equal(json_array_size(list), 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(real(json_array_get(list, i), "key") > real(json_array_get(list, i - 1), "key"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "message_id")), "<84@x>");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "subject")), "s \"84\"");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "from")));
	json_decref(report);
	free(lines);
}

static void the_borders_themselves_are_outside(void **state)
{
	json_t *report = report_of(
		"{\"key\":1,\"classifications\":[{\"type\":\"bill_detection\",\"prediction\":\"bill\",\"confidence\":0.7},"
		"{\"type\":\"spam_detection\",\"prediction\":\"spam\",\"confidence\":0.8},"
		"{\"type\":\"priority\",\"prediction\":\"high\",\"confidence\":0.5001}]}",
		5, NULL);
	assert_int_equal(number(report, "enhanced_insights", "likely_bills_count"), 0);
	assert_int_equal(number(report, "enhanced_insights", "suspicious_emails_count"), 0);
	assert_int_equal(number(report, "enhanced_insights", "high_priority_emails_count"), 1);
	json_decref(report);
}

static void recommendations_say_what_is_so_and_nothing_else(void **state)
{
	char *lines = many_lines();
	json_t *report = report_of(lines, 5, NULL), *empty = report_of("\n", 5, NULL);
	char *said = json_dumps(json_object_get(report, "recommendations"), 0);
	assert_non_null(strstr(said, "likely bills found: "));
	assert_non_null(strstr(said, "messages are spam (33 %)"));
	assert_non_null(strstr(said, "1500 messages in one run"));
	assert_non_null(strstr(said, "30 of 1500 messages could not be classified"));
	assert_int_equal(json_array_size(json_object_get(empty, "recommendations")), 0);
	json_decref(report);
	json_decref(empty);
	free(said);
	free(lines);
}

static void the_parsers_result_is_passed_on(void **state)
{
	json_t *parse = json_pack("{s:s, s:i}", "status", "completed", "message_count", 2);
	json_t *report = report_of("{\"key\":1}\n{\"key\":2}\n", 5, parse);
	assert_true(json_equal(json_object_get(report, "parsing_results"), parse));
	json_decref(parse);
	json_decref(report);
}

static void a_bad_line_is_named(void **state)
{
	assert_null(report_of("{\"key\":1}\n{\"key\":\n", 5, NULL));
	assert_non_null(strstr(why, "line 2"));
	assert_null(report_of("[]\n", 5, NULL));
	assert_null(report_of("{\"classifications\":[{\"type\":\"a\",\"prediction\":\"b\",\"confidence\":7}]}", 5, NULL));
	assert_non_null(strstr(why, "confidence"));
}

static void more_kinds_of_answers_than_there_is_room_for_are_other(void **state)
{
	char *lines = malloc(100 * 200), *at = lines;
	for (int i = 0; i < 100; i++)
		at += sprintf(at,
			"{\"key\":%d,\"classifications\":[{\"type\":\"language_detection\",\"prediction\":\"l%d\",\"confidence\":1}"
			"]}\n",
			i, i);
	json_t *report = report_of(lines, 5, NULL);
	json_t *predictions = json_object_get(
		json_object_get(json_object_get(report, "ml_classification_results"), "language_detection"), "predictions");
	assert_int_equal(json_object_size(predictions), TALLY_PREDICTIONS);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(predictions, "other"), "count")),
		100 - (TALLY_PREDICTIONS - 1));
	json_decref(report);
	free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_report_is_what_a_recount_says),
		cmocka_unit_test(lists_are_capped_and_in_order),
		cmocka_unit_test(the_borders_themselves_are_outside),
		cmocka_unit_test(recommendations_say_what_is_so_and_nothing_else),
		cmocka_unit_test(the_parsers_result_is_passed_on),
		cmocka_unit_test(a_bad_line_is_named),
		cmocka_unit_test(more_kinds_of_answers_than_there_is_room_for_are_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
