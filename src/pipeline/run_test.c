/* Runs on the memory store with the real queue and no workers: every lease, item and end is given by hand. */
#include "base/mem.h"
#include "pipeline/pipeline.h"
#include "wire/id.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

struct fixture {
	struct store *store;
	struct queues *qs;
	struct pipelines *ps;
	struct blobs *blobs;
	char directory[40];
	int64_t now;
	/* what was heard */
	enum errcode started;
	uint64_t run_id, resumed;
	int resumed_n, revoked_n, over_n;
	enum errcode over_code;
	struct buf shown;
};

/* ── the wiring ── */

static void on_revoke(void *context, struct job *j, enum revoke_reason why)
{
	((struct fixture *)context)->revoked_n++;
}

static void on_item(
	void *context, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes)
{
	pipelines_item(((struct fixture *)context)->ps, j, key, data, b, becomes);
}

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	pipelines_ending(((struct fixture *)context)->ps, j, o, b);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	pipelines_ended(((struct fixture *)context)->ps, j, o);
}

static void on_resume(void *context, uint64_t job_id)
{
	struct fixture *f = context;
	f->resumed = job_id;
	f->resumed_n++;
}

static void open_all(struct fixture *f)
{
	struct queue_hooks hooks = {
		.context = f, .revoke = on_revoke, .item = on_item, .ending = on_ending, .ended = on_ended};
	f->qs = queues_new(f->store, 1, 42, &hooks);
	f->ps = pipelines_new(f->store, f->qs, f->blobs);
	pipelines_set_resume(f->ps, on_resume, f);
	assert_int_equal(queues_load(f->qs, f->now, NULL), E_OK);
	assert_int_equal(pipelines_load(f->ps, f->now, NULL), E_OK);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->now = T0;
	snprintf(f->directory, sizeof f->directory, "/tmp/reeve-run-test-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(blobs_open(f->directory, 1 << 30, &f->blobs, NULL), E_OK);
	store_memory_open(NULL, &f->store, NULL);
	open_all(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[80];
	store_close(f->store);
	pipelines_free(f->ps);
	queues_free(f->qs);
	blobs_close(f->blobs);
	buf_fini(&f->shown);
	snprintf(command, sizeof command, "rm -r %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Everything in memory is gone; of what waits for the disk `durable` batches are there. */
static void restart(struct fixture *f, unsigned durable)
{
	struct store *next;
	store_memory_crash(f->store, durable, &next);
	pipelines_free(f->ps);
	queues_free(f->qs);
	f->store = next;
	open_all(f);
}

/* Until nothing moves by itself. */
static void settle(struct fixture *f)
{
	for (int i = 0; i < 8; i++) {
		store_flush(f->store);
		pipelines_tick(f->ps, f->now);
		queues_tick(f->qs, f->now);
	}
}

/* ── steps of a test ── */

static void define(struct fixture *f, const char *name, const char *steps)
{
	char text[1024];
	struct pipeline *p;
	struct err e;
	snprintf(text, sizeof text, "{\"name\":\"%s\",\"steps\":[%s]}", name, steps);
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	if (pipeline_parse(j, &p, &e) != E_OK)
		fail_msg("%s", e.text);
	json_decref(j);
	pipelines_define(f->ps, p);
}

#define PARSE	 "{\"id\":\"parse\",\"capability\":\"parse\"}"
#define CLASSIFY ",{\"id\":\"classify\",\"capability\":\"classify\",\"each\":\"parse\",\"in_flight\":2}"
#define SUM		 ",{\"id\":\"sum\",\"capability\":\"sum\",\"gather\":\"classify\"}"

static void on_started(void *context, enum errcode code, uint64_t run_id)
{
	struct fixture *f = context;
	f->started = code;
	f->run_id = run_id;
}

static uint64_t start(struct fixture *f, const char *pipeline, const char *input)
{
	struct run_spec spec = {.pipeline = bytes_of(pipeline), .input = bytes_of(input), .priority = 5};
	struct err e;
	f->started = E_INTERNAL;
	if (pipelines_start(f->ps, &spec, f->now, on_started, f, &e) != E_OK)
		fail_msg("%s", e.text);
	settle(f);
	assert_int_equal(f->started, E_OK);
	return f->run_id;
}

static uint64_t start_mail(struct fixture *f)
{
	define(f, "mail", PARSE CLASSIFY SUM);
	return start(f, "mail", "{\"blob\":\"b\"}");
}

static struct job *lease(struct fixture *f, const char *capability)
{
	struct job *j = queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of(capability)), f->now, f);
	if (j)
		job_started(j, f->now);
	return j;
}

static struct job *must_lease(struct fixture *f, const char *capability)
{
	struct job *j = lease(f, capability);
	if (!j)
		fail_msg("nobody waits for %s", capability);
	return j;
}

static void expect_input(struct fixture *f, struct job *j, const char *input)
{
	scoped(buf_fini) struct buf found = {0};
	assert_int_equal(job_read_input(f->qs, j, &found, NULL), E_OK);
	assert_string_equal(found.data, input);
}

static void emit(struct fixture *f, struct job *j, uint64_t key, const char *data)
{
	assert_int_equal(
		queue_item(f->qs, j->id, job_fence(f->qs, j), key, bytes_of(data), f->now, NULL, NULL, NULL), E_OK);
}

static void complete(struct fixture *f, struct job *j, const char *result)
{
	assert_int_equal(
		queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of(result), f->now, NULL, NULL, NULL), E_OK);
}

static void fail_job(struct fixture *f, struct job *j)
{
	static const struct job_error bad = {"BAD_MESSAGE", "it has no headers", 0};
	assert_int_equal(queue_fail(f->qs, j->id, job_fence(f->qs, j), &bad, f->now, NULL, NULL, NULL), E_OK);
}

/* ── what became of it ── */

static void on_shown(void *context, enum errcode code, struct bytes json)
{
	struct fixture *f = context;
	assert_int_equal(code, E_OK);
	buf_clear(&f->shown);
	buf_add(&f->shown, json.data, json.size);
}

static json_t *show(struct fixture *f, uint64_t run_id)
{
	pipelines_show(f->ps, run_id, on_shown, f);
	json_t *j = json_loads(f->shown.data, 0, NULL);
	assert_non_null(j);
	return j;
}

static void expect_run(struct fixture *f, uint64_t run_id, const char *status, int items, int items_failed)
{
	json_t *j = show(f, run_id);
	assert_string_equal(json_string_value(json_object_get(j, "status")), status);
	assert_int_equal(json_integer_value(json_object_get(j, "items")), items);
	assert_int_equal(json_integer_value(json_object_get(j, "items_failed")), items_failed);
	json_decref(j);
}

static void expect_result(struct fixture *f, uint64_t run_id, const char *result)
{
	json_t *j = show(f, run_id);
	char *text = json_dumps(json_object_get(j, "result"), JSON_COMPACT | JSON_ENCODE_ANY);
	assert_non_null(text);
	assert_string_equal(text, result);
	free(text);
	json_decref(j);
}

static void expect_error(struct fixture *f, uint64_t run_id, const char *code, const char *message)
{
	json_t *error, *j = show(f, run_id);
	error = json_object_get(j, "error");
	assert_string_equal(json_string_value(json_object_get(error, "code")), code);
	assert_string_equal(json_string_value(json_object_get(error, "message")), message);
	json_decref(j);
}

static const char *step_status(struct fixture *f, uint64_t run_id, size_t step)
{
	static char status[20];
	json_t *j = show(f, run_id);
	snprintf(status, sizeof status, "%s",
		json_string_value(json_object_get(json_array_get(json_object_get(j, "steps"), step), "status")));
	json_decref(j);
	return status;
}

static void expect_blob(struct fixture *f, uint64_t run_id, const char *content)
{
	json_t *j = show(f, run_id);
	const char *name = json_string_value(json_object_get(j, "items_blob"));
	char found[4096] = "";
	int fd;
	uint64_t bytes;
	assert_non_null(name);
	assert_int_equal(blob_open(f->blobs, name, &fd, &bytes, NULL), E_OK);
	assert_true(bytes < sizeof found);
	assert_int_equal(read(fd, found, sizeof found - 1), bytes);
	close(fd);
	assert_string_equal(found, content);
	json_decref(j);
}

static bool count_row(void *context, const struct store_row *row)
{
	++*(int *)context;
	return true;
}

static int rows(struct fixture *f, enum store_table table)
{
	int n = 0;
	f->store->ops->load(f->store, table, count_row, &n, NULL);
	return n;
}

static void count_over(void *context, enum errcode code)
{
	struct fixture *f = context;
	f->over_n++;
	f->over_code = code;
}

/* ── tests: the way of a run ── */

static void an_item_is_the_payload_of_its_job_while_the_emitter_still_runs(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	expect_input(f, parse, "{\"blob\":\"b\"}");
	emit(f, parse, 10, "{\"n\":1}");
	assert_null(lease(f, "classify")); /* not before it is durable */
	settle(f);
	struct job *classify = must_lease(f, "classify");
	expect_input(f, classify, "{\"n\":1}");
	assert_int_equal(rows(f, STORE_ITEM), 1);
	complete(f, classify, "{\"spam\":true}");
	settle(f);
	expect_run(f, run, "running", 1, 0);
	assert_string_equal(step_status(f, run, 1), "running"); /* more may come */
}

static void items_are_gathered_by_key_with_their_results(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 30, "{\"n\":3}");
	emit(f, parse, 4, "{\"n\":\n1}");
	settle(f);
	complete(f, must_lease(f, "classify"), "{\"x\":\"a\"}");
	complete(f, must_lease(f, "classify"), "7");
	complete(f, parse, "{\"messages\":2}");
	settle(f);
	expect_blob(f, run, "{\"key\":4,\"n\":1,\"result\":7}\n{\"key\":30,\"n\":3,\"x\":\"a\"}\n");
	assert_int_equal(rows(f, STORE_ITEM), 0);

	struct job *sum = must_lease(f, "sum");
	scoped(buf_fini) struct buf input = {0};
	assert_int_equal(job_read_input(f->qs, sum, &input, NULL), E_OK);
	assert_non_null(strstr(input.data, "\"items\":2,\"items_failed\":0,\"parse\":{\"messages\":2}}"));
	complete(f, sum, "{\"total\":2}");
	settle(f);
	expect_run(f, run, "completed", 2, 0);
	expect_result(f, run, "{\"total\":2}");
	assert_int_equal(rows(f, STORE_JOB), 0);
}

