#include "dispatch/parts.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

/* Real queue, memory store, real registry; a fake runner that notes what it is given. */
static struct {
	struct store *store;
	struct queues *qs;
	struct registry *registry;
	struct dispatch *d;
	struct worker *worker;
	struct instance *instances[3];
	int64_t now;
	bool want, starting;
	struct delivery *given[256];
	unsigned given_n, cancelled, settled, items_done, stuck, call_answers;
	enum errcode item_code;
	uint64_t last_id;
	enum queue_end end;
	unsigned ended, answers;
	char result[128], answer[128];
	struct job_error error, answer_error;
	bool emit_waits, refuse;
} f;

static enum errcode r_start(struct instance *i, struct err *e)
{
	return E_OK;
}

static void r_stop(struct instance *i, int64_t grace_ms)
{
}

static void r_kill(struct instance *i, const struct instance_error *why)
{
}

static void r_deliver(struct instance *i, struct delivery *d)
{
	f.given[f.given_n++] = d;
	if (f.refuse)
		d->events->lost(d, NULL);
}

static void r_cancel(struct instance *i, struct delivery *d)
{
	f.cancelled++;
}

static void r_item_done(struct instance *i, struct delivery *d, enum errcode code)
{
	f.items_done++;
	f.item_code = code;
}

static void r_settled(struct instance *i, uint64_t id, uint64_t fence)
{
	f.settled++;
}

static void r_call_done(
	struct instance *i, struct delivery *d, uint64_t id, struct bytes result, const struct job_error *error)
{
	f.call_answers++;
	f.answer_error = error ? *error : (struct job_error){0};
	snprintf(f.answer, sizeof f.answer, "%.*s", (int)result.size, result.data ? result.data : "");
}

static const struct runner_ops runner = {
	"fake", true, r_start, r_stop, r_kill, r_deliver, r_cancel, NULL, r_item_done, r_settled, r_call_done};

static int64_t now_ms(void *context)
{
	return f.now;
}

static void want_turn(void *context)
{
	f.want = true;
}

static void wake(void *context, int64_t at_ms)
{
}

static bool no_blob(void *context, struct bytes input, char name[80], bool *only)
{
	return false;
}

static bool anyone_starting(void *context)
{
	return f.starting;
}

static bool emit_waits(void *context, struct job *j)
{
	return f.emit_waits;
}

static void on_stuck(void *context, struct instance *i, const struct delivery *d, const char *why)
{
	f.stuck++;
}

static void on_log(void *context, struct instance *i, uint64_t id, int severity, struct bytes a, struct bytes b)
{
}

static void on_ready(void *context, struct queue *q)
{
	dispatch_ready(f.d, q);
}

static void on_revoke(void *context, struct job *j, enum revoke_reason why)
{
	dispatch_revoke(f.d, j, why);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	f.ended++;
	f.end = o->end;
	f.error = o->error;
	snprintf(f.result, sizeof f.result, "%.*s", (int)o->result.size, o->result.data ? o->result.data : "");
}

static void open_all(void)
{
	static struct queue_hooks hooks = {.ready = on_ready, .revoke = on_revoke, .ended = on_ended};
	static const struct dispatch_calls calls = {
		NULL, now_ms, want_turn, wake, no_blob, anyone_starting, emit_waits, on_stuck, on_log};
	f.qs = queues_new(f.store, 1, 42, &hooks);
	f.registry = registry_new();
	f.d = dispatch_new(f.qs, f.registry, &calls);
	assert_int_equal(queues_load(f.qs, f.now, NULL), E_OK);
}

static int set_up(void **state)
{
	memset(&f, 0, sizeof f);
	f.now = T0;
	assert_int_equal(store_memory_open(NULL, &f.store, NULL), E_OK);
	open_all();
	json_t *json = json_loads("{\"id\":\"w\",\"type\":\"process\",\"package\":\"p\",\"concurrency\":2,\"prefetch\":1,"
							  "\"replicas\":{\"max\":3}}",
		0, NULL);
	assert_int_equal(worker_parse(json, &f.worker, NULL, NULL), E_OK);
	json_decref(json);
	return 0;
}

static int tear_down(void **state)
{
	for (int k = 0; k < 3; k++)
		if (f.instances[k]) {
			dispatch_instance_gone(f.d, f.instances[k]);
			instance_free(f.instances[k]);
		}
	store_flush(f.store);
	dispatch_free(f.d);
	registry_free(f.registry);
	store_close(f.store);
	queues_free(f.qs);
	worker_free(f.worker);
	return 0;
}

