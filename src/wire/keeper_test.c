#include "wire/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t message[KEEPER_MESSAGE_MAX / 8];
static char *pointers[KEEPER_STRINGS_MAX + 2];

static size_t encode(const char *const *argv, const char *const *env)
{
	struct keeper_limit limit = {.resource = 7, .soft = 5, .hard = 6};
	struct keeper_order o = {.slot = 9,
		.instance = "w-1",
		.directory = "/",
		.out = "/o",
		.ready = "/r",
		.ready_fd = 3,
		.argv = argv,
		.env = env,
		.limits = &limit,
		.limit_n = 1};
	return keeper_spawn_encode(&o, message);
}

static void what_was_ordered_is_what_is_parsed(void **state)
{
	size_t n = encode((const char *[]){"sh", "-c", "", NULL}, (const char *[]){"A=1", NULL});
	struct keeper_parsed p;
	assert_true(n > sizeof(struct keeper_spawn));
	assert_true(keeper_spawn_decode(message, n, pointers, &p));
	assert_int_equal(p.spawn->head.slot, 9);
	assert_string_equal(p.spawn->instance, "w-1");
	assert_string_equal(p.directory, "/");
	assert_string_equal(p.out, "/o");
	assert_string_equal(p.err, "");
	assert_string_equal(p.ready, "/r");
	assert_int_equal(p.spawn->ready_fd, 3);
	assert_string_equal(p.argv[1], "-c");
	assert_string_equal(p.argv[2], "");
	assert_null(p.argv[3]);
	assert_string_equal(p.env[0], "A=1");
	assert_null(p.env[1]);
	assert_int_equal(p.spawn->limits[0].hard, 6);
}

static void an_order_that_is_too_long_is_refused(void **state)
{
	static char big[KEEPER_MESSAGE_MAX];
	memset(big, 'x', sizeof big - 1);
	assert_int_equal(encode((const char *[]){"sh", big, NULL}, (const char *[]){NULL}), 0);
	assert_int_equal(encode((const char *[]){NULL}, (const char *[]){NULL}), 0);
	static const char *many[KEEPER_STRINGS_MAX + 1];
	for (size_t i = 0; i < KEEPER_STRINGS_MAX; i++)
		many[i] = "a";
	assert_int_not_equal(encode(many, (const char *[]){NULL}), 0);
	assert_int_equal(encode(many, (const char *[]){"B=1", NULL}), 0);
}

/* Whatever length or byte is wrong, decoding stays inside the message and says no, or yields strings inside it. */
static void a_damaged_order_is_refused_or_stays_inside_the_message(void **state)
{
	size_t n = encode((const char *[]){"sh", "-c", NULL}, (const char *[]){"A=1", NULL});
	struct keeper_parsed p;
	for (size_t cut = 0; cut < n; cut++) {
		char *copy = malloc(cut + 8);
		memcpy(copy, message, cut);
		assert_false(keeper_spawn_decode(copy, cut, pointers, &p));
		free(copy);
	}
	for (size_t at = 0; at < n; at++) {
		char *copy = malloc(n);
		memcpy(copy, message, n);
		copy[at] ^= 0x7f;
		if (keeper_spawn_decode(copy, n, pointers, &p))
			for (char **a = p.env; *a; a++)
				assert_in_range((uintptr_t)*a, (uintptr_t)copy, (uintptr_t)copy + n);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_ordered_is_what_is_parsed),
		cmocka_unit_test(an_order_that_is_too_long_is_refused),
		cmocka_unit_test(a_damaged_order_is_refused_or_stays_inside_the_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
