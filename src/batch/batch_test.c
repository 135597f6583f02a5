/* batch_test.c - batches on a memory store; every commit is durable when settle() says so. */
#include "batch/batches.h"

#include "base/mem.h"
#include "wire/id.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

struct fixture {
	struct store *store;
	struct queues *qs;
	struct callbacks *cs;
	struct batches *bs;
	int64_t now, keep_ms;
	struct callback_request *sent[16];
	int sent_n;
	/* what was answered last */
	enum errcode code;
	uint64_t id, ids[64];
	size_t n;
	bool existing[64];
	int answers, over;
	char news[200];
	uint64_t then; /* the job that was submitted */
	char then_text[2000];
};

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	struct fixture *f = context;
	callbacks_job_ending(f->cs, j, o, b);
	batches_ending(f->bs, j, o, b);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	batches_ended(((struct fixture *)context)->bs, j, o);
}

static void on_joining(void *context, uint64_t id, const uint64_t *ids, size_t n, struct store_batch *b)
{
	batches_joining(((struct fixture *)context)->bs, id, ids, n, b);
}

static bool on_joined(void *context, uint64_t id, uint64_t job_id)
{
	return batches_joined(((struct fixture *)context)->bs, id, job_id);
}

static void on_send(void *context, struct callback_request *r)
{
	struct fixture *f = context;
	f->sent[f->sent_n++] = r;
}

static uint64_t on_submit(void *context, struct bytes namespace, struct bytes text, struct store_batch *b)
{
	struct fixture *f = context;
	struct job_spec s;
	job_spec_init(&s);
	s.namespace = namespace;
	s.capability = bytes_of("after");
	s.input = text;
	snprintf(f->then_text, sizeof f->then_text, "%.*s", (int)text.size, text.data);
	return f->then = queues_submit_in(f->qs, b, &s, f->now);
}

static void on_changed(void *context, uint64_t id, struct bytes namespace, const char *status, int percent)
{
	struct fixture *f = context;
	size_t at = strlen(f->news);
	snprintf(f->news + at, sizeof f->news - at, "%s %d;", status, percent);
}

static void open_all(struct fixture *f)
{
	struct queue_hooks hooks = {
		.context = f, .ending = on_ending, .ended = on_ended, .joining = on_joining, .joined = on_joined};
	f->qs = queues_new(f->store, 1, 42, &hooks);
	struct callbacks_options co = {
		.store = f->store, .queues = f->qs, .limits = callback_default_limits, .context = f, .send = on_send};
	f->cs = callbacks_new(&co);
	struct batches_options o = {.store = f->store,
		.queues = f->qs,
		.callbacks = f->cs,
		.keep_ms = 1000000,
		.context = f,
		.submit = on_submit,
		.changed = on_changed};
	f->bs = batches_new(&o);
	assert_int_equal(queues_load(f->qs, f->now, NULL), E_OK);
	assert_int_equal(callbacks_load(f->cs, f->now, NULL), E_OK);
	assert_int_equal(batches_load(f->bs, f->now, NULL), E_OK);
}

static void close_all(struct fixture *f)
{
	for (int i = 0; i < f->sent_n; i++)
		callback_request_free(f->sent[i]);
	f->sent_n = 0;
	batches_free(f->bs);
	callbacks_free(f->cs);
	queues_free(f->qs);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->now = T0;
	store_memory_open(NULL, &f->store, NULL);
	open_all(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	close_all(f);
	free(f);
	return 0;
}

/* A crash with so many of the waiting commits on disk. */
static void restart(struct fixture *f, unsigned durable)
{
	struct store *next;
	store_memory_crash(f->store, durable, &next);
	close_all(f);
	f->store = next;
	open_all(f);
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 3; i++) /* what is durable may lead to another commit */
		store_flush(f->store);
}

static void tick(struct fixture *f, int64_t ms)
{
	f->now += ms;
	queues_tick(f->qs, f->now);
	callbacks_tick(f->cs, f->now);
	batches_tick(f->bs, f->now);
	settle(f);
}

static void on_done(void *context, const struct batch_reply *r)
{
	struct fixture *f = context;
	f->answers++;
	f->code = r->code;
	f->id = r->id;
	f->n = r->jobs ? r->jobs->n : 0;
	for (size_t i = 0; i < f->n; i++) {
		f->ids[i] = r->jobs->ids[i];
		f->existing[i] = r->jobs->existing && r->jobs->existing[i];
	}
}

static void jobs_of(struct job_spec *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		job_spec_init(&jobs[i]);
		jobs[i].capability = bytes_of("work");
		jobs[i].input = bytes_of("{}");
	}
}