static void a_failed_item_is_kept_with_its_error_and_counted(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{\"n\":1}");
	emit(f, parse, 2, "{\"n\":2}");
	settle(f);
	fail_job(f, must_lease(f, "classify"));
	complete(f, must_lease(f, "classify"), "{}");
	complete(f, parse, "{}");
	settle(f);
	complete(f, must_lease(f, "sum"), "{}");
	settle(f);
	expect_run(f, run, "completed", 2, 1);
	expect_blob(f, run,
		"{\"key\":1,\"n\":1,\"error\":{\"code\":\"BAD_MESSAGE\",\"message\":\"it has no headers\"}}\n"
		"{\"key\":2,\"n\":2}\n");
}

static void an_item_whose_job_is_cancelled_counts_as_failed(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	settle(f);
	assert_int_equal(queue_cancel(f->qs, must_lease(f, "classify")->id, f->now, NULL, NULL, NULL), E_OK);
	complete(f, parse, "{}");
	settle(f);
	complete(f, must_lease(f, "sum"), "{}");
	settle(f);
	expect_run(f, run, "completed", 1, 1);
	expect_blob(f, run, "{\"key\":1,\"error\":{\"code\":\"cancelled\",\"message\":\"the job was cancelled\"}}\n");
}

static void without_items_the_gathering_step_still_runs(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	complete(f, must_lease(f, "parse"), "{\"messages\":0}");
	settle(f);
	expect_blob(f, run, "");
	complete(f, must_lease(f, "sum"), "{\"total\":0}");
	settle(f);
	expect_run(f, run, "completed", 0, 0);
	expect_result(f, run, "{\"total\":0}");
}

