/* What a mailbox becomes: the whole way, from bytes to items and result. */
#include "trial.h"

#include <reeve/worker.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ENVELOPE "From a@example.org Thu Aug 22 12:36:23 2002\n"

static struct trial trial;

static void run(const char *options, const char *mail)
{
	trial.options = options;
	trial_run(&trial, mail, strlen(mail));
}

static int reset(void **state)
{
	trial_fini(&trial);
	trial = (struct trial){0};
	return 0;
}

static void encoded_subjects_and_names_are_decoded(void **state)
{
	run(NULL, ENVELOPE
		"From: =?iso-8859-1?Q?J=FCrgen_M=FCller?= <j@example.org>\n"
		"To: =?utf-8?B?w4nDqQ==?= <e@example.org>, plain@example.org\nCc: Group: x@example.org, y@example.org;\n"
		"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?Q?_aus_K=C3=B6ln?=\n"
		"Message-ID: <1@example.org>\n\nHallo\n");
	assert_int_equal(trial.rc, 0);
	assert_string_equal(trial_string(&trial, 0, "from"), "Jürgen Müller <j@example.org>");
	assert_string_equal(trial_string(&trial, 0, "from_address"), "j@example.org");
	assert_string_equal(trial_string(&trial, 0, "to.0"), "Éé <e@example.org>");
	assert_string_equal(trial_string(&trial, 0, "to.1"), "plain@example.org");
	assert_int_equal(trial_integer(&trial, 0, "cc"), 2);
	assert_string_equal(trial_string(&trial, 0, "subject"), "Grüße aus Köln");
	assert_string_equal(trial_string(&trial, 0, "message_id"), "<1@example.org>");
	assert_string_equal(trial_string(&trial, 0, "text"), "Hallo");
}

static void the_date_range_compares_instants_not_strings(void **state)
{
	run(NULL, ENVELOPE
		"Subject: a\nDate: Fri, 06 Feb 2026 10:00:00 +0000\n\nx\n\n" /* the latest */
		ENVELOPE "Subject: b\nDate: Mon, 01 Jan 2024 23:30:00 -0500\n\nx\n\n" ENVELOPE
		"Subject: c\nDate: Tue, 02 Jan 2024 05:00:00 +0530\n\nx\n\n" /* the earliest: 23:30 the day before, in UTC */
		ENVELOPE "Subject: d\nDate: no date at all\n\nx\n");
	assert_int_equal(trial.n, 4);
	assert_string_equal(trial_string(&trial, 1, "date"), "2024-01-01T23:30:00-05:00");
	assert_null(trial_string(&trial, 3, "date"));
	assert_string_equal(trial_string(&trial, SIZE_MAX, "summary.date_range.earliest"), "2024-01-02T05:00:00+05:30");
	assert_string_equal(trial_string(&trial, SIZE_MAX, "summary.date_range.latest"), "2026-02-06T10:00:00Z");
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "summary.date_range.total_span_days"), 766);
}

static void a_billion_is_no_bill(void **state)
{
	run(NULL, ENVELOPE "Subject: A billion totally restated\n\nbillboards\n\n" ENVELOPE
					   "Subject: Your BILL\n\nthe amount\n  due is 3\n");
	assert_int_equal(trial_integer(&trial, 0, "matched_keywords"), 0);
	assert_int_equal(trial_integer(&trial, 0, "is_receipt"), 0);
	assert_string_equal(trial_string(&trial, 1, "matched_keywords.0"), "bill");
	assert_string_equal(trial_string(&trial, 1, "matched_keywords.1"), "amount due");
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "receipt_count"), 1);
}

static void an_empty_keyword_list_means_none(void **state)
{
	run("{\"blob\":\"sha256:x\",\"keywords\":[]}", ENVELOPE "Subject: invoice\n\nreceipt bill total\n");
	assert_int_equal(trial.rc, 0);
	assert_int_equal(trial_integer(&trial, 0, "matched_keywords"), 0);
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "receipt_count"), 0);
}

static void max_messages_zero_is_refused(void **state)
{
	run("{\"blob\":\"sha256:x\",\"max_messages\":0}", ENVELOPE "Subject: a\n\nx\n");
	assert_int_equal(trial.rc, REEVE_E_INVALID);
	assert_string_equal(trial.fault.code, "INVALID_OPTIONS");
	assert_non_null(strstr(trial.fault.message, "max_messages is 0"));
	run("{\"blob\":\"sha256:x\",\"max_messages\":1}", ENVELOPE "Subject: a\n\nx\n\n" ENVELOPE "Subject: b\n\ny\n");
	assert_int_equal(trial.n, 1);
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "message_count"), 1);
}

static void html_only_mail_becomes_text(void **state)
{
	run(NULL,
		"Subject: h\nContent-Type: text/html; charset=utf-8\n\n<html><head><title>no</title><style>p{}</style></head>"
		"<body><p>Hello&nbsp;&amp; welcome</p><script>x()</script><div>to <a href=\"http://example.org/\">us</a></div>"
		"</body></html>\n");
	assert_string_equal(trial_string(&trial, SIZE_MAX, "format"), "eml");
	assert_string_equal(trial_string(&trial, 0, "text"), "Hello & welcome\nto us (http://example.org/)");
}

