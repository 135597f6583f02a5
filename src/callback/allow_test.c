#include "callback/allow.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool reaches(const struct allow *a, const char *host, const char *address)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *four = (void *)&s;
	struct sockaddr_in6 *six = (void *)&s;
	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		s.ss_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &six->sin6_addr), 1);
		s.ss_family = AF_INET6;
	}
	return allow_address(a, host, (struct sockaddr *)&s);
}

static void without_a_list_public_addresses_are_reached_and_no_others(void **state)
{
	static const char *const public[] = {"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2a00:1450::1",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"};
	static const char *const other[] = {"127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255",
		"192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1",
		"::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1",
		"::7f00:1"};
	struct allow *a = allow_new();
	for (size_t i = 0; i < ARRAY_SIZE(public); i++)
		if (!reaches(a, "h", public[i]))
			fail_msg("%s is public", public[i]);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (reaches(a, "h", other[i]))
			fail_msg("%s is not public", other[i]);
	allow_free(a);
}

static void a_list_says_all_that_may_be_reached(void **state)
{
	struct allow *a = allow_new();
	assert_int_equal(allow_add(a, "10.1.0.0/16", NULL), E_OK);
	assert_int_equal(allow_add(a, "fd00:7::/32", NULL), E_OK);
	assert_int_equal(allow_add(a, "::1", NULL), E_OK);
	assert_int_equal(allow_add(a, "ci.internal", NULL), E_OK);
	assert_int_equal(allow_add(a, ".example.com", NULL), E_OK);
	assert_true(reaches(a, "h", "10.1.255.1") && !reaches(a, "h", "10.2.0.1"));
	assert_true(reaches(a, "h", "::ffff:10.1.0.1"));
	assert_true(reaches(a, "h", "fd00:7::9") && !reaches(a, "h", "fd00:8::9"));
	assert_true(reaches(a, "h", "::1") && !reaches(a, "h", "127.0.0.1"));
	assert_false(reaches(a, "h", "8.8.8.8"));
	assert_true(reaches(a, "CI.internal", "127.0.0.1") && !reaches(a, "xci.internal", "127.0.0.1"));
	assert_true(reaches(a, "a.b.example.com", "192.168.0.1") && !reaches(a, "example.com", "192.168.0.1"));
	assert_false(reaches(a, "badexample.com", "192.168.0.1"));
	assert_int_equal(allow_add(a, "public", NULL), E_OK);
	assert_true(reaches(a, "h", "8.8.8.8") && !reaches(a, "h", "10.2.0.1"));
	allow_free(a);
}

static void what_the_text_of_a_url_already_says_is_refused_at_once(void **state)
{
	struct err e;
	struct allow *a = allow_new();
	assert_int_equal(allow_check_host(a, "127.0.0.1", &e), E_DENIED);
	assert_non_null(strstr(e.text, "127.0.0.1"));
	assert_non_null(strstr(e.text, "callbacks.allow"));
	assert_int_equal(allow_check_host(a, "[::1]", &e), E_DENIED);
	assert_int_equal(allow_check_host(a, "[2a00:1450::1]", &e), E_OK);
	assert_int_equal(allow_check_host(a, "hooks.example.com", &e), E_OK);
	allow_add(a, "ci.internal", NULL);
	assert_int_equal(allow_check_host(a, "ci.internal", &e), E_OK);
	assert_int_equal(allow_check_host(a, "hooks.example.com", &e), E_DENIED);
	allow_free(a);
}

static void an_entry_that_is_nothing_is_refused_with_what_would_be_right(void **state)
{
	static const char *const bad[] = {
		"", "http://h", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "a b", "::1/129", "h:80"};
	struct err e;
	struct allow *a = allow_new();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (allow_add(a, bad[i], &e) != E_INVALID)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(strstr(e.text, "10.1.0.0/16"));
	}
	assert_true(reaches(a, "h", "8.8.8.8")); /* a refused entry begins no list */
	allow_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_list_public_addresses_are_reached_and_no_others),
		cmocka_unit_test(a_list_says_all_that_may_be_reached),
		cmocka_unit_test(what_the_text_of_a_url_already_says_is_refused_at_once),
		cmocka_unit_test(an_entry_that_is_nothing_is_refused_with_what_would_be_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
