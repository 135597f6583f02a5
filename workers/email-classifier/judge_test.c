/* The whole classifier, with the models that ship: what the original got wrong, and what must never be guessed. */
#include "answer.h"
#include "contract.h"
#include "request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

static struct judge *judge;

static int set_up(void **state)
{
	char why[600];
	judge = judge_open(MODELS, JUDGE_LANGUAGE_DIR, why, sizeof why);
	if (!judge)
		print_error("%s\n", why);
	return !judge;
}

static int tear_down(void **state)
{
	judge_close(judge);
	return 0;
}

static struct verdict ask(enum type_id type, const char *content)
{
	struct traits *t = malloc(sizeof *t);
	struct mail m;
	struct verdict v;
	mail_of_content(&m, (struct span){content, strlen(content)});
	judge_mail(judge, t, &m, &type, 1, &v);
	free(t);
	return v;
}

static void check(const char *content, enum type_id type, const char *expected)
{
	struct verdict v = ask(type, content);
	if (strcmp(v.prediction, expected))
		fail_msg("\"%s\" %s: %s (%.4f), not %s", content, types[type].name, v.prediction, v.confidence, expected);
}

/* in the order of enum type_id; NULL where people would differ */
struct golden {
	const char *content, *expected[TYPES_N];
};

static const struct golden golden[] = {
	{"Subject: Your monthly electricity bill\nFrom: utility@power.com\nBody: Your bill of $125.50 is ready for "
	 "payment.",
		{"not_spam", "bill", "not_receipt", "business", "neutral", NULL, "en"}},
	{"Get rich quick! Click here!", {"spam", "not_bill", "not_receipt", "marketing", NULL, "low", "en"}},
	{"Meeting scheduled for tomorrow at 2 PM",
		{"not_spam", "not_bill", "not_receipt", "business", "neutral", NULL, "en"}},
	{"Congratulations! You've won a lottery!",
		{"spam", "not_bill", "not_receipt", "marketing", "positive", "low", "en"}},
	{"Thank you for your purchase at Coffee Shop. Total $25.99",
		{"not_spam", "not_bill", "receipt", "business", NULL, "low", "en"}},
	{"Subject: Your Amazon.com order receipt\nFrom: auto-confirm@amazon.com\nBody: Thank you for your order",
		{"not_spam", "not_bill", "receipt", "business", NULL, "low", "en"}},
	{"Hello world", {"not_spam", "not_bill", "not_receipt", NULL, "neutral", "low", "en"}},
	{"", {"unknown", "unknown", "unknown", "unknown", "unknown", "unknown", "unknown"}},
	{"URGENT: please review the quarterly report asap",
		{"not_spam", "not_bill", "not_receipt", "business", "neutral", "high", "en"}},
	{"This is not good, terrible problem, sorry",
		{"not_spam", "not_bill", "not_receipt", "support", "negative", "low", "en"}},
	{"happy happy great day", {"not_spam", "not_bill", "not_receipt", "personal", "positive", "low", "en"}},
	{"Bonjour, comment allez-vous", {"not_spam", "unknown", "unknown", "unknown", "unknown", "unknown", "fr"}},
};

static void the_golden_mails_are_judged_rightly(void **state)
{
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
		for (int type = 0; type < TYPES_N; type++)
			if (golden[i].expected[type])
				check(golden[i].content, (enum type_id)type, golden[i].expected[type]);
}

static void what_only_looks_like_a_bill_is_none(void **state)
{
	check("The senate passed the bill yesterday.", TYPE_BILL, "not_bill");
	check("Bill Gates wrote about a billion users.", TYPE_BILL, "not_bill");
	check("I received your message, thank you.", TYPE_RECEIPT, "not_receipt");
	check("In order to compile it you need the headers.", TYPE_RECEIPT, "not_receipt");
	check("Subject: Invoice 4411\nFrom: billing@acme.com\nBody: Amount due $1,200.00 by June 1.", TYPE_BILL, "bill");
	check("Your flight booking is confirmed. Total paid: $340. Confirmation code X7Y8.", TYPE_RECEIPT, "receipt");
}

static void nothing_to_go_by_is_unknown(void **state)
{
	static const char *const empty[] = {
		" \n\t ", "12345 67890", "!!! ??? ...", "Subject: \nFrom: a@b.c\nBody: ", "xqzv plorf grumblik"};
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
		for (int type = 0; type < TYPES_N; type++) {
			check(empty[i], (enum type_id)type, "unknown");
			assert_true(ask((enum type_id)type, empty[i]).confidence == 0);
		}
}

static void languages_are_told_apart(void **state)
{
	check("Hola, ¿cómo estás? Espero que todo vaya bien con tu familia.", TYPE_LANGUAGE, "es");
	check("Ihre Rechnung ist fertig. Bitte bezahlen Sie den Betrag bis zum 5. März.", TYPE_LANGUAGE, "de");
	check("Ciao, come stai? Ci vediamo domani alla stazione.", TYPE_LANGUAGE, "it");
	check("日本語の件名です。いつもお世話になっております。よろしくお願いします。", TYPE_LANGUAGE, "ja");
	check("Здравствуйте, подскажите пожалуйста, когда приедет поезд из Москвы?", TYPE_LANGUAGE, "ru");
	check("Ihre Rechnung ist fertig. Bitte bezahlen Sie den Betrag bis zum 5. März.", TYPE_BILL, "unknown");
}