static void of_alternatives_the_plain_one_counts(void **state)
{
	run(NULL, "Subject: h\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: "
			  "text/html\n\n"
			  "<p>fancy\n--b\nContent-Type: text/plain\n\nplain\n--b--\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "plain");
	run(NULL, "Subject: h\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: "
			  "text/plain\n\n"
			  "  \n--b\nContent-Type: text/html\n\n<p>fancy</p>\n--b--\n");
	assert_non_null(strstr(trial_string(&trial, 0, "text"), "fancy"));
}

static void windows_1252_and_undeclared_bytes_become_utf8(void **state)
{
	run(NULL, "Subject: w\nContent-Type: text/plain; charset=windows-1252\n\n\x93quoted\x94 \x80 5\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "“quoted” € 5");
	run(NULL, "Subject: w\n\ncaf\xe9\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "café");
	run(NULL, "Subject: w\nContent-Type: text/plain; charset=x-martian\n\nhello \xff\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "hello ÿ");
	assert_string_equal(trial_string(&trial, 0, "damaged.0"), "the character set of a text is unknown");
}

static void nul_bytes_are_replaced(void **state)
{
	static const char mail[] = "Subject: n\nContent-Type: text/plain; charset=utf-8\n\na\0b\n";

	trial_run(&trial, mail, sizeof mail - 1);
	assert_string_equal(trial_string(&trial, 0, "text"), "a\xef\xbf\xbd"
														 "b");
}

static const char nested[] = ENVELOPE
	"Subject: n\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n"
	"Content-Type: multipart/alternative; boundary=inner\n\n--inner\nContent-Type: text/plain\n\none\n--inner\n"
	"Content-Type: text/html\n\n<b>ONE</b>\n--inner--\n--outer\nContent-Type: application/pdf; "
	"name=\"=?utf-8?Q?Rechn=C3=BCng.pdf?=\"\n"
	"Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nSGVsbG8s\nIHdvcmxkIQ==\n--outer\n"
	"Content-Type: message/rfc822\n\nSubject: inner\n\ntwo\n--outer--\n";

static void nested_parts_give_text_and_attachments_with_their_hash(void **state)
{
	run("{\"blob\":\"sha256:x\",\"attachments\":\"blobs\"}", nested);
	assert_int_equal(trial.rc, 0);
	assert_string_equal(trial_string(&trial, 0, "text"), "one\ntwo");
	assert_int_equal(trial_integer(&trial, 0, "attachments"), 1);
	assert_string_equal(trial_string(&trial, 0, "attachments.0.name"), "Rechnüng.pdf");
	assert_string_equal(trial_string(&trial, 0, "attachments.0.type"), "application/pdf");
	assert_int_equal(trial_integer(&trial, 0, "attachments.0.size"), 13);
	assert_string_equal(trial_string(&trial, 0, "attachments.0.sha256"),
		"315f5bdb76d078c43b8ac0064e4a0164612b1fce77c869345bfc94c75894edd3");
	assert_string_equal(trial_string(&trial, 0, "attachments.0.blob"), "sha256:test");
	assert_memory_equal(trial.blob, "Hello, world!", 13);
	assert_null(trial_string(&trial, 0, "damaged.0"));
}

static void truncated_base64_is_reported_and_the_rest_goes_on(void **state)
{
	run(NULL, ENVELOPE
		"Subject: n\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n"
		"Content-Transfer-Encoding: base64\n\nSGVsbG8sI\n--b--\n\n" ENVELOPE "Subject: next\n\nfine\n");
	assert_int_equal(trial.rc, 0);
	assert_int_equal(trial.n, 2);
	assert_string_equal(trial_string(&trial, 0, "damaged.0"), "base64 is cut off");
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "damaged_count"), 1);
	assert_string_equal(trial_string(&trial, 1, "text"), "fine");
}

static void a_boundary_that_never_comes_leaves_the_text(void **state)
{
	run(NULL, ENVELOPE
		"Subject: n\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=never\n\nstill here\n\n" ENVELOPE
		"Subject: next\n\nfine\n");
	assert_int_equal(trial.n, 2);
	assert_non_null(strstr(trial_string(&trial, 0, "text"), "still here"));
	assert_true(trial_integer(&trial, 0, "damaged") > 0);
}

static void garbage_is_an_error_not_an_empty_success(void **state)
{
	static const char binary[] = "\x7f"
								 "ELF\0\0\0\0\1\2\3";
	static const char *const bad[] = {
		"", "hello world\n", "{\"a\":1}", "\n\n\n", "From here on it is text\n\nfoo", "note: x\n\ny"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		run(NULL, bad[i]);
		assert_int_equal(trial.rc, REEVE_E_INVALID);
		assert_string_equal(trial.fault.code, "INVALID_EMAIL");
		assert_false(trial.fault.retryable);
		assert_null(trial.result);
	}
	trial_run(&trial, binary, sizeof binary - 1);
	assert_string_equal(trial.fault.code, "INVALID_EMAIL");
	run("{\"blob\":\"sha256:x\",\"format\":\"mbox\"}", "Subject: x\n\ny\n");
	assert_string_equal(trial.fault.code, "INVALID_EMAIL");
}

static void mailbox_quoting_is_undone(void **state)
{
	run(NULL, ENVELOPE "Subject: q\n\n>From here on\n>>From there\n> From nowhere\nx>From y\n\n" ENVELOPE
					   "Subject: r\n\nz\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "From here on\n>From there\n> From nowhere\nx>From y");
	run(NULL, "Subject: q\n\n>From here on\n");
	assert_string_equal(trial_string(&trial, 0, "text"), ">From here on");
}

static void long_text_is_cut_and_says_so(void **state)
{
	run("{\"blob\":\"sha256:x\",\"max_text\":10,\"snippet_length\":8}", "Subject: q\n\nalpha beta gamma delta\n");
	assert_string_equal(trial_string(&trial, 0, "text"), "alpha beta");
	assert_int_equal(trial_integer(&trial, 0, "text_truncated"), 1);
	assert_int_equal(trial_integer(&trial, 0, "body_length"), 22);
	assert_string_equal(trial_string(&trial, 0, "snippet"), "alpha...");
}

static void unknown_options_are_refused_by_name(void **state)
{
	run("{\"blob\":\"sha256:x\",\"keyword\":[]}", ENVELOPE "Subject: a\n\nx\n");
	assert_string_equal(trial.fault.code, "INVALID_OPTIONS");
	assert_non_null(strstr(trial.fault.message, "\"keyword\""));
	run("{\"blob\":\"sha256:x\",\"message\":\"\"}", ENVELOPE "Subject: a\n\nx\n");
	assert_non_null(strstr(trial.fault.message, "both"));
}

static void analyze_counts_what_is_there(void **state)
{
	trial.kind = SUMMARY_ANALYZE;
	run(NULL, ENVELOPE
		"From: A@Example.org\nSubject: The quarterly report\nDate: Mon, 01 Jan 2024 00:00:00 +0000\n\nx\n\n" ENVELOPE
		"From: a@example.org\nSubject: report about this\nDate: Thu, 01 Feb 2024 00:00:00 +0000\n\nxyz\n");
	assert_int_equal(trial.rc, 0);
	assert_int_equal(trial.n, 0);
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "analysis.total_messages"), 2);
	assert_string_equal(trial_string(&trial, SIZE_MAX, "analysis.top_senders.0.address"), "a@example.org");
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "analysis.top_senders.0.count"), 2);
	assert_string_equal(trial_string(&trial, SIZE_MAX, "analysis.subject_keywords.0.word"), "report");
	assert_int_equal(trial_integer(&trial, SIZE_MAX, "analysis.subject_keywords"), 2);
	assert_string_equal(trial_string(&trial, SIZE_MAX, "analysis.temporal_distribution.1.month"), "2024-02");
}

