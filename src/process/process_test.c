/* The process runner with a real keeper and real children. */
#include "process/process.h"

#include "base/mem.h"
#include "keeper/test_keeper.h"
#include "os/proc.h"
#include "process/test_worker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char *reeved;
static char self[512];
static struct test_keeper k;
static struct loop *loop;
static struct outputs *outputs;
static struct process_host *host;
static struct worker worker;
static char *arguments[4];
static struct instance *instance;
static char happened[256]; /* what was told, one letter each */
static struct instance_error failure;
static struct job_error lost_error;
static bool lost_with_error;
static char result[64];
static struct delivery delivery;
static bool recovery_done;

static void note(char what)
{
	size_t n = strlen(happened);
	happened[n] = what;
	happened[n + 1] = 0;
}

static bool told(char what)
{
	return strchr(happened, what) != NULL;
}

static void until(char what)
{
	while (!told(what))
		uv_run(loop_uv(loop), UV_RUN_ONCE);
}

/* ── what the runner tells ── */

static void on_running(void *context, struct instance *i)
{
	note('R');
}

static void on_credit(void *context, struct instance *i)
{
}

static void on_stopped(void *context, struct instance *i)
{
	note('S');
}

static void on_failed(void *context, struct instance *i, const struct instance_error *error)
{
	failure = error ? *error : i->last_error;
	note('F');
}

static void on_health(void *context, struct instance *i, enum health_answer answer, const char *why)
{
	if (answer != HEALTH_WELL)
		note('u');
}

static void d_started(struct delivery *d)
{
	d->started = true;
	note('b');
}

static void d_finished(struct delivery *d, struct bytes bytes, const struct job_error *error)
{
	snprintf(result, sizeof result, "%.*s", (int)bytes.size, bytes.data ? bytes.data : "");
	note('f');
}

static void d_lost(struct delivery *d, const struct job_error *error)
{
	lost_with_error = error != NULL;
	if (error)
		lost_error = *error;
	note('l');
}

static const struct delivery_events delivery_events = {.started = d_started, .finished = d_finished, .lost = d_lost};

static struct delivery *on_reclaim(void *context, struct instance *i, uint64_t id, uint64_t fence, bool started)
{
	if (id != 77 || fence != 5)
		return NULL;
	note(started ? 'h' : 'H');
	delivery = (struct delivery){.id = id,
		.fence = fence,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.instance = i,
		.events = &delivery_events,
		.started = started};
	list_append(&i->deliveries, &delivery.link);
	return &delivery;
}

static void on_stop(void *context, int times)
{
	note('T');
}

static void on_reload(void *context)
{
}

static void on_announce(void *context, struct instance *i, struct bytes name, struct bytes type, struct bytes address,
	struct bytes metadata)
{
}

static void on_keeper_lost(void *context)
{
	note('K');
}

/* ── set up ── */

static struct instance *adopt(void *context, const char *worker_id, const char *instance_id)
{
	note('a');
	if (strcmp(worker_id, worker.id) != 0)
		return NULL;
	instance = instance_new(&worker, process_host_runner(host), instance_id, 0, loop_now_ms(loop));
	instance->state = INSTANCE_STARTING;
	return instance;
}

static void on_recovered(void *context)
{
	recovery_done = true;
	note('r');
}

static void open_host(void)
{
	char run[96], scratch[96];
	snprintf(run, sizeof run, "%s/run", k.data);
	snprintf(scratch, sizeof scratch, "%s/scratch", k.data);
	struct process_options o = {.loop = loop,
		.outputs = outputs,
		.run_directory = run,
		.scratch_directory = scratch,
		.node = "n",
		.keeper_fd = fcntl(k.channel, F_DUPFD_CLOEXEC, 3),
		.stop = on_stop,
		.reload = on_reload,
		.keeper_lost = on_keeper_lost,
		.announce = on_announce,
		.events = {.running = on_running,
			.credit = on_credit,
			.stopped = on_stopped,
			.failed = on_failed,
			.health = on_health,
			.reclaim = on_reclaim}};
	assert_int_equal(process_host_new(&o, &host, NULL), E_OK);
	happened[0] = 0;
	process_recover(host, adopt, on_recovered, NULL);
	until('r');
}

static int set_up(void **state)
{
	test_keeper_init(&k);
	test_keeper_start(&k, reeved);
	loop = loop_new();
	assert_int_equal(outputs_new(loop, NULL, &outputs, NULL), E_OK);
	arguments[0] = "worker";
	arguments[1] = "good";
	worker = (struct worker){.id = "w",
		.executable_path = self,
		.args = arguments,
		.concurrency = 4,
		.prefetch = 4,
		.config = "{}",
		.start_timeout_ms = 30000,
		.stop_timeout_ms = 30000};
	list_init(&worker.instances);
	open_host();
	return 0;
}

static int tear_down(void **state)
{
	process_host_free(host);
	outputs_free(outputs);
	loop_free(loop);
	list_each(&worker.instances, at) instance_free(container_of(at, struct instance, link));
	test_keeper_fini(&k);
	return 0;
}

