/* callback_test.c - callbacks on a memory store; the clock and the network are the test's. */
#include "callback/callback.h"

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
	struct callback_limits limits;
	int64_t now;
	struct callback_request *sent[64]; /* not yet answered */
	int sent_n;
	uint64_t job;
	int news[3], changed_n;
};

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	callbacks_job_ending(((struct fixture *)context)->cs, j, o, b);
}

static void on_send(void *context, struct callback_request *r)
{
	struct fixture *f = context;
	f->sent[f->sent_n++] = r;
}

static void on_told(void *context, const struct callback_view *v, enum callback_news news)
{
	((struct fixture *)context)->news[news]++;
}

static void on_submitted(void *context, const struct submit_reply *r)
{
	((struct fixture *)context)->job = r->ids[0];
}

static void on_changed(void *context, enum errcode code)
{
	assert_int_equal(code, E_OK);
	((struct fixture *)context)->changed_n++;
}

static void open_all(struct fixture *f)
{
	struct queue_hooks hooks = {.context = f, .ending = on_ending};
	f->qs = queues_new(f->store, 1, 42, &hooks);
	struct callbacks_options o = {.store = f->store,
		.queues = f->qs,
		.limits = f->limits,
		.random_seed = 7,
		.context = f,
		.send = on_send,
		.told = on_told};
	f->cs = callbacks_new(&o);
	assert_int_equal(queues_load(f->qs, f->now, NULL), E_OK);
	assert_int_equal(callbacks_load(f->cs, f->now, NULL), E_OK);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->now = T0;
	f->limits = callback_default_limits;
	store_memory_open(NULL, &f->store, NULL);
	open_all(f);
	*state = f;
	return 0;
}

static void close_all(struct fixture *f)
{
	for (int i = 0; i < f->sent_n; i++)
		callback_request_free(f->sent[i]);
	f->sent_n = 0;
	callbacks_free(f->cs);
	queues_free(f->qs);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	close_all(f);
	free(f);
	return 0;
}

static void restart(struct fixture *f, unsigned durable)
{
	struct store *next;
	store_memory_crash(f->store, durable, &next);
	close_all(f);
	f->store = next;
	open_all(f);
}

static void tick(struct fixture *f, int64_t ms)
{
	f->now += ms;
	queues_tick(f->qs, f->now);
	callbacks_tick(f->cs, f->now);
	store_flush(f->store);
}

static struct callback_stats stats(const struct fixture *f)
{
	struct callback_stats s;
	callbacks_get_stats(f->cs, &s);
	return s;
}

/* A job that is told to a path of a host, and is in our hands. */
static struct job *begin(struct fixture *f, const char *host)
{
	char target[200];
	struct job_spec s;
	job_spec_init(&s);
	snprintf(target, sizeof target, "{\"url\":\"http://%s/hook\",\"headers\":{\"X-Mine\":\"1\"}}", host);
	s.capability = bytes_of("work");
	s.input = bytes_of("{}");
	s.tags = bytes_of("[\"red\"]");
	s.callback = bytes_of(target);
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL), E_OK);
	store_flush(f->store);
	return queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("work")), f->now, f);
}

static void complete(struct fixture *f, struct job *j, const char *result)
{
	assert_int_equal(
		queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of(result), f->now, NULL, NULL, NULL), E_OK);
}

static uint64_t end_one(struct fixture *f, const char *host)
{
	struct job *j = begin(f, host);
	uint64_t id = j->id;
	complete(f, j, "[7]");
	store_flush(f->store);
	return id;
}

/* Takes the oldest request that was sent, answers it, and gives its delivery. */
static uint64_t answer(struct fixture *f, int status)
{
	assert_true(f->sent_n > 0);
	struct callback_request *r = f->sent[0];
	uint64_t id = r->id;
	memmove(f->sent, f->sent + 1, (size_t)--f->sent_n * sizeof *f->sent);
	r->status = status;
	if (status / 100 != 2)
		snprintf(r->error, sizeof r->error, "status %d", status);
	callback_sent(f->cs, r, f->now);
	store_flush(f->store);
	return id;
}

static bool stored(struct fixture *f, uint64_t id, struct callback_view *v)
{
	static struct buf head;
	if (f->store->ops->read(f->store, STORE_CALLBACK, (struct store_key){.id = id}, &head, NULL, NULL) != E_OK) {
		buf_fini(&head);
		return false;
	}
	assert_int_equal(callback_view_decode(id, buf_bytes(&head), v, NULL), E_OK);
	return true;
}

