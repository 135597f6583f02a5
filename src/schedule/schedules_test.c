#include "schedule/schedule.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "event/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000LL
static const int64_t T0 = 1760000000000 / MINUTE * MINUTE;

struct fixture {
	struct store *store;
	struct queues *queues;
	struct schedules *schedules;
	struct events *events;
	uint64_t heard;
	int64_t now;
	int done_n;
	int64_t at[2000], due[2000]; /* of what was made */
	uint64_t ids[2000];
	size_t made_n;
	enum errcode make_code;
};

static enum errcode make(void *context, const struct schedule_definition *d, int64_t at_ms, int64_t delay_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	struct fixture *f = context;
	struct job_spec spec;
	if (f->make_code)
		return err_set(e, f->make_code, "no, thanks");
	job_spec_init(&spec);
	spec.capability = bytes_of("work");
	spec.due_at_ms = delay_ms ? f->now + delay_ms : 0;
	*id = queues_submit_in(f->queues, b, &spec, f->now);
	f->at[f->made_n] = at_ms;
	f->due[f->made_n] = spec.due_at_ms;
	f->ids[f->made_n++] = *id;
	return E_OK;
}

static bool lives(void *context, const struct schedule_definition *d, uint64_t id)
{
	return queues_find(((struct fixture *)context)->queues, id) != NULL;
}

static void cancel(void *context, const struct schedule_definition *d, uint64_t id)
{
	struct fixture *x = context;
	queue_cancel(x->queues, id, x->now, NULL, NULL, NULL);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	struct fixture *f = context;
	schedules_ended(f->schedules, j->id, f->now);
}

static void open_all(struct fixture *f)
{
	struct queue_hooks hooks = {.context = f, .ended = on_ended};
	struct schedule_maker maker = {f, make, lives, cancel};
	f->queues = queues_new(f->store, 1, 42, &hooks);
	assert_int_equal(queues_load(f->queues, f->now, NULL), E_OK);
	f->schedules = schedules_new(f->queues, f->events, &maker);
	assert_int_equal(schedules_load(f->schedules, f->store, f->now, NULL, NULL), E_OK);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->now = T0;
	f->events = events_new(100, T0);
	f->heard = events_last(f->events);
	store_memory_open(NULL, &f->store, NULL);
	open_all(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	schedules_free(f->schedules);
	queues_free(f->queues);
	events_free(f->events);
	free(f);
	return 0;
}

/* An engine that dies with `durable` of the waiting batches on the disk, and the next one. */
static void crash(struct fixture *f, unsigned durable)
{
	struct store *next;
	store_memory_crash(f->store, durable, &next);
	schedules_free(f->schedules);
	queues_free(f->queues);
	f->store = next;
	open_all(f);
}

static void on_done(void *context, enum errcode code)
{
	assert_int_equal(code, E_OK);
	((struct fixture *)context)->done_n++;
}

static struct schedule_definition *parse(const char *text)
{
	struct schedule_definition *d = NULL;
	char pointer[64];
	struct err e;
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	if (schedule_parse(json, &d, pointer, &e) != E_OK)
		fail_msg("%s: %s", pointer, e.text);
	json_decref(json);
	return d;
}

#define JOB "\"job\":{\"capability\":\"work\"}"

static struct schedule *put(struct fixture *f, const char *text)
{
	struct schedule_definition *d = parse(text);
	assert_int_equal(schedules_put(f->schedules, d, SCHEDULE_FROM_API, f->now, on_done, f, NULL), E_OK);
	store_flush(f->store);
	return schedules_find(f->schedules, (struct bytes){0}, bytes_of(d->name));
}

static int64_t tick(struct fixture *f)
{
	int64_t next = schedules_tick(f->schedules, f->now);
	store_flush(f->store);
	return next;
}

static void pass(struct fixture *f, int64_t ms) /* minute by minute */
{
	for (int64_t until = f->now + ms; f->now < until;) {
		f->now += until - f->now < MINUTE ? until - f->now : MINUTE;
		queues_tick(f->queues, f->now);
		tick(f);
	}
}

static struct schedule_info info(const struct schedule *s)
{
	struct schedule_info i;
	schedule_get_info(s, &i);
	return i;
}

static void end_job(struct fixture *f, uint64_t id)
{
	struct job *j = queue_lease(queues_get(f->queues, (struct bytes){0}, bytes_of("work")), f->now, f);
	assert_non_null(j);
	assert_true(j->id == id);
	job_started(j, f->now);
	assert_int_equal(
		queue_complete(f->queues, id, job_fence(f->queues, j), bytes_of("1"), f->now, NULL, NULL, NULL), E_OK);
	store_flush(f->store);
}

static void expect_event(struct fixture *f, const char *type, const char *message)
{
	bool lost = false;
	const struct event *e = events_next(f->events, &f->heard, &lost);
	assert_non_null(e);
	assert_string_equal(e->type, type);
	if (!memmem(e->message.data, e->message.size, message, strlen(message)))
		fail_msg("\"%.*s\" does not say \"%s\"", (int)e->message.size, e->message.data, message);
}

static void each_occurrence_makes_its_job_at_its_time(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"5m\",\"overlap\":\"allow\"," JOB "}");
	assert_int_equal(info(s).next_ms % (5 * MINUTE), 0);
	assert_int_equal(f->made_n, 0);
	pass(f, 17 * MINUTE);
	assert_int_equal(f->made_n, 17 / 5 + (T0 / MINUTE % 5 + 17 % 5 >= 5));
	for (size_t i = 0; i < f->made_n; i++)
		assert_int_equal(f->at[i] % (5 * MINUTE), 0);
	assert_int_equal(info(s).made, f->made_n);
	assert_true(info(s).last[0].id == f->ids[f->made_n - 1]);
	expect_event(f, "schedule.fired", "for 2025-10-09T");
}

