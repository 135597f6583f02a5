#include "package/semver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct semver version(const char *text)
{
	struct semver v;
	assert_true(semver_parse(text, &v));
	return v;
}

static void what_semver_org_calls_valid_is_read_and_the_rest_refused(void **state)
{
	static const char *const valid[] = {"0.0.4", "1.2.3", "10.20.30", "1.1.2-prerelease+meta", "1.1.2+meta",
		"1.0.0-alpha.beta", "1.0.0-alpha0.valid", "1.0.0-rc.1+build.123", "1.2.3----RC-SNAPSHOT.12.9.1--.12",
		"1.0.0-0A.is.legal", "2.0.0+build.1848"};
	static const char *const invalid[] = {"1", "1.2", "1.2.3-0123", "1.2.3-0123.0123", "1.1.2+.123", "+invalid",
		"alpha", "1.0.0-alpha_beta", "1.0.0-alpha..", "01.1.1", "1.01.1", "1.1.01", "1.2.3.DEV", "1.2-SNAPSHOT", "",
		"1.2.3 ", "9999999999.1.1", "-1.0.3-gamma+b7718"};
	struct semver v;
	for (size_t k = 0; k < sizeof valid / sizeof *valid; k++)
		assert_true(semver_parse(valid[k], &v));
	for (size_t k = 0; k < sizeof invalid / sizeof *invalid; k++)
		assert_false(semver_parse(invalid[k], &v));
}

static void precedence_is_that_of_semver_org(void **state)
{
	static const char *const ascending[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "2.0.0", "10.0.0"};
	for (size_t a = 0; a < sizeof ascending / sizeof *ascending; a++)
		for (size_t b = 0; b < sizeof ascending / sizeof *ascending; b++) {
			struct semver x = version(ascending[a]), y = version(ascending[b]);
			int order = semver_compare(&x, &y);
			assert_int_equal((order > 0) - (order < 0), (a > b) - (a < b));
		}
}

static void a_range_holds_when_each_comparator_does(void **state)
{
	struct {
		const char *version, *range;
		bool in;
	} cases[] = {{"1.0.0", "1.0.0", true}, {"1.0.1", "1.0.0", false}, {"1.0.0", "=1.0.0", true},
		{"2.5.0", ">=2.1.0 <3", true}, {"3.0.0", ">=2.1.0 <3", false}, {"2.0.9", ">=2.1.0 <3", false},
		{"2.1.0", ">=2.1.0", true}, {"2.1.0", ">2.1.0", false}, {"2.0.0", "<=2.0", true}, {"9.9.9", "*", true},
		{"9.9.9", "", true}, {"2.5.0", ">= 2.1.0, < 3", true}, {"1.0.0", "~1", false}, {"1.0.0", "==1.0.0", false}};
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct semver v = version(cases[k].version);
		assert_int_equal(semver_in_range(&v, cases[k].range), cases[k].in);
	}
}

static void a_range_that_cannot_be_read_is_invalid(void **state)
{
	assert_true(semver_range_valid(">=1.0 <2"));
	assert_true(semver_range_valid(NULL));
	assert_false(semver_range_valid("~1"));
	assert_false(semver_range_valid(">=one"));
	assert_false(semver_range_valid("==1.0"));
	assert_false(semver_range_valid("<>1.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_semver_org_calls_valid_is_read_and_the_rest_refused),
		cmocka_unit_test(precedence_is_that_of_semver_org),
		cmocka_unit_test(a_range_holds_when_each_comparator_does),
		cmocka_unit_test(a_range_that_cannot_be_read_is_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