static void add_capability(struct instance *i, const char *name, uint32_t flags)
{
	i->capabilities = mem_resize(i->capabilities, (i->capability_n + 1) * sizeof *i->capabilities);
	i->capabilities[i->capability_n++] =
		(struct capability){.name = mem_text(name), .version = mem_text("1.0.0"), .flags = flags};
}

static struct instance *instance(int k, uint32_t flags)
{
	char id[16];
	snprintf(id, sizeof id, "w-%d", k);
	struct instance *i = f.instances[k] = instance_new(f.worker, &runner, id, 0, f.now);
	i->state = INSTANCE_RUNNING;
	add_capability(i, "work", flags);
	registry_add(f.registry, i);
	dispatch_instance_running(f.d, i);
	return i;
}

static void gone(int k)
{
	registry_remove(f.registry, f.instances[k]);
	dispatch_instance_gone(f.d, f.instances[k]);
	instance_free(f.instances[k]);
	f.instances[k] = NULL;
}

/* The end of a turn of the loop: what was committed is told, then work is given out. */
static void turn(void)
{
	do {
		store_flush(f.store);
		f.want = false;
		dispatch_turn(f.d);
		store_flush(f.store);
	} while (f.want);
}

static void on_submitted(void *context, const struct submit_reply *r)
{
	f.last_id = r->ids[0];
}

static uint64_t submit(unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		struct job_spec s;
		job_spec_init(&s);
		s.capability = bytes_of("work");
		s.input = bytes_of("{\"n\":1}");
		assert_int_equal(queues_submit(f.qs, &s, 1, f.now, on_submitted, NULL, NULL), E_OK);
	}
	turn();
	return f.last_id;
}

static void start(struct delivery *d)
{
	d->events->started(d);
}

static void finish(struct delivery *d, const char *result)
{
	d->events->finished(d, bytes_of(result), NULL);
	turn();
}

static void a_ready_job_is_given_out_and_its_result_is_settled_after_the_commit(void **state)
{
	instance(0, 0);
	submit(1);
	assert_int_equal(f.given_n, 1);
	assert_memory_equal(f.given[0]->input.data, "{\"n\":1}", 7);
	start(f.given[0]);
	f.given[0]->events->finished(f.given[0], bytes_of("42"), NULL);
	assert_int_equal(f.settled, 0);
	turn();
	assert_int_equal(f.settled, 1);
	assert_int_equal(f.end, END_COMPLETED);
	assert_string_equal(f.result, "42");
}

static void jobs_wait_for_the_first_instance(void **state)
{
	submit(1);
	assert_int_equal(f.given_n, 0);
	instance(0, 0);
	turn();
	assert_int_equal(f.given_n, 1);
}

static void an_instance_never_has_more_than_concurrency_and_prefetch(void **state)
{
	struct instance *i = instance(0, 0);
	submit(10);
	assert_int_equal(f.given_n, 3);
	assert_int_equal(i->in_flight, 3);
	finish(f.given[0], "1");
	assert_int_equal(f.given_n, 4);
}

static void an_instance_with_long_handlers_is_given_nothing_ahead(void **state)
{
	instance(0, 0);
	submit(10);
	assert_int_equal(f.given_n, 3);
	start(f.given[0]);
	f.now += 60000;
	finish(f.given[0], "1"); /* a minute each: from now on only what it can begin at once */
	assert_int_equal(f.given_n, 3);
	finish(f.given[1], "1");
	assert_int_equal(f.given_n, 4);
}

/* Two jobs begun in one instance that crashed; all that was given later begins at given[3]. */
static void crash_with_two_in_hand(void)
{
	static const struct job_error error = {"crashed", "ended by signal 11", 1};
	instance(0, 0);
	submit(2);
	assert_int_equal(f.given_n, 2);
	start(f.given[0]);
	start(f.given[1]);
	f.given[0]->events->lost(f.given[0], &error);
	f.given[1]->events->lost(f.given[1], &error);
	gone(0);
	turn();
}

static void jobs_that_saw_a_crash_together_run_one_by_one(void **state)
{
	crash_with_two_in_hand();
	instance(1, 0);
	submit(1); /* an innocent one waits as long as a suspect runs */
	assert_int_equal(f.given_n, 3);
	start(f.given[2]);
	finish(f.given[2], "1");
	assert_int_equal(f.given_n, 4);
	finish(f.given[3], "2");
	assert_int_equal(f.given_n, 5);
	finish(f.given[4], "3");
	assert_int_equal(f.ended, 3);
}