static uint64_t create(struct fixture *f, const struct batch_spec *spec, size_t n)
{
	struct job_spec jobs[32];
	struct err e;
	jobs_of(jobs, n);
	if (batches_create(f->bs, spec, jobs, n, f->now, on_done, f, &e) != E_OK)
		fail_msg("%s", e.text);
	settle(f);
	assert_int_equal(f->code, E_OK);
	return f->id;
}

static void add(struct fixture *f, uint64_t id, size_t n)
{
	struct job_spec jobs[32];
	jobs_of(jobs, n);
	assert_int_equal(batches_add(f->bs, id, jobs, n, f->now, on_done, f, NULL), E_OK);
}

static struct job *lease(struct fixture *f)
{
	return queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("work")), f->now, f);
}

static void complete(struct fixture *f)
{
	struct job *j = lease(f);
	assert_non_null(j);
	assert_int_equal(queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of("1"), f->now, NULL, NULL, NULL), E_OK);
}

static uint64_t fail_one(struct fixture *f)
{
	static const struct job_error never = {"INVALID", "bad input", 0};
	struct job *j = lease(f);
	uint64_t id = j->id;
	assert_int_equal(queue_fail(f->qs, id, job_fence(f->qs, j), &never, f->now, NULL, NULL, NULL), E_OK);
	return id;
}

/* Members of what is shown, as text: "running 3 1/1/0 2/0/0" is status, total, waiting, ended. */
static const char *shown(struct fixture *f, uint64_t id)
{
	static char text[200];
	struct buf out = {0};
	struct err e;
	const char *status;
	int total, scheduled, pending, processing, completed, failed, cancelled, percent;
	if (batches_show(f->bs, id, &out, &e) != E_OK)
		fail_msg("%s", e.text);
	json_t *j = json_loadb(out.data, out.size, 0, NULL);
	assert_int_equal(
		json_unpack(j, "{s:s, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i}}", "status", &status, "percent", &percent,
			"counts", "total", &total, "scheduled", &scheduled, "pending", &pending, "processing", &processing,
			"completed", &completed, "failed", &failed, "cancelled", &cancelled),
		0);
	snprintf(text, sizeof text, "%s %d: %d/%d/%d %d/%d/%d %d%%", status, total, scheduled, pending, processing,
		completed, failed, cancelled, percent);
	json_decref(j);
	buf_fini(&out);
	return text;
}

static void a_batch_completes_with_its_last_job_and_is_shown_on_the_way(void **state)
{
	struct fixture *f = *state;
	uint64_t id = create(f, &(struct batch_spec){.name = bytes_of("n")}, 4);
	assert_int_equal(f->n, 4);
	assert_string_equal(shown(f, id), "running 4: 0/4/0 0/0/0 0%");
	complete(f);
	settle(f);
	lease(f);
	assert_string_equal(shown(f, id), "running 4: 0/2/1 1/0/0 25%");
	tick(f, 1);
	assert_string_equal(f->news, "running 25;");
	complete(f);
	complete(f);
	settle(f);
	job_started(queues_find(f->qs, f->ids[1]), f->now);
	assert_int_equal(queue_complete(f->qs, f->ids[1], job_fence(f->qs, queues_find(f->qs, f->ids[1])), bytes_of("1"),
						 f->now, NULL, NULL, NULL),
		E_OK);
	assert_string_equal(shown(f, id), "running 4: 0/0/1 3/0/0 75%"); /* its end is not on disk */
	settle(f);
	assert_string_equal(shown(f, id), "completed 4: 0/0/0 4/0/0 100%");
	assert_false(batches_lives(f->bs, id));
	restart(f, 0);
	assert_string_equal(shown(f, id), "completed 4: 0/0/0 4/0/0 100%");
}

static void more_failures_than_allowed_fail_it_and_their_ids_are_kept(void **state)
{
	struct fixture *f = *state;
	struct buf out = {0};
	char text[ID_TEXT_SIZE];
	uint64_t good = create(f, &(struct batch_spec){.max_failures = 1}, 2);
	uint64_t failed = fail_one(f);
	complete(f);
	settle(f);
	assert_string_equal(shown(f, good), "completed 2: 0/0/0 1/1/0 100%");
	batches_show(f->bs, good, &out, NULL);
	id_format(failed, text);
	assert_non_null(strstr(out.data, text));
	buf_fini(&out);
	uint64_t bad = create(f, &(struct batch_spec){.max_failures = 1}, 3);
	fail_one(f);
	queue_cancel(f->qs, f->ids[1], f->now, NULL, NULL, NULL);
	complete(f);
	settle(f);
	assert_string_equal(shown(f, bad), "failed 3: 0/0/0 1/1/1 100%");
}