static void the_next_tick_is_when_the_next_one_is_due(void **state)
{
	struct fixture *f = *state;
	put(f, "{\"name\":\"a\",\"every\":\"3s\"," JOB "}");
	f->now++;
	int64_t next = tick(f);
	assert_true(next % 3000 == 0 && next > f->now && next < f->now + 3000);
}

static void what_a_crash_loses_is_made_by_the_next_engine_and_nothing_twice(void **state)
{
	struct fixture *f = *state;
	put(f, "{\"name\":\"a\",\"every\":\"1m\",\"missed\":\"all\",\"overlap\":\"allow\"," JOB "}");
	f->now += MINUTE;
	schedules_tick(f->schedules, f->now);
	assert_int_equal(f->made_n, 1);
	crash(f, 0); /* not yet on the disk */
	tick(f);
	assert_int_equal(f->made_n, 2);
	assert_int_equal(f->at[0], f->at[1]);
	f->now += MINUTE;
	schedules_tick(f->schedules, f->now);
	crash(f, 1); /* on the disk, but nobody was told */
	tick(f);
	assert_int_equal(f->made_n, 3);
	assert_non_null(queues_find(f->queues, f->ids[1]));
	assert_non_null(queues_find(f->queues, f->ids[2]));
}

static void a_clock_that_goes_back_makes_nothing_twice(void **state)
{
	struct fixture *f = *state;
	put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"allow\"," JOB "}");
	pass(f, 10 * MINUTE);
	assert_int_equal(f->made_n, 10);
	f->now -= 10 * MINUTE;
	crash(f, 0);
	pass(f, 10 * MINUTE);
	assert_int_equal(f->made_n, 10);
	pass(f, MINUTE);
	assert_int_equal(f->made_n, 11);
}