static void an_end_is_told_once_it_is_durable_and_the_row_goes_when_it_arrived(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	struct job *j = begin(f, "h");
	complete(f, j,
		"{\"blob\":\"sha256:"
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\"bytes\":4}");
	assert_int_equal(f->sent_n, 0);
	store_flush(f->store);
	assert_int_equal(f->sent_n, 1);
	assert_string_equal(f->sent[0]->url, "http://h/hook");
	assert_string_equal(f->sent[0]->type, "job.completed");
	json_t *said = json_loadb(f->sent[0]->body.data, f->sent[0]->body.size, 0, NULL);
	const char *job, *delivery, *status, *operation, *sha256, *tag;
	int attempts;
	assert_int_equal(json_unpack(said, "{s:s, s:s, s:s, s:s, s:i, s:{s:s}, s:[s], s:n}", "job_id", &job, "delivery_id",
						 &delivery, "status", &status, "operation", &operation, "attempts", &attempts, "artifact",
						 "sha256", &sha256, "tags", &tag, "error"),
		0);
	assert_string_equal(status, "completed");
	assert_string_equal(operation, "work");
	assert_int_equal(attempts, 1);
	assert_int_equal(strlen(sha256), 64);
	assert_string_equal(tag, "red");
	json_decref(said);
	uint64_t id = f->sent[0]->id;
	assert_true(stored(f, id, &v));
	assert_int_equal(v.job_id, f->job);
	answer(f, 204);
	assert_false(stored(f, id, &v));
	assert_int_equal(stats(f).pending, 0);
	assert_int_equal(f->news[CALLBACK_DELIVERED], 1);
}

static void a_job_without_a_callback_writes_none(void **state)
{
	struct fixture *f = *state;
	struct job_spec s;
	job_spec_init(&s);
	s.capability = bytes_of("work");
	s.input = bytes_of("{}");
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL), E_OK);
	store_flush(f->store);
	complete(f, queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("work")), f->now, f), "1");
	store_flush(f->store);
	assert_int_equal(f->sent_n + stats(f).pending, 0);
}

static void failed_and_cancelled_jobs_are_told_with_their_error(void **state)
{
	struct fixture *f = *state;
	static const struct job_error never = {"INVALID", "bad \"input\"", 0};
	struct job *j = begin(f, "h");
	queue_fail(f->qs, j->id, job_fence(f->qs, j), &never, f->now, NULL, NULL, NULL);
	begin(f, "h");
	queue_cancel(f->qs, f->job, f->now, NULL, NULL, NULL);
	store_flush(f->store);
	assert_int_equal(f->sent_n, 2);
	assert_string_equal(f->sent[0]->type, "job.failed");
	assert_non_null(strstr(f->sent[0]->body.data, "\"message\":\"bad \\\"input\\\"\""));
	assert_string_equal(f->sent[1]->type, "job.cancelled");
	assert_non_null(strstr(f->sent[1]->body.data, "\"status\":\"cancelled\""));
}

static void an_engine_that_dies_between_the_end_and_the_answer_tells_it_again_under_the_same_delivery(void **state)
{
	struct fixture *f = *state;
	end_one(f, "h");
	uint64_t id = f->sent[0]->id;
	restart(f, 0);
	assert_int_equal(f->sent_n, 0);
	tick(f, 1);
	assert_int_equal(f->sent_n, 1);
	assert_int_equal(f->sent[0]->id, id);
	struct callback_request *r = f->sent[0];
	f->sent_n = 0;
	r->status = 200;
	callback_sent(f->cs, r, f->now); /* delivered, but the engine dies before that is on disk */
	restart(f, 0);
	tick(f, 1);
	assert_int_equal(f->sent[0]->id, id);
}

static void an_end_that_did_not_become_durable_is_not_told(void **state)
{
	struct fixture *f = *state;
	complete(f, begin(f, "h"), "1");
	restart(f, 0);
	tick(f, 1);
	assert_int_equal(f->sent_n + stats(f).pending, 0);
	complete(f, queue_lease(queues_get(f->qs, (struct bytes){0}, bytes_of("work")), f->now, f), "1");
	restart(f, 1); /* on disk, though nobody was told */
	tick(f, 1);
	assert_int_equal(f->sent_n, 1);
}

static void what_did_not_arrive_is_sent_again_after_a_doubling_wait(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	end_one(f, "h");
	int64_t most = 1000;
	for (int n = 1; n <= 6; n++, most *= 2) {
		assert_int_equal(f->sent[0]->attempt, n);
		uint64_t id = answer(f, n % 2 ? 500 : 0);
		assert_true(stored(f, id, &v));
		assert_int_equal(v.attempts, n);
		assert_int_equal(v.last_status, n % 2 ? 500 : 0);
		assert_in_range(v.next_at_ms - f->now, most / 2, most);
		tick(f, v.next_at_ms - f->now - 1);
		assert_int_equal(f->sent_n, 0);
		tick(f, 1);
		assert_int_equal(f->sent_n, 1);
	}
	answer(f, 200);
	assert_int_equal(stats(f).delivered_total, 1);
	assert_int_equal(stats(f).attempts_failed_total, 6);
}

