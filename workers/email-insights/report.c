/* report.c - counts into JSON, and into sentences. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_SPAM_PERCENT 30 /* above this share of spam something is said */
#define REPORT_MANY			1000 /* above so many messages, too */

/* Ten-thousandths as a number with four decimals. */
static json_t *report_points(int64_t points)
{
	return json_real((double)points / 10000);
}

static json_t *report_average(int64_t points, uint64_t n)
{
	return report_points(n ? (points + (int64_t)n / 2) / (int64_t)n : 0);
}

static json_t *report_summary(const struct tally *t)
{
	json_t *codes = json_object();
	for (int i = 0; i < t->codes_n; i++)
		json_object_set_new(codes, t->code[i].name, json_integer((json_int_t)t->code[i].count));
	uint64_t good = t->messages - t->failed;
	return json_pack("{s:I, s:i, s:o, s:I, s:o}", "total_emails_processed", (json_int_t)t->messages,
		"processing_stages_completed", 3, "pipeline_success_rate",
		report_points(t->messages ? (int64_t)(good * 10000 / t->messages) : 10000), "items_failed",
		(json_int_t)t->failed, "failures_by_code", codes);
}

static json_t *report_types(const struct tally *t)
{
	json_t *types = json_object();
	for (int i = 0; i < t->types_n; i++) {
		const struct tally_type *y = &t->type[i];
		json_t *predictions = json_object();
		for (int k = 0; k < y->predictions_n; k++) {
			const struct tally_count *c = &y->prediction[k];
			json_object_set_new(predictions, c->name,
				json_pack("{s:I, s:o, s:o}", "count", (json_int_t)c->count, "total_confidence",
					report_points(c->points), "average_confidence", report_average(c->points, c->count)));
		}
		json_object_set_new(types, y->all.name,
			json_pack("{s:I, s:o, s:o}", "count", (json_int_t)y->all.count, "average_confidence",
				report_average(y->all.points, y->all.count), "predictions", predictions));
	}
	return types;
}

static json_t *report_list(const struct tally_list *l)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->n; i++) {
		const struct tally_entry *e = &l->entry[i];
		json_array_append_new(
			list, json_pack("{s:I, s:s?, s:s?, s:s?, s:o}", "key", (json_int_t)e->key, "message_id", e->message_id,
					  "subject", e->subject, "from", e->from, "confidence", report_points(e->points)));
	}
	return list;
}

static json_t *report_insights(const struct tally *t)
{
	return json_pack("{s:o, s:I, s:o, s:I, s:o, s:I}", "likely_bills", report_list(&t->bills), "likely_bills_count",
		(json_int_t)t->bills.count, "high_priority_emails", report_list(&t->urgent), "high_priority_emails_count",
		(json_int_t)t->urgent.count, "suspicious_emails", report_list(&t->suspicious), "suspicious_emails_count",
		(json_int_t)t->suspicious.count);
}

__attribute__((format(printf, 2, 3))) static void report_say(json_t *list, const char *format, ...)
{
	char text[300];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof text, format, values);
	va_end(values);
	json_array_append_new(list, json_string(text));
}

static json_t *report_recommendations(const struct tally *t)
{
	json_t *list = json_array();
	uint64_t judged, spam = tally_of(t, "spam_detection", "spam", &judged);
	if (t->bills.count)
		report_say(list, "likely bills found: %" PRIu64 "; see that they are paid", t->bills.count);
	if (judged && spam * 100 > judged * REPORT_SPAM_PERCENT)
		report_say(list,
			"%" PRIu64 " of %" PRIu64 " messages are spam (%" PRIu64 " %%): a filter before the mailbox would pay",
			spam, judged, spam * 100 / judged);
	if (t->messages > REPORT_MANY)
		report_say(
			list, "%" PRIu64 " messages in one run: more replicas of the classifier would shorten it", t->messages);
	if (t->failed)
		report_say(list, "%" PRIu64 " of %" PRIu64 " messages could not be classified: see those with an error",
			t->failed, t->messages);
	return list;
}

char *report_write(const struct tally *t, json_t *parse)
{
	json_t *root = json_pack("{s:o, s:O?, s:o, s:o, s:o}", "pipeline_summary", report_summary(t), "parsing_results",
		parse, "ml_classification_results", report_types(t), "enhanced_insights", report_insights(t), "recommendations",
		report_recommendations(t));
	char *text = root ? json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	json_decref(root);
	return text;
}
