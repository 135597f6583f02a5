#include "module/module.h"

#include "base/mem.h"
#include "sdk/files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* One module instance on a real loop; what comes of it is written down here. */
static struct {
	struct loop *loop;
	struct blobs *blobs;
	struct module_host *host;
	struct loop_timer *alarm;
	struct worker *worker;
	struct instance *instance;
	char directory[64];
	bool loaded, running, stopped, failed, until_met;
	char why[512];
	struct instance_error error;
} x;

static struct { /* deliveries */
	struct delivery d[64];
	bool started[64], over[64], lost[64];
	char result[64][512];
	struct job_error error[64];
	unsigned items, held_items, calls, finished;
	uint64_t call_id;
	char called[128];
} y;

static void too_long(void *context)
{
	fail_msg("waited 20 s in vain");
}

/* Turns the loop until `flag` is set; a hang fails the test. */
static void until(const bool *flag)
{
	loop_timer_set(x.alarm, 20000);
	while (!*flag)
		uv_run(loop_uv(x.loop), UV_RUN_ONCE);
	loop_timer_set(x.alarm, -1);
}

static void until_count(const unsigned *counter, unsigned n)
{
	loop_timer_set(x.alarm, 20000);
	while (*counter < n)
		uv_run(loop_uv(x.loop), UV_RUN_ONCE);
	loop_timer_set(x.alarm, -1);
}

static void on_loaded(void *context, struct instance *i, const struct err *e)
{
	x.loaded = true;
	snprintf(x.why, sizeof x.why, "%s", e ? e->text : "");
}

static void on_running(void *context, struct instance *i)
{
	i->state = INSTANCE_RUNNING;
	x.running = true;
}

static void on_stopped(void *context, struct instance *i)
{
	x.stopped = true;
}

static void on_failed(void *context, struct instance *i, const struct instance_error *error)
{
	x.failed = true;
	x.error = *error;
}

static void on_health(void *context, struct instance *i, enum health_answer answer, const char *why)
{
	i->healthy = answer == HEALTH_WELL;
}

static enum errcode check_config(void *context, const char *schema, struct bytes config, struct err *e)
{
	return E_OK;
}

static void on_log(void *context, struct instance *i, int severity, struct bytes event, struct bytes fields)
{
}

static void d_started(struct delivery *d)
{
	d->started = true;
	y.started[d - y.d] = true;
}

static void leave(struct delivery *d)
{
	y.over[d - y.d] = true;
	y.finished++;
	x.instance->in_flight--;
	list_remove(&d->link);
}

static void d_finished(struct delivery *d, struct bytes result, const struct job_error *error)
{
	long k = d - y.d;
	leave(d);
	snprintf(y.result[k], sizeof y.result[k], "%.*s", (int)result.size, result.data ? result.data : "");
	if (error)
		y.error[k] = *error;
}

static void d_lost(struct delivery *d, const struct job_error *error)
{
	leave(d);
	y.lost[d - y.d] = true;
	if (error)
		y.error[d - y.d] = *error;
}

static bool hold_items;

static void d_item(struct delivery *d, uint64_t key, struct bytes data)
{
	y.items++;
	if (hold_items)
		y.held_items++;
	else
		x.instance->runner->item_done(x.instance, d, E_OK);
}

static void d_ignore_bytes(struct delivery *d, struct bytes data)
{
}

static void d_progress(struct delivery *d, int percent, struct bytes message)
{
}

static void d_log(struct delivery *d, int severity, struct bytes event, struct bytes fields)
{
}

static void d_call(struct delivery *d, uint64_t id, struct bytes capability, struct bytes input)
{
	y.calls++;
	y.call_id = id;
	snprintf(y.called, sizeof y.called, "%.*s", (int)capability.size, capability.data);
}

static const struct delivery_events delivery_events = {
	d_started, d_item, d_ignore_bytes, d_progress, d_log, d_call, d_finished, d_lost};

static const char *module(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s.so", getenv("REEVE_TEST_MODULES"), name);
	return path;
}

static int set_up(void **state)
{
	struct err e;
	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	hold_items = false;
	strcpy(x.directory, "/tmp/module-test-XXXXXX");
	assert_non_null(mkdtemp(x.directory));
	x.loop = loop_new();
	assert_int_equal(blobs_open(x.directory, 1 << 24, &x.blobs, &e), E_OK);
	struct module_options o = {.loop = x.loop,
		.blobs = x.blobs,
		.events = {.running = on_running, .stopped = on_stopped, .failed = on_failed, .health = on_health},
		.scratch_directory = x.directory,
		.breadcrumb_fd = -1,
		.check_config = check_config,
		.log = on_log};
	x.host = module_host_new(&o);
	x.alarm = loop_timer_new(x.loop, too_long, NULL);
	return 0;
}