static void a_suspect_waits_for_those_that_run_and_others_go_elsewhere(void **state)
{
	instance(1, 0);
	submit(1);
	assert_int_equal(f.given_n, 1);
	struct delivery *before = f.given[0];
	f.given_n = 0;
	crash_with_two_in_hand(); /* instance 1 is left, with a job that runs: the first suspect waits for that */
	submit(1);
	unsigned n = f.given_n;
	finish(before, "0");
	assert_int_equal(f.given_n, n + 1); /* the first suspect, alone */
	instance(2, 0);
	turn();
	assert_true(f.given_n > n + 1); /* there is room for the rest */
}

static void a_suspect_that_waits_is_given_out_although_its_queue_is_empty(void **state)
{
	instance(1, 0);
	submit(1);
	struct delivery *before = f.given[0];
	f.given_n = 0;
	crash_with_two_in_hand(); /* one suspect waits for `before` */
	instance(2, 0);
	turn();
	assert_int_equal(f.given_n, 3); /* the other one went elsewhere */
	finish(f.given[2], "1"); /* now there is room, and the queue was seen empty */
	finish(before, "0");
	assert_int_equal(f.given_n, 4);
}

static void a_suspect_that_waits_can_be_cancelled_and_goes_back_when_its_instance_ends(void **state)
{
	instance(1, 0);
	submit(1);
	struct delivery *before = f.given[0];
	f.given_n = 0;
	crash_with_two_in_hand();
	uint64_t suspect = f.last_id;
	assert_int_equal(queue_cancel(f.qs, suspect, f.now, NULL, NULL, NULL), E_OK);
	turn();
	before->events->lost(before, NULL);
	gone(1); /* the other suspect waited there */
	turn();
	f.given_n = 0;
	instance(2, 0);
	turn();
	assert_int_equal(f.given_n, 1);
	assert_int_equal(f.instances[2]->in_flight, 1);
	finish(f.given[0], "1");
	assert_int_equal(f.given_n, 2);
}

static void the_least_busy_instance_is_given_the_next_job(void **state)
{
	instance(0, 0);
	instance(1, 0);
	submit(4);
	assert_int_equal(f.instances[0]->in_flight, 2);
	assert_int_equal(f.instances[1]->in_flight, 2);
}

static void an_unhealthy_or_draining_instance_is_given_nothing(void **state)
{
	struct instance *i = instance(0, 0);
	i->healthy = false;
	submit(1);
	assert_int_equal(f.given_n, 0);
	i->healthy = true;
	i->draining = true;
	dispatch_instance_credit(f.d, i);
	turn();
	assert_int_equal(f.given_n, 0);
	i->draining = false;
	dispatch_instance_credit(f.d, i);
	turn();
	assert_int_equal(f.given_n, 1);
}

static void a_job_that_was_not_begun_is_given_out_again_without_an_attempt(void **state)
{
	instance(0, 0);
	submit(1);
	f.given[0]->events->lost(f.given[0], NULL);
	turn();
	assert_int_equal(f.given_n, 2);
	assert_int_equal(f.given[1]->attempt, 1);
}

static void an_instance_that_refuses_is_let_alone_for_a_while(void **state)
{
	struct instance *i = instance(0, 0);
	f.refuse = true;
	submit(2);
	assert_int_equal(f.given_n, 1);
	dispatch_tick(f.d, f.now + 49);
	turn();
	assert_int_equal(f.given_n, 1);
	dispatch_tick(f.d, f.now + 50);
	turn();
	assert_int_equal(f.given_n, 2);
	f.refuse = false;
	dispatch_instance_credit(f.d, i);
	turn();
	assert_int_equal(f.given_n, 4);
}

static void a_job_whose_instance_died_goes_to_the_next_one_as_a_second_attempt(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	uint64_t old = f.given[0]->fence;
	instance(1, 0);
	gone(0);
	turn();
	assert_int_equal(f.given_n, 2);
	assert_true(f.given[1]->instance == f.instances[1]);
	assert_int_equal(f.given[1]->id, id);
	assert_int_equal(f.given[1]->attempt, 2);
	assert_true(f.given[1]->fence > old);
}

