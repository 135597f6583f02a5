/* The real reeved, driven over its channel. */
#include "keeper/test_keeper.h"

#include "os/os_clock.h"
#include "os/proc.h"
#include "os/proc_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char *reeved;
static struct test_keeper k;

static int set_up(void **state)
{
	test_keeper_init(&k);
	return 0;
}

static int tear_down(void **state)
{
	test_keeper_fini(&k);
	return 0;
}

static void a_child_is_spawned_and_its_exit_status_told(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 0, "w-1", "exit 7", NULL);
	struct keeper_event e = test_keeper_event(&k, KEEPER_SPAWNED);
	assert_string_equal(e.instance, "w-1");
	assert_true(e.pid > 1 && e.start > 0);
	e = test_keeper_event(&k, KEEPER_EXITED);
	assert_int_equal(e.known, 1);
	assert_int_equal(WEXITSTATUS(e.status), 7);
	test_keeper_spawn(&k, 1, "w-2", "kill -SEGV $$", NULL);
	test_keeper_event(&k, KEEPER_SPAWNED);
	e = test_keeper_event(&k, KEEPER_EXITED);
	assert_int_equal(WTERMSIG(e.status), SIGSEGV);
}

static struct keeper_event spawn_fails(const char *program, const char *directory, const char *out)
{
	static uint64_t message[KEEPER_MESSAGE_MAX / 8];
	const char *argv[] = {program, NULL}, *env[] = {NULL};
	struct keeper_order o = {.slot = 3, .instance = "w", .directory = directory, .out = out, .argv = argv, .env = env};
	test_keeper_send(&k, message, keeper_spawn_encode(&o, message));
	return test_keeper_event(&k, KEEPER_SPAWN_FAILED);
}

static void a_program_that_cannot_start_is_told_with_step_and_errno(void **state)
{
	test_keeper_start(&k, reeved);
	struct keeper_event e = spawn_fails("/no/such/program", "/", NULL);
	assert_int_equal(e.step, KEEPER_STEP_EXEC);
	assert_int_equal(e.status, ENOENT);
	assert_int_equal(spawn_fails("/etc/passwd", "/", NULL).status, EACCES);
	e = spawn_fails("/bin/true", "/no/such/directory", NULL);
	assert_int_equal(e.step, KEEPER_STEP_DIRECTORY);
	e = spawn_fails("/bin/true", "/", "/no/such/fifo");
	assert_int_equal(e.step, KEEPER_STEP_LOG);
	test_keeper_order(&k, 0, KEEPER_LIST); /* none of them left anything in the slot */
	test_keeper_event(&k, KEEPER_LIST_END);
}

static void a_slot_in_use_and_a_malformed_order_are_refused(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 2, "w-1", "exec sleep 1000", NULL);
	test_keeper_event(&k, KEEPER_SPAWNED);
	test_keeper_spawn(&k, 2, "w-2", "exec sleep 1000", NULL);
	assert_int_equal(test_keeper_event(&k, KEEPER_SPAWN_FAILED).status, EBUSY);
	struct keeper_spawn torn = {.head = {KEEPER_SPAWN, 4000}, .argc = 5};
	test_keeper_send(&k, &torn, sizeof torn);
	struct keeper_event e = test_keeper_event(&k, KEEPER_SPAWN_FAILED);
	assert_int_equal(e.head.slot, 4000);
	assert_int_equal(e.status, EINVAL);
	test_keeper_order(&k, 0xffffffff, KEEPER_FORGET);
	test_keeper_order(&k, 2, KEEPER_FORGET); /* it lives: not forgotten */
	test_keeper_order(&k, 2, 99);
	test_keeper_order(&k, 0, KEEPER_LIST);
	assert_string_equal(test_keeper_event(&k, KEEPER_LISTED).instance, "w-1");
	test_keeper_event(&k, KEEPER_LIST_END);
}

static void a_child_starts_clean(void **state)
{
	char fifo[96], line[512] = "";
	snprintf(fifo, sizeof fifo, "%s/out", k.data);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	test_keeper_start(&k, reeved);
	/* its environment is what was ordered, it leads its session, has no descriptor but three (and ls's own), blocks no signal */
	test_keeper_spawn(&k, 0, "w-1",
		"echo $(env | grep -c REEVE_KEEPER) $(ls /proc/self/fd | tr '\\n' ' ') $(grep -c 'SigBlk:.*0000000000000000' "
		"/proc/$$/status) "
		"$(test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leader)",
		fifo);
	test_keeper_event(&k, KEEPER_SPAWNED);
	test_keeper_event(&k, KEEPER_EXITED);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK); /* only now: what it wrote is still there */
	assert_true(read(fd, line, sizeof line - 1) > 0);
	close(fd);
	assert_string_equal(line, "0 0 1 2 3 1 leader\n");
}