static void place(const char *path, const char *entry)
{
	struct err e;
	char text[1024];
	snprintf(text, sizeof text,
		"{\"id\":\"w\",\"type\":\"module\",\"concurrency\":4,\"module\":{\"module_path\":\"%s\"}}", path);
	json_t *json = json_loads(text, 0, NULL);
	assert_int_equal(worker_parse(json, &x.worker, NULL, &e), E_OK);
	json_decref(json);
	x.worker->code.module = mem_text(path);
	x.worker->code.entry_point = mem_text(entry);
	x.instance = instance_new(x.worker, module_host_runner(x.host), NULL, 1, 0);
}

static const char *load(const char *path, const char *entry)
{
	struct err e;
	place(path, entry);
	assert_int_equal(module_initialize(x.host, x.instance, on_loaded, NULL, &e), E_OK);
	until(&x.loaded);
	return x.why;
}

static void run(const char *path, const char *entry)
{
	struct err e;
	assert_string_equal(load(path, entry), "");
	assert_int_equal(x.instance->runner->start(x.instance, &e), E_OK);
	until(&x.running);
}

static void stop(void)
{
	x.instance->state = INSTANCE_STOPPING;
	x.instance->runner->stop(x.instance, 5000);
	until(&x.stopped);
}

static void *left_behind[16]; /* what threads that never end still use: reachable, so no leak */
static unsigned left_n;

static int tear_down(void **state)
{
	if (x.instance && x.running && !x.stopped && !x.failed)
		stop();
	bool hangs = *state != NULL; /* its threads never end */
	loop_timer_set(x.alarm, 20000);
	while (!hangs && !module_host_idle(x.host))
		uv_run(loop_uv(x.loop), UV_RUN_ONCE);
	loop_timer_free(x.alarm);
	if (x.instance)
		instance_free(x.instance);
	worker_free(x.worker);
	module_host_free(x.host);
	blobs_close(x.blobs);
	if (!hangs)
		loop_free(x.loop);
	else
		left_behind[left_n++] = x.loop;
	files_remove_tree(x.directory);
	return 0;
}

static struct delivery *deliver(unsigned k, const char *capability, const char *input)
{
	struct delivery *d = &y.d[k];
	*d = (struct delivery){.id = 1000 + k,
		.fence = 7,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.input = bytes_of(input),
		.instance = x.instance,
		.events = &delivery_events};
	while (d->capability < x.instance->capability_n &&
		   strcmp(x.instance->capabilities[d->capability].name, capability) != 0)
		d->capability++;
	assert_true(d->capability < x.instance->capability_n);
	list_append(&x.instance->deliveries, &d->link);
	x.instance->in_flight++;
	x.instance->runner->deliver(x.instance, d);
	return d;
}

/* ── load ── */

static void a_file_that_is_missing_is_named(void **state)
{
	assert_non_null(strstr(load("/nowhere/x.so", "reeve_export"), "module /nowhere/x.so does not exist"));
}

static void a_file_that_is_no_elf_file_is_refused(void **state)
{
	assert_non_null(strstr(load("/etc/passwd", "reeve_export"), "/etc/passwd is not an ELF file"));
}

static void a_missing_symbol_names_symbol_and_file(void **state)
{
	const char *why = load(module("broken_no_symbol"), "reeve_export");
	assert_non_null(strstr(why, "broken_no_symbol.so has no symbol \"reeve_export\""));
}

static void another_abi_names_both_numbers(void **state)
{
	const char *why = load(module("broken_abi"), "reeve_export");
	assert_non_null(strstr(why, "has ABI 42, this engine has ABI 1"));
}

static void the_entry_point_may_be_an_object(void **state)
{
	run(module("two"), "first_worker");
	assert_string_equal(x.instance->capabilities[0].name, "two.one");
}

static void the_entry_point_may_be_a_function(void **state)
{
	run(module("two"), "CreateDataProcessor");
	assert_string_equal(x.instance->capabilities[0].name, "two.two");
}

static void copy(const char *from, const char *to, int flags)
{
	char block[65536];
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | flags, 0700);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof block)) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	close(in);
	close(out);
}

static void run_again(const char *path, const char *entry)
{
	stop();
	instance_free(x.instance);
	worker_free(x.worker);
	x.loaded = x.running = x.stopped = false;
	run(path, entry);
}