static void an_open_batch_takes_jobs_until_it_is_closed(void **state)
{
	struct fixture *f = *state;
	struct job_spec one;
	struct err e;
	jobs_of(&one, 1);
	assert_int_equal(batches_create(f->bs, &(struct batch_spec){0}, NULL, 0, f->now, on_done, f, &e), E_INVALID);
	uint64_t id = create(f, &(struct batch_spec){.open = true}, 0);
	assert_string_equal(shown(f, id), "open 0: 0/0/0 0/0/0 0%");
	add(f, id, 2);
	add(f, id, 1);
	assert_int_equal(batches_close(f->bs, id, on_done, f, &e), E_STATE); /* jobs are on their way */
	settle(f);
	complete(f);
	complete(f);
	complete(f);
	settle(f);
	assert_string_equal(shown(f, id), "open 3: 0/0/0 3/0/0 100%");
	assert_int_equal(batches_close(f->bs, id, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->code, E_OK);
	assert_string_equal(shown(f, id), "completed 3: 0/0/0 3/0/0 100%");
	assert_int_equal(batches_add(f->bs, id, &one, 1, f->now, on_done, f, &e), E_STATE);
	assert_int_equal(batches_close(f->bs, id, on_done, f, &e), E_STATE);
	assert_int_equal(batches_add(f->bs, 77, &one, 1, f->now, on_done, f, &e), E_NOT_FOUND);
}

static void it_ends_exactly_once_wherever_the_engine_dies(void **state)
{
	struct fixture *f = *state;
	for (unsigned durable = 0; durable < 6; durable++) {
		f->then = 0;
		uint64_t id = create(f,
			&(struct batch_spec){
				.then = bytes_of("{\"capability\":\"after\"}"), .callback = bytes_of("{\"url\":\"http://h/\"}")},
			3);
		for (int i = 0; i < 3; i++)
			complete(f); /* three commits */
		unsigned ended = durable > 3 ? 3 : durable;
		restart(f, durable);
		char expected[60];
		if (ended == 3)
			snprintf(expected, sizeof expected, "completed 3: 0/0/0 3/0/0 100%%");
		else
			snprintf(expected, sizeof expected, "running 3: 0/%u/0 %u/0/0 %u%%", 3 - ended, ended, ended * 100 / 3);
		assert_string_equal(shown(f, id), expected);
		for (unsigned i = ended; i < 3; i++)
			complete(f);
		settle(f);
		assert_string_equal(shown(f, id), "completed 3: 0/0/0 3/0/0 100%");
		tick(f, 1);
		assert_int_equal(f->sent_n, 1);
		assert_string_equal(f->sent[0]->type, "batch.completed");
		f->sent[0]->status = 200;
		callback_sent(f->cs, f->sent[0], f->now);
		f->sent_n = 0;
		settle(f);
		struct job *after = queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("after")), f->now, f);
		assert_int_equal(after->id, f->then);
		queue_complete(f->qs, after->id, job_fence(f->qs, after), bytes_of("1"), f->now, NULL, NULL, NULL);
		settle(f);
		assert_null(queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("after")), f->now, f));
	}
}

static void an_engine_that_dies_between_closing_and_ending_ends_it_at_its_start(void **state)
{
	struct fixture *f = *state;
	uint64_t id = create(f, &(struct batch_spec){.open = true}, 1);
	complete(f);
	settle(f);
	assert_int_equal(batches_close(f->bs, id, on_done, f, NULL), E_OK);
	restart(f, 1);
	settle(f);
	assert_string_equal(shown(f, id), "completed 1: 0/0/0 1/0/0 100%");
}