static void a_second_attempt_of_the_emitter_renumbers_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{\"n\":1}");
	settle(f);
	static const struct job_error crash = {"crashed", "signal 11", 1};
	assert_int_equal(
		queue_crashed(f->qs, parse->id, job_fence(f->qs, parse), &crash, (struct bytes){0}, f->now, NULL), E_OK);
	settle(f);
	parse = must_lease(f, "parse");
	emit(f, parse, 1, "{\"n\":1}");
	emit(f, parse, 2, "{\"n\":2}");
	settle(f);
	complete(f, must_lease(f, "classify"), "{}");
	complete(f, must_lease(f, "classify"), "{}");
	assert_null(lease(f, "classify"));
	complete(f, parse, "{}");
	settle(f);
	expect_blob(f, run, "{\"key\":1,\"n\":1}\n{\"key\":2,\"n\":2}\n");
}

/* ── tests: ends that are no completion ── */

static void when_the_emitter_fails_the_run_fails_and_takes_its_jobs_and_items_along(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	emit(f, parse, 2, "{}");
	settle(f);
	struct run_wait *w = pipelines_wait(f->ps, run, count_over, f);
	must_lease(f, "classify");
	fail_job(f, parse);
	settle(f);
	expect_run(f, run, "failed", 2, 0);
	expect_error(f, run, "BAD_MESSAGE", "step \"parse\": it has no headers");
	assert_string_equal(step_status(f, run, 0), "failed");
	assert_string_equal(step_status(f, run, 1), "cancelled");
	assert_int_equal(f->revoked_n, 1);
	assert_int_equal(rows(f, STORE_JOB), 0);
	assert_int_equal(rows(f, STORE_ITEM), 0);
	assert_int_equal(f->over_n, 1);
	run_wait_free(w);
}

