#include "os/proc.h"
#include "os/proc_tree.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void a_process_knows_itself(void **state)
{
	struct proc_stat s;
	assert_true(proc_stat_read(getpid(), &s));
	assert_int_equal(s.parent, getppid());
	assert_int_equal(s.session, getsid(0));
	assert_true(s.rss_bytes > 4096);
	assert_true(proc_is(getpid(), s.start));
	assert_false(proc_is(getpid(), s.start + 1));
	assert_int_equal(proc_open(getpid(), s.start + 1), -1);
	assert_false(proc_stat_read(0x7ffffff0, &s));
}

/* No other run of this test, at the same time, may have the same. */
static const char *mark(const char *name)
{
	static char text[4][64];
	static unsigned next;
	char *into = text[next++ % 4];
	snprintf(into, sizeof text[0], "%s of %d", name, (int)getpid());
	return into;
}

/* Starts sh with `script` as a session leader; returns its pid after it has written a line. */
static pid_t start(const char *script, const char *marked)
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		dup2(ready[1], 1);
		close(ready[0]);
		close(ready[1]);
		setenv("TEST_MARK", marked, 1);
		execlp("sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(ready[1]);
	char c;
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* Every process of the tree is a descendant of ours (subreaper): none may be left. */
static void assert_no_child_is_left(void)
{
	int status;
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

static void a_tree_is_ended_with_those_who_changed_session_and_ignore_signals(void **state)
{
	pid_t root = start(
		"trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; (setsid sleep 1000 &) ; sleep 1000' & sleep 1000 & echo; wait",
		mark("one"));
	struct proc_stat s;
	assert_true(proc_stat_read(root, &s));
	assert_int_equal(proc_environment(root, "TEST_MARK", mark("one")), PROC_HAS);
	assert_int_equal(proc_environment(root, "TEST_MARK", "on"), PROC_HAS_NOT);
	struct proc_tree tree = {root, s.start, "TEST_MARK", mark("one")};
	assert_int_equal(proc_tree_kill(&tree, 5000), 0);
	assert_no_child_is_left();
}

static void orphans_of_a_root_that_is_gone_are_found_by_their_environment(void **state)
{
	pid_t root = start("setsid sh -c 'echo; exec sleep 1000' >&1 & sleep 0; exec sh -c ''", mark("two"));
	struct proc_stat s = {0};
	proc_stat_read(root, &s);
	int status;
	assert_int_equal(waitpid(root, &status, 0), root);
	struct proc_tree other = {root, s.start, "TEST_MARK", mark("three")};
	assert_int_equal(proc_tree_kill(&other, 5000), 0);
	assert_int_equal(waitpid(-1, &status, WNOHANG), 0); /* the orphan lives: it is another's */
	struct proc_tree tree = {root, s.start, "TEST_MARK", mark("two")};
	assert_int_equal(proc_tree_kill(&tree, 5000), 0);
	assert_no_child_is_left();
}

/* During an exec its environment cannot be seen. */
static void an_orphan_that_execs_all_the_time_is_not_missed(void **state)
{
	setenv("TEST_AGAIN", "exec sh -c \"$TEST_AGAIN\"", 1);
	for (int i = 0; i < 30; i++) {
		int status;
		pid_t root =
			start("ulimit -t 5; setsid sh -c \"echo; $TEST_AGAIN\" >&1 & sleep 0; exec sh -c ''", mark("five"));
		struct proc_stat s = {0};
		proc_stat_read(root, &s);
		assert_int_equal(waitpid(root, &status, 0), root);
		struct proc_tree tree = {root, s.start, "TEST_MARK", mark("five")};
		assert_int_equal(proc_tree_kill(&tree, 5000), 0);
		assert_no_child_is_left();
	}
	unsetenv("TEST_AGAIN");
}

static void a_number_that_another_process_has_now_is_not_followed(void **state)
{
	pid_t root = start("echo; exec sleep 1000", mark("four"));
	struct proc_stat s;
	assert_true(proc_stat_read(root, &s));
	struct proc_tree tree = {root, s.start - 1, NULL, NULL};
	assert_int_equal(proc_tree_kill(&tree, 5000), 0);
	assert_true(proc_is(root, s.start));
	tree.start = s.start;
	assert_int_equal(proc_tree_kill(&tree, 5000), 0);
	assert_no_child_is_left();
}

int main(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_knows_itself),
		cmocka_unit_test(a_tree_is_ended_with_those_who_changed_session_and_ignore_signals),
		cmocka_unit_test(orphans_of_a_root_that_is_gone_are_found_by_their_environment),
		cmocka_unit_test(an_orphan_that_execs_all_the_time_is_not_missed),
		cmocka_unit_test(a_number_that_another_process_has_now_is_not_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
