#include "os/durable.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static int calls, fail_at, fail_with;
static char order[64];

static bool fails(char what)
{
	size_t n = strlen(order);
	order[n] = what;
	order[n + 1] = 0;
	if (++calls != fail_at)
		return false;
	errno = fail_with;
	return true;
}

static int io_open(const char *path, int flags, mode_t mode)
{
	return fails(flags & O_DIRECTORY ? 'd' : 'o') ? -1 : open(path, flags, mode);
}

static ssize_t io_write(int fd, const void *data, size_t size)
{
	if (fails('w'))
		return -1;
	return write(fd, data, size > 3 ? 3 : size); /* a short write is no error */
}

static int io_fsync(int fd)
{
	return fails('s') ? -1 : fsync(fd);
}

static int io_rename(const char *from, const char *to)
{
	return fails('r') ? -1 : rename(from, to);
}

static const struct durable_io io = {io_open, io_write, io_fsync, close, io_rename, unlink};
static char directory[] = "/tmp/reeve-durable-XXXXXX", path[64];

static void begin(int at, int with)
{
	calls = 0;
	fail_at = at;
	fail_with = with;
	order[0] = 0;
}

static void content_is(const char *want)
{
	char got[64];
	assert_true(fd_read_file(path, got, sizeof got) >= 0);
	assert_string_equal(got, want);
}

static void a_file_is_synced_before_it_gets_its_name_and_its_directory_after(void **state)
{
	begin(0, 0);
	assert_int_equal(durable_write(&io, path, bytes_of("old"), 0600, NULL), E_OK);
	assert_string_equal(order, "owsrds");
	content_is("old");
}

static void whatever_call_fails_the_old_file_is_whole_or_the_new_one_is(void **state)
{
	struct err e;
	begin(0, 0);
	assert_int_equal(durable_write(&io, path, bytes_of("old"), 0600, NULL), E_OK);
	for (int at = 1; at <= 7; at++) { /* open, write, write, fsync, rename, open directory, fsync */
		begin(at, EIO);
		assert_int_equal(durable_write(&io, path, bytes_of("newer"), 0600, &e), E_IO);
		content_is(at <= 5 ? "old" : "newer");
		if (at == 5) {
			begin(0, 0);
			assert_int_equal(durable_write(&io, path, bytes_of("old"), 0600, NULL), E_OK);
		}
	}
	begin(8, EIO);
	assert_int_equal(durable_write(&io, path, bytes_of("newer"), 0600, &e), E_OK);
}

static void a_full_disk_is_said_to_be_one_and_leaves_no_tmp_file(void **state)
{
	struct err e;
	begin(2, ENOSPC);
	assert_int_equal(durable_write(&io, path, bytes_of("x"), 0600, &e), E_NO_SPACE);
	assert_non_null(strstr(e.text, path));
	char tmp[128];
	snprintf(tmp, sizeof tmp, "%s.%ld.tmp", path, (long)getpid());
	assert_int_equal(access(tmp, F_OK), -1);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/file", directory);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_synced_before_it_gets_its_name_and_its_directory_after),
		cmocka_unit_test(whatever_call_fails_the_old_file_is_whole_or_the_new_one_is),
		cmocka_unit_test(a_full_disk_is_said_to_be_one_and_leaves_no_tmp_file),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(directory);
	return failed;
}