static void of_what_was_missed_one_is_made_or_none_or_all(void **state)
{
	struct fixture *f = *state;
	struct schedule *once = put(f, "{\"name\":\"once\",\"every\":\"1m\",\"overlap\":\"allow\"," JOB "}");
	f->now += 10 * MINUTE + 30000; /* a jump, or a pause of the machine */
	tick(f);
	assert_int_equal(f->made_n, 1);
	assert_int_equal(f->at[0], T0 + 10 * MINUTE);
	assert_int_equal(info(once).missed, 9);
	expect_event(f, "schedule.missed", "9 occurrences");
	expect_event(f, "schedule.fired", "");
	assert_int_equal(schedules_remove(f->schedules, once, NULL, NULL, NULL), E_OK);

	f->now = T0 + 20 * MINUTE;
	struct schedule *all =
		put(f, "{\"name\":\"all\",\"every\":\"1m\",\"missed\":\"all\",\"overlap\":\"allow\"," JOB "}");
	f->now += 10 * MINUTE;
	tick(f);
	assert_int_equal(f->made_n, 11);
	assert_int_equal(f->at[1], T0 + 21 * MINUTE);
	f->now += 1500 * MINUTE;
	tick(f);
	assert_int_equal(f->made_n, 11 + SCHEDULE_CATCH_UP_MAX);
	assert_int_equal(f->at[11], T0 + (30 + 501) * MINUTE);
	assert_int_equal(info(all).missed, 500);
	schedules_remove(f->schedules, all, NULL, NULL, NULL);

	f->made_n = 0;
	struct schedule *skip = put(f,
		"{\"name\":\"skip\",\"cron\":\"0 * * * *\",\"missed\":\"skip\",\"grace\":\"2m\",\"overlap\":\"allow\"," JOB
		"}");
	int64_t hour = info(skip).next_ms;
	f->now = hour + 2 * MINUTE;
	tick(f);
	assert_int_equal(f->made_n, 1); /* within the grace */
	f->now = hour + 62 * MINUTE + 1;
	tick(f);
	assert_int_equal(f->made_n, 1);
	assert_int_equal(info(skip).missed, 1);
}

static void a_paused_one_makes_nothing_and_then_does_as_its_policy_says(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"allow\"," JOB "}");
	schedules_pause(f->schedules, s, true, f->now, on_done, f);
	pass(f, 5 * MINUTE);
	assert_int_equal(f->made_n, 0);
	crash(f, 1);
	s = schedules_find(f->schedules, (struct bytes){0}, bytes_of("a"));
	assert_true(info(s).paused);
	schedules_pause(f->schedules, s, false, f->now, on_done, f);
	tick(f);
	assert_int_equal(f->made_n, 1);
	assert_int_equal(info(s).missed, 4);
}

static void while_its_job_lives_the_next_one_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\"," JOB "}");
	pass(f, 3 * MINUTE);
	assert_int_equal(f->made_n, 1);
	assert_int_equal(info(s).skipped, 2);
	expect_event(f, "schedule.fired", "");
	expect_event(f, "schedule.skipped", "has not ended");
	end_job(f, f->ids[0]);
	pass(f, MINUTE);
	assert_int_equal(f->made_n, 2);
}

static void one_waits_for_the_end_of_the_job_before_over_a_restart_too(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"queue_one\"," JOB "}");
	pass(f, 3 * MINUTE);
	assert_int_equal(f->made_n, 1);
	assert_int_equal(info(s).waiting_ms, T0 + 2 * MINUTE);
	assert_int_equal(info(s).skipped, 1);
	end_job(f, f->ids[0]);
	tick(f);
	assert_int_equal(f->made_n, 2);
	assert_int_equal(f->at[1], T0 + 2 * MINUTE);
	pass(f, MINUTE);
	assert_int_equal(f->made_n, 2);
	crash(f, 0);
	tick(f);
	assert_int_equal(f->made_n, 2);
	end_job(f, f->ids[1]);
	tick(f);
	assert_int_equal(f->made_n, 3);
	assert_int_equal(f->at[2], T0 + 4 * MINUTE);
}

