/* What must never happen: a crash on broken mail, another result after a resume, an item too large. */
#include "item.h"
#include "trial.h"

#include <reeve/worker.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct trial trial;

static int reset(void **state)
{
	trial_fini(&trial);
	trial = (struct trial){0};
	return 0;
}

/* A mailbox of n messages with so much blank in each; g_string_free it. */
static GString *padded(size_t n, int padding)
{
	GString *s = g_string_new(NULL);

	for (size_t i = 0; i < n; i++)
		g_string_append_printf(s,
			"From s%zu@example.org Thu Aug 22 12:36:23 2002\nFrom: S%zu <s%zu@example.org>\nSubject: "
			"=?utf-8?Q?n=C3=BCmber?= %zu\n"
			"Date: Thu, %zu Aug 2002 12:00:00 +0%zu00\nMIME-Version: 1.0\nContent-Type: multipart/mixed; "
			"boundary=b\n\n--b\n\n"
			"%s number %zu %*s.\n--b\nContent-Type: application/x-data; name=d%zu\nContent-Transfer-Encoding: "
			"base64\n\nSGVsbG8%zu\n--b--\n\n",
			i % 7, i % 7, i % 7, i, i % 28 + 1, i % 9, i % 3 ? "hello" : "bill", i, padding, "", i, i % 10);
	return s;
}

static GString *mailbox(size_t n)
{
	return padded(n, 0);
}

static void a_resumed_pass_ends_with_the_same_bytes(void **state)
{
	GString *mail = padded(300, 4000); /* several windows long */
	struct trial whole = {0}, second = {0};

	for (int kind = 0; kind < 2; kind++) {
		whole.kind = trial.kind = second.kind = kind;
		trial_run(&whole, mail->str, mail->len);
		assert_int_equal(whole.rc, 0);
		assert_true(whole.checkpoints >= 3);
		trial.stop_after = kind == SUMMARY_PARSE ? 200 : 0;
		trial_run(&trial, mail->str, mail->len);
		assert_int_equal(trial.rc, kind == SUMMARY_PARSE ? REEVE_E_INTERNAL : 0);
		second.resume = trial.checkpoint;
		trial_run(&second, mail->str, mail->len);
		assert_int_equal(second.rc, 0);
		assert_string_equal(second.result, whole.result);
		if (kind == SUMMARY_ANALYZE)
			continue;
		size_t skipped = whole.n - second.n;
		assert_in_range(skipped, 64, 200);
		for (size_t i = 0; i < second.n; i++) {
			assert_string_equal(second.items[i], whole.items[i + skipped]);
			assert_int_equal(second.keys[i], whole.keys[i + skipped]);
		}
		trial_fini(&trial);
	}
	trial_fini(&whole);
	trial_fini(&second);
	g_string_free(mail, TRUE);
}

static void *run_again_and_again(void *mail)
{
	struct trial *t = calloc(1, sizeof *t);

	for (int i = 0; i < 5; i++)
		trial_run(t, ((GString *)mail)->str, ((GString *)mail)->len);
	return t;
}

/* A module's handler runs on many threads, and its replicas share what is static. */
static void passes_at_the_same_time_do_not_meet(void **state)
{
	GString *mail = mailbox(200);
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_again_and_again, mail), 0);
	trial_run(&trial, mail->str, mail->len);
	for (int i = 0; i < 4; i++) {
		void *other;
		assert_int_equal(pthread_join(thread[i], &other), 0);
		struct trial *t = other;
		assert_int_equal(t->rc, 0);
		assert_string_equal(t->result, trial.result);
		assert_int_equal(t->n, trial.n);
		for (size_t j = 0; j < t->n; j++)
			assert_string_equal(t->items[j], trial.items[j]);
		trial_fini(t);
		free(t);
	}
	g_string_free(mail, TRUE);
}

static void a_checkpoint_of_something_else_is_refused(void **state)
{
	GString *mail = mailbox(2);

	trial.resume = "{\"v\":1,\"kind\":1}";
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, REEVE_E_INTERNAL);
	assert_string_equal(trial.fault.code, "PARSING_FAILED");
	g_string_free(mail, TRUE);
}