static void an_engine_that_dies_is_started_again_and_no_child_ends(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 0, "stays", "exec sleep 1000", NULL);
	pid_t stays = test_keeper_event(&k, KEEPER_SPAWNED).pid;
	test_keeper_spawn(&k, 1, "goes", "read x < /proc/$$/stat; kill -STOP $$; exit 5", NULL);
	pid_t goes = test_keeper_event(&k, KEEPER_SPAWNED).pid;
	pid_t first = k.engine_pid;
	test_keeper_end_engine(&k, -SIGSEGV);
	for (struct proc_stat s; proc_stat_read(goes, &s) && s.state != 'T';)
		sched_yield();
	kill(goes, SIGCONT); /* it exits, perhaps while there is no engine */
	test_keeper_accept(&k);
	assert_int_not_equal(k.engine_pid, first);
	for (struct proc_stat s; proc_stat_read(goes, &s);)
		sched_yield();
	test_keeper_order(&k, 0, KEEPER_LIST);
	struct keeper_event e = {0};
	for (bool listed = false; !listed;) { /* EXITED may come before the list, in which the status stands in any case */
		struct pollfd one = {k.channel, POLLIN, 0};
		assert_int_equal(poll(&one, 1, 20000), 1);
		assert_int_equal(read(k.channel, &e, sizeof e), sizeof e);
		if (e.head.type == KEEPER_LISTED && e.head.slot == 0)
			assert_int_equal(e.pid, stays);
		if (e.head.type == KEEPER_LISTED && e.head.slot == 1) {
			assert_int_equal(e.state, KEEPER_GONE);
			assert_int_equal(WEXITSTATUS(e.status), 5);
			listed = true;
		}
	}
	test_keeper_event(&k, KEEPER_LIST_END);
	test_keeper_order(&k, 1, KEEPER_FORGET);
	test_keeper_order(&k, 0, KEEPER_LIST);
	assert_int_equal(test_keeper_event(&k, KEEPER_LISTED).head.slot, 0);
	test_keeper_event(&k, KEEPER_LIST_END);
}

static void the_engines_exit_status_decides(void **state)
{
	static const int codes[] = {KEEPER_EXIT_DONE, KEEPER_EXIT_USAGE, KEEPER_EXIT_CONFIG, KEEPER_EXIT_ESSENTIAL};
	for (size_t i = 0; i < 4; i++) {
		test_keeper_start(&k, reeved);
		test_keeper_end_engine(&k, 1); /* started again */
		test_keeper_accept(&k);
		test_keeper_end_engine(&k, codes[i]);
		int status = test_keeper_wait(&k);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), codes[i]);
	}
}

static void an_engine_may_close_its_channel_before_it_exits(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_end_engine(&k, TEST_KEEPER_LEAVES);
	test_keeper_end_engine(&k, 0);
	assert_int_equal(test_keeper_wait(&k), 0);
}

static void signals_become_stop_and_reload(void **state)
{
	test_keeper_start(&k, reeved);
	kill(k.pid, SIGHUP);
	test_keeper_event(&k, KEEPER_RELOAD);
	kill(k.pid, SIGTERM);
	assert_int_equal(test_keeper_event(&k, KEEPER_STOP).status, 1);
	test_keeper_end_engine(&k, -SIGKILL); /* an engine that dies instead: the next one is told, too */
	test_keeper_accept(&k);
	assert_int_equal(test_keeper_event(&k, KEEPER_STOP).status, 1);
	kill(k.pid, SIGINT);
	assert_int_equal(test_keeper_event(&k, KEEPER_STOP).status, 2);
	test_keeper_end_engine(&k, 0);
	assert_int_equal(test_keeper_wait(&k), 0);
}

static void children_outlive_their_keeper_and_the_next_one_adopts_them(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 5, "stays", "exec sleep 1000", NULL);
	struct keeper_event was = test_keeper_event(&k, KEEPER_SPAWNED);
	pid_t engine = k.engine_pid;
	kill(k.pid, SIGKILL);
	test_keeper_wait(&k);
	test_keeper_start(&k, reeved);
	struct proc_stat s;
	assert_true(
		!proc_stat_read(engine, &s) || s.state == 'Z'); /* the former engine is gone before the new one starts */
	test_keeper_order(&k, 0, KEEPER_LIST);
	struct keeper_event e = test_keeper_event(&k, KEEPER_LISTED);
	assert_int_equal(e.head.slot, 5);
	assert_int_equal(e.pid, was.pid);
	assert_int_equal(e.start, was.start);
	assert_int_equal(e.state, KEEPER_ALIVE);
	test_keeper_event(&k, KEEPER_LIST_END);
	test_keeper_signal(&k, 5, SIGKILL, 0);
	e = test_keeper_event(&k, KEEPER_EXITED);
	assert_int_equal(e.head.slot, 5);
	assert_int_equal(e.known, 0);
}

