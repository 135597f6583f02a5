#include "package/package.h"
#include "package/resolve.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* Packages on the disk, whose package.yaml is JSON (which is YAML): no parser is needed here. */
static char top[64];
static const char *directories[2];

static enum errcode reader(void *context, const char *path, const char *schema, json_t **out, struct err *e)
{
	json_error_t why;
	*out = json_load_file(path, 0, &why);
	return *out ? E_OK : err_set(e, E_INVALID, "%s: %s", path, why.text);
}

static const struct package_path path = {directories, reader, NULL};

static void put(const char *name, const char *content, mode_t mode)
{
	char full[256];
	snprintf(full, sizeof full, "%s/%s", top, name);
	for (char *slash = strchr(full + strlen(top) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(full, 0700);
		*slash = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
}

static void put_package(const char *folder, const char *version, const char *more)
{
	char file[128], text[512];
	snprintf(file, sizeof file, "%s/package.yaml", folder);
	snprintf(text, sizeof text,
		"{\"name\":\"data\",\"version\":\"%s\",\"supported_types\":[\"process\"],"
		"\"process\":{\"executable_path\":\"bin/run\",\"args\":[\"-v\"]}%s}",
		version, more);
	put(file, text, 0600);
	snprintf(file, sizeof file, "%s/bin/run", folder);
	put(file, "#!/bin/sh\n", 0700);
}

static int set_up(void **state)
{
	strcpy(top, "/tmp/package-test-XXXXXX");
	assert_non_null(mkdtemp(top));
	directories[0] = top;
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", top);
	return system(command);
}

static void the_greatest_version_in_the_range_is_found(void **state)
{
	struct package *p;
	put_package("data-1", "1.2.3", "");
	put_package("data-2", "1.10.0", "");
	put_package("data-3", "2.0.0", "");
	assert_int_equal(package_find(&path, "data", ">=1 <2", &p, NULL), E_OK);
	assert_string_equal(p->version, "1.10.0");
	package_free(p);
}

static void a_version_that_is_not_there_names_those_that_are(void **state)
{
	struct package *p;
	struct err e;
	put_package("data", "1.2.3", "");
	assert_int_equal(package_find(&path, "data", "3.0.0", &p, &e), E_NOT_FOUND);
	assert_non_null(strstr(e.text, "there is 1.2.3"));
	assert_non_null(strstr(e.text, top));
}

static void a_path_that_leaves_the_package_is_refused(void **state)
{
	struct package *p;
	struct err e;
	json_t *json = json_loads("{\"name\":\"x\",\"version\":\"1.0.0\",\"supported_types\":[\"process\"],"
							  "\"process\":{\"executable_path\":\"../../bin/sh\"}}",
		0, NULL);
	assert_int_equal(package_parse(json, "/p", &p, &e), E_INVALID);
	assert_non_null(strstr(e.text, "\"../../bin/sh\" leaves the package"));
	json_decref(json);
}

static enum errcode resolve(const struct resolve_request *r, struct resolve_result *out, struct err *e)
{
	return resolve_code(&path, top, r, out, e);
}

static void a_package_gives_executable_and_arguments(void **state)
{
	struct resolve_result r = {0};
	put_package("data", "1.2.3", "");
	assert_int_equal(
		resolve(&(struct resolve_request){.package_name = "data", .executable_needed = true}, &r, NULL), E_OK);
	assert_non_null(strstr(r.executable, "/data/bin/run"));
	assert_string_equal(r.args[0], "-v");
	assert_string_equal(r.version, "1.2.3");
	resolve_fini(&r);
}

static void an_explicit_path_wins_over_the_package(void **state)
{
	struct resolve_result r = {0};
	put_package("data", "1.2.3", "");
	struct resolve_request q = {.package_name = "data", .executable_path = "/bin/sh", .executable_needed = true};
	assert_int_equal(resolve(&q, &r, NULL), E_OK);
	assert_null(strstr(r.executable, top));
	resolve_fini(&r);
}

static void a_type_that_the_package_does_not_support_is_reported(void **state)
{
	struct resolve_result r = {0};
	struct err e;
	put_package("data", "1.2.3", "");
	assert_int_equal(resolve(&(struct resolve_request){.module = true, .package_name = "data"}, &r, &e), E_INVALID);
	assert_non_null(strstr(e.text, "supports type process only"));
}

static void a_missing_dependency_is_reported(void **state)
{
	struct resolve_result r = {0};
	struct err e;
	put_package("data", "1.2.3", ",\"dependencies\":[{\"name\":\"libdata\",\"version\":\">=2.1.0\"}]");
	assert_int_equal(resolve(&(struct resolve_request){.package_name = "data"}, &r, &e), E_NOT_FOUND);
	assert_non_null(strstr(e.text, "package data needs libdata"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_greatest_version_in_the_range_is_found),
		CASE(a_version_that_is_not_there_names_those_that_are),
		CASE(a_path_that_leaves_the_package_is_refused),
		CASE(a_package_gives_executable_and_arguments),
		CASE(an_explicit_path_wins_over_the_package),
		CASE(a_type_that_the_package_does_not_support_is_reported),
		CASE(a_missing_dependency_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