static enum errcode start(const char *habit, struct err *e)
{
	arguments[1] = (char *)habit;
	happened[0] = 0;
	instance = instance_new(&worker, process_host_runner(host), NULL, 0xabcdef, loop_now_ms(loop));
	instance->state = INSTANCE_STARTING;
	return instance->runner->start(instance, e);
}

static void deliver(const char *input)
{
	delivery = (struct delivery){.id = 77,
		.fence = 5,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.input = bytes_of(input),
		.instance = instance,
		.events = &delivery_events};
	list_append(&instance->deliveries, &delivery.link);
	instance->runner->deliver(instance, &delivery);
}

static void stop_well(void)
{
	instance->runner->stop(instance, worker.stop_timeout_ms);
	until('S');
}

/* ── cases ── */

static void a_worker_is_started_and_does_a_job(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	assert_int_equal(instance->capability_n, 1);
	assert_string_equal(instance->capabilities[0].name, "test.do");
	assert_string_equal(instance->endpoint_type, "ipc");
	deliver("\"ok\"");
	until('f');
	assert_string_equal(result, "\"done\"");
	int pid = instance->pid;
	stop_well();
	assert_int_equal(kill(pid, 0), -1);
	assert_null(instance->runner_data);
}

static void a_crash_gives_the_job_back_with_evidence(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	deliver("\"crash\"");
	until('F');
	assert_string_equal(happened, "RblF"); /* lost before the instance is told to have failed */
	assert_true(lost_with_error);
	assert_string_equal(lost_error.code, "crashed");
	assert_non_null(strstr(lost_error.message, "signal 11 (SIGSEGV)"));
	assert_non_null(strstr(lost_error.message, "first | about to fall over"));
	assert_string_equal(failure.category, "crash");
	assert_string_equal(failure.phase, "run");
	assert_non_null(strstr(failure.details, "SIGSEGV"));
}

static void a_missing_program_is_refused_at_once_and_named(void **state)
{
	struct err e;
	worker.executable_path = "/no/such/program";
	assert_int_equal(start("good", &e), E_NOT_FOUND);
	assert_non_null(strstr(e.text, "/no/such/program"));
	assert_non_null(strstr(e.text, "\"w\""));
}

static void a_program_that_the_kernel_refuses_fails_with_the_reason(void **state)
{
	char path[96];
	snprintf(path, sizeof path, "%s/broken", k.data);
	int fd = open(path, O_WRONLY | O_CREAT, 0755);
	dprintf(fd, "#!/no/such/interpreter\n");
	close(fd);
	worker.executable_path = path;
	assert_int_equal(start("good", NULL), E_OK);
	until('F');
	assert_non_null(strstr(failure.details, "starting the program: No such file or directory"));
	assert_non_null(strstr(failure.details, path));
}

static void a_worker_that_ends_before_it_is_ready_fails_with_its_last_words(void **state)
{
	assert_int_equal(start("die", NULL), E_OK);
	until('F');
	assert_string_equal(happened, "F");
	assert_string_equal(failure.phase, "start");
	assert_non_null(strstr(failure.details, "exited with status 3"));
	assert_non_null(strstr(failure.details, "no such configuration"));
}

static void a_worker_that_is_never_ready_is_ended_and_the_time_limit_stays_the_reason(void **state)
{
	assert_int_equal(start("slow", NULL), E_OK);
	while (!instance->pid)
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	struct instance_error late =
		instance_error_of("timeout", "start", true, 1, "process startup timeout: not ready after 30000 ms");
	instance->runner->kill(instance, &late);
	until('F');
	assert_string_equal(failure.category, "timeout");
	assert_non_null(strstr(failure.details, "process startup timeout: not ready after 30000 ms; process"));
}

static void a_kill_before_the_child_is_there_is_not_lost(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	struct instance_error stopped = instance_error_of("stop", "start", true, 1, "stopped while it was starting");
	instance->runner->kill(instance, &stopped);
	until('F');
	assert_non_null(strstr(failure.details, "stopped while it was starting"));
}

static void a_managed_program_runs_as_soon_as_it_is_spawned(void **state)
{
	static char *args[] = {"-c", "echo hello; exec sleep 1000", NULL};
	worker.kind = WORKER_MANAGED;
	worker.executable_path = "sh";
	worker.args = args;
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	assert_int_equal(instance->capability_n, 0);
	deliver("1");
	assert_true(told('l'));
	list_remove(&delivery.link);
	char last[64] = "";
	for (output_last(outputs, "w", instance->id, 1, last, sizeof last); !*last;
		 output_last(outputs, "w", instance->id, 1, last, sizeof last))
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	assert_string_equal(last, "hello");
	stop_well();
}

static void stop_lets_a_running_job_end(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	deliver("\"hold\"");
	until('b');
	stop_well();
	assert_string_equal(happened, "RbfS");
	assert_string_equal(instance->last_error.details, "");
}