static void the_job_before_is_cancelled_when_so_asked(void **state)
{
	struct fixture *f = *state;
	put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"cancel_previous\"," JOB "}");
	pass(f, 3 * MINUTE);
	assert_int_equal(f->made_n, 3);
	assert_null(queues_find(f->queues, f->ids[0]));
	assert_null(queues_find(f->queues, f->ids[1]));
	assert_non_null(queues_find(f->queues, f->ids[2]));
}

static void jitter_delays_within_its_bound_and_the_same_each_time(void **state)
{
	struct fixture *f = *state;
	put(f, "{\"name\":\"a\",\"every\":\"1m\",\"jitter\":\"50s\",\"overlap\":\"allow\"," JOB "}");
	f->now += MINUTE;
	schedules_tick(f->schedules, f->now);
	crash(f, 0);
	tick(f);
	assert_int_equal(f->due[0], f->due[1]);
	pass(f, 30 * MINUTE);
	int64_t least = MINUTE, most = 0;
	for (size_t i = 0; i < f->made_n; i++) {
		int64_t jitter = f->due[i] ? f->due[i] - f->at[i] : 0;
		assert_true(jitter >= 0 && jitter <= 50000);
		least = jitter < least ? jitter : least;
		most = jitter > most ? jitter : most;
	}
	assert_true(most - least > 25000);
}

static void a_full_disk_delays_one_batch_and_piles_up_none(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"allow\"," JOB "}");
	store_memory_set_full(f->store, true);
	pass(f, 10 * MINUTE);
	assert_int_equal(f->made_n, 1);
	store_memory_set_full(f->store, false);
	queues_tick(f->queues, f->now + 1000);
	store_flush(f->store);
	tick(f);
	assert_int_equal(f->made_n, 2);
	assert_int_equal(info(s).missed, 8);
	assert_non_null(queues_find(f->queues, f->ids[0]));
}

static void what_cannot_be_made_is_counted_with_its_reason_and_the_schedule_goes_on(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\"," JOB "}");
	f->make_code = E_LIMIT;
	pass(f, MINUTE);
	assert_int_equal(info(s).failed, 1);
	assert_non_null(strstr(info(s).error, "no, thanks"));
	expect_event(f, "schedule.failed", "no, thanks");
	f->make_code = E_OK;
	pass(f, MINUTE);
	assert_int_equal(f->made_n, 1);
}

static void one_by_hand_is_made_at_once_and_changes_no_time(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1h\"," JOB "}");
	int64_t next = info(s).next_ms;
	uint64_t id;
	assert_int_equal(schedules_run(f->schedules, s, f->now, &id, on_done, f, NULL), E_OK);
	store_flush(f->store);
	assert_int_equal(f->done_n, 2);
	assert_non_null(queues_find(f->queues, id));
	assert_int_equal(info(s).next_ms, next);
}

static void a_change_of_its_times_begins_anew_and_any_other_does_not(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"enabled\":false," JOB "}");
	pass(f, 5 * MINUTE);
	assert_int_equal(f->made_n, 0);
	s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"overlap\":\"allow\"," JOB "}");
	tick(f);
	assert_int_equal(f->made_n, 0);
	f->now += 2 * MINUTE;
	s = put(f, "{\"name\":\"a\",\"every\":\"1m\",\"missed\":\"all\",\"overlap\":\"allow\"," JOB "}");
	tick(f);
	assert_int_equal(f->made_n, 2);
	assert_int_equal(info(s).made, 2);
}

static void declare(struct fixture *f, const char *one, const char *two)
{
	struct schedule_definition *definitions[2];
	size_t n = 0;
	if (one)
		definitions[n++] = parse(one);
	if (two)
		definitions[n++] = parse(two);
	assert_int_equal(schedules_declare(f->schedules, definitions, n, f->now, NULL), E_OK);
	store_flush(f->store);
}