static void a_job_that_kills_three_instances_is_a_dead_letter(void **state)
{
	submit(1);
	for (int k = 0; k < 3; k++) {
		instance(0, 0);
		for (int wait = 0; wait < 400 && f.given_n <= (unsigned)k; wait++) { /* retries wait longer each time */
			f.now += 1000;
			queues_tick(f.qs, f.now);
			turn();
		}
		assert_int_equal(f.given_n, k + 1);
		start(f.given[k]);
		gone(0);
		turn();
	}
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.end, END_FAILED);
	assert_string_equal(f.error.code, "crashed");
}

static void cancelling_reaches_the_handler_and_its_late_result_does_not_count(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	turn();
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(f.end, END_CANCELLED);
	finish(f.given[0], "42");
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.instances[0]->in_flight, 0);
}

static void a_worker_hears_of_a_cancellation_when_it_is_durable(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	dispatch_turn(f.d);
	assert_int_equal(f.cancelled, 0); /* if the engine died now, the job would go on */
	store_flush(f.store);
	assert_int_equal(f.cancelled, 1);
}

static void an_outcome_that_is_quicker_than_the_cancellation_settles_behind_it(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	f.given[0]->events->finished(f.given[0], bytes_of("42"), NULL);
	dispatch_turn(f.d);
	assert_int_equal(f.settled, 0);
	turn();
	assert_int_equal(f.settled, 1);
	assert_int_equal(f.cancelled, 0);
	assert_int_equal(f.end, END_CANCELLED);
}

static void a_job_whose_instance_ends_before_its_cancellation_is_durable_is_cancelled(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	f.given[0]->events->finished(f.given[0], bytes_of("42"), NULL);
	gone(0);
	turn();
	assert_int_equal(f.settled, 0);
	assert_int_equal(f.end, END_CANCELLED);
}

static void a_handler_that_ends_at_its_deadline_has_timed_out(void **state)
{
	struct job_spec spec;
	struct job_error cancelled = {"cancelled", "the handler saw its deadline", 0};
	instance(0, 0);
	job_spec_init(&spec);
	spec.capability = bytes_of("work");
	spec.input = bytes_of("{}");
	spec.timeout_ms = 300;
	spec.max_attempts = 1;
	assert_int_equal(queues_submit(f.qs, &spec, 1, f.now, on_submitted, NULL, NULL), E_OK);
	turn();
	start(f.given[0]);
	f.now += 299;
	f.given[0]->events->finished(f.given[0], (struct bytes){0}, &cancelled);
	turn();
	assert_string_equal(f.error.code, "timeout");
}

static void a_handler_that_ignores_its_cancel_is_reported_after_the_grace(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	queue_cancel(f.qs, id, f.now, NULL, NULL, NULL);
	turn();
	dispatch_tick(f.d, f.now + 4999);
	assert_int_equal(f.stuck, 0);
	dispatch_tick(f.d, f.now + 5000);
	assert_int_equal(f.stuck, 1);
}

static void who_is_ended_with_a_stuck_handler_has_done_nothing(void **state)
{
	struct instance *i = instance(0, 0);
	struct job_error error = {"crashed", "ended", 1};
	i->concurrency = 2;
	uint64_t stuck = submit(1), innocent = submit(1);
	start(f.given[0]);
	start(f.given[1]);
	queue_cancel(f.qs, stuck, f.now, NULL, NULL, NULL);
	turn();
	dispatch_tick(f.d, f.now += 5000);
	assert_int_equal(f.stuck, 1);
	i->state = INSTANCE_FAILED;
	f.given[0]->events->lost(f.given[0], &error);
	f.given[1]->events->lost(f.given[1], &error);
	struct job *j = queues_find(f.qs, innocent);
	assert_int_equal(j->state, JOB_PENDING);
	assert_int_equal(j->attempts, 0);
	assert_int_equal(j->crashes, 0);
}

static void an_item_frees_its_place_when_it_is_durable(void **state)
{
	instance(0, 0);
	submit(1);
	start(f.given[0]);
	f.given[0]->events->item(f.given[0], 7, bytes_of("{}"));
	assert_int_equal(f.items_done, 0);
	turn();
	assert_int_equal(f.items_done, 1);
	assert_int_equal(f.item_code, E_OK);
}