static void a_rebuilt_file_runs_its_new_code_after_a_stop(void **state)
{
	char path[128];
	snprintf(path, sizeof path, "%s/rebuilt.so", x.directory);
	copy(module("testworker"), path, 0);
	run(path, "reeve_export");
	assert_string_equal(x.instance->capabilities[0].name, "test.echo");
	unlink(path); /* as a linker does */
	copy(module("two"), path, 0);
	run_again(path, "first_worker");
	assert_string_equal(x.instance->capabilities[0].name, "two.one");
}

/* ── jobs ── */

static void a_job_gives_what_its_handler_replied(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.echo", "{\"a\":1}");
	until(&y.over[0]);
	assert_true(y.started[0]);
	assert_string_equal(y.result[0], "{\"a\":1}");
	assert_string_equal(y.error[0].code, "");
}

static void a_failing_handler_s_code_and_message_arrive(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.fail", "{\"code\":\"NO_PAPER\",\"message\":\"the tray is empty\",\"retryable\":1}");
	until(&y.over[0]);
	assert_string_equal(y.error[0].code, "NO_PAPER");
	assert_string_equal(y.error[0].message, "the tray is empty");
	assert_int_equal(y.error[0].retryable, 1);
}

static void a_handler_may_finish_later_on_another_thread(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.pending", "{}");
	until(&y.over[0]);
	assert_string_equal(y.result[0], "{\"finished\":\"later\"}");
}

static void a_serial_capability_never_runs_twice_at_once(void **state)
{
	run(module("testworker"), "reeve_export");
	for (unsigned k = 0; k < 16; k++)
		deliver(k, "test.serial", "{}");
	until_count(&y.finished, 16);
	for (unsigned k = 0; k < 16; k++)
		assert_string_equal(y.result[k], "{\"most\":1}");
}