static void a_cancelled_run_cancels_its_jobs(void **state)
{
	struct fixture *f = *state;
	struct err e;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	settle(f);
	assert_int_equal(pipelines_cancel(f->ps, run, f->now, &e), E_OK);
	emit(f, parse, 2, "{}"); /* before the parser hears of it */
	assert_int_equal(pipelines_cancel(f->ps, run, f->now, &e), E_STATE);
	settle(f);
	expect_run(f, run, "cancelled", 1, 0);
	assert_int_equal(f->revoked_n, 1);
	assert_int_equal(rows(f, STORE_JOB), 0);
	assert_int_equal(rows(f, STORE_ITEM), 0);
	assert_int_equal(pipelines_cancel(f->ps, run, f->now, &e), E_STATE);
	assert_int_equal(pipelines_cancel(f->ps, 12345, f->now, &e), E_NOT_FOUND);
}

static bool is_cancelled(void *context, struct job *j)
{
	*(int *)context += j->state == JOB_SETTLING;
	return true;
}

static void the_jobs_of_a_large_run_are_cancelled_some_at_a_time(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f), other = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	int settling = 0;
	for (uint64_t key = 1; key <= 1000; key++)
		emit(f, parse, key, "{}");
	settle(f);
	assert_int_equal(rows(f, STORE_JOB), 1002);
	assert_int_equal(pipelines_cancel(f->ps, run, f->now, NULL), E_OK);
	store_flush(f->store); /* the run's end is durable: the first of its jobs */
	queues_each_live(f->qs, is_cancelled, &settling);
	assert_in_range(settling, 1, 300);
	settle(f);
	expect_run(f, run, "cancelled", 1000, 0);
	assert_int_equal(rows(f, STORE_JOB), 1);
	assert_int_equal(rows(f, STORE_ITEM), 0);
	expect_run(f, other, "running", 0, 0);
}

