#include "wire/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const int64_t now = 1767225600000; /* 2026-01-01 */

static void ids_grow_within_one_millisecond_and_when_the_clock_goes_back(void **state)
{
	struct id_source s = {.node = 7};
	uint64_t last = 0;
	for (int i = 0; i < 20000; i++) {
		uint64_t id = id_next(&s, now - i % 3 * 1000);
		assert_true(id > last);
		assert_true(id >> 63 == 0);
		last = id;
	}
}

static void an_id_tells_when_it_was_made_and_where(void **state)
{
	struct id_source s = {.node = 1023};
	uint64_t id = id_next(&s, now);
	assert_int_equal(id_time_ms(id), now);
	assert_int_equal(id >> 12 & 1023, 1023);
}

static void two_nodes_never_make_the_same_id(void **state)
{
	struct id_source a = {.node = 1}, b = {.node = 2};
	for (int i = 0; i < 5000; i++)
		assert_true(id_next(&a, now) != id_next(&b, now));
}

static void an_id_is_read_back_from_its_text(void **state)
{
	struct id_source s = {.node = 3};
	char text[ID_TEXT_SIZE];
	for (int i = 0; i < 1000; i++) {
		uint64_t id = id_next(&s, now + i), back = 0;
		id_format(id, text);
		assert_int_equal(strlen(text), 13);
		assert_int_equal(id_parse(text, 13, &back), 0);
		assert_true(back == id);
	}
}

static void texts_sort_as_the_ids_do(void **state)
{
	struct id_source s = {0};
	char before[ID_TEXT_SIZE] = "", text[ID_TEXT_SIZE];
	for (int i = 0; i < 5000; i++) {
		id_format(id_next(&s, now + i / 10), text);
		assert_true(strcmp(before, text) < 0);
		memcpy(before, text, sizeof text);
	}
}

static void letters_that_people_confuse_are_understood(void **state)
{
	uint64_t a = 0, b = 0;
	assert_int_equal(id_parse("01a0b1c2d3e4f", 13, &a), 0);
	assert_int_equal(id_parse("OLAoBIC2D3E4F", 13, &b), 0);
	assert_true(a == b);
}

static void what_is_no_id_is_refused(void **state)
{
	uint64_t id = 42;
	const char *bad[] = {"", "01a0b1c2d3e4", "01a0b1c2d3e4f0", "01a0b1c2d3e4u", "01a0b1c2-3e4f", "zzzzzzzzzzzzz",
		"8000000000000", "0000000000000"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(id_parse(bad[i], strlen(bad[i]), &id), -1);
	assert_int_equal(id, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_grow_within_one_millisecond_and_when_the_clock_goes_back),
		cmocka_unit_test(an_id_tells_when_it_was_made_and_where),
		cmocka_unit_test(two_nodes_never_make_the_same_id),
		cmocka_unit_test(an_id_is_read_back_from_its_text),
		cmocka_unit_test(texts_sort_as_the_ids_do),
		cmocka_unit_test(letters_that_people_confuse_are_understood),
		cmocka_unit_test(what_is_no_id_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