static void a_wait_that_the_receiver_asks_for_is_kept_by_its_whole_host(void **state)
{
	struct fixture *f = *state;
	end_one(f, "h");
	f->sent[0]->retry_after_ms = 60000;
	answer(f, 503);
	end_one(f, "h");
	end_one(f, "other");
	assert_int_equal(f->sent_n, 1);
	assert_string_equal(f->sent[0]->host, "other");
	tick(f, 59999);
	assert_int_equal(f->sent_n, 1);
	tick(f, 1);
	assert_int_equal(f->sent_n, 3);
}

static void gone_refused_too_often_and_too_old_are_given_up_and_kept(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	end_one(f, "gone");
	assert_true(stored(f, answer(f, 410), &v) && v.failed);
	end_one(f, "refused");
	f->sent[0]->refused = true;
	assert_true(stored(f, answer(f, 0), &v) && v.failed);
	assert_int_equal(stats(f).failed, 2);
	close_all(f);
	f->limits.max_attempts = 2;
	open_all(f);
	assert_int_equal(stats(f).failed, 2);
	end_one(f, "often");
	assert_true(stored(f, answer(f, 500), &v) && !v.failed);
	tick(f, 5000);
	assert_true(stored(f, answer(f, 500), &v) && v.failed);
	close_all(f);
	f->limits.max_attempts = 1000;
	f->limits.max_age_ms = 3000;
	open_all(f);
	end_one(f, "old");
	bool given_up = false;
	for (int n = 0; !given_up; n++) {
		assert_true(n < 4);
		given_up = stored(f, answer(f, 500), &v) && v.failed;
		if (!given_up)
			tick(f, v.next_at_ms - f->now);
	}
	assert_int_equal(stats(f).pending, 0);
	assert_int_equal(stats(f).failed, 4);
	assert_int_equal(f->news[CALLBACK_FAILED], 4);
}

static void a_dead_receiver_has_one_request_under_way_and_the_others_are_served(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 10; i++)
		end_one(f, "dead");
	assert_int_equal(f->sent_n, 4); /* in_flight_per_host */
	for (int i = 0; i < 4; i++)
		answer(f, 0);
	assert_int_equal(f->sent_n, 1);
	for (int i = 0; i < 20; i++) {
		end_one(f, "alive");
		if (f->sent_n < 2)
			fail_msg("callback %d of a receiver that lives was not sent", i);
		struct callback_request *dead = f->sent[0];
		f->sent[0] = f->sent[1];
		f->sent[1] = dead;
		assert_string_equal(f->sent[0]->host, "alive");
		answer(f, 200);
	}
	answer(f, 200); /* it is back: again as many as a host may have */
	assert_int_equal(f->sent_n, 4);
}

static void no_more_than_in_flight_are_under_way_in_all(void **state)
{
	struct fixture *f = *state;
	char host[16];
	close_all(f);
	f->limits.in_flight = 8;
	open_all(f);
	for (int i = 0; i < 20; i++) {
		snprintf(host, sizeof host, "h%d", i);
		end_one(f, host);
	}
	assert_int_equal(f->sent_n, 8);
	answer(f, 200);
	assert_int_equal(f->sent_n, 8);
	for (int i = 0; i < 19; i++)
		answer(f, 200);
	assert_int_equal(f->sent_n, 0);
	assert_int_equal(stats(f).delivered_total, 20);
}

static void a_failed_one_is_tried_from_the_beginning_when_asked_and_a_purged_one_never(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	struct err e;
	end_one(f, "h");
	uint64_t id = answer(f, 410);
	assert_int_equal(callbacks_retry(f->cs, id, f->now, on_changed, f, NULL), E_OK);
	assert_int_equal(callbacks_retry(f->cs, id, f->now, NULL, NULL, &e), E_STATE);
	assert_int_equal(callbacks_purge(f->cs, id, NULL, NULL, &e), E_STATE);
	assert_int_equal(f->sent_n, 0);
	store_flush(f->store);
	assert_int_equal(f->changed_n, 1);
	assert_int_equal(f->sent[0]->id, id);
	assert_int_equal(f->sent[0]->attempt, 1);
	assert_int_equal(stats(f).failed, 0);
	assert_int_equal(callbacks_purge(f->cs, id, NULL, NULL, &e), E_STATE); /* it is just being sent */
	answer(f, 410);
	assert_int_equal(callbacks_purge(f->cs, id, on_changed, f, NULL), E_OK);
	store_flush(f->store);
	assert_false(stored(f, id, &v));
	assert_int_equal(stats(f).failed, 0);
	assert_int_equal(callbacks_retry(f->cs, id, f->now, NULL, NULL, &e), E_NOT_FOUND);

	end_one(f, "h"); /* a pending one: at once, or never */
	id = answer(f, 500);
	assert_int_equal(callbacks_retry(f->cs, id, f->now, on_changed, f, NULL), E_OK);
	assert_int_equal(f->sent_n, 1);
	answer(f, 500);
	assert_int_equal(callbacks_purge(f->cs, id, on_changed, f, NULL), E_OK);
	tick(f, 100000);
	assert_int_equal(f->sent_n + stats(f).pending, 0);
	assert_int_equal(f->changed_n, 4);
}