static void items_of_a_job_that_must_wait_are_kept_until_it_may_go_on(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	f.emit_waits = true;
	f.given[0]->events->item(f.given[0], 7, bytes_of("{}"));
	f.given[0]->events->item(f.given[0], 8, bytes_of("{}"));
	turn();
	assert_int_equal(f.items_done, 0);
	dispatch_emit_resume(f.d, id);
	assert_int_equal(f.items_done, 2);
}

static void a_handler_that_a_stopping_worker_interrupts_is_no_attempt(void **state)
{
	struct instance *i = instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	f.emit_waits = true;
	f.given[0]->events->item(f.given[0], 7, bytes_of("{}"));
	turn();
	assert_int_equal(f.cancelled, 0);
	i->state = INSTANCE_STOPPING;
	dispatch_instance_stopping(f.d, i);
	assert_int_equal(f.cancelled, 1); /* it waits for a place that may never come */
	struct job_error error = {.code = "cancelled"};
	f.given[0]->events->finished(f.given[0], (struct bytes){0}, &error);
	turn();
	struct job *j = queues_find(f.qs, id);
	assert_non_null(j);
	assert_int_equal(j->state, JOB_PENDING);
	assert_int_equal(j->attempts, 0);
}

static void nothing_is_given_out_while_it_is_held(void **state)
{
	dispatch_hold(f.d, true);
	instance(0, 0);
	submit(1);
	assert_int_equal(f.given_n, 0);
	dispatch_hold(f.d, false);
	turn();
	assert_int_equal(f.given_n, 1);
}

/* The engine dies; the next one is told by the worker that it still runs the job. */
static struct delivery *reclaimed_after_a_crash(uint64_t id, uint64_t fence)
{
	struct delivery *d;
	struct store *next;
	store_memory_crash(f.store, 0, &next);
	dispatch_free(f.d);
	registry_free(f.registry);
	queues_free(f.qs);
	f.store = next;
	open_all();
	dispatch_hold(f.d, true);
	struct instance *i = f.instances[0] = instance_new(f.worker, &runner, "w-0", 0, f.now);
	add_capability(i, "work", 0);
	assert_int_equal(dispatch_reclaim(f.d, i, id, fence, true, &d, NULL), E_OK);
	i->state = INSTANCE_RUNNING;
	registry_add(f.registry, i);
	dispatch_instance_running(f.d, i);
	dispatch_hold(f.d, false);
	turn();
	return d;
}

static void a_job_that_a_worker_still_holds_goes_on_after_a_restart(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	uint64_t fence = f.given[0]->fence;
	f.given[0]->events->lost(f.given[0], NULL); /* writes nothing: for the store it is as if the engine had died here */
	gone(0);
	struct delivery *d = reclaimed_after_a_crash(id, fence);
	assert_int_equal(f.given_n, 1);
	finish(d, "\"once\"");
	assert_int_equal(f.ended, 1);
	assert_string_equal(f.result, "\"once\"");
	assert_int_equal(f.settled, 1);
}

static void what_an_earlier_engine_stopped_and_did_not_write_down_is_given_out_again(void **state)
{
	instance(0, 0);
	uint64_t id = submit(1);
	start(f.given[0]);
	uint64_t fence = f.given[0]->fence;
	f.given[0]->events->lost(f.given[0], NULL); /* writes nothing: for the store it is as if the engine had died here */
	gone(0);
	struct delivery *d = reclaimed_after_a_crash(id, fence);
	struct job_error error = {.code = "cancelled"};
	d->events->finished(d, (struct bytes){0}, &error);
	turn();
	assert_int_equal(f.ended, 0);
	assert_int_equal(f.given_n, 2);
	assert_int_equal(f.given[1]->attempt, 1);
}

static void what_an_earlier_engine_left_is_given_out(void **state)
{
	submit(2);
	struct store *next;
	store_memory_crash(f.store, 0, &next);
	dispatch_free(f.d);
	registry_free(f.registry);
	queues_free(f.qs);
	f.store = next;
	open_all();
	dispatch_hold(f.d, true);
	instance(0, 0);
	dispatch_hold(f.d, false);
	turn();
	assert_int_equal(f.given_n, 2);
}

/* ── calls ── */

static void on_answer(void *context, struct bytes result, const struct job_error *error)
{
	f.answers++;
	f.answer_error = error ? *error : (struct job_error){0};
	snprintf(f.answer, sizeof f.answer, "%.*s", (int)result.size, result.data ? result.data : "");
}