static void the_configurations_follow_the_configuration_and_the_others_stay(void **state)
{
	struct fixture *f = *state;
	struct err e;
	put(f, "{\"name\":\"mine\",\"every\":\"1m\"," JOB "}");
	declare(f, "{\"name\":\"a\",\"every\":\"1m\"," JOB "}", "{\"name\":\"b\",\"every\":\"2m\"," JOB "}");
	crash(f, 0);
	declare(f, "{\"name\":\"b\",\"every\":\"2m\"," JOB "}", NULL);
	assert_null(schedules_find(f->schedules, (struct bytes){0}, bytes_of("a")));
	struct schedule *b = schedules_find(f->schedules, (struct bytes){0}, bytes_of("b"));
	assert_int_equal(schedules_remove(f->schedules, b, NULL, NULL, &e), E_CONFLICT);
	assert_non_null(strstr(e.text, "configuration"));
	assert_int_equal(schedules_put(f->schedules, parse("{\"name\":\"b\",\"every\":\"3m\"," JOB "}"), SCHEDULE_FROM_API,
						 f->now, NULL, NULL, &e),
		E_CONFLICT);
	schedules_pause(f->schedules, b, true, f->now, NULL, NULL);
	store_flush(f->store);
	crash(f, 0);
	declare(f, "{\"name\":\"b\",\"every\":\"2m\"," JOB "}", NULL);
	b = schedules_find(f->schedules, (struct bytes){0}, bytes_of("b"));
	assert_true(info(b).paused);
	assert_int_equal(info(b).origin, SCHEDULE_FROM_CONFIG);
	declare(f, NULL, NULL);
	crash(f, 0);
	assert_null(schedules_find(f->schedules, (struct bytes){0}, bytes_of("b")));
	assert_non_null(schedules_find(f->schedules, (struct bytes){0}, bytes_of("mine")));
	assert_null(schedules_at(f->schedules, 1));
}

static void one_that_is_removed_while_its_batch_is_under_way_is_gone_for_good(void **state)
{
	struct fixture *f = *state;
	struct schedule *s = put(f, "{\"name\":\"a\",\"every\":\"1m\"," JOB "}");
	f->now += MINUTE;
	schedules_tick(f->schedules, f->now);
	assert_int_equal(schedules_remove(f->schedules, s, on_done, f, NULL), E_OK);
	put(f, "{\"name\":\"a\",\"every\":\"1h\"," JOB "}");
	assert_int_equal(f->made_n, 1);
	crash(f, 0);
	s = schedules_find(f->schedules, (struct bytes){0}, bytes_of("a"));
	assert_int_equal(info(s).definition->timing.every_ms, 60 * MINUTE);
	assert_int_equal(info(s).made, 0);
}

static void an_occurrence_says_its_time_where_it_is_asked_to(void **state)
{
	struct schedule_definition *d = parse(
		"{\"name\":\"a\",\"every\":\"1m\",\"time_as\":\"day\",\"job\":{\"capability\":\"work\",\"input\":{\"n\":1}}}");
	scoped(mem_free_at) char *job = schedule_job(d, 1795332112000), *again = schedule_job(d, 1795332112000);
	assert_string_equal(job, "{\"capability\":\"work\",\"input\":{\"n\":1,\"day\":\"2026-11-22T07:21:52.000Z\"}}");
	assert_string_equal(again, job);
	schedule_definition_free(d);
	d = parse("{\"name\":\"a\",\"every\":\"1m\",\"run\":{\"pipeline\":\"p\"}}");
	scoped(mem_free_at) char *input = schedule_run_input(d, 1795332112000);
	assert_string_equal(input, "{}");
	schedule_definition_free(d);
}