static void failed_ones_go_after_a_week_but_not_one_that_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	end_one(f, "h");
	uint64_t old = answer(f, 410);
	end_one(f, "h");
	uint64_t again = answer(f, 410);
	tick(f, 1);
	assert_true(stored(f, old, &v));
	f->now += f->limits.keep_ms;
	callbacks_tick(f->cs, f->now); /* the look is under way */
	assert_int_equal(callbacks_retry(f->cs, again, f->now, NULL, NULL, NULL), E_OK);
	for (int i = 0; i < 5; i++)
		tick(f, 1000);
	assert_false(stored(f, old, &v));
	assert_true(stored(f, again, &v));
	assert_int_equal(stats(f).failed, 0);
}

static void on_a_full_disk_an_answer_is_kept_until_there_is_space(void **state)
{
	struct fixture *f = *state;
	struct callback_view v;
	end_one(f, "h");
	store_memory_set_full(f->store, true);
	uint64_t id = answer(f, 200);
	assert_true(stored(f, id, &v));
	tick(f, 1000);
	store_memory_set_full(f->store, false);
	tick(f, 1000);
	assert_false(stored(f, id, &v));
	assert_int_equal(f->sent_n, 0);
}

static void one_whose_end_waits_for_the_disk_cannot_be_retried_or_purged(void **state)
{
	static const int statuses[] = {200, 410};
	struct fixture *f = *state;
	struct err e;
	for (int i = 0; i < 2; i++) {
		end_one(f, "h");
		store_memory_set_full(f->store, true);
		uint64_t id = answer(f, statuses[i]);
		assert_int_equal(callbacks_retry(f->cs, id, f->now, NULL, NULL, &e), E_STATE);
		assert_int_equal(callbacks_purge(f->cs, id, NULL, NULL, &e), E_STATE);
		store_memory_set_full(f->store, false);
		tick(f, 1000);
		tick(f, 1000);
		assert_int_equal(stats(f).pending + (uint64_t)f->sent_n, 0);
		assert_int_equal(stats(f).failed, i);
	}
}

static void a_long_result_is_to_be_fetched(void **state)
{
	struct fixture *f = *state;
	char *result = mem_new(CALLBACK_RESULT_MAX_BYTES + 100);
	memset(result, 'a', CALLBACK_RESULT_MAX_BYTES + 2);
	result[0] = result[CALLBACK_RESULT_MAX_BYTES + 1] = '"';
	complete(f, begin(f, "h"), result);
	store_flush(f->store);
	assert_non_null(strstr(f->sent[0]->body.data, "\"result_bytes\":65538,\"result\":null"));
	free(result);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_end_is_told_once_it_is_durable_and_the_row_goes_when_it_arrived),
		TEST(a_job_without_a_callback_writes_none),
		TEST(failed_and_cancelled_jobs_are_told_with_their_error),
		TEST(an_engine_that_dies_between_the_end_and_the_answer_tells_it_again_under_the_same_delivery),
		TEST(an_end_that_did_not_become_durable_is_not_told),
		TEST(what_did_not_arrive_is_sent_again_after_a_doubling_wait),
		TEST(a_wait_that_the_receiver_asks_for_is_kept_by_its_whole_host),
		TEST(gone_refused_too_often_and_too_old_are_given_up_and_kept),
		TEST(a_dead_receiver_has_one_request_under_way_and_the_others_are_served),
		TEST(no_more_than_in_flight_are_under_way_in_all),
		TEST(a_failed_one_is_tried_from_the_beginning_when_asked_and_a_purged_one_never),
		TEST(failed_ones_go_after_a_week_but_not_one_that_is_tried_again),
		TEST(on_a_full_disk_an_answer_is_kept_until_there_is_space),
		TEST(one_whose_end_waits_for_the_disk_cannot_be_retried_or_purged),
		TEST(a_long_result_is_to_be_fetched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