static uint64_t invoke_named(const char *capability)
{
	const struct dispatch_call call = {.capability = bytes_of(capability),
		.input = bytes_of("{\"q\":1}"),
		.deadline_ms = f.now + 10000,
		.done = on_answer};
	return dispatch_invoke(f.d, &call);
}

static uint64_t invoke(void)
{
	return invoke_named("work");
}

static void a_call_is_answered_by_whoever_offers_it(void **state)
{
	instance(0, 0);
	assert_true(invoke() != 0);
	turn();
	assert_int_equal(f.given_n, 1);
	start(f.given[0]);
	finish(f.given[0], "\"yes\"");
	assert_int_equal(f.answers, 1);
	assert_string_equal(f.answer, "\"yes\"");
}

static void a_call_that_nobody_can_answer_is_unavailable_at_once(void **state)
{
	assert_int_equal(invoke(), 0);
	assert_string_equal(f.answer_error.code, "unavailable");
}

static void names_that_calls_make_up_are_remembered_up_to_a_limit(void **state)
{
	char name[16];
	size_t before = f.d->routes.n;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "none-%d", i);
		invoke_named(name);
	}
	assert_int_equal(f.d->routes.n, before);
	f.starting = true;
	for (int i = 0; i < DISPATCH_ROUTES_MAX + 100; i++) {
		snprintf(name, sizeof name, "none-%d", i);
		dispatch_invoke_cancel(f.d, invoke_named(name));
	}
	assert_int_equal(f.d->routes.n, DISPATCH_ROUTES_MAX);
	assert_string_equal(f.answer_error.code, "limited");
}

static void a_call_waits_a_little_for_someone_who_is_starting(void **state)
{
	f.starting = true;
	invoke();
	turn();
	dispatch_tick(f.d, f.now + 1999);
	assert_int_equal(f.answers, 0);
	dispatch_tick(f.d, f.now + 2000);
	assert_string_equal(f.answer_error.code, "unavailable");
}

static void a_call_past_its_deadline_is_cancelled(void **state)
{
	instance(0, 0);
	invoke();
	turn();
	start(f.given[0]);
	f.now += 10000;
	dispatch_tick(f.d, f.now);
	assert_string_equal(f.answer_error.code, "timeout");
	assert_int_equal(f.cancelled, 1);
}

static void a_handler_that_ends_a_call_at_its_deadline_by_itself_timed_out(void **state)
{
	struct job_error cancelled = {.code = "cancelled"};
	instance(0, 0);
	invoke();
	turn();
	start(f.given[0]);
	f.now += 9999; /* the loop's timer has not fired yet */
	f.given[0]->events->finished(f.given[0], (struct bytes){0}, &cancelled);
	assert_int_equal(f.answers, 1);
	assert_string_equal(f.answer_error.code, "timeout");
}

static void an_idempotent_call_goes_elsewhere_once_when_its_instance_dies(void **state)
{
	instance(0, 2);
	instance(1, 2);
	invoke();
	turn();
	int first = f.given[0]->instance == f.instances[0] ? 0 : 1;
	start(f.given[0]);
	gone(first);
	turn();
	assert_int_equal(f.given_n, 2);
	start(f.given[1]);
	gone(1 - first);
	turn();
	assert_int_equal(f.answers, 1);
	assert_string_equal(f.answer_error.code, "crashed");
}

static void another_call_fails_when_its_instance_dies(void **state)
{
	instance(0, 0);
	instance(1, 0);
	invoke();
	turn();
	start(f.given[0]);
	gone(f.given[0]->instance == f.instances[0] ? 0 : 1);
	turn();
	assert_int_equal(f.given_n, 1);
	assert_string_equal(f.answer_error.code, "crashed");
}

static void a_serial_capability_that_calls_itself_is_refused(void **state)
{
	instance(0, 1);
	submit(1);
	start(f.given[0]);
	f.given[0]->events->call(f.given[0], 5, bytes_of("work"), bytes_of("{}"));
	assert_int_equal(f.call_answers, 1);
	assert_non_null(strstr(f.answer_error.message, "waiting for this very call"));
}

static void a_handler_s_call_is_answered(void **state)
{
	instance(0, 0);
	submit(1);
	start(f.given[0]);
	f.given[0]->events->call(f.given[0], 5, bytes_of("work"), bytes_of("{}"));
	turn();
	assert_int_equal(f.given_n, 2);
	start(f.given[1]);
	finish(f.given[1], "7");
	assert_int_equal(f.call_answers, 1);
	assert_string_equal(f.answer, "7");
}