static void negation_turns_feeling_round(void **state)
{
	check("I am happy with this.", TYPE_SENTIMENT, "positive");
	check("I am not happy with this.", TYPE_SENTIMENT, "negative");
	check("I love this product, it is amazing!", TYPE_SENTIMENT, "positive");
	check("The parcel is on the table.", TYPE_SENTIMENT, "neutral");
}

static void priority_knows_rush_and_no_rush(void **state)
{
	check("The server is down, fix it immediately!", TYPE_PRIORITY, "high");
	check("No rush, whenever you have time.", TYPE_PRIORITY, "low");
	check("This is not urgent, just an idea.", TYPE_PRIORITY, "low");
}

static void under_the_threshold_the_answer_is_unknown_and_the_confidence_true(void **state)
{
	struct verdict v[] = {{"bill", 0.65}, {"not_spam", 0.7}, {"unknown", 0}};
	enum type_id asked[] = {TYPE_BILL, TYPE_SPAM, TYPE_LANGUAGE};
	char text[ANSWER_MAX];
	size_t n = answer_write(text, asked, v, 3, 0.7);
	assert_string_equal(text,
		"{\"classifications\":[{\"type\":\"bill_detection\",\"prediction\":\"unknown\",\"confidence\":0.6500,"
		"\"below_threshold\":true},{\"type\":\"spam_detection\",\"prediction\":\"not_spam\",\"confidence\":0.7000},"
		"{\"type\":\"language_detection\",\"prediction\":\"unknown\",\"confidence\":0.0000}]}");
	assert_int_equal(n, strlen(text));
}

static void the_schema_names_every_type(void **state)
{
	for (int i = 0; i < TYPES_N; i++)
		assert_non_null(strstr(contract_input, types[i].name));
}

static void *ask_again_and_again(void *result)
{
	static const enum type_id all[TYPES_N] = {
		TYPE_SPAM, TYPE_BILL, TYPE_RECEIPT, TYPE_CATEGORY, TYPE_SENTIMENT, TYPE_PRIORITY, TYPE_LANGUAGE};
	struct traits *t = malloc(sizeof *t);
	char text[ANSWER_MAX], *sum = result;
	for (int round = 0; round < 30; round++) {
		size_t at = 0;
		for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
			struct mail m;
			struct verdict v[TYPES_N];
			mail_of_content(&m, (struct span){golden[i].content, strlen(golden[i].content)});
			judge_mail(judge, t, &m, all, TYPES_N, v);
			at += answer_write(text, all, v, TYPES_N, 0);
			memcpy(sum + at - strlen(text), text, strlen(text) + 1);
		}
	}
	free(t);
	return NULL;
}

static void threads_do_not_change_the_answers(void **state)
{
	enum { THREADS = 12 };
	static char sum[THREADS][20000];
	pthread_t thread[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask_again_and_again, sum[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 1; i < THREADS; i++)
		assert_string_equal(sum[i], sum[0]);
}

static void what_stands_behind_the_text_does_not_count(void **state)
{
	static const char content[] =
		"Track 1 Intro, Track 2 Morning Song, Track 3 River Dance, Track 4 Lonely Road, Track 5 "
		"Home Again, Track 6 Finale";
	enum type_id type = TYPE_LANGUAGE;
	struct traits *t = malloc(sizeof *t);
	struct verdict first = {0};
	for (char filler = 'a'; filler <= 'z'; filler++) {
		char around[2000];
		struct mail m;
		struct verdict v;
		memset(around, filler, sizeof around);
		memcpy(around, content, sizeof content - 1);
		mail_of_content(&m, (struct span){around, sizeof content - 1});
		judge_mail(judge, t, &m, &type, 1, &v);
		first = filler == 'a' ? v : first;
		assert_string_equal(v.prediction, first.prediction);
		assert_true(v.confidence == first.confidence);
	}
	free(t);
}

static void a_judge_without_models_says_what_is_missing(void **state)
{
	char why[600];
	assert_null(judge_open("/nowhere", JUDGE_LANGUAGE_DIR, why, sizeof why));
	assert_non_null(strstr(why, "/nowhere/spam.model"));
	assert_null(judge_open(MODELS, "/nowhere", why, sizeof why));
	assert_non_null(strstr(why, "libexttextcat-data"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_mails_are_judged_rightly),
		cmocka_unit_test(what_only_looks_like_a_bill_is_none),
		cmocka_unit_test(nothing_to_go_by_is_unknown),
		cmocka_unit_test(languages_are_told_apart),
		cmocka_unit_test(negation_turns_feeling_round),
		cmocka_unit_test(priority_knows_rush_and_no_rush),
		cmocka_unit_test(under_the_threshold_the_answer_is_unknown_and_the_confidence_true),
		cmocka_unit_test(the_schema_names_every_type),
		cmocka_unit_test(threads_do_not_change_the_answers),
		cmocka_unit_test(what_stands_behind_the_text_does_not_count),
		cmocka_unit_test(a_judge_without_models_says_what_is_missing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
