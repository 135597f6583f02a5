/* What makes two mails the same to a model, and what does not. */
#include "traits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct traits a, b;

static void read_text(struct traits *t, const char *subject, const char *text)
{
	struct mail m = {{subject, strlen(subject)}, {"x@y.org", 7}, {text, strlen(text)}};
	traits_read(t, &m);
}

static int has_same(void)
{
	return a.n == b.n && !memcmp(a.index, b.index, a.n * sizeof *a.index);
}

static void the_year_and_an_apostrophe_make_no_difference(void **state)
{
	read_text(&a, "", "written in 1999 by don't");
	read_text(&b, "", "written in 2031 by dont");
	assert_true(has_same());
}

static void the_footer_of_a_list_is_not_read(void **state)
{
	read_text(&a, "", "one two three\n");
	read_text(
		&b, "", "one two three\n_______________________________________________\nIlug mailing list\nilug@linux.ie\n");
	assert_true(has_same());
}

static void the_tag_of_a_list_is_not_read(void **state)
{
	read_text(&a, "Re: hello", "x");
	read_text(&b, "Re: [ILUG] hello", "x");
	assert_true(has_same());
}

static void an_html_tag_is_no_word_but_an_address_in_angles_is(void **state)
{
	read_text(&a, "", "some <b>fat</b> text");
	assert_int_equal(a.words_n, 4); /* and the sender's name */
	read_text(&b, "", "some <fat@text.com> here");
	assert_int_equal(b.words_n, 4);
}

static void blocks_stand_one_after_the_other(void **state)
{
	read_text(&a, "hello there", "see http://www.y.org/x and http://10.0.0.1/");
	for (int i = 1; i < TRAITS_BLOCKS; i++)
		assert_true(a.end[i] > a.end[i - 1]);
	assert_int_equal(a.end[TRAITS_LOOK], a.n);
	assert_int_equal(a.end[TRAITS_LOOK] - a.end[TRAITS_BODY], a.looks_n);
}

static void a_message_id_of_the_senders_domain_is_told_from_another(void **state)
{
	struct mail m = {{"hi", 2}, {"x@mail.y.org", 12}, {"text", 4}, {"<1@host.y.org>", 14}};
	traits_read(&a, &m);
	m.message_id = (struct span){"<2@deep.host.y.org>", 19};
	traits_read(&b, &m);
	assert_true(has_same());
	m.message_id = (struct span){"<2@elsewhere.com>", 17};
	traits_read(&b, &m);
	assert_false(has_same());
}

static void a_set_holds_a_thing_once(void **state)
{
	read_text(&a, "", "spam spam spam spam spam");
	for (uint32_t i = 0; i < a.n; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(a.index[i], a.index[k]);
}

static void any_bytes_stay_within_the_limits(void **state)
{
	size_t size = 300000;
	char *noise = malloc(size);
	uint32_t seed = 1;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < size; i++) {
			seed = seed * 1664525 + 1013904223;
			noise[i] = (char)(round % 2 ? seed >> 24 : "ab <>/!$.@h:tp\n_w'"[seed >> 24 & 15]);
		}
		char *exact = malloc(size - (size_t)round * 1000); /* so that a sanitizer sees a step too far */
		memcpy(exact, noise, size - (size_t)round * 1000);
		struct mail m = {{exact, 500}, {exact, 300}, {exact, size - (size_t)round * 1000}};
		traits_read(&a, &m);
		assert_true(a.n <= TRAITS_MAX);
		for (uint32_t i = 0; i < a.n; i++)
			assert_true(a.index[i] < 1u << TRAITS_BITS);
		free(exact);
	}
	free(noise);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_year_and_an_apostrophe_make_no_difference),
		cmocka_unit_test(the_footer_of_a_list_is_not_read),
		cmocka_unit_test(the_tag_of_a_list_is_not_read),
		cmocka_unit_test(an_html_tag_is_no_word_but_an_address_in_angles_is),
		cmocka_unit_test(blocks_stand_one_after_the_other),
		cmocka_unit_test(a_message_id_of_the_senders_domain_is_told_from_another),
		cmocka_unit_test(a_set_holds_a_thing_once),
		cmocka_unit_test(any_bytes_stay_within_the_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