/* As if the child had died and its number were another process's now: the recorded start time differs. */
static void a_reused_pid_is_not_adopted(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 0, "w", "exec sleep 1000", NULL);
	struct keeper_event was = test_keeper_event(&k, KEEPER_SPAWNED);
	kill(k.pid, SIGKILL);
	test_keeper_wait(&k);
	char path[96];
	snprintf(path, sizeof path, "%s/run/keeper.state", k.data);
	int fd = open(path, O_RDWR);
	uint64_t other = was.start - 1;
	assert_int_equal(pwrite(fd, &other, sizeof other, offsetof(struct keeper_memory, slots[0].start)), sizeof other);
	close(fd);
	test_keeper_start(&k, reeved);
	test_keeper_order(&k, 0, KEEPER_LIST);
	assert_int_equal(test_keeper_event(&k, KEEPER_LISTED).state, KEEPER_GONE);
	test_keeper_event(&k, KEEPER_LIST_END);
	test_keeper_signal(&k, 0, SIGKILL, 1);
	test_keeper_order(&k, 0, KEEPER_LIST); /* answered after the signal was dealt with */
	test_keeper_event(&k, KEEPER_LISTED);
	assert_true(proc_is(was.pid, was.start));
	kill(was.pid, SIGKILL);
}

static void grandchildren_that_hide_are_ended_with_the_tree(void **state)
{
	char fifo[96], line[64] = "";
	snprintf(fifo, sizeof fifo, "%s/out", k.data);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int fd = open(fifo, O_RDWR);
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 0, "hides-1",
		"trap '' TERM; (trap '' TERM HUP; setsid sh -c 'echo $$; exec sleep 1000' &) ; sleep 1000", fifo);
	struct keeper_event e = test_keeper_event(&k, KEEPER_SPAWNED);
	assert_true(read(fd, line, sizeof line - 1) > 0);
	close(fd);
	struct proc_stat hidden;
	assert_true(proc_stat_read(atoi(line), &hidden));
	assert_int_not_equal(hidden.session, e.pid);
	struct proc_tree tree = {e.pid, e.start, KEEPER_ENV_INSTANCE, "hides-1"};
	assert_int_equal(proc_tree_kill(&tree, 10000), 0);
	test_keeper_event(&k, KEEPER_EXITED);
	assert_false(proc_is(hidden.pid, hidden.start));
}

static void two_hundred_children_start_quickly_in_little_memory(void **state)
{
	enum { N = 200 };
	test_keeper_start(&k, reeved);
	int64_t from = os_clock_monotonic_us();
	for (uint32_t i = 0; i < N; i++) {
		char id[16];
		snprintf(id, sizeof id, "w-%u", i);
		test_keeper_spawn(&k, i, id, "exec sleep 1000", NULL);
		if (i % 32 == 31) /* do not fill both socket buffers */
			for (int n = 0; n < 32; n++)
				test_keeper_event(&k, KEEPER_SPAWNED);
	}
	for (int n = 0; n < N % 32; n++)
		test_keeper_event(&k, KEEPER_SPAWNED);
	int64_t ms = (os_clock_monotonic_us() - from) / 1000;
	struct proc_stat s;
	assert_true(proc_stat_read(k.pid, &s));
	print_message(
		"# 200 children in %lld ms, keeper's memory %llu KiB\n", (long long)ms, (unsigned long long)s.rss_bytes / 1024);
#ifndef __SANITIZE_ADDRESS__
	assert_true(s.rss_bytes <= 2 << 20);
	assert_true(ms < 4000); /* the bench holds the target of 400; a test shares its machine */
#endif
}

static void events_are_not_lost_when_the_engine_does_not_read(void **state)
{
	enum { N = 1000 };
	test_keeper_start(&k, reeved);
	for (uint32_t i = 0; i < N; i++)
		test_keeper_spawn(&k, i, "w", "", NULL); /* N SPAWNED and N EXITED: more than the socket holds */
	unsigned spawned = 0, exited = 0;
	while (spawned < N || exited < N) {
		struct keeper_event e;
		struct pollfd one = {k.channel, POLLIN, 0};
		assert_int_equal(poll(&one, 1, 20000), 1);
		assert_int_equal(read(k.channel, &e, sizeof e), sizeof e);
		spawned += e.head.type == KEEPER_SPAWNED;
		exited += e.head.type == KEEPER_EXITED;
	}
	assert_int_equal(spawned, N);
	assert_int_equal(exited, N);
}

