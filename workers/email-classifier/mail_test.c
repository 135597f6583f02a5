/* What is header and what is body in text that a person sends. */
#include "mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct mail mail;

static void read_mail(const char *text)
{
	mail_of_content(&mail, (struct span){text, strlen(text)});
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.size, strlen(text));
	assert_memory_equal(s.at ? s.at : "", text, s.size);
}

static void the_seeds_form_is_taken_apart(void **state)
{
	read_mail("Subject: Your bill\nFrom: utility@power.com\nBody: Please pay.\nSoon.");
	assert_span(mail.subject, "Your bill");
	assert_span(mail.from, "utility@power.com");
	assert_span(mail.text, "Please pay.\nSoon.");
}

static void a_header_ends_at_an_empty_line(void **state)
{
	read_mail("From: A <a@b.c>\r\nDate: today\r\nSUBJECT: x\r\n\r\nSubject: not this\n");
	assert_span(mail.subject, "x");
	assert_span(mail.from, "A <a@b.c>");
	assert_span(mail.text, "\r\nSubject: not this\n");
}

static void a_folded_subject_is_one(void **state)
{
	read_mail("Subject: one\n two\nFrom: a\n\nbody");
	assert_span(mail.subject, "one\n two");
	assert_span(mail.from, "a");
}

static void text_that_only_has_a_colon_is_body(void **state)
{
	read_mail("Note: Subject: is a word\nand more");
	assert_int_equal(mail.subject.size, 0);
	assert_span(mail.text, "Note: Subject: is a word\nand more");
}

static void nothing_is_nothing(void **state)
{
	read_mail("");
	assert_int_equal(mail.text.size, 0);
	read_mail("Subject:");
	assert_int_equal(mail.subject.size, 0);
	assert_int_equal(mail.text.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seeds_form_is_taken_apart),
		cmocka_unit_test(a_header_ends_at_an_empty_line),
		cmocka_unit_test(a_folded_subject_is_one),
		cmocka_unit_test(text_that_only_has_a_colon_is_body),
		cmocka_unit_test(nothing_is_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
