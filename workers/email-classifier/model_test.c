/* A model file that is not exactly what was written is refused. */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

static int16_t *weight;
static uint8_t *good;
static size_t good_n;
static char why[600];

static int set_up(void **state)
{
	FILE *file = fopen(MODELS "/spam.model", "rb");
	good = malloc(MODEL_BYTES_MAX);
	good_n = file ? fread(good, 1, MODEL_BYTES_MAX, file) : 0;
	weight = calloc(8 << TRAITS_BITS, sizeof *weight);
	return !file || fclose(file) || !good_n || !weight;
}

static int tear_down(void **state)
{
	free(good);
	free(weight);
	return 0;
}

static int load_bytes(const void *data, size_t n)
{
	char path[] = "/tmp/model_test.XXXXXX";
	struct model m;
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
	int bad = model_load(&m, path, weight, 0, 8, why, sizeof why);
	unlink(path);
	return bad;
}

static void the_shipped_model_is_read(void **state)
{
	struct model m;
	assert_int_equal(model_load(&m, MODELS "/spam.model", weight, 0, 8, why, sizeof why), 0);
	assert_string_equal(m.label[0], "spam");
	assert_string_equal(m.label[1], "not_spam");
	assert_int_equal(m.functions_n, 2); /* weights and lengths */
}

static void a_missing_file_is_named(void **state)
{
	struct model m;
	assert_int_equal(model_load(&m, "/nowhere/x.model", weight, 0, 8, why, sizeof why), -1);
	assert_non_null(strstr(why, "/nowhere/x.model"));
}

static void one_changed_byte_anywhere_is_found(void **state)
{
	for (size_t at = 0; at < good_n; at += good_n / 23 + 1) {
		good[at] ^= 4;
		assert_int_equal(load_bytes(good, good_n), -1);
		good[at] ^= 4;
	}
	assert_int_equal(load_bytes(good, good_n), 0);
}

static void a_cut_file_is_refused(void **state)
{
	assert_int_equal(load_bytes(good, good_n - 1), -1);
	assert_int_equal(load_bytes(good, 100), -1);
	assert_int_equal(load_bytes(good, 0), -1);
}

static void a_model_must_fit_beside_the_others(void **state)
{
	struct model m;
	assert_int_equal(model_load(&m, MODELS "/category.model", weight, 6, 8, why, sizeof why), -1);
	assert_non_null(strstr(why, "do not fit"));
}

static void probabilities_add_up_to_one(void **state)
{
	struct model m;
	double p[MODEL_LABELS], total = 0;
	struct model_sums sums = {.n = {5, 5, 80, 10}, .sum = {[TRAITS_BODY] = {40000, -90000, 7, 100000}}};
	assert_int_equal(model_load(&m, MODELS "/category.model", weight, 0, 8, why, sizeof why), 0);
	model_probability(&m, &sums, p);
	for (uint32_t i = 0; i < m.labels_n; i++)
		total += p[i];
	assert_true(total > 0.999999 && total < 1.000001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_model_is_read),
		cmocka_unit_test(a_missing_file_is_named),
		cmocka_unit_test(one_changed_byte_anywhere_is_found),
		cmocka_unit_test(a_cut_file_is_refused),
		cmocka_unit_test(a_model_must_fit_beside_the_others),
		cmocka_unit_test(probabilities_add_up_to_one),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