static void a_second_keeper_on_the_same_directory_is_refused(void **state)
{
	test_keeper_start(&k, reeved);
	int status;
	pid_t second = test_keeper_run(&k, reeved);
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void asked_three_times_it_ends_everything_itself(void **state)
{
	test_keeper_start(&k, reeved);
	test_keeper_spawn(&k, 0, "w", "trap '' TERM; sleep 1000", NULL);
	struct keeper_event e = test_keeper_event(&k, KEEPER_SPAWNED);
	for (int i = 1; i <= 2; i++) {
		kill(k.pid, SIGTERM);
		assert_int_equal(test_keeper_event(&k, KEEPER_STOP).status, i);
	}
	kill(k.pid, SIGTERM);
	assert_int_equal(WEXITSTATUS(test_keeper_wait(&k)), 1);
	for (struct proc_stat s; proc_stat_read(e.pid, &s) && s.start == e.start && s.state != 'Z';)
		sched_yield();
}

/* /proc is made private, not /: in a chroot, / need not be a mount point. */
static bool have_own_proc(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/proc", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		   mount("proc", "/proc", "proc", 0, NULL) == 0;
}

static bool namespaces_are_allowed(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWPID) == 0 && have_own_proc() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* reeved as PID 1 of its own namespace: it is given the orphans and reaps them. */
static void as_pid_1_it_reaps_orphans(void **state)
{
	if (!namespaces_are_allowed()) {
		print_message("# no namespaces of one's own here: not tried\n");
		skip();
	}
	char self[512] = "", path[96];
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) >
				0); /* in another mount namespace it would read differently */
	int ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unshare(CLONE_NEWPID), 0);
	k.pid = fork();
	if (k.pid == 0) {
		if (!have_own_proc())
			_exit(99);
		snprintf(path, sizeof path, "%s/engine", k.data);
		setenv("REEVE_ENGINE", self, 1);
		setenv("TEST_ENGINE_SOCKET", path, 1);
		execl(reeved, reeved, "--data-dir", k.data, NULL);
		_exit(97);
	}
	assert_int_equal(setns(ns, CLONE_NEWPID), 0);
	close(ns);
	test_keeper_accept(&k);
	assert_int_equal(k.engine_pid, 2);
	test_keeper_spawn(&k, 0, "w", "(true & true &) ; exit 3", NULL);
	test_keeper_event(&k, KEEPER_SPAWNED);
	assert_int_equal(WEXITSTATUS(test_keeper_event(&k, KEEPER_EXITED).status), 3);
	char children[256];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", k.pid, k.pid);
	for (unsigned n = 2; n > 1;) { /* until only the engine is left: no zombie stays */
		FILE *f = fopen(path, "r");
		n = 0;
		if (f && fgets(children, sizeof children, f))
			for (char *at = children; (at = strchr(at, ' ')); at++)
				n++;
		if (f)
			fclose(f);
		sched_yield();
	}
	test_keeper_end_engine(&k, 0);
	assert_int_equal(test_keeper_wait(&k), 0);
}

int main(int argc, char **argv)
{
	test_keeper_be_engine();
	reeved = argv[1];
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* the orphans of a killed keeper stay below us */
	signal(SIGPIPE, SIG_IGN);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_child_is_spawned_and_its_exit_status_told),
		CASE(a_program_that_cannot_start_is_told_with_step_and_errno),
		CASE(a_slot_in_use_and_a_malformed_order_are_refused),
		CASE(a_child_starts_clean),
		CASE(an_engine_that_dies_is_started_again_and_no_child_ends),
		CASE(the_engines_exit_status_decides),
		CASE(an_engine_may_close_its_channel_before_it_exits),
		CASE(signals_become_stop_and_reload),
		CASE(children_outlive_their_keeper_and_the_next_one_adopts_them),
		CASE(a_reused_pid_is_not_adopted),
		CASE(grandchildren_that_hide_are_ended_with_the_tree),
		CASE(two_hundred_children_start_quickly_in_little_memory),
		CASE(events_are_not_lost_when_the_engine_does_not_read),
		CASE(a_second_keeper_on_the_same_directory_is_refused),
		CASE(asked_three_times_it_ends_everything_itself),
		CASE(as_pid_1_it_reaps_orphans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