static void jobs_of_a_run_that_ended_are_cancelled_also_when_the_engine_died_in_between(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	settle(f);
	assert_int_equal(pipelines_cancel(f->ps, run, f->now, NULL), E_OK);
	restart(f, 1); /* the run's end, and nothing after it */
	settle(f);
	expect_run(f, run, "cancelled", 1, 0);
	assert_int_equal(rows(f, STORE_JOB), 0);
	assert_int_equal(rows(f, STORE_ITEM), 0);
}

static void a_wait_ends_once_and_may_be_freed_by_whoever_hears_of_it(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct run_wait *kept = pipelines_wait(f->ps, run, count_over, f);
	struct run_wait *given_up = pipelines_wait(f->ps, run, count_over, f);
	run_wait_free(given_up);
	assert_int_equal(f->over_n, 0);
	fail_job(f, must_lease(f, "parse"));
	settle(f);
	assert_int_equal(f->over_n, 1);
	run_wait_free(kept);
	run_wait_free(pipelines_wait(f->ps, run, count_over, f));
	assert_int_equal(f->over_n, 2);
	assert_int_equal(f->over_code, E_OK);
	run_wait_free(pipelines_wait(f->ps, 12345, count_over, f));
	assert_int_equal(f->over_code, E_NOT_FOUND);
}

/* ── tests: flow ── */

static void the_emitter_waits_while_in_flight_of_its_jobs_are_alive(void **state)
{
	struct fixture *f = *state;
	start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	assert_false(pipelines_emit_waits(f->ps, parse));
	emit(f, parse, 2, "{}");
	assert_true(pipelines_emit_waits(f->ps, parse));
	settle(f);
	assert_int_equal(f->resumed_n, 0);
	complete(f, must_lease(f, "classify"), "{}");
	settle(f);
	assert_int_equal(f->resumed_n, 1);
	assert_int_equal(f->resumed, parse->id);
	assert_false(pipelines_emit_waits(f->ps, parse));
	emit(f, parse, 3, "{}");
	assert_true(pipelines_emit_waits(f->ps, parse));
	uint64_t id = parse->id;
	settle(f);
	restart(f, 0);
	assert_true(pipelines_emit_waits(f->ps, queues_find(f->qs, id)));
}

static void two_runs_at_once_do_not_meet(void **state)
{
	struct fixture *f = *state;
	uint64_t first = start_mail(f), second = start(f, "mail", "{\"blob\":\"c\"}");
	struct job *a = must_lease(f, "parse"), *b = must_lease(f, "parse");
	emit(f, a, 1, "{\"run\":1}");
	emit(f, b, 1, "{\"run\":2}");
	settle(f);
	for (int i = 0; i < 2; i++)
		complete(f, must_lease(f, "classify"), "{}");
	complete(f, a, "{}");
	fail_job(f, b);
	settle(f);
	complete(f, must_lease(f, "sum"), "{}");
	settle(f);
	expect_run(f, first, "completed", 1, 0);
	expect_blob(f, first, "{\"key\":1,\"run\":1}\n");
	expect_run(f, second, "failed", 1, 0);
	assert_int_equal(rows(f, STORE_ITEM), 0);
}

#define BRANCHES                                                                                                       \
	"{\"id\":\"a\",\"capability\":\"a\"},{\"id\":\"left\",\"capability\":\"left\",\"after\":\"a\"},"                   \
	"{\"id\":\"right\",\"capability\":\"right\",\"after\":\"a\",\"with\":{\"side\":2,\"n\":9}}"

static void the_run_ends_with_the_last_branch_and_the_result_of_its_output(void **state)
{
	struct fixture *f = *state;
	define(f, "branches", BRANCHES);
	uint64_t run = start(f, "branches", "");
	complete(f, must_lease(f, "a"), "{\"n\":1}");
	settle(f);
	struct job *left = must_lease(f, "left"), *right = must_lease(f, "right");
	expect_input(f, left, "{\"n\":1}");
	expect_input(f, right, "{\"side\":2,\"n\":1}");
	complete(f, right, "\"of the output\""); /* both ends are under way at once */
	complete(f, left, "\"of the other\"");
	expect_run(f, run, "running", 0, 0);
	settle(f);
	expect_run(f, run, "completed", 0, 0);
	expect_result(f, run, "\"of the output\"");
}

