/* process_test.c - the test worker as a real process, against the engine's side of the link: both ends as they ship.
 *
 * argv[1] is the worker. The test plays dispatch and the process runner: it makes deliveries and keeps what comes back. */
#include "base/mem.h"
#include "blob/blob.h"
#include "link/session.h"
#include "loop/loop.h"
#include "wire/frame.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

extern char **environ;

static const char *program;
static const char token[] = "0123456789abcdef0123";

struct seen { /* a delivery and what was told about it */
	struct delivery d;
	char *result, *checkpoint;
	struct job_error error;
	bool over, failed, lost, hold_items;
	unsigned items, held, progress, logs;
	uint64_t keys[4096];
};

static struct {
	struct loop *loop;
	struct loop_timer *timer;
	struct link_worker *w;
	struct instance i;
	struct blobs *blobs;
	char directory[64], socket[96];
	pid_t pid;
	int ready, disconnected, byes, settle_held;
	bool late, refuse_held;
	struct seen *reclaim; /* given to held() */
	const char *config;
} t;

/* ── the loop ── */

static void too_late(void *context)
{
	t.late = true;
	loop_stop(t.loop);
}

/* Turns the loop until `*what` is at least `value`; every event stops it to look. */
#define until(condition)                                                                                               \
	do {                                                                                                               \
		t.late = false;                                                                                                \
		loop_timer_set(t.timer, 20000);                                                                                \
		while (!(condition)) {                                                                                         \
			loop_run(t.loop);                                                                                          \
			if (t.late)                                                                                                \
				fail_msg("this did not come true: " #condition);                                                       \
		}                                                                                                              \
		loop_timer_set(t.timer, -1);                                                                                   \
	} while (0)

/* ── dispatch ── */

static void on_started(struct delivery *d)
{
	d->started = true;
	loop_stop(t.loop);
}

static void on_item(struct delivery *d, uint64_t key, struct bytes data)
{
	struct seen *s = d->context;
	for (unsigned i = 0; i < s->items; i++)
		if (s->keys[i] == key) { /* an earlier attempt, or an earlier connection, brought it: kept once */
			link_worker_item_done(t.w, d, E_OK);
			return;
		}
	s->keys[s->items++ % 4096] = key;
	if (s->hold_items)
		s->held++;
	else
		link_worker_item_done(t.w, d, E_OK);
	loop_stop(t.loop);
}

static void on_checkpoint(struct delivery *d, struct bytes data)
{
	struct seen *s = d->context;
	free(s->checkpoint);
	s->checkpoint = mem_copy(data.data, data.size);
	loop_stop(t.loop);
}

static void on_progress(struct delivery *d, int percent, struct bytes message)
{
	((struct seen *)d->context)->progress++;
}

static void on_log(struct delivery *d, int severity, struct bytes event, struct bytes fields)
{
	((struct seen *)d->context)->logs++;
}

/* Calls answer themselves: "echo me" gives the input back, everything else is not there. */
static void on_call(struct delivery *d, uint64_t call_id, struct bytes capability, struct bytes input)
{
	struct job_error none = {"not_found", "no such capability", 0}, bad = {"BAD", "it failed", 0};
	if (bytes_equal(capability, bytes_of("echo.me")))
		link_worker_call_done(t.w, d, call_id, input, NULL);
	else
		link_worker_call_done(
			t.w, d, call_id, (struct bytes){0}, bytes_equal(capability, bytes_of("fail.me")) ? &bad : &none);
}

static void on_finished(struct delivery *d, struct bytes result, const struct job_error *error)
{
	struct seen *s = d->context;
	s->over = true;
	if (error) {
		s->failed = true;
		s->error = *error;
	} else {
		s->result = mem_copy(result.data, result.size);
	}
	if (!t.settle_held)
		link_worker_settled(t.w, d->id, d->fence);
	loop_stop(t.loop);
}

static void on_lost(struct delivery *d, const struct job_error *error)
{
	struct seen *s = d->context;
	s->over = s->lost = true;
	if (error)
		s->error = *error;
	loop_stop(t.loop);
}

static const struct delivery_events events = {
	on_started, on_item, on_checkpoint, on_progress, on_log, on_call, on_finished, on_lost};

static struct seen *deliver(const char *capability, const char *input)
{
	static uint64_t ids = 1000;
	struct seen *s = NEW(struct seen);
	ids++;
	s->d = (struct delivery){.id = ids,
		.fence = (1ull << 32) + ids,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.input = bytes_of(input),
		.item_window = 8,
		.instance = &t.i,
		.events = &events,
		.context = s};
	while (s->d.capability < t.i.capability_n && strcmp(t.i.capabilities[s->d.capability].name, capability) != 0)
		s->d.capability++;
	assert_true(s->d.capability < t.i.capability_n);
	link_worker_deliver(t.w, &s->d);
	return s;
}

static void seen_free(struct seen *s)
{
	free(s->result);
	free(s->checkpoint);
	free(s);
}

/* Runs one job that must go well. */
static char *result_of(const char *capability, const char *input)
{
	struct seen *s = deliver(capability, input);
	char *result;
	until(s->over);
	if (s->failed || s->lost)
		fail_msg("%s: %s %s", capability, s->error.code, s->error.message);
	result = take(s->result);
	seen_free(s);
	return result;
}

#define assert_result(capability, input, expected)                                                                     \
	do {                                                                                                               \
		char *got = result_of(capability, input);                                                                      \
		assert_string_equal(got, expected);                                                                            \
		free(got);                                                                                                     \
	} while (0)

/* ── the process runner ── */

static enum errcode on_hello(void *context, const struct link_hello *hello, struct err *e)
{
	if (!t.i.capabilities) {
		t.i.capabilities = link_capabilities_copy(hello->capabilities, hello->capability_n);
		t.i.capability_n = hello->capability_n;
	}
	return hello->peer_pid == t.pid ? E_OK : err_set(e, E_DENIED, "another process");
}

static void on_ready(void *context)
{
	t.ready++;
	loop_stop(t.loop);
}

static struct delivery *on_held(void *context, uint64_t id, uint64_t fence, bool started)
{
	struct seen *s = t.reclaim;
	if (!s || s->d.id != id || s->d.fence != fence)
		return NULL;
	return &s->d;
}

static void on_bye(void *context)
{
	t.byes++;
	loop_stop(t.loop);
}

static void on_disconnected(void *context, const char *why)
{
	t.disconnected++;
	loop_stop(t.loop);
}

static void on_failed(void *context, struct bytes code, struct bytes message)
{
	loop_stop(t.loop);
}

static void open_engine(void)
{
	struct link_worker_events e = {.hello = on_hello,
		.ready = on_ready,
		.held = on_held,
		.bye = on_bye,
		.disconnected = on_disconnected,
		.start_failed = on_failed};
	struct link_worker_options o = {.path = t.socket,
		.token = token,
		.config = bytes_of(t.config),
		.node = "test",
		.blobs = t.blobs,
		.listen_fd = -1};
	struct err error;
	if (link_worker_open(t.loop, &t.i, &o, &e, &t.w, &error) != E_OK)
		fail_msg("%s", error.text);
}

static void spawn_worker(void)
{
	char link[128], word[64];
	char *argv[] = {(char *)program, NULL}, *env[64];
	int n = 0;
	snprintf(link, sizeof link, "REEVE_LINK=%s", t.socket);
	snprintf(word, sizeof word, "REEVE_TOKEN=%s", token);
	for (; environ[n] && n < 60; n++)
		env[n] = environ[n];
	env[n++] = link;
	env[n++] = word;
	env[n] = NULL;
	assert_int_equal(posix_spawn(&t.pid, program, NULL, NULL, argv, env), 0);
}

static int begin_with(const char *config)
{
	struct err e;
	memset(&t, 0, sizeof t);
	t.config = config;
	t.i.concurrency = 4;
	t.i.prefetch = 4;
	snprintf(t.i.id, sizeof t.i.id, "test-1");
	list_init(&t.i.deliveries);
	t.loop = loop_new();
	t.timer = loop_timer_new(t.loop, too_late, NULL);
	strcpy(t.directory, "/tmp/reeve-conformance-XXXXXX");
	assert_non_null(mkdtemp(t.directory));
	snprintf(t.socket, sizeof t.socket, "%s/link", t.directory);
	if (blobs_open(t.directory, 1 << 30, &t.blobs, &e) != E_OK)
		fail_msg("%s", e.text);
	open_engine();
	spawn_worker();
	return 0;
}

static int begin(void **state)
{
	begin_with("{\"greeting\":\"hello\"}");
	until(t.ready);
	return 0;
}

static int end(void **state)
{
	char command[128];
	int status;
	link_worker_close(t.w, NULL);
	if (t.pid) {
		kill(t.pid, SIGKILL);
		waitpid(t.pid, &status, 0);
	}
	link_capabilities_free(t.i.capabilities, t.i.capability_n);
	blobs_close(t.blobs);
	loop_timer_free(t.timer);
	loop_free(t.loop);
	snprintf(command, sizeof command, "rm -r %s", t.directory);
	return system(command);
}

/* ── the tests ── */

static void what_a_handler_replies_is_the_result(void **state)
{
	assert_result("test.echo", "{\"a\":[1,2,3]}", "{\"a\":[1,2,3]}");
	assert_result("test.pending", "{}", "{\"finished\":\"later\"}");
	assert_result("test.config", "{}", "{\"greeting\":\"hello\"}");
}

static void an_error_arrives_with_its_code_and_whether_to_retry(void **state)
{
	struct seen *s =
		deliver("test.fail", "{\"code\":\"NO_STAMP\",\"retryable\":1,\"message\":\"the letter has no stamp\"}");
	until(s->over);
	assert_true(s->failed);
	assert_string_equal(s->error.code, "NO_STAMP");
	assert_string_equal(s->error.message, "the letter has no stamp");
	assert_int_equal(s->error.retryable, 1);
	seen_free(s);
}

static void many_jobs_are_each_finished_once(void **state)
{
	struct seen *s[500];
	for (int i = 0; i < 500; i++)
		s[i] = deliver(i % 3 ? "test.echo" : "test.serial", "{\"ms\":0}");
	for (int i = 0; i < 500; i++) {
		until(s[i]->over);
		assert_false(s[i]->failed);
		if (i % 3 == 0)
			assert_string_equal(s[i]->result, "{\"most\":1}");
		seen_free(s[i]);
	}
}

static void a_large_input_and_a_large_result_pass_as_files(void **state)
{
	size_t n = 900000;
	char *input = malloc(n + 1), *result;
	memset(input, 'a', n);
	input[0] = input[n - 1] = '"';
	input[n] = 0;
	result = result_of("test.echo", input);
	assert_string_equal(result, input);
	free(result);
	free(input);
	result = result_of("test.big", "{\"bytes\":3000000}");
	assert_memory_equal(result, "{\"blob\":\"sha256:", 16);
	free(result);
}

static void a_handler_reads_and_stores_blobs(void **state)
{
	struct seen *s = deliver("test.blob", "{\"store\":1}");
	char name[BLOB_NAME_SIZE], expected[200];
	struct blob_writer *w;
	uint64_t bytes;
	until(s->over);
	assert_false(s->failed);
	assert_non_null(strstr(s->result, "\"name\":\"sha256:"));
	seen_free(s);

	assert_int_equal(blob_writer_open(t.blobs, &w, NULL), E_OK);
	for (int i = 0; i < 1000; i++)
		blob_writer_add(w, "0123456789", 10, NULL);
	assert_int_equal(blob_writer_close(w, name, &bytes, NULL), E_OK);
	s = NEW(struct seen);
	s->d = (struct delivery){.id = 77,
		.fence = 7,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.instance = &t.i,
		.events = &events,
		.context = s};
	strcpy(s->d.blob, name);
	while (strcmp(t.i.capabilities[s->d.capability].name, "test.blob") != 0)
		s->d.capability++;
	link_worker_deliver(t.w, &s->d);
	until(s->over);
	snprintf(expected, sizeof expected, "{\"bytes\":10000,\"sum\":%d,\"name\":\"\"}", 525 * 1000);
	assert_string_equal(s->result, expected);
	seen_free(s);
}

static void a_blob_that_is_not_there_fails_the_job_clearly(void **state)
{
	struct seen *s = NEW(struct seen);
	s->d = (struct delivery){.id = 78,
		.fence = 7,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.instance = &t.i,
		.events = &events,
		.context = s};
	strcpy(s->d.blob, "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	link_worker_deliver(t.w, &s->d);
	assert_false(s->over); /* never from within deliver */
	until(s->over);
	assert_string_equal(s->error.code, "blob_not_found");
	seen_free(s);
}

static void items_and_checkpoints_arrive_in_order(void **state)
{
	struct seen *s = deliver("test.emit", "{\"n\":1000,\"from\":5}");
	until(s->over);
	assert_int_equal(s->items, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(s->keys[i], 5 + i);
	assert_string_equal(s->checkpoint, "1000");
	seen_free(s);
}

static void a_handler_waits_while_its_items_are_not_taken(void **state)
{
	struct seen *s = deliver("test.emit", "{\"n\":100}");
	s->hold_items = true;
	until(s->held == 8);
	free(result_of("test.echo", "1")); /* the worker lives on; nothing more came of the other */
	assert_int_equal(s->items, 8);
	s->hold_items = false;
	for (; s->held; s->held--)
		link_worker_item_done(t.w, &s->d, E_OK);
	until(s->over);
	assert_int_equal(s->items, 100);
	seen_free(s);
}

static void an_item_that_is_refused_ends_the_emitting(void **state)
{
	struct seen *s = deliver("test.emit", "{\"n\":100}");
	s->hold_items = true;
	until(s->held == 8);
	link_worker_item_done(t.w, &s->d, E_NO_SPACE);
	until(s->over);
	assert_true(s->failed);
	assert_string_equal(s->error.code, "again");
	seen_free(s);
}

static void a_cancelled_handler_ends_early(void **state)
{
	struct seen *s = deliver("test.sleep", "{\"ms\":60000}");
	until(s->d.started);
	link_worker_cancel(t.w, &s->d);
	until(s->over);
	assert_string_equal(s->error.code, "cancelled");
	seen_free(s);
}

static void a_job_behind_an_unexpectedly_long_handler_begins_on_another_thread(void **state)
{
	for (int i = 0; i < 32; i++) /* as far as the worker knows its handlers are short: one thread does for all */
		free(result_of("test.echo", "1"));
	struct seen *s = deliver("test.sleep", "{\"ms\":60000}");
	until(s->d.started);
	free(result_of("test.echo", "1"));
	assert_false(s->over);
	link_worker_cancel(t.w, &s->d);
	until(s->over);
	seen_free(s);
}

static void a_forgotten_job_is_not_heard_of_again(void **state)
{
	struct seen *s = deliver("test.sleep", "{\"ms\":60000}");
	until(s->d.started);
	link_worker_forget(t.w, &s->d);
	free(result_of("test.echo", "1"));
	assert_false(s->over);
	seen_free(s);
}

static void a_handler_calls_others(void **state)
{
	struct seen *s;
	assert_result("test.call", "{\"capability\":\"echo.me\",\"input\":{\"x\":1}}", "{\"x\":1}");
	s = deliver("test.call", "{\"capability\":\"fail.me\",\"input\":{}}");
	until(s->over);
	assert_string_equal(s->error.code, "CALLEE_FAILED");
	assert_non_null(strstr(s->error.message, "\"BAD\""));
	seen_free(s);
	s = deliver("test.call", "{\"capability\":\"nobody.has\",\"input\":{}}");
	until(s->over);
	assert_string_equal(s->error.code, "not_found");
	seen_free(s);
}

static void the_scratch_directory_is_gone_when_the_job_has_ended(void **state)
{
	char *result = result_of("test.scratch", "{}"), *path = strchr(result, ':') + 2;
	path[strcspn(path, "\"")] = 0;
	assert_int_equal(access(path, F_OK), -1);
	free(result);
}

static void a_drained_worker_gives_back_what_it_has_not_begun_and_exits(void **state)
{
	struct seen *s[8];
	int status, lost = 0;
	for (int i = 0; i < 8; i++)
		s[i] = deliver("test.sleep", "{\"ms\":200}");
	until(s[3]->d.started);
	link_worker_drain(t.w, 30000);
	until(t.byes);
	for (int i = 0; i < 8; i++) {
		assert_true(s[i]->over);
		assert_false(s[i]->failed);
		lost += s[i]->lost;
		assert_int_equal(s[i]->lost, !s[i]->d.started);
		seen_free(s[i]);
	}
	assert_int_equal(lost, 4);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_signal_drains_it_too(void **state)
{
	struct seen *s = deliver("test.sleep", "{\"ms\":200}");
	int status;
	until(s->d.started);
	kill(t.pid, SIGTERM);
	until(t.byes);
	assert_true(s->over && !s->failed && !s->lost);
	assert_true(t.i.draining);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	seen_free(s);
}

static void a_new_engine_goes_on_with_the_jobs_that_the_worker_holds(void **state)
{
	struct seen *running = deliver("test.emit", "{\"n\":200}"), *dropped = deliver("test.sleep", "{\"ms\":60000}");
	struct seen *second = NEW(struct seen);
	running->hold_items = true;
	until(running->held == 8 && dropped->d.started);
	t.reclaim = second;
	second->d = running->d; /* as the new engine reads it from its store */
	second->d.context = second;
	second->d.runner_data = NULL;
	link_worker_close(t.w, NULL); /* the old engine is gone; nothing was settled */
	t.ready = 0;
	open_engine();
	until(t.ready);
	until(second->over);
	assert_false(second->failed);
	assert_int_equal(second->items, 200);
	assert_result("test.echo", "2", "2");
	seen_free(running);
	seen_free(dropped);
	seen_free(second);
}

static void a_result_is_told_again_until_it_is_settled(void **state)
{
	struct seen *s = deliver("test.echo", "\"once\""), *again = NEW(struct seen);
	t.settle_held = 1;
	until(s->over);
	again->d = s->d;
	again->d.context = again;
	t.reclaim = again;
	link_worker_close(t.w, NULL); /* killed before the commit */
	t.ready = 0;
	open_engine();
	until(again->over);
	assert_string_equal(again->result, "\"once\"");
	link_worker_settled(t.w, again->d.id, again->d.fence);
	t.settle_held = 0;
	free(result_of("test.echo", "1"));
	seen_free(s);
	seen_free(again);
}

static void a_start_that_fails_is_told_and_the_process_exits(void **state)
{
	int status;
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	until(t.disconnected);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_int_equal(t.ready, 0);
}

static int begin_failing(void **state)
{
	begin_with("{\"start\":\"fail\"}");
	until(t.disconnected);
	t.disconnected = 1;
	return 0;
}

static void a_worker_that_dies_loses_what_it_had(void **state)
{
	static const struct job_error died = {"crashed", "it was killed", 1};
	struct seen *s = deliver("test.crash", "{\"signal\":9}");
	until(t.disconnected);
	link_worker_lose(t.w, &died);
	assert_true(s->lost && s->d.started);
	assert_string_equal(s->error.code, "crashed");
	seen_free(s);
}

/* The keeper's word of its death may come before the loop has read that it had begun. */
static void what_a_worker_said_before_it_died_is_heard_before_it_is_lost(void **state)
{
	static const struct job_error died = {"crashed", "it was killed", 1};
	struct seen *s = deliver("test.crash", "{\"signal\":9}");
	siginfo_t info;
	uv_run(loop_uv(t.loop), UV_RUN_NOWAIT); /* the job is sent, and what comes back lies in the socket */
	assert_int_equal(waitid(P_PID, (id_t)t.pid, &info, WEXITED | WNOWAIT), 0);
	link_worker_lose(t.w, &died);
	assert_true(s->lost && s->d.started);
	assert_string_equal(s->error.code, "crashed");
	seen_free(s);
}

/* ── the worker in another language: examples/link-worker-python ── */

static void it_counts_and_emits_an_item_per_line(void **state)
{
	struct seen *s = deliver("python.count", "{\"text\":\"a b\\nc\\nd e f\"}");
	until(s->over);
	assert_string_equal(s->result, "{\"lines\": 3, \"words\": 6}");
	assert_int_equal(s->items, 3);
	assert_result("python.echo", "[1, \"x\"]", "[1, \"x\"]");
	seen_free(s);
}

static void it_reads_a_blob_and_a_large_input(void **state)
{
	char *input = malloc(600001);
	struct seen *s = NEW(struct seen);
	struct blob_writer *w;
	uint64_t bytes;
	s->d = (struct delivery){.id = 77,
		.fence = 7,
		.attempt = 1,
		.deadline_ms = INT64_MAX,
		.item_window = 4,
		.instance = &t.i,
		.events = &events,
		.context = s};
	assert_int_equal(blob_writer_open(t.blobs, &w, NULL), E_OK);
	blob_writer_add(w, "one two\nthree\n", 14, NULL);
	assert_int_equal(blob_writer_close(w, s->d.blob, &bytes, NULL), E_OK);
	link_worker_deliver(t.w, &s->d);
	until(s->over);
	assert_string_equal(s->result, "{\"lines\": 2, \"words\": 3}");
	seen_free(s);
	memset(input, 'y', 600000);
	input[0] = input[599999] = '"';
	input[600000] = 0;
	assert_result("python.echo", input, input);
	free(input);
}

static void its_fault_fails_the_job_and_not_the_worker(void **state)
{
	struct seen *s = deliver("python.count", "{}");
	until(s->over);
	assert_true(s->failed);
	assert_string_equal(s->error.code, "KeyError");
	assert_result("python.echo", "1", "1");
	seen_free(s);
}

static void it_goes_on_with_a_new_engine(void **state)
{
	char input[400] = "{\"text\":\"";
	struct seen *first, *second = NEW(struct seen);
	for (int i = 0; i < 50; i++)
		strcat(input, "w\\n");
	strcat(input, "\"}");
	first = deliver("python.count", input);
	first->hold_items = true;
	until(first->held == 8);
	t.reclaim = second;
	second->d = first->d;
	second->d.context = second;
	second->d.runner_data = NULL;
	link_worker_close(t.w, NULL);
	t.ready = 0;
	open_engine();
	until(second->over);
	assert_int_equal(second->items, 50);
	seen_free(first);
	seen_free(second);
}

static void it_drains_and_exits(void **state)
{
	int status;
	free(result_of("python.echo", "1"));
	link_worker_drain(t.w, 10000);
	until(t.byes);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_handler_replies_is_the_result),
		TEST(an_error_arrives_with_its_code_and_whether_to_retry),
		TEST(many_jobs_are_each_finished_once),
		TEST(a_large_input_and_a_large_result_pass_as_files),
		TEST(a_handler_reads_and_stores_blobs),
		TEST(a_blob_that_is_not_there_fails_the_job_clearly),
		TEST(items_and_checkpoints_arrive_in_order),
		TEST(a_handler_waits_while_its_items_are_not_taken),
		TEST(an_item_that_is_refused_ends_the_emitting),
		TEST(a_cancelled_handler_ends_early),
		TEST(a_job_behind_an_unexpectedly_long_handler_begins_on_another_thread),
		TEST(a_forgotten_job_is_not_heard_of_again),
		TEST(a_handler_calls_others),
		TEST(the_scratch_directory_is_gone_when_the_job_has_ended),
		TEST(a_drained_worker_gives_back_what_it_has_not_begun_and_exits),
		TEST(a_signal_drains_it_too),
		TEST(a_new_engine_goes_on_with_the_jobs_that_the_worker_holds),
		TEST(a_result_is_told_again_until_it_is_settled),
		TEST(a_worker_that_dies_loses_what_it_had),
		TEST(what_a_worker_said_before_it_died_is_heard_before_it_is_lost),
		cmocka_unit_test_setup_teardown(a_start_that_fails_is_told_and_the_process_exits, begin_failing, end),
	};
	const struct CMUnitTest python[] = {
		TEST(it_counts_and_emits_an_item_per_line),
		TEST(it_reads_a_blob_and_a_large_input),
		TEST(its_fault_fails_the_job_and_not_the_worker),
		TEST(it_goes_on_with_a_new_engine),
		TEST(it_drains_and_exits),
	};
	if (argc < 2)
		return 2;
	program = argv[1];
	if (strstr(program, ".py"))
		return cmocka_run_group_tests(python, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