static void jobs_whose_adding_a_full_disk_refused_were_never_there(void **state)
{
	struct fixture *f = *state;
	uint64_t id = create(f, &(struct batch_spec){.open = true}, 2);
	complete(f); /* an end under way at the same time is kept and tried again */
	store_memory_set_full(f->store, true);
	add(f, id, 5);
	settle(f);
	assert_int_equal(f->code, E_NO_SPACE);
	assert_int_equal(batches_close(f->bs, id, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->code, E_NO_SPACE);
	store_memory_set_full(f->store, false);
	tick(f, 1000);
	restart(f, 0);
	assert_string_equal(shown(f, id), "open 2: 0/1/0 1/0/0 50%");
	complete(f);
	settle(f);
	assert_int_equal(batches_close(f->bs, id, on_done, f, NULL), E_OK);
	settle(f);
	assert_string_equal(shown(f, id), "completed 2: 0/0/0 2/0/0 100%");
	store_memory_set_full(f->store, true);
	struct job_spec one;
	jobs_of(&one, 1);
	if (batches_create(f->bs, &(struct batch_spec){0}, &one, 1, f->now, on_done, f, NULL) == E_OK) {
		settle(f);
		assert_int_equal(f->code, E_NO_SPACE);
		assert_false(batches_lives(f->bs, f->id));
	}
}

static void the_then_job_gets_how_the_batch_ended_and_its_own_input(void **state)
{
	struct fixture *f = *state;
	struct batch_spec spec = {.namespace = bytes_of("mine"),
		.then = bytes_of("{\"capability\":\"after\",\"input\":{\"x\":[1]},\"priority\":9}")};
	struct job_spec one;
	jobs_of(&one, 1);
	assert_int_equal(batches_create(f->bs, &spec, &one, 1, f->now, on_done, f, NULL), E_OK);
	settle(f);
	struct queue *q = queues_get(f->qs, bytes_of("mine"), bytes_of("work")); /* its jobs are in its namespace */
	struct job *j = queue_lease(q, f->now, f);
	queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of("1"), f->now, NULL, NULL, NULL);
	settle(f);
	json_t *text = json_loads(f->then_text, 0, NULL);
	const char *status;
	int x, priority, completed;
	assert_int_equal(json_unpack(text, "{s:i, s:{s:{s:s, s:{s:i}}, s:{s:[i]}}}", "priority", &priority, "input",
						 "batch", "status", &status, "counts", "completed", &completed, "input", "x", &x),
		0);
	assert_string_equal(status, "completed");
	assert_true(priority == 9 && x == 1 && completed == 1);
	json_decref(text);
	f->then = 0;
	create(f, &spec, 1);
	queue_cancel(f->qs, f->ids[0], f->now, NULL, NULL, NULL);
	settle(f);
	assert_int_equal(f->then, 0); /* it has not completed */
}

static void cancelling_ends_all_its_jobs_also_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct err e;
	uint64_t id = create(f, &(struct batch_spec){.open = true}, 30);
	for (int i = 0; i < 9; i++)
		add(f, id, 30);
	settle(f);
	complete(f);
	settle(f);
	assert_int_equal(batches_cancel(f->bs, id, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(batches_cancel(f->bs, id, on_done, f, &e), E_STATE);
	batches_tick(f->bs, ++f->now);
	store_flush(f->store); /* the first fifty are looked up */
	store_flush(f->store); /* and cancelled */
	restart(f, 0);
	assert_string_equal(shown(f, id), "cancelling 300: 0/250/0 1/0/49 16%");
	for (int i = 0; i < 10 && batches_lives(f->bs, id); i++)
		tick(f, 300);
	assert_string_equal(shown(f, id), "cancelled 300: 0/0/0 1/0/299 100%");
	assert_int_equal(batches_cancel(f->bs, id, on_done, f, &e), E_STATE);
	id = create(f, &(struct batch_spec){.open = true}, 0);
	assert_int_equal(batches_cancel(f->bs, id, on_done, f, NULL), E_OK);
	settle(f);
	assert_string_equal(shown(f, id), "cancelled 0: 0/0/0 0/0/0 100%");
}

static void a_key_of_a_job_in_it_gives_that_job_and_any_other_key_is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct job_spec one;
	struct err e;
	jobs_of(&one, 1);
	one.idempotency_key = bytes_of("k");
	uint64_t id = create(f, &(struct batch_spec){.open = true}, 0);
	assert_int_equal(batches_add(f->bs, id, &one, 1, f->now, on_done, f, NULL), E_OK);
	settle(f);
	uint64_t job = f->ids[0];
	assert_int_equal(batches_add(f->bs, id, &one, 1, f->now, on_done, f, NULL), E_OK);
	settle(f);
	assert_true(f->ids[0] == job && f->existing[0]);
	complete(f);
	settle(f);
	assert_int_equal(batches_add(f->bs, id, &one, 1, f->now, on_done, f, NULL), E_OK); /* over, but one of it */
	settle(f);
	assert_string_equal(shown(f, id), "open 1: 0/0/0 1/0/0 100%");
	uint64_t other = create(f, &(struct batch_spec){.open = true}, 0);
	assert_int_equal(batches_add(f->bs, other, &one, 1, f->now, on_done, f, &e), E_CONFLICT);
	one.idempotency_key = (struct bytes){0};
	one.unique.states = 1;
	assert_int_equal(batches_add(f->bs, other, &one, 1, f->now, on_done, f, &e), E_INVALID);
	assert_int_equal(batches_close(f->bs, other, on_done, f, NULL), E_OK); /* what was refused left nothing behind */
	settle(f);
	assert_string_equal(shown(f, other), "completed 0: 0/0/0 0/0/0 100%");
}