static void who_does_not_stop_is_ended_with_all_it_started(void **state)
{
	worker.stop_timeout_ms = 200;
	assert_int_equal(start("stubborn", NULL), E_OK);
	until('R');
	deliver("\"hold\"");
	until('b');
	char children[64] = "", path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", instance->pid, instance->pid);
	FILE *f = fopen(path, "r");
	assert_non_null(fgets(children, sizeof children, f));
	fclose(f);
	struct proc_stat grandchild;
	assert_true(proc_stat_read(atoi(children), &grandchild));
	stop_well();
	assert_true(told('l'));
	assert_false(proc_is(grandchild.pid, grandchild.start));
	assert_non_null(strstr(instance->last_error.details, "process shutdown timeout"));
}

static void a_child_that_loses_its_connection_comes_back_and_its_job_goes_on(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	deliver("\"hold\"");
	until('b');
	int pid = instance->pid;
	/* The engine dies with everything; the child and its job stay. */
	process_host_free(host);
	instance_free(instance);
	test_keeper_end_engine(&k, -SIGKILL);
	test_keeper_accept(&k);
	open_host();
	assert_string_equal(
		happened, "ahRr"); /* adopted, it said what it holds, it runs, and only then recovery was over */
	assert_int_equal(instance->pid, pid);
	stop_well();
	assert_true(told('f'));
	assert_string_equal(result, "\"done\"");
}

static void a_job_that_a_child_holds_and_has_not_begun_is_taken_over_as_such(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	deliver("\"later\"");
	until('u');
	process_host_free(host);
	instance_free(instance);
	test_keeper_end_engine(&k, -SIGKILL);
	test_keeper_accept(&k);
	open_host();
	assert_string_equal(happened, "aHRr");
	stop_well();
}

static void a_child_that_died_without_an_engine_does_not_hold_recovery_up(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	struct proc_stat child;
	assert_true(proc_stat_read(instance->pid, &child));
	process_host_free(host);
	instance_free(instance);
	test_keeper_end_engine(&k, -SIGKILL);
	kill(child.pid, SIGKILL);
	while (proc_is(child.pid, child.start))
		;
	test_keeper_accept(&k);
	open_host();
	assert_false(told('R'));
}

static void a_child_that_nobody_wants_any_more_is_ended(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	struct proc_stat child;
	assert_true(proc_stat_read(instance->pid, &child));
	process_host_free(host);
	instance_free(instance);
	test_keeper_end_engine(&k, -SIGKILL);
	test_keeper_accept(&k);
	worker.id = "other";
	open_host();
	assert_string_equal(happened, "ar");
	while (proc_is(child.pid, child.start))
		uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

static void too_many_arguments_are_refused(void **state)
{
	static char big[70000];
	struct err e;
	memset(big, 'x', sizeof big - 1);
	assert_int_equal(start(big, &e), E_TOO_LARGE);
	assert_non_null(strstr(e.text, "too long"));
	assert_null(instance->runner_data);
}

static void the_keepers_words_are_passed_on(void **state)
{
	happened[0] = 0;
	kill(k.pid, SIGTERM);
	until('T');
	kill(k.pid, SIGKILL);
	test_keeper_wait(&k);
	until('K');
}

/* The token is for the child alone: not in its arguments, and nobody else may read the file. */
static void the_token_is_a_private_file(void **state)
{
	assert_int_equal(start("good", NULL), E_OK);
	until('R');
	char path[128], token[128], line[4096];
	struct stat st;
	snprintf(path, sizeof path, "%s/run/0/token", k.data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *f = fopen(path, "r");
	assert_non_null(fgets(token, sizeof token, f));
	fclose(f);
	assert_int_equal(strlen(token), 64);
	snprintf(path, sizeof path, "/proc/%d/cmdline", instance->pid);
	f = fopen(path, "r");
	size_t n = fread(line, 1, sizeof line, f);
	fclose(f);
	assert_null(memmem(line, n, token, 64));
	stop_well();
	snprintf(path, sizeof path, "%s/run/0", k.data);
	assert_int_equal(access(path, F_OK), -1); /* nothing is left */
}

int main(int argc, char **argv)
{
	test_worker_be(argc, argv);
	test_keeper_be_engine();
	reeved = argv[1];
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_worker_is_started_and_does_a_job),
		CASE(a_crash_gives_the_job_back_with_evidence),
		CASE(a_missing_program_is_refused_at_once_and_named),
		CASE(a_program_that_the_kernel_refuses_fails_with_the_reason),
		CASE(a_worker_that_ends_before_it_is_ready_fails_with_its_last_words),
		CASE(a_worker_that_is_never_ready_is_ended_and_the_time_limit_stays_the_reason),
		CASE(a_kill_before_the_child_is_there_is_not_lost),
		CASE(a_managed_program_runs_as_soon_as_it_is_spawned),
		CASE(stop_lets_a_running_job_end),
		CASE(who_does_not_stop_is_ended_with_all_it_started),
		CASE(a_child_that_loses_its_connection_comes_back_and_its_job_goes_on),
		CASE(a_job_that_a_child_holds_and_has_not_begun_is_taken_over_as_such),
		CASE(a_child_that_died_without_an_engine_does_not_hold_recovery_up),
		CASE(a_child_that_nobody_wants_any_more_is_ended),
		CASE(too_many_arguments_are_refused),
		CASE(the_keepers_words_are_passed_on),
		CASE(the_token_is_a_private_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