static void statistics_too_large_for_a_checkpoint_do_not_end_the_job(void **state)
{
	GString *mail = mailbox(200);
	GString *before =
		g_string_new("{\"v\":1,\"kind\":0,\"next\":0,\"n\":[0,0,0,0,0,0,0,0,0,0],\"dates\":[0,0,0,\"\",\"\"],"
					 "\"keywords\":[0,0,0,0,0,0,0,0,0,0],\"words\":[false],\"months\":[false],\"types\":[false],"
					 "\"senders\":[false");
	char name[2 * TALLY_NAME_MAX];

	memset(name, '\\', sizeof name); /* each is two bytes of JSON */
	for (int i = 0; i < TALLY_MAX; i++)
		g_string_append_printf(before, ",\"%04d%.*s\",1", i, (int)sizeof name, name);
	g_string_append(before, "]}");
	trial.resume = before->str;
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_int_equal(trial.checkpoints, 0);
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "message_count"), 200);
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "summary.top_senders_approximate"), 1);
	g_string_free(mail, TRUE);
	g_string_free(before, TRUE);
}

static void every_truncation_of_a_mailbox_is_survived(void **state)
{
	GString *mail = mailbox(4);

	for (size_t n = 0; n <= mail->len; n++) {
		trial_run(&trial, mail->str, n);
		if (trial.rc)
			assert_string_equal(trial.fault.code, "INVALID_EMAIL");
		else
			assert_in_range(trial.n, 1, 4);
	}
	assert_int_equal(trial.n, 4);
	g_string_free(mail, TRUE);
}

static void messages_larger_than_the_window_are_read_and_found(void **state)
{
	GString *mail = mailbox(1), *small = mailbox(3);

	/* A second message of 3 MB, whose lines try to look like separators at every alignment. */
	g_string_append(mail, "From big@example.org Thu Aug 22 12:36:23 2002\nSubject: big\n\n");
	while (mail->len < 3000000)
		g_string_append(
			mail, "no separator\nFrom x@example.org Thu Aug 22 12:36:23 2002\n\nFrom here on it is text\n>From q\n");
	g_string_append(mail, "\n");
	g_string_append(mail, small->str);
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_int_equal(trial.n, 5);
	assert_string_equal(trial_string(&trial, 1, "subject"), "big");
	assert_int_equal(trial_integer(&trial, 1, "text_truncated"), 1);
	assert_int_equal(trial_integer(&trial, 1, "damaged"), -1);
	assert_string_equal(trial_string(&trial, 4, "from_address"), "s2@example.org");
	g_string_free(mail, TRUE);
	g_string_free(small, TRUE);
}

static void an_attachment_larger_than_the_window_has_its_hash(void **state)
{
	GString *mail =
		g_string_new("From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
					 "Content-Type: application/x-zeros; name=z\nContent-Transfer-Encoding: base64\n\n");

	for (int i = 0; i < 20000; i++) /* 20000 lines of 57 zeros */
		g_string_append_printf(
			mail, "%.76s\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	g_string_append(mail, "--b--\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial_integer(&trial, 0, "attachments.0.size"), 1140000);
	assert_string_equal(trial_string(&trial, 0, "attachments.0.sha256"),
		"2bd9fd0fb22b06462ee652e7019c6f49090fe67df55a7e8b84bc9633e56b077e");
	assert_int_equal(trial_integer(&trial, 0, "damaged"), -1);
	g_string_free(mail, TRUE);
}

static void an_item_never_exceeds_its_limit(void **state)
{
	GString *mail = g_string_new("Subject: q\nTo: ");

	for (int i = 0; i < 200; i++)
		g_string_append_printf(mail, "\"%0900d\" <a@b>,\n ", i);
	g_string_append(mail, "z@example.org\n\n");
	for (int i = 0; i < 400000; i++) /* one byte of text is six of JSON */
		g_string_append_c(mail, '\001');
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_true(strlen(trial.items[0]) <= ITEM_MAX);
	assert_int_equal(trial_integer(&trial, 0, "text_truncated"), 1);
	g_string_free(mail, TRUE);
}

