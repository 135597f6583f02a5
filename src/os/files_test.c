/* lock, path and clock. */
#include "os/lock.h"
#include "os/os_clock.h"
#include "os/path.h"
#include "os/reserve.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/reeve-files-XXXXXX";

static void a_directory_has_one_owner_and_the_second_is_told_its_pid(void **state)
{
	int fd, second;
	struct err e;
	char pid[32];
	assert_int_equal(lock_take(directory, &fd, &e), E_OK);
	assert_int_equal(lock_take(directory, &second, &e), E_CONFLICT);
	snprintf(pid, sizeof pid, "process %ld;", (long)getpid());
	assert_non_null(strstr(e.text, pid));
	assert_non_null(strstr(e.text, directory));
	close(fd);
	assert_int_equal(lock_take(directory, &fd, &e), E_OK);
	close(fd);
}

/* As when the owner was killed just after it had started a program: the child has the descriptor for a moment longer. */
static void a_lock_that_a_dead_owners_child_still_has_is_waited_for(void **state)
{
	int fd = -1, go[2];
	assert_int_equal(pipe(go), 0);
	pid_t owner = fork();
	if (owner == 0) {
		char byte;
		if (lock_take(directory, &fd, NULL) != E_OK)
			_exit(1);
		if (fork() == 0) {
			(void)!read(go[0], &byte, 1);
			poll(NULL, 0, 50); /* the moment */
		}
		_exit(0);
	}
	int status = 1;
	assert_int_equal(waitpid(owner, &status, 0), owner);
	assert_int_equal(status, 0);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(lock_take(directory, &fd, NULL), E_OK);
	close(fd);
	close(go[0]);
	close(go[1]);
}

static void a_lock_ends_with_its_process(void **state)
{
	pid_t child = fork();
	if (child == 0) {
		int fd;
		_exit(lock_take(directory, &fd, NULL) == E_OK ? 0 : 1);
	}
	int status, fd;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(lock_take(directory, &fd, NULL), E_OK);
	close(fd);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	char into[8];
	struct err e;
	assert_int_equal(path_join(into, sizeof into, "/abc", "de", &e), E_OK);
	assert_string_equal(into, "/abc/de");
	assert_int_equal(path_join(into, sizeof into, "/abc", "def", &e), E_INVALID);
	assert_string_equal(into, "/abc/de");
	assert_int_equal(path_join(into, sizeof into, "/abc", "/x", &e), E_OK);
	assert_string_equal(into, "/x");
}

static void directories_are_made_with_their_parents(void **state)
{
	char deep[128];
	struct err e;
	snprintf(deep, sizeof deep, "%s/a/b", directory);
	assert_int_equal(path_make_directory(deep, 0700, &e), E_OK);
	assert_int_equal(path_make_directory(deep, 0700, &e), E_OK);
	snprintf(deep, sizeof deep, "%s/lock/c", directory);
	assert_int_equal(path_make_directory(deep, 0700, &e), E_IO);
}

static void a_missing_program_is_named(void **state)
{
	char into[256];
	struct err e;
	assert_int_equal(path_find_program("sh", NULL, into, sizeof into, &e), E_OK);
	assert_int_equal(into[0], '/');
	assert_int_equal(path_find_program("./nothing", directory, into, sizeof into, &e), E_NOT_FOUND);
	assert_non_null(strstr(e.text, "executable not found: "));
	assert_non_null(strstr(e.text, "nothing"));
	assert_int_equal(path_find_program("no-such-program-here", NULL, into, sizeof into, &e), E_NOT_FOUND);
	assert_int_equal(path_find_program("lock", directory, into, sizeof into, &e), E_NOT_FOUND);
	assert_int_equal(path_find_program("./lock", directory, into, sizeof into, &e), E_DENIED);
	assert_int_equal(path_find_program(directory, NULL, into, sizeof into, &e), E_DENIED);
}

static void time_does_not_go_back(void **state)
{
	int64_t last = os_clock_ms(), monotonic = os_clock_monotonic_us();
	for (int i = 0; i < 1000; i++) {
		int64_t now = os_clock_ms();
		assert_true(now >= last);
		last = now;
	}
	assert_true(os_clock_monotonic_us() > monotonic);
}

static void a_reserve_takes_its_space_once_and_can_be_given_up(void **state)
{
	char place[] = "/tmp/reeve-reserve-XXXXXX", path[60];
	struct stat st;
	assert_non_null(mkdtemp(place));
	snprintf(path, sizeof path, "%s/reserve", place);
	assert_int_equal(reserve_make(place, NULL), E_OK);
	assert_int_equal(reserve_make(place, NULL), E_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, RESERVE_BYTES);
	assert_true(st.st_blocks * 512 >= RESERVE_BYTES); /* not only a number */
	assert_false(reserve_needed(place));
	reserve_give_up(place);
	reserve_give_up(place);
	assert_int_equal(stat(path, &st), -1);
	assert_false(reserve_needed("/nonexistent"));
	assert_int_equal(reserve_make("/nonexistent", NULL), E_IO);
	assert_int_equal(rmdir(place), 0);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reserve_takes_its_space_once_and_can_be_given_up),
		cmocka_unit_test(a_directory_has_one_owner_and_the_second_is_told_its_pid),
		cmocka_unit_test(a_lock_ends_with_its_process),
		cmocka_unit_test(a_lock_that_a_dead_owners_child_still_has_is_waited_for),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(a_missing_program_is_named),
		cmocka_unit_test(time_does_not_go_back),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return failed + (system(command) != 0);
}