static void the_output_is_found_again_after_a_restart(void **state)
{
	struct fixture *f = *state;
	define(f, "branches", BRANCHES);
	uint64_t run = start(f, "branches", "{}");
	complete(f, must_lease(f, "a"), "{}");
	settle(f);
	complete(f, must_lease(f, "right"), "[1]");
	settle(f);
	restart(f, 0);
	complete(f, must_lease(f, "left"), "[2]");
	settle(f);
	expect_result(f, run, "[1]");
}

static void when_one_branch_fails_the_other_is_cancelled(void **state)
{
	struct fixture *f = *state;
	define(f, "branches", BRANCHES);
	uint64_t run = start(f, "branches", "{}");
	complete(f, must_lease(f, "a"), "{}");
	settle(f);
	struct job *left = must_lease(f, "left");
	fail_job(f, must_lease(f, "right"));
	complete(f, left, "{}"); /* after the run's end, and both under way at once */
	settle(f);
	expect_run(f, run, "failed", 0, 0);
	assert_int_equal(rows(f, STORE_JOB), 0);
}

/* ── tests: disk ── */

static void a_start_on_a_full_disk_is_refused_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	define(f, "mail", PARSE CLASSIFY SUM);
	struct run_spec spec = {.pipeline = bytes_of("mail")};
	store_memory_set_full(f->store, true);
	assert_int_equal(pipelines_start(f->ps, &spec, f->now, on_started, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->started, E_NO_SPACE);
	store_memory_set_full(f->store, false);
	f->now += 1000;
	settle(f);
	assert_null(lease(f, "parse"));
	assert_int_equal(rows(f, STORE_RUN), 0);
}

static void rename_blobs(struct fixture *f, const char *from, const char *to)
{
	char a[80], b[80];
	snprintf(a, sizeof a, "%s%s", f->directory, from);
	snprintf(b, sizeof b, "%s%s", f->directory, to);
	assert_int_equal(rename(a, b), 0);
}

static void a_file_that_cannot_be_written_is_tried_again_and_at_last_the_run_fails(void **state)
{
	struct fixture *f = *state;
	for (int comes_back = 1; comes_back >= 0; comes_back--) {
		uint64_t run = start_mail(f);
		struct job *parse = must_lease(f, "parse");
		emit(f, parse, 1, "{}");
		settle(f);
		rename_blobs(f, "", "-away");
		complete(f, parse, "{}");
		complete(f, must_lease(f, "classify"), "{}");
		for (int i = 0; i < 40; i++, f->now += 100)
			settle(f);
		expect_run(f, run, "running", 1, 0);
		if (comes_back)
			rename_blobs(f, "-away", "");
		for (int i = 0; i < 100; i++, f->now += 100)
			settle(f);
		if (comes_back) {
			complete(f, must_lease(f, "sum"), "{}");
			settle(f);
			expect_run(f, run, "completed", 1, 0);
		} else {
			expect_run(f, run, "failed", 1, 0);
			assert_non_null(strstr(f->shown.data, "gathering its items: blob: open"));
			rename_blobs(f, "-away", "");
		}
	}
}

static void a_run_goes_on_when_space_returns(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{}");
	store_memory_set_full(f->store, true);
	settle(f);
	assert_null(lease(f, "classify"));
	complete(f, parse, "{\"messages\":1}");
	settle(f);
	store_memory_set_full(f->store, false);
	for (int i = 0; i < 20; i++, f->now += 200)
		settle(f);
	complete(f, must_lease(f, "classify"), "{}");
	store_memory_set_full(f->store, true);
	settle(f);
	store_memory_set_full(f->store, false);
	for (int i = 0; i < 20; i++, f->now += 200)
		settle(f);
	struct job *sum = must_lease(f, "sum");
	scoped(buf_fini) struct buf input = {0};
	assert_int_equal(job_read_input(f->qs, sum, &input, NULL), E_OK);
	assert_non_null(strstr(input.data, "\"parse\":{\"messages\":1}"));
	complete(f, sum, "{}");
	settle(f);
	expect_run(f, run, "completed", 1, 0);
}