static void a_replayed_dead_letter_is_a_job_of_its_own_and_the_batch_stays_as_it_ended(void **state)
{
	struct fixture *f = *state;
	uint64_t id = create(f, &(struct batch_spec){0}, 2);
	uint64_t dead = fail_one(f);
	settle(f);
	assert_int_equal(queue_replay(f->qs, dead, f->now, NULL, NULL, NULL), E_OK);
	settle(f);
	assert_int_equal(job_batch(queues_find(f->qs, dead)), 0);
	assert_string_equal(shown(f, id), "running 2: 0/1/0 0/1/0 50%");
	complete(f);
	complete(f);
	settle(f);
	assert_string_equal(shown(f, id), "failed 2: 0/0/0 1/1/0 100%");
	uint64_t ended = create(f, &(struct batch_spec){0}, 1);
	dead = fail_one(f);
	settle(f);
	assert_int_equal(queue_replay(f->qs, dead, f->now, NULL, NULL, NULL), E_OK);
	settle(f);
	complete(f);
	settle(f);
	assert_string_equal(shown(f, ended), "failed 1: 0/0/0 0/1/0 100%");
}

static void on_over(void *context)
{
	((struct fixture *)context)->over++;
}

static void who_waits_is_told_once_it_is_over(void **state)
{
	struct fixture *f = *state;
	uint64_t id = create(f, &(struct batch_spec){0}, 1);
	struct batch_wait *a = batches_wait(f->bs, id, on_over, f), *b = batches_wait(f->bs, id, on_over, f);
	batch_wait_free(b);
	complete(f);
	assert_int_equal(f->over, 0);
	settle(f);
	assert_int_equal(f->over, 1);
	batch_wait_free(a);
	batch_wait_free(batches_wait(f->bs, id, on_over, f));
	assert_int_equal(f->over, 2);
}

static bool count_row(void *context, const struct store_row *row)
{
	++*(size_t *)context;
	return true;
}

static size_t rows(struct fixture *f, enum store_table table)
{
	size_t n = 0;
	assert_int_equal(f->store->ops->load(f->store, table, count_row, &n, NULL), E_OK);
	return n;
}

static void old_batches_go_with_their_members_and_live_ones_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t live = create(f, &(struct batch_spec){.open = true}, 1);
	complete(f);
	settle(f);
	create(f, &(struct batch_spec){.open = true}, 0);
	uint64_t old = f->id;
	for (int i = 0; i < 40; i++) {
		add(f, old, 30);
		settle(f);
		for (int k = 0; k < 30; k++)
			complete(f);
		settle(f);
	}
	batches_close(f->bs, old, on_done, f, NULL);
	settle(f);
	assert_int_equal(rows(f, STORE_MEMBER), 2 + 1201);
	tick(f, 500000);
	assert_int_equal(rows(f, STORE_BATCH), 2);
	for (int i = 0; i < 10; i++)
		tick(f, 100000);
	assert_int_equal(rows(f, STORE_BATCH), 1);
	assert_int_equal(rows(f, STORE_MEMBER), 2);
	assert_string_equal(shown(f, live), "open 1: 0/0/0 1/0/0 100%");
	struct buf out = {0};
	assert_int_equal(batches_show(f->bs, old, &out, NULL), E_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_completes_with_its_last_job_and_is_shown_on_the_way),
		TEST(more_failures_than_allowed_fail_it_and_their_ids_are_kept),
		TEST(an_open_batch_takes_jobs_until_it_is_closed),
		TEST(it_ends_exactly_once_wherever_the_engine_dies),
		TEST(an_engine_that_dies_between_closing_and_ending_ends_it_at_its_start),
		TEST(jobs_whose_adding_a_full_disk_refused_were_never_there),
		TEST(the_then_job_gets_how_the_batch_ended_and_its_own_input),
		TEST(cancelling_ends_all_its_jobs_also_over_a_restart),
		TEST(a_key_of_a_job_in_it_gives_that_job_and_any_other_key_is_a_conflict),
		TEST(a_replayed_dead_letter_is_a_job_of_its_own_and_the_batch_stays_as_it_ended),
		TEST(who_waits_is_told_once_it_is_over),
		TEST(old_batches_go_with_their_members_and_live_ones_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