static void cancelling_a_job_cancels_what_its_handler_called_and_what_that_called(void **state)
{
	instance(0, 0);
	uint64_t job = submit(1);
	for (unsigned k = 0; k < 2; k++) {
		start(f.given[k]);
		f.given[k]->events->call(f.given[k], 5 + k, bytes_of("work"), bytes_of("{}"));
		turn();
	}
	assert_int_equal(f.given_n, 3);
	assert_int_equal(queue_cancel(f.qs, job, f.now, NULL, NULL, NULL), E_OK);
	turn();
	assert_int_equal(f.cancelled, 3);
	for (unsigned k = 3; k--;)
		f.given[k]->events->finished(f.given[k], bytes_of(""), NULL);
	turn();
	assert_int_equal(f.instances[0]->in_flight, 0);
}

static void a_call_whose_caller_has_ended_is_cancelled(void **state)
{
	instance(0, 0);
	submit(1);
	start(f.given[0]);
	f.given[0]->events->call(f.given[0], 5, bytes_of("work"), bytes_of("{}"));
	turn();
	finish(f.given[0], "1"); /* it did not wait */
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(f.call_answers, 0);
	finish(f.given[1], "2");
	assert_int_equal(f.instances[0]->in_flight, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_ready_job_is_given_out_and_its_result_is_settled_after_the_commit),
		CASE(jobs_wait_for_the_first_instance),
		CASE(an_instance_never_has_more_than_concurrency_and_prefetch),
		CASE(an_instance_with_long_handlers_is_given_nothing_ahead),
		CASE(jobs_that_saw_a_crash_together_run_one_by_one),
		CASE(a_suspect_waits_for_those_that_run_and_others_go_elsewhere),
		CASE(a_suspect_that_waits_is_given_out_although_its_queue_is_empty),
		CASE(a_suspect_that_waits_can_be_cancelled_and_goes_back_when_its_instance_ends),
		CASE(the_least_busy_instance_is_given_the_next_job),
		CASE(an_unhealthy_or_draining_instance_is_given_nothing),
		CASE(a_job_that_was_not_begun_is_given_out_again_without_an_attempt),
		CASE(an_instance_that_refuses_is_let_alone_for_a_while),
		CASE(a_job_whose_instance_died_goes_to_the_next_one_as_a_second_attempt),
		CASE(a_job_that_kills_three_instances_is_a_dead_letter),
		CASE(cancelling_reaches_the_handler_and_its_late_result_does_not_count),
		CASE(a_worker_hears_of_a_cancellation_when_it_is_durable),
		CASE(an_outcome_that_is_quicker_than_the_cancellation_settles_behind_it),
		CASE(a_job_whose_instance_ends_before_its_cancellation_is_durable_is_cancelled),
		CASE(a_handler_that_ends_at_its_deadline_has_timed_out),
		CASE(a_handler_that_ignores_its_cancel_is_reported_after_the_grace),
		CASE(who_is_ended_with_a_stuck_handler_has_done_nothing),
		CASE(an_item_frees_its_place_when_it_is_durable),
		CASE(items_of_a_job_that_must_wait_are_kept_until_it_may_go_on),
		CASE(a_handler_that_a_stopping_worker_interrupts_is_no_attempt),
		CASE(nothing_is_given_out_while_it_is_held),
		CASE(a_job_that_a_worker_still_holds_goes_on_after_a_restart),
		CASE(what_an_earlier_engine_stopped_and_did_not_write_down_is_given_out_again),
		CASE(what_an_earlier_engine_left_is_given_out),
		CASE(a_call_is_answered_by_whoever_offers_it),
		CASE(a_call_that_nobody_can_answer_is_unavailable_at_once),
		CASE(names_that_calls_make_up_are_remembered_up_to_a_limit),
		CASE(a_call_waits_a_little_for_someone_who_is_starting),
		CASE(a_call_past_its_deadline_is_cancelled),
		CASE(a_handler_that_ends_a_call_at_its_deadline_by_itself_timed_out),
		CASE(an_idempotent_call_goes_elsewhere_once_when_its_instance_dies),
		CASE(another_call_fails_when_its_instance_dies),
		CASE(a_serial_capability_that_calls_itself_is_refused),
		CASE(a_handler_s_call_is_answered),
		CASE(cancelling_a_job_cancels_what_its_handler_called_and_what_that_called),
		CASE(a_call_whose_caller_has_ended_is_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
