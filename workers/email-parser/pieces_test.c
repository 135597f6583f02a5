/* The parts that can be tried alone: keywords, tally, envelope, text. */
#include "envelope.h"
#include "keywords.h"
#include "put.h"
#include "tally.h"
#include "text.h"
#include "utf8.h"

#include <gmime/gmime.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static size_t find(const char *const *words, size_t n, const char *text)
{
	struct keywords k;
	struct buf scratch = {0};
	bool found[8];
	size_t bad, count;

	assert_true(keywords_init(&k, words, n, &bad));
	count = keywords_find(&k, text, strlen(text), found, &scratch);
	keywords_fini(&k);
	buf_fini(&scratch);
	return count;
}

static void keywords_are_whole_words_in_any_case(void **state)
{
	static const char *const words[] = {"Größe", "c++", "order confirmation"};

	assert_int_equal(find(words, 3, "GRÖSSE"), 0);
	assert_int_equal(find(words, 3, "die GRÖßE, bitte"), 1);
	assert_int_equal(find(words, 3, "Größen"), 0);
	assert_int_equal(find(words, 3, "I like C++."), 1);
	assert_int_equal(find(words, 3, "xc++"), 0);
	assert_int_equal(find(words, 3, "Order\r\n\tConfirmation"), 1);
	assert_int_equal(find(words, 3, "reorder confirmation"), 0);
	assert_int_equal(find(words, 3, ""), 0);
}

static void an_empty_keyword_is_refused(void **state)
{
	static const char *const words[] = {"fine", " "};
	struct keywords k;
	size_t bad = 99;

	assert_false(keywords_init(&k, words, 2, &bad));
	assert_int_equal(bad, 1);
}

static void a_tally_is_exact_until_it_is_full_and_then_says_so(void **state)
{
	struct tally t;
	char name[32];

	tally_init(&t);
	for (int i = 0; i < TALLY_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		tally_add(&t, name, 1);
	}
	tally_add(&t, "n7", 5);
	assert_false(t.approximate);
	tally_add(&t, "new", 1);
	assert_true(t.approximate);
	assert_int_equal(t.n, TALLY_MAX);
	const struct tally_entry **top = tally_sorted(&t, TALLY_BY_COUNT, 2);
	assert_string_equal(top[0]->name, "n7");
	assert_int_equal(top[0]->count, 6);
	assert_string_equal(top[1]->name, "new");
	assert_null(top[2]);
	free(top);
	tally_fini(&t);
}

static void only_an_envelope_with_a_date_separates(void **state)
{
	static const char *const good[] = {"From a@b Thu Aug 22 12:36:23 2002\n", "From a b c Thu Aug  2 2:36 +0200 2002\n",
		"From 12@xxx Thu Aug 22 12:36:23 +0000 2002\r\n", "From - Thu Aug 22 12:36:23 CEST 2002"};
	static const char *const bad[] = {"From here on\n", "From a@b Thu Aug 22 2002\n",
		"From a@b Thx Aug 22 12:36:23 2002\n", "From Thu Aug\n22 12:36:23 2002", "From ",
		"From a@b Thu Aug 22 12:36:23:11 2002\n"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(envelope_is_plausible(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(envelope_is_plausible(bad[i], strlen(bad[i])));
}

static void a_header_is_known_by_the_fields_of_mail(void **state)
{
	assert_int_equal(envelope_look("X-A: b\n  folded\nsubject : x\n", 27), ENVELOPE_HEADER);
	assert_int_equal(envelope_look("a: b\nc: d\n\nSubject: x\n", 22), ENVELOPE_NONE);
	assert_int_equal(envelope_look("", 0), ENVELOPE_NONE);
}

static void snippets_end_at_a_word(void **state)
{
	static const struct {
		const char *text;
		size_t most;
		const char *snippet;
	} cases[] = {{"one two  three", 9, "one two..."}, {"one two", 7, "one two"}, {"one two", 3, "one..."},
		{"abcdef", 3, "abc..."}, {" \n one \n ", 5, "one"}, {"", 5, ""}, {"äöü ß", 4, "äöü..."}, {"x", 0, "..."}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = {0};
		text_snippet(&b, cases[i].text, strlen(cases[i].text), cases[i].most);
		assert_string_equal(b.data ? b.data : "", cases[i].snippet);
		buf_fini(&b);
	}
}

static void half_a_character_at_the_end_is_replaced(void **state)
{
	struct text_trouble trouble = {0};
	struct buf b = {0};

	text_convert(&b, "\x93\xfa\x96", 3, "shift_jis", &trouble);
	assert_string_equal(b.data, "日\xef\xbf\xbd");
	assert_true(trouble.replaced);
	buf_fini(&b);
}

static void json_is_escaped_and_always_utf8(void **state)
{
	struct buf b = {0};

	put_open(&b, '[');
	put_bytes(&b, "a\"\\\n\001\0\xff\xc0\xafz", 10);
	put_hundredths(&b, 1205);
	put_close(&b, ']');
	assert_string_equal(b.data, "[\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\",12.05]");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_are_whole_words_in_any_case),
		cmocka_unit_test(an_empty_keyword_is_refused),
		cmocka_unit_test(a_tally_is_exact_until_it_is_full_and_then_says_so),
		cmocka_unit_test(only_an_envelope_with_a_date_separates),
		cmocka_unit_test(a_header_is_known_by_the_fields_of_mail),
		cmocka_unit_test(snippets_end_at_a_word),
		cmocka_unit_test(half_a_character_at_the_end_is_replaced),
		cmocka_unit_test(json_is_escaped_and_always_utf8),
	};

	g_mime_init();
	return cmocka_run_group_tests_name("email-parser/pieces", tests, NULL, NULL);
}