static void an_emitter_waits_while_its_window_is_full(void **state)
{
	hold_items = true;
	run(module("testworker"), "reeve_export");
	struct delivery *d = deliver(0, "test.emit", "{\"n\":200}");
	until_count(&y.items, 64);
	for (int turns = 0; turns < 50; turns++) {
		uv_run(loop_uv(x.loop), UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(y.items, 64);
	assert_false(y.over[0]);
	hold_items = false;
	while (y.held_items--)
		x.instance->runner->item_done(x.instance, d, E_OK);
	until(&y.over[0]);
	assert_int_equal(y.items, 200);
	assert_string_equal(y.result[0], "{\"emitted\":200,\"resumed_at\":0}");
}

static void cancel_reaches_a_running_handler(void **state)
{
	run(module("testworker"), "reeve_export");
	struct delivery *d = deliver(0, "test.sleep", "{\"ms\":60000}");
	until(&y.started[0]);
	x.instance->runner->cancel(x.instance, d);
	until(&y.over[0]);
	assert_string_equal(y.error[0].code, "cancelled");
}

static void cancel_takes_back_what_was_not_begun(void **state)
{
	run(module("testworker"), "reeve_export");
	for (unsigned k = 0; k < 4; k++)
		deliver(k, "test.sleep", "{\"ms\":300}");
	for (unsigned k = 0; k < 4; k++)
		until(&y.started[k]);
	struct delivery *d = deliver(4, "test.sleep", "{\"ms\":300}");
	x.instance->runner->cancel(x.instance, d);
	until(&y.over[4]);
	assert_true(y.lost[4]);
	assert_false(y.started[4]);
	assert_string_equal(y.error[4].code, "");
	until_count(&y.finished, 5);
}

static void a_job_behind_an_unexpectedly_long_handler_begins_on_another_thread(void **state)
{
	run(module("testworker"), "reeve_export");
	for (unsigned k = 0; k < 32; k++) /* as far as the unit knows its handlers are short: one thread does for all */
		deliver(k, "test.echo", "{}");
	until_count(&y.finished, 32);
	struct delivery *d = deliver(32, "test.sleep", "{\"ms\":60000}");
	until(&y.started[32]);
	deliver(33, "test.echo", "{\"x\":1}");
	until(&y.over[33]);
	assert_false(y.over[32]);
	x.instance->runner->cancel(x.instance, d);
	until(&y.over[32]);
}

/* ── calls ── */

static void a_call_to_a_module_is_answered_without_the_loop(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.call", "{\"capability\":\"test.echo\",\"input\":{\"x\":2}}");
	until(&y.over[0]);
	assert_string_equal(y.result[0], "{\"x\":2}");
	assert_int_equal(y.calls, 0);
}

static void a_failing_callee_is_told_to_the_caller(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.call", "{\"capability\":\"test.fail\",\"input\":{}}");
	until(&y.over[0]);
	assert_string_equal(y.error[0].code, "CALLEE_FAILED");
	assert_non_null(strstr(y.error[0].message, "TEST_FAILED"));
}

static void a_call_to_a_serial_capability_goes_over_the_loop(void **state)
{
	run(module("testworker"), "reeve_export");
	struct delivery *d = deliver(0, "test.call", "{\"capability\":\"test.serial\",\"input\":{}}");
	until_count(&y.calls, 1);
	assert_string_equal(y.called, "test.serial");
	x.instance->runner->call_done(x.instance, d, y.call_id, bytes_of("{\"most\":1}"), NULL);
	until(&y.over[0]);
	assert_string_equal(y.result[0], "{\"most\":1}");
}

/* ── start and stop ── */

static void stop_waits_for_handlers_that_run(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.sleep", "{\"ms\":200}");
	until(&y.started[0]);
	stop();
	assert_true(y.over[0]);
	assert_string_equal(y.result[0], "{\"slept_ms\":200}");
}

static void stop_cancels_handlers_near_the_end_of_the_grace(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.sleep", "{\"ms\":60000}");
	until(&y.started[0]);
	x.instance->runner->stop(x.instance, 200);
	until(&x.stopped);
	assert_string_equal(y.error[0].code, "cancelled");
}

static void a_start_that_fails_is_a_failed_start(void **state)
{
	struct err e;
	assert_string_equal(load(module("broken_start_fails"), "reeve_export"), "");
	assert_int_equal(x.instance->runner->start(x.instance, &e), E_OK);
	until(&x.failed);
	assert_string_equal(x.error.category, "start");
	assert_non_null(strstr(x.error.details, "start of broken returned -2 (invalid)"));
}

static void a_start_that_hangs_is_left_behind_when_it_is_killed(void **state)
{
	struct err e;
	*state = "hangs";
	left_behind[left_n++] = x.host;
	assert_string_equal(load(module("broken_start_hangs"), "reeve_export"), "");
	left_behind[left_n++] = x.instance->runner_data;
	x.instance->state = INSTANCE_STARTING;
	assert_int_equal(x.instance->runner->start(x.instance, &e), E_OK);
	struct instance_error late = instance_error_of("timeout", "start", true, 1, "module startup timeout");
	x.instance->runner->kill(x.instance, &late);
	assert_false(x.failed);
	until(&x.failed);
	assert_string_equal(x.error.category, "timeout");
	assert_string_equal(x.error.details, "module startup timeout");
}

static void a_stop_that_hangs_is_a_shutdown_timeout(void **state)
{
	*state = "hangs";
	left_behind[left_n++] = x.host;
	run(module("broken_stop_hangs"), "reeve_export");
	left_behind[left_n++] = x.instance->runner_data;
	x.instance->state = INSTANCE_STOPPING;
	x.instance->runner->stop(x.instance, 100);
	until(&x.failed);
	assert_string_equal(x.error.details, "module shutdown timeout");
}

static void kill_loses_what_runs(void **state)
{
	run(module("testworker"), "reeve_export");
	deliver(0, "test.sleep", "{\"ms\":60000}");
	until(&y.started[0]);
	struct instance_error force = instance_error_of("stop", "run", true, 1, "restarted by force");
	x.instance->runner->kill(x.instance, &force);
	until(&x.failed);
	assert_true(y.lost[0]);
	assert_string_equal(y.error[0].code, "crashed");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_file_that_is_missing_is_named),
		CASE(a_file_that_is_no_elf_file_is_refused),
		CASE(a_missing_symbol_names_symbol_and_file),
		CASE(another_abi_names_both_numbers),
		CASE(the_entry_point_may_be_an_object),
		CASE(the_entry_point_may_be_a_function),
		CASE(a_rebuilt_file_runs_its_new_code_after_a_stop),
		CASE(a_job_gives_what_its_handler_replied),
		CASE(a_failing_handler_s_code_and_message_arrive),
		CASE(a_handler_may_finish_later_on_another_thread),
		CASE(a_serial_capability_never_runs_twice_at_once),
		CASE(an_emitter_waits_while_its_window_is_full),
		CASE(cancel_reaches_a_running_handler),
		CASE(cancel_takes_back_what_was_not_begun),
		CASE(a_job_behind_an_unexpectedly_long_handler_begins_on_another_thread),
		CASE(a_call_to_a_module_is_answered_without_the_loop),
		CASE(a_failing_callee_is_told_to_the_caller),
		CASE(a_call_to_a_serial_capability_goes_over_the_loop),
		CASE(stop_waits_for_handlers_that_run),
		CASE(stop_cancels_handlers_near_the_end_of_the_grace),
		CASE(a_start_that_fails_is_a_failed_start),
		CASE(a_start_that_hangs_is_left_behind_when_it_is_killed),
		CASE(a_stop_that_hangs_is_a_shutdown_timeout),
		CASE(kill_loses_what_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