/* ── tests: an engine that dies at every step ── */

struct
	part { /* what the world does, one commit at a time; each is done again when the engine that died had not heard of it */
	struct fixture *f;
	int crash_at, commits;
	unsigned durable;
};

/* One commit; at the chosen one the engine dies, with or without it on the disk. */
static bool commit(struct part *p)
{
	if (p->commits++ != p->crash_at) {
		settle(p->f);
		return false;
	}
	restart(p->f, p->durable);
	settle(p->f);
	return true;
}

static bool run_is(struct fixture *f, uint64_t run, const char *status)
{
	json_t *j = show(f, run);
	bool is = strcmp(json_string_value(json_object_get(j, "status")), status) == 0;
	json_decref(j);
	return is;
}

/* A worker without memory: does whatever waits, item by item. */
static void work(struct part *p, uint64_t run)
{
	struct fixture *f = p->f;
	for (int round = 0; round < 100 && run_is(f, run, "running"); round++) {
		struct job *j = lease(f, "parse");
		if (j) {
			for (uint64_t key = 1; j && key <= 3; key++) {
				emit(f, j, key, key == 2 ? "{\"bad\":1}" : "{\"good\":1}");
				j = commit(p) ? NULL : j;
			}
			if (j) {
				complete(f, j, "{\"messages\":3}");
				commit(p);
			}
		} else if ((j = lease(f, "classify"))) {
			scoped(buf_fini) struct buf input = {0};
			assert_int_equal(job_read_input(f->qs, j, &input, NULL), E_OK);
			if (strstr(input.data, "bad"))
				fail_job(f, j);
			else
				complete(f, j, "{\"spam\":0}");
			commit(p);
		} else if ((j = lease(f, "sum"))) {
			complete(f, j, "{\"sum\":1}");
			commit(p);
		} else {
			commit(p);
		}
	}
}

static void a_run_ends_the_same_whenever_the_engine_dies(void **state)
{
	struct fixture *f = *state;
	define(f, "mail", PARSE CLASSIFY SUM);
	for (int i = 0; i < 40; i++) {
		struct part p = {.f = f, .crash_at = i / 4, .durable = (unsigned)i % 4};
		if (!pipelines_find(f->ps, bytes_of("mail"))) /* definitions are of the configuration */
			define(f, "mail", PARSE CLASSIFY SUM);
		uint64_t run = start(f, "mail", "{}");
		work(&p, run);
		expect_run(f, run, "completed", 3, 1);
		expect_result(f, run, "{\"sum\":1}");
		expect_blob(f, run,
			"{\"key\":1,\"good\":1,\"spam\":0}\n"
			"{\"key\":2,\"bad\":1,\"error\":{\"code\":\"BAD_MESSAGE\",\"message\":\"it has no headers\"}}\n"
			"{\"key\":3,\"good\":1,\"spam\":0}\n");
		assert_int_equal(rows(f, STORE_ITEM), 0);
		assert_int_equal(rows(f, STORE_JOB), 0);
	}
}