static void the_key_is_the_byte_offset(void **state)
{
	const char mail[] = ENVELOPE "Subject: a\n\nx\n\n" ENVELOPE "Subject: b\n\ny\n";

	run(NULL, mail);
	assert_int_equal(trial.keys[0], 0);
	assert_int_equal(trial.keys[1], strstr(mail + 1, "From a@") - mail);
	assert_int_equal(trial_integer(&trial, 1, "key"), trial.keys[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(encoded_subjects_and_names_are_decoded, reset),
		cmocka_unit_test_teardown(the_date_range_compares_instants_not_strings, reset),
		cmocka_unit_test_teardown(a_billion_is_no_bill, reset),
		cmocka_unit_test_teardown(an_empty_keyword_list_means_none, reset),
		cmocka_unit_test_teardown(max_messages_zero_is_refused, reset),
		cmocka_unit_test_teardown(html_only_mail_becomes_text, reset),
		cmocka_unit_test_teardown(of_alternatives_the_plain_one_counts, reset),
		cmocka_unit_test_teardown(windows_1252_and_undeclared_bytes_become_utf8, reset),
		cmocka_unit_test_teardown(nul_bytes_are_replaced, reset),
		cmocka_unit_test_teardown(nested_parts_give_text_and_attachments_with_their_hash, reset),
		cmocka_unit_test_teardown(truncated_base64_is_reported_and_the_rest_goes_on, reset),
		cmocka_unit_test_teardown(a_boundary_that_never_comes_leaves_the_text, reset),
		cmocka_unit_test_teardown(garbage_is_an_error_not_an_empty_success, reset),
		cmocka_unit_test_teardown(mailbox_quoting_is_undone, reset),
		cmocka_unit_test_teardown(long_text_is_cut_and_says_so, reset),
		cmocka_unit_test_teardown(unknown_options_are_refused_by_name, reset),
		cmocka_unit_test_teardown(analyze_counts_what_is_there, reset),
		cmocka_unit_test_teardown(the_key_is_the_byte_offset, reset),
	};

	return cmocka_run_group_tests_name("email-parser/pass", tests, NULL, NULL);
}