static void a_header_without_end_is_cut(void **state)
{
	GString *mail = g_string_new("Subject: q\nX-Long: ");

	for (int i = 0; i < 100000; i++)
		g_string_append(mail, "and so on\n ");
	g_string_append(mail, "\n\nbody\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_string_equal(trial_string(&trial, 0, "subject"), "q");
	assert_non_null(trial_string(&trial, 0, "damaged.0"));
	g_string_free(mail, TRUE);
}

static void a_message_of_very_many_parts_is_not_built(void **state)
{
	GString *mail = g_string_new("Subject: q\nContent-Type: multipart/mixed; boundary=b\n\n");

	for (int i = 0; i < 30000; i++)
		g_string_append(mail, "--b\n\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_non_null(strstr(trial_string(&trial, 0, "damaged.0"), "boundaries"));
	assert_int_equal(trial_integer(&trial, 0, "damaged"), 1);
	g_string_free(mail, TRUE);
}

static void very_many_parameters_of_parts_are_not_built(void **state)
{
	GString *mail = g_string_new("Subject: q\nContent-Type: multipart/mixed; boundary=b\n\n");

	for (int i = 0; i < 11000; i++)
		g_string_append(mail, i % 100 ? "; a=1" : "\n--b\nContent-Type: text/plain");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_non_null(strstr(trial_string(&trial, 0, "damaged.0"), "parameters"));
	g_string_free(mail, TRUE);
}

static void groups_within_groups_do_not_end_the_stack(void **state)
{
	GString *mail = g_string_new("Subject: q\nTo: ");

	for (int i = 0; i < 80000; i++)
		g_string_append(mail, i % 20 ? "a:" : "a:\n ");
	g_string_append(mail, "\n\nbody\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_non_null(strstr(trial_string(&trial, 0, "damaged.0"), "500 groups"));
	g_string_insert(mail, 0, "Subject: outer\nContent-Type: message/rfc822\n\n");
	trial_run(&trial, mail->str, mail->len);
	assert_string_equal(trial_string(&trial, 0, "subject"), "outer");
	assert_non_null(strstr(trial_string(&trial, 0, "damaged.0"), "500 groups"));
	g_string_free(mail, TRUE);
}

static void deep_html_ends_in_time(void **state)
{
	GString *mail = g_string_new("Subject: q\nContent-Type: text/html\n\n");

	for (int i = 0; i < 100000; i++)
		g_string_append(mail, i % 2 ? "<b>" : "</x><i>");
	g_string_append(mail, "the end\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_string_equal(trial_string(&trial, 0, "text"), "the end");
	assert_string_equal(
		trial_string(&trial, 0, "damaged.0"), "HTML is too deep or too large: its tags were only cut out");
	g_string_free(mail, TRUE);
}

static void html_with_very_many_attributes_ends_in_time(void **state)
{
	GString *mail = g_string_new("Subject: q\nContent-Type: text/html\n\n<!-- <a x=\" --><p x='>'");

	for (int i = 0; i < 100000; i++)
		g_string_append_printf(mail, " a%d", i);
	g_string_append(mail, ">the end\"></p>\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_string_equal(
		trial_string(&trial, 0, "damaged.0"), "HTML is too deep or too large: its tags were only cut out");
	g_string_free(mail, TRUE);
}

static void deep_mime_is_survived(void **state)
{
	GString *mail = g_string_new("Subject: q\n");

	for (int i = 0; i < 2000; i++)
		g_string_append_printf(mail, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	g_string_append(mail, "\nhello\n");
	trial_run(&trial, mail->str, mail->len);
	assert_int_equal(trial.rc, 0);
	assert_true(trial_integer(&trial, 0, "damaged") > 0);
	g_string_free(mail, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_resumed_pass_ends_with_the_same_bytes, reset),
		cmocka_unit_test_teardown(passes_at_the_same_time_do_not_meet, reset),
		cmocka_unit_test_teardown(a_checkpoint_of_something_else_is_refused, reset),
		cmocka_unit_test_teardown(statistics_too_large_for_a_checkpoint_do_not_end_the_job, reset),
		cmocka_unit_test_teardown(every_truncation_of_a_mailbox_is_survived, reset),
		cmocka_unit_test_teardown(messages_larger_than_the_window_are_read_and_found, reset),
		cmocka_unit_test_teardown(an_attachment_larger_than_the_window_has_its_hash, reset),
		cmocka_unit_test_teardown(an_item_never_exceeds_its_limit, reset),
		cmocka_unit_test_teardown(a_header_without_end_is_cut, reset),
		cmocka_unit_test_teardown(a_message_of_very_many_parts_is_not_built, reset),
		cmocka_unit_test_teardown(very_many_parameters_of_parts_are_not_built, reset),
		cmocka_unit_test_teardown(groups_within_groups_do_not_end_the_stack, reset),
		cmocka_unit_test_teardown(deep_html_ends_in_time, reset),
		cmocka_unit_test_teardown(html_with_very_many_attributes_ends_in_time, reset),
		cmocka_unit_test_teardown(deep_mime_is_survived, reset),
	};

	return cmocka_run_group_tests_name("email-parser/robust", tests, NULL, NULL);
}