static void a_replayed_item_does_not_keep_its_run_waiting(void **state)
{
	struct fixture *f = *state;
	uint64_t run = start_mail(f);
	struct job *parse = must_lease(f, "parse");
	emit(f, parse, 1, "{\"n\":1}");
	settle(f);
	struct job *classify = must_lease(f, "classify");
	uint64_t id = classify->id;
	fail_job(f, classify);
	settle(f);
	assert_int_equal(queue_replay(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	settle(f);
	restart(f, 0);
	complete(f, must_lease(f, "parse"), "{}");
	settle(f);
	complete(f, must_lease(f, "sum"), "{}");
	settle(f);
	expect_run(f, run, "completed", 1, 1);
}

static void the_list_shows_live_runs_as_they_are_now(void **state)
{
	struct fixture *f = *state;
	uint64_t first = start_mail(f);
	fail_job(f, must_lease(f, "parse"));
	settle(f);
	f->now += 1000;
	start(f, "mail", "{}");
	emit(f, must_lease(f, "parse"), 1, "{}");
	settle(f);
	pipelines_list(f->ps, (struct bytes){0}, bytes_of("mail"), 0, 1, on_shown, f);
	settle(f);
	json_t *j = json_loads(f->shown.data, 0, NULL);
	json_t *only = json_array_get(json_object_get(j, "runs"), 0);
	assert_int_equal(json_array_size(json_object_get(j, "runs")), 1);
	assert_int_equal(json_integer_value(json_object_get(only, "items")), 1);
	uint64_t before;
	const char *cursor = json_string_value(json_object_get(j, "cursor"));
	assert_non_null(cursor);
	assert_int_equal(id_parse(cursor, strlen(cursor), &before), 0);
	json_decref(j);
	pipelines_list(f->ps, (struct bytes){0}, (struct bytes){0}, before, 1, on_shown, f);
	settle(f);
	j = json_loads(f->shown.data, 0, NULL);
	only = json_array_get(json_object_get(j, "runs"), 0);
	char text[ID_TEXT_SIZE];
	id_format(first, text);
	assert_string_equal(json_string_value(json_object_get(only, "run_id")), text);
	assert_true(json_is_null(json_object_get(j, "cursor")));
	json_decref(j);
}

static void a_run_is_kept_for_a_week_after_its_end(void **state)
{
	static const int64_t DAY = 24 * 3600 * 1000;
	struct fixture *f = *state;
	uint64_t ended = start_mail(f);
	fail_job(f, must_lease(f, "parse"));
	settle(f);
	f->now += 6 * DAY;
	uint64_t lives = start(f, "mail", "{}");
	expect_run(f, ended, "failed", 0, 0);
	f->now += 2 * DAY;
	settle(f);
	assert_int_equal(rows(f, STORE_RUN), 1);
	f->now += 30 * DAY;
	settle(f);
	expect_run(f, lives, "running", 0, 0); /* however long it takes */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_item_is_the_payload_of_its_job_while_the_emitter_still_runs),
		TEST(items_are_gathered_by_key_with_their_results),
		TEST(a_failed_item_is_kept_with_its_error_and_counted),
		TEST(an_item_whose_job_is_cancelled_counts_as_failed),
		TEST(without_items_the_gathering_step_still_runs),
		TEST(a_second_attempt_of_the_emitter_renumbers_nothing),
		TEST(when_the_emitter_fails_the_run_fails_and_takes_its_jobs_and_items_along),
		TEST(a_cancelled_run_cancels_its_jobs),
		TEST(the_jobs_of_a_large_run_are_cancelled_some_at_a_time),
		TEST(jobs_of_a_run_that_ended_are_cancelled_also_when_the_engine_died_in_between),
		TEST(a_wait_ends_once_and_may_be_freed_by_whoever_hears_of_it),
		TEST(the_emitter_waits_while_in_flight_of_its_jobs_are_alive),
		TEST(two_runs_at_once_do_not_meet),
		TEST(the_run_ends_with_the_last_branch_and_the_result_of_its_output),
		TEST(the_output_is_found_again_after_a_restart),
		TEST(when_one_branch_fails_the_other_is_cancelled),
		TEST(a_start_on_a_full_disk_is_refused_and_leaves_nothing),
		TEST(a_run_goes_on_when_space_returns),
		TEST(a_file_that_cannot_be_written_is_tried_again_and_at_last_the_run_fails),
		TEST(a_run_ends_the_same_whenever_the_engine_dies),
		TEST(a_replayed_item_does_not_keep_its_run_waiting),
		TEST(a_run_is_kept_for_a_week_after_its_end),
		TEST(the_list_shows_live_runs_as_they_are_now),
	};
	return cmocka_run_group_tests_name("pipeline/run", tests, NULL, NULL);
}