static void refuse(const char *text, const char *pointer_of, const char *word)
{
	struct schedule_definition *d;
	char pointer[64];
	struct err e;
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_int_not_equal(schedule_parse(json, &d, pointer, &e), E_OK);
	json_decref(json);
	assert_string_equal(pointer, pointer_of);
	if (!strstr(e.text, word))
		fail_msg("\"%s\" does not say \"%s\"", e.text, word);
}

static void a_definition_that_cannot_be_is_refused_naming_the_member(void **state)
{
	refuse("{\"name\":\"a\"," JOB "}", "", "either `every` or `cron`");
	refuse("{\"name\":\"a\",\"every\":\"1m\",\"cron\":\"* * * * *\"," JOB "}", "", "not both");
	refuse("{\"name\":\"a\",\"every\":\"1ms\"," JOB "}", "/every", "must be from 1s");
	refuse("{\"name\":\"a\",\"every\":\"5\"," JOB "}", "/every", "not a duration");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"timezone\":\"Europe/Berlin\"," JOB "}", "/timezone", "elapsed time");
	refuse("{\"name\":\"a\",\"cron\":\"61 * * * *\"," JOB "}", "/cron", "minute \"61\" at position 1");
	refuse(
		"{\"name\":\"a\",\"cron\":\"1 * * * *\",\"timezone\":\"Europe/Brlin\"," JOB "}", "/timezone", "Europe/Brlin");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"start\":\"tomorrow\"," JOB "}", "/start", "RFC 3339");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"start\":\"2026-01-02T00:00:00Z\",\"end\":\"2026-01-01T00:00:00Z\"," JOB
		   "}",
		"/end", "before start");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"time_as\":\"t\",\"job\":{\"capability\":\"x\",\"input\":[1]}}",
		"/time_as", "no object");
	refuse("{\"name\":\"a\",\"every\":\"5m\"}", "", "either `job` or `run`");
	refuse("{\"name\":\"a\",\"every\":\"5m\"," JOB ",\"run\":{\"pipeline\":\"p\"}}", "", "not both");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"jitter\":\"2d\"," JOB "}", "/jitter", "to 1d");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"jitter\":\"2s\",\"run\":{\"pipeline\":\"p\"}}", "/jitter", "for jobs");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"job\":{\"capability\":\"x\",\"run_at\":\"2026-01-02T00:00:00Z\"}}",
		"/job", "run_at");
	refuse("{\"name\":\"a\",\"every\":\"5m\",\"job\":{\"capability\":\"x\",\"idempotency_key\":\"k\"}}", "/job",
		"idempotency_key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_occurrence_makes_its_job_at_its_time),
		TEST(the_next_tick_is_when_the_next_one_is_due),
		TEST(what_a_crash_loses_is_made_by_the_next_engine_and_nothing_twice),
		TEST(a_clock_that_goes_back_makes_nothing_twice),
		TEST(of_what_was_missed_one_is_made_or_none_or_all),
		TEST(a_paused_one_makes_nothing_and_then_does_as_its_policy_says),
		TEST(while_its_job_lives_the_next_one_is_left_out),
		TEST(one_waits_for_the_end_of_the_job_before_over_a_restart_too),
		TEST(the_job_before_is_cancelled_when_so_asked),
		TEST(jitter_delays_within_its_bound_and_the_same_each_time),
		TEST(a_full_disk_delays_one_batch_and_piles_up_none),
		TEST(what_cannot_be_made_is_counted_with_its_reason_and_the_schedule_goes_on),
		TEST(one_by_hand_is_made_at_once_and_changes_no_time),
		TEST(a_change_of_its_times_begins_anew_and_any_other_does_not),
		TEST(the_configurations_follow_the_configuration_and_the_others_stay),
		TEST(one_that_is_removed_while_its_batch_is_under_way_is_gone_for_good),
		cmocka_unit_test(an_occurrence_says_its_time_where_it_is_asked_to),
		cmocka_unit_test(a_definition_that_cannot_be_is_refused_naming_the_member),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
