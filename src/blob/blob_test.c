#include "base/mem.h"
#include "blob/blob.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct fixture {
	char directory[64];
	struct blobs *blobs;
};

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	snprintf(f->directory, sizeof f->directory, "blob-test-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(blobs_open(f->directory, 1 << 20, &f->blobs, NULL), E_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	blobs_close(f->blobs);
	snprintf(command, sizeof command, "rm -r -- '%s'", f->directory);
	int status = system(command);
	free(f);
	return status;
}

static void put(struct fixture *f, const char *text, char name[BLOB_NAME_SIZE])
{
	struct blob_writer *w;
	assert_int_equal(blob_writer_open(f->blobs, &w, NULL), E_OK);
	assert_int_equal(blob_writer_add(w, text, strlen(text), NULL), E_OK);
	assert_int_equal(blob_writer_close(w, name, NULL, NULL), E_OK);
}

static int temporary_files(const struct fixture *f)
{
	char path[80];
	int n = 0;
	snprintf(path, sizeof path, "%s/tmp", f->directory);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void a_blob_is_named_by_the_sha_256_of_its_content_and_read_back_whole(void **state)
{
	struct fixture *f = *state;
	char name[BLOB_NAME_SIZE], content[16] = "";
	int fd;
	uint64_t bytes;
	put(f, "hello", name);
	assert_string_equal(name, HELLO);
	assert_int_equal(blob_open(f->blobs, name, &fd, &bytes, NULL), E_OK);
	assert_int_equal(bytes, 5);
	assert_int_equal(read(fd, content, sizeof content), 5);
	assert_string_equal(content, "hello");
	close(fd);
}

static void the_same_content_is_kept_once_and_no_temporary_file_stays(void **state)
{
	struct fixture *f = *state;
	char one[BLOB_NAME_SIZE], two[BLOB_NAME_SIZE];
	put(f, "hello", one);
	put(f, "hello", two);
	assert_string_equal(one, two);
	assert_int_equal(temporary_files(f), 0);
}

static void content_above_the_limit_is_refused_naming_it(void **state)
{
	struct fixture *f = *state;
	struct blob_writer *w;
	struct err e;
	scoped(mem_free_at) char *large = mem_new((1 << 20) + 1);
	assert_int_equal(blob_writer_open(f->blobs, &w, NULL), E_OK);
	assert_int_equal(blob_writer_add(w, large, (1 << 20) + 1, &e), E_TOO_LARGE);
	assert_non_null(strstr(e.text, "1048576"));
	blob_writer_abort(w);
	assert_int_equal(temporary_files(f), 0);
}

static void an_unknown_blob_is_not_found_and_a_path_is_no_name(void **state)
{
	struct fixture *f = *state;
	int fd;
	assert_int_equal(blob_open(f->blobs, HELLO, &fd, NULL, NULL), E_NOT_FOUND);
	assert_int_equal(blob_open(f->blobs, "sha256:../../../../etc/passwd", &fd, NULL, NULL), E_INVALID);
	assert_int_equal(blob_open(f->blobs, "", &fd, NULL, NULL), E_INVALID);
}

static void what_a_killed_writer_left_is_gone_after_opening_again(void **state)
{
	struct fixture *f = *state;
	char path[96];
	snprintf(path, sizeof path, "%s/tmp/4711-0", f->directory);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	blobs_close(f->blobs);
	assert_int_equal(blobs_open(f->directory, 1 << 20, &f->blobs, NULL), E_OK);
	assert_int_equal(temporary_files(f), 0);
}

static void a_file_becomes_a_blob_from_its_beginning_wherever_it_was_read_to(void **state)
{
	struct fixture *f = *state;
	char name[BLOB_NAME_SIZE];
	uint64_t bytes;
	FILE *file = tmpfile();
	fputs("hello", file);
	fflush(file);
	assert_int_equal(blob_put_fd(f->blobs, fileno(file), name, &bytes, NULL), E_OK);
	assert_string_equal(name, HELLO);
	assert_int_equal(bytes, 5);
	fclose(file);
}

static void an_input_names_a_blob_only_by_its_own_member(void **state)
{
	char name[BLOB_NAME_SIZE];
	bool only;
	assert_true(blob_of_input(bytes_of("{\"blob\":\"" HELLO "\"}"), name, &only));
	assert_string_equal(name, HELLO);
	assert_true(only);
	assert_true(blob_of_input(bytes_of("{\"x\":{\"a\":[1]}, \"blob\" : \"" HELLO "\"}"), name, &only));
	assert_false(only);
	assert_false(blob_of_input(bytes_of("{\"x\":{\"blob\":\"" HELLO "\"}}"), name, &only));
	assert_false(blob_of_input(bytes_of("{\"blob\":\"a file\"}"), name, &only));
	assert_false(blob_of_input(bytes_of("[\"blob\"]"), name, &only));
	assert_false(blob_of_input(bytes_of("{\"blob\":\"" HELLO "\""), name, &only));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_blob_is_named_by_the_sha_256_of_its_content_and_read_back_whole),
		TEST(the_same_content_is_kept_once_and_no_temporary_file_stays),
		TEST(content_above_the_limit_is_refused_naming_it),
		TEST(an_unknown_blob_is_not_found_and_a_path_is_no_name),
		TEST(what_a_killed_writer_left_is_gone_after_opening_again),
		TEST(a_file_becomes_a_blob_from_its_beginning_wherever_it_was_read_to),
		cmocka_unit_test(an_input_names_a_blob_only_by_its_own_member),
	};
	return cmocka_run_group_tests_name("blob/blob", tests, NULL, NULL);
}
