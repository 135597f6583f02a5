#include "queue/test_queue.h"

static uint64_t submit_key(struct fixture *f, const char *key)
{
	struct job_spec s = spec(5);
	s.key = bytes_of(key);
	f->id_n = 0;
	return submit_spec(f, &s);
}

static void submit_n(struct fixture *f, const char *key, int n)
{
	for (int i = 0; i < n; i++)
		submit_key(f, key);
}

static void limit(struct fixture *f, struct flow_limits l)
{
	queue_set_flow(f->q, &l, NULL, NULL);
	settle(f);
}

/* The keys of all jobs that are given out now, each by its first letter; '.' is one without a key. They end with complete_all(). */
static struct job *given[64];
static int given_n;

static const char *drain(struct fixture *f)
{
	static char letters[65];
	int n = 0;
	for (struct job *j; n < 64 && (j = lease(f)); n++) {
		letters[n] = tenant_key(j).size ? tenant_key(j).data[0] : '.';
		given[given_n++] = j;
	}
	letters[n] = 0;
	return letters;
}

static void complete_all(struct fixture *f)
{
	while (given_n)
		assert_int_equal(complete(f, given[--given_n]), E_OK);
}

static int begin(void **state)
{
	given_n = 0;
	return setup(state);
}
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

/* ── concurrency ── */

static void no_more_jobs_are_in_hands_than_the_queue_allows(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 5);
	limit(f, (struct flow_limits){.all = {.concurrency = 2}});
	assert_string_equal(drain(f), "..");
	assert_int_equal(info(f).blocked, BLOCK_CONCURRENCY);
	f->ready_n = 0;
	complete(f, given[--given_n]);
	assert_int_equal(f->ready_n, 1); /* who asks again gets one */
	assert_string_equal(drain(f), ".");
	assert_int_equal(info(f).processing, 2);
}

static void a_place_is_free_when_the_outcome_is_on_disk(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 2);
	limit(f, (struct flow_limits){.all = {.concurrency = 1}});
	struct job *j = lease(f);
	assert_int_equal(queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of("1"), f->now, NULL, NULL, NULL), E_OK);
	assert_null(lease(f));
	settle(f);
	assert_non_null(lease(f));
}

static void every_way_out_of_a_hand_frees_the_place(void **state)
{
	struct fixture *f = *state;
	struct job_error crash = {"crashed", "signal 11", 1};
	limit(f, (struct flow_limits){.all = {.concurrency = 1}, .key = {.concurrency = 1}});
	for (int way = 0; way < 6; way++) {
		submit_key(f, "acme");
		struct job *j = way == 5 ? queue_lease(f->q, f->now, f) : lease(f);
		assert_non_null(j);
		if (way == 0)
			fail_job(f, j, &never);
		if (way == 1)
			fail_job(f, j, &again);
		if (way == 2)
			queue_crashed(f->qs, j->id, job_fence(f->qs, j), &crash, (struct bytes){0}, f->now, NULL);
		if (way == 3)
			queue_cancel(f->qs, j->id, f->now, NULL, NULL, NULL);
		if (way == 4)
			queues_tick(f->qs, f->now += JOB_TIMEOUT_DEFAULT_MS);
		if (way == 5)
			job_release(j, f->now);
		settle(f);
		f->now += 10 * 60000;
		queues_tick(f->qs, f->now);
		while ((j = lease(f)))
			complete(f, j);
		assert_int_equal(f->q->gate.places, 0);
		assert_int_equal(f->q->space->gate.places, 0);
		assert_int_equal(info(f).pending + info(f).scheduled, 0);
	}
}

static void a_job_that_is_cancelled_while_it_waits_takes_no_place(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_key(f, "");
	submit_key(f, "");
	limit(f, (struct flow_limits){.all = {.concurrency = 1}});
	queue_cancel(f->qs, id, f->now, NULL, NULL, NULL);
	assert_non_null(lease(f)); /* though the cancel is not yet on disk */
}

static void jobs_that_outlived_the_engine_count_when_they_are_claimed_again(void **state)
{
	struct fixture *f = *state;
	struct job *out;
	submit_n(f, "", 3);
	limit(f, (struct flow_limits){.all = {.concurrency = 2}});
	struct job *a = lease(f), *b = lease(f);
	uint64_t ids[] = {a->id, b->id}, fences[] = {job_fence(f->qs, a), job_fence(f->qs, b)};
	crash_and_restart(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(queue_reclaim(f->qs, ids[i], fences[i], f->now, f, &out), E_OK);
		job_started(out, f->now);
	}
	assert_null(lease(f));
	assert_int_equal(info(f).blocked, BLOCK_CONCURRENCY);
	complete(f, out);
	assert_non_null(lease(f));
	assert_null(lease(f));
}

static void a_limit_that_is_raised_or_lowered_holds_from_then_on(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 9);
	limit(f, (struct flow_limits){.all = {.concurrency = 2}});
	assert_string_equal(drain(f), "..");
	f->ready_n = 0;
	limit(f, (struct flow_limits){.all = {.concurrency = 4}});
	assert_true(f->ready_n > 0);
	assert_string_equal(drain(f), "..");
	limit(f, (struct flow_limits){.all = {.concurrency = 1}});
	assert_null(lease(f));
	complete_all(f);
	assert_string_equal(drain(f), ".");
	queue_set_flow(f->q, NULL, NULL, NULL);
	assert_string_equal(drain(f), "....");
}

/* ── rate ── */

static int64_t woken_at;

static void on_wake(void *context, int64_t at_ms)
{
	woken_at = at_ms;
}

static void a_queue_with_a_rate_is_woken_exactly_when_the_next_token_is_there(void **state)
{
	struct fixture *f = *state;
	f->qs->hooks.wake = on_wake;
	submit_n(f, "", 5);
	limit(f, (struct flow_limits){.all = {.rate_milli = 4000, .burst = 2}});
	assert_string_equal(drain(f), "..");
	assert_int_equal(woken_at, f->now + 250);
	assert_int_equal(queues_tick(f->qs, f->now), f->now + 250);
	assert_int_equal(info(f).blocked, BLOCK_RATE);
	assert_int_equal(info(f).opens_at_ms, f->now + 250);
	f->now += 249;
	f->ready_n = 0;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->ready_n, 0);
	assert_null(lease(f));
	f->now++;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->ready_n, 1);
	assert_string_equal(drain(f), ".");
}

static void a_queue_that_only_limits_others_is_not_woken(void **state)
{
	struct fixture *f = *state;
	limit(f, (struct flow_limits){.all = {.rate_milli = 4000, .burst = 2}});
	submit_n(f, "", 2);
	assert_string_equal(drain(f), "..");
	assert_true(queues_tick(f->qs, f->now) > f->now); /* its bucket is empty, but it has nothing to give */
	f->now += 250;
	f->ready_n = 0;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->ready_n, 0);
}

static void after_a_restart_a_bucket_begins_empty(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 5);
	limit(f, (struct flow_limits){.all = {.rate_milli = 1000, .burst = 3}});
	assert_string_equal(drain(f), "...");
	given_n = 0;
	crash_and_restart(f);
	assert_string_equal(drain(f), "");
	f->now += 1000;
	assert_string_equal(drain(f), ".");
}

/* ── keys ── */

static void a_key_at_its_limit_does_not_hold_up_the_keys_behind_it(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "acme", 5);
	submit_n(f, "bolt", 2);
	submit_n(f, "", 3);
	limit(f, (struct flow_limits){.key = {.concurrency = 1}});
	assert_string_equal(drain(f), "ab..."); /* without a key there is none that could be limited */
	assert_int_equal(info(f).blocked, BLOCK_KEYS);
	assert_int_equal(info(f).keys_blocked, 2);
	assert_int_equal(info(f).oldest_at_ms, T0);
	complete(f, given[0]);
	given[0] = given[--given_n];
	assert_string_equal(drain(f), "a");
}

/* Its jobs had grown old, and with them the whole of their priority. */
static void a_key_at_its_limit_makes_no_other_key_more_urgent(void **state)
{
	struct fixture *f = *state;
	struct job_spec old = spec(0), young = spec(0), urgent = spec(8);
	limit(f, (struct flow_limits){.key.concurrency = 1});
	old.key = bytes_of("old");
	young.key = bytes_of("young");
	submit_spec(f, &old);
	submit_spec(f, &old);
	f->now += 3600 * 1000;
	assert_non_null(lease(f)); /* takes the place of its key */
	uint64_t minor = submit_spec(f, &young), first = submit_spec(f, &urgent);
	assert_int_equal(lease(f)->id, first);
	assert_int_equal(lease(f)->id, minor);
	assert_null(lease(f));
}

static void a_key_without_a_token_steps_aside_until_it_has_one(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "acme", 4);
	submit_n(f, "bolt", 4);
	limit(f, (struct flow_limits){.key = {.rate_milli = 1000, .burst = 2}});
	assert_string_equal(drain(f), "abab");
	assert_int_equal(queues_tick(f->qs, f->now), f->now + 1000);
	f->now += 1000;
	f->ready_n = 0;
	queues_tick(f->qs, f->now);
	assert_true(f->ready_n > 0);
	assert_string_equal(drain(f), "ab");
}

static void a_key_cannot_renew_its_tokens_by_having_no_jobs_for_a_moment(void **state)
{
	struct fixture *f = *state;
	limit(f, (struct flow_limits){.key = {.rate_milli = 1000, .burst = 1}});
	submit_key(f, "acme");
	assert_string_equal(drain(f), "a");
	complete_all(f);
	assert_int_equal(info(f).keys, 0);
	submit_key(f, "acme");
	assert_string_equal(drain(f), "");
	f->now += 1000;
	queues_tick(f->qs, f->now);
	assert_string_equal(drain(f), "a");
	complete_all(f);
	f->now += 1000;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->q->tenants.n, 0); /* and it is forgotten as soon as that makes no difference */
}

static void the_keys_with_most_jobs_are_shown(void **state)
{
	struct fixture *f = *state;
	struct queue_key top[2];
	submit_n(f, "acme", 2);
	submit_n(f, "bolt", 5);
	submit_n(f, "corp", 3);
	submit_n(f, "dyne", 3);
	limit(f, (struct flow_limits){.key = {.concurrency = 1}});
	drain(f);
	assert_int_equal(queue_top_keys(f->q, top, 2), 2);
	assert_memory_equal(top[0].key.data, "bolt", 4);
	assert_int_equal(top[0].pending, 4);
	assert_int_equal(top[0].processing, 1);
	assert_int_equal(top[0].state, GATE_CONCURRENCY);
	assert_memory_equal(top[1].key.data, "corp", 4);
}

/* ── namespaces ── */

static struct queue *other_queue(struct fixture *f, const char *namespace, const char *capability, int n)
{
	struct job_spec s = spec(5);
	s.namespace = bytes_of(namespace);
	s.capability = bytes_of(capability);
	while (n--) {
		f->id_n = 0;
		submit_spec(f, &s);
	}
	return queues_get(f->qs, bytes_of(namespace), bytes_of(capability));
}

static void a_namespace_limits_all_its_queues_together_and_wakes_those_that_it_held_back(void **state)
{
	struct fixture *f = *state;
	struct flow_limits l = {.all = {.concurrency = 2}};
	struct queue *a = other_queue(f, "lab", "a", 3), *b = other_queue(f, "lab", "b", 3);
	submit_key(f, "");
	namespace_set_flow(f->qs, bytes_of("lab"), &l, NULL, NULL);
	struct job *j = queue_lease(a, f->now, f);
	assert_non_null(queue_lease(b, f->now, f));
	assert_null(queue_lease(a, f->now, f));
	assert_null(queue_lease(b, f->now, f));
	assert_non_null(lease(f)); /* of another namespace */
	struct queue_info i;
	queue_get_info(b, &i);
	assert_int_equal(i.blocked, BLOCK_NAMESPACE_CONCURRENCY);
	f->ready_n = 0;
	job_started(j, f->now);
	complete(f, j);
	assert_int_equal(f->ready_n, 2);
	assert_non_null(queue_lease(b, f->now, f));
	assert_null(queue_lease(a, f->now, f));
}

static void a_namespaces_rate_wakes_what_it_held_back(void **state)
{
	struct fixture *f = *state;
	struct flow_limits l = {.all = {.rate_milli = 1000, .burst = 1}};
	struct queue *a = other_queue(f, "lab", "a", 1), *b = other_queue(f, "lab", "b", 1);
	namespace_set_flow(f->qs, bytes_of("lab"), &l, NULL, NULL);
	assert_non_null(queue_lease(a, f->now, f));
	assert_null(queue_lease(b, f->now, f));
	f->now += 1000;
	f->ready_n = 0;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->ready_n, 1);
	assert_non_null(queue_lease(b, f->now, f));
}

/* ── lengths ── */

static enum errcode try_submit(struct fixture *f, const char *key, size_t n, struct err *e)
{
	struct job_spec specs[8];
	for (size_t i = 0; i < n; i++) {
		specs[i] = spec(5);
		if (i == 0)
			specs[i].idempotency_key = bytes_of(key);
	}
	f->id_n = 0;
	enum errcode code = queues_submit(f->qs, specs, n, f->now, on_submitted, f, e);
	settle(f);
	return code;
}

static void a_full_queue_refuses_with_its_numbers_and_keeps_nothing_of_the_submit(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	limit(f, (struct flow_limits){.max_length = 3});
	assert_int_equal(try_submit(f, "", 4, &e), E_LIMIT);
	assert_int_equal(info(f).pending, 0);
	assert_int_equal(try_submit(f, "once", 3, &e), E_OK);
	assert_int_equal(try_submit(f, "", 1, &e), E_LIMIT);
	assert_string_equal(e.text, "the queue of \"work\" in namespace \"default\" is full: 3 jobs wait, at most 3 may "
								"(max_length); nothing was kept");
	const struct submit_refusal *r = queues_refusal(f->qs);
	assert_non_null(r);
	assert_int_equal(r->length, 3);
	assert_int_equal(r->max_length, 3);
	assert_int_equal(r->asked, 1);
	assert_int_equal(r->retry_after_ms, 1000);
	assert_int_equal(try_submit(f, "once", 1, &e), E_OK); /* it has a job already */
	assert_true(f->existing[0]);
	assert_null(queues_refusal(f->qs));
	assert_non_null(lease(f));
	assert_int_equal(try_submit(f, "", 1, &e), E_OK);
}

static void jobs_on_their_way_to_the_disk_and_scheduled_ones_count(void **state)
{
	struct fixture *f = *state;
	struct job_spec now = spec(5), later = spec(5);
	later.due_at_ms = f->now + 60000;
	limit(f, (struct flow_limits){.max_length = 2});
	assert_int_equal(queues_submit(f->qs, &later, 1, f->now, on_submitted, f, NULL), E_OK);
	assert_int_equal(queues_submit(f->qs, &now, 1, f->now, on_submitted, f, NULL), E_OK);
	assert_int_equal(queues_submit(f->qs, &now, 1, f->now, on_submitted, f, NULL), E_LIMIT);
	settle(f);
	assert_int_equal(queues_submit(f->qs, &now, 1, f->now, on_submitted, f, NULL), E_LIMIT);
}

static void jobs_of_one_submit_that_are_the_same_one_need_one_place(void **state)
{
	struct fixture *f = *state;
	struct job_spec specs[4] = {spec(5), spec(5), spec(5), spec(5)};
	limit(f, (struct flow_limits){.max_length = 2});
	specs[0].unique.states = specs[1].unique.states = JOB_UNIQUE_WAITING_OR_RUNNING;
	specs[2].idempotency_key = specs[3].idempotency_key = bytes_of("k");
	assert_int_equal(queues_submit(f->qs, specs, 4, f->now, on_submitted, f, NULL), E_OK);
	settle(f);
	assert_int_equal(info(f).pending, 2);
	specs[2].idempotency_key = bytes_of("l");
	assert_int_equal(queues_submit(f->qs, specs, 4, f->now, on_submitted, f, NULL), E_LIMIT);
}

static void what_comes_back_from_a_hand_is_not_refused(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 2);
	limit(f, (struct flow_limits){.max_length = 2});
	struct job *j = lease(f);
	submit_key(f, "");
	fail_job(f, j, &again);
	assert_int_equal(info(f).pending + info(f).scheduled, 3);
	assert_int_equal(f->q->space->length, 3);
}

static void with_a_rate_a_client_is_told_when_there_will_be_room(void **state)
{
	struct fixture *f = *state;
	limit(f, (struct flow_limits){.all = {.rate_milli = 200, .burst = 1}, .max_length = 2});
	submit_n(f, "", 2);
	assert_int_equal(try_submit(f, "", 2, NULL), E_LIMIT);
	assert_int_equal(queues_refusal(f->qs)->retry_after_ms, 10000);
}

static void a_namespace_has_a_length_of_its_own_over_all_queues(void **state)
{
	struct fixture *f = *state;
	struct flow_limits l = {.max_length = 3};
	struct err e;
	namespace_set_flow(f->qs, bytes_of("lab"), &l, NULL, NULL);
	other_queue(f, "lab", "a", 2);
	other_queue(f, "lab", "b", 1);
	struct job_spec s = spec(5);
	s.namespace = bytes_of("lab");
	s.capability = bytes_of("c");
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, &e), E_LIMIT);
	assert_non_null(strstr(e.text, "namespace \"lab\" is full: 3 jobs wait, at most 3 may"));
	assert_int_equal(queues_refusal(f->qs)->capability.size, 0);
}

/* ── what was set ── */

static void pauses_hold_over_a_restart_at_every_height(void **state)
{
	struct fixture *f = *state;
	submit_n(f, "", 3);
	for (int height = 0; height < 3; height++) {
		for (int paused = 1; paused >= 0; paused--) {
			if (height == 0)
				queue_pause(f->q, paused, on_done, f);
			else if (height == 1)
				namespace_pause(f->qs, bytes_of("default"), paused, on_done, f);
			else
				queues_pause(f->qs, paused, on_done, f);
			settle(f);
			assert_int_equal(f->done_n, height * 2 + 2 - paused);
			crash_and_restart(f);
			assert_int_equal(info(f).blocked, paused ? (int)BLOCK_PAUSED + height : BLOCK_NONE);
			struct job *j = lease(f);
			assert_int_equal(j == NULL, paused);
			if (j)
				job_release(j, f->now);
		}
	}
	assert_false(stored(f, STORE_SETTING, 0));
}

static void resuming_all_queues_wakes_them_but_not_one_that_is_paused_itself(void **state)
{
	struct fixture *f = *state;
	submit_key(f, "");
	struct queue *b = other_queue(f, "lab", "b", 1);
	queues_pause(f->qs, true, NULL, NULL);
	queue_pause(b, true, NULL, NULL);
	assert_null(queue_lease(f->q, f->now, f));
	f->ready_n = 0;
	queues_pause(f->qs, false, NULL, NULL);
	assert_int_equal(f->ready_n, 1);
	assert_null(queue_lease(b, f->now, f));
}

static void limits_that_were_set_hold_over_a_restart_and_over_configured_ones_until_reset(void **state)
{
	struct fixture *f = *state;
	struct queue_limits configured = queue_default_limits;
	configured.flow = (struct flow_limits){.all = {.concurrency = 7}, .max_length = 9};
	limit(f, (struct flow_limits){.all = {.rate_milli = 500, .burst = 1}, .key = {.concurrency = 3}});
	queue_pause(f->q, true, NULL, NULL);
	settle(f);
	crash_and_restart(f);
	queue_set_limits(f->q, &configured);
	struct queue_info i = info(f);
	assert_true(i.paused && i.flow_set);
	assert_int_equal(i.flow.all.rate_milli, 500);
	assert_int_equal(i.flow.key.concurrency, 3);
	assert_int_equal(i.flow.all.concurrency + i.flow.max_length, 0);
	queue_set_flow(f->q, NULL, NULL, NULL);
	settle(f);
	i = info(f);
	assert_false(i.flow_set);
	assert_int_equal(i.flow.all.concurrency, 7);
	crash_and_restart(f);
	assert_true(info(f).paused);
	assert_false(info(f).flow_set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_more_jobs_are_in_hands_than_the_queue_allows),
		TEST(a_place_is_free_when_the_outcome_is_on_disk),
		TEST(every_way_out_of_a_hand_frees_the_place),
		TEST(a_job_that_is_cancelled_while_it_waits_takes_no_place),
		TEST(jobs_that_outlived_the_engine_count_when_they_are_claimed_again),
		TEST(a_limit_that_is_raised_or_lowered_holds_from_then_on),
		TEST(a_queue_with_a_rate_is_woken_exactly_when_the_next_token_is_there),
		TEST(a_queue_that_only_limits_others_is_not_woken),
		TEST(after_a_restart_a_bucket_begins_empty),
		TEST(a_key_at_its_limit_does_not_hold_up_the_keys_behind_it),
		TEST(a_key_at_its_limit_makes_no_other_key_more_urgent),
		TEST(a_key_without_a_token_steps_aside_until_it_has_one),
		TEST(a_key_cannot_renew_its_tokens_by_having_no_jobs_for_a_moment),
		TEST(the_keys_with_most_jobs_are_shown),
		TEST(a_namespace_limits_all_its_queues_together_and_wakes_those_that_it_held_back),
		TEST(a_namespaces_rate_wakes_what_it_held_back),
		TEST(a_full_queue_refuses_with_its_numbers_and_keeps_nothing_of_the_submit),
		TEST(jobs_on_their_way_to_the_disk_and_scheduled_ones_count),
		TEST(jobs_of_one_submit_that_are_the_same_one_need_one_place),
		TEST(what_comes_back_from_a_hand_is_not_refused),
		TEST(with_a_rate_a_client_is_told_when_there_will_be_room),
		TEST(a_namespace_has_a_length_of_its_own_over_all_queues),
		TEST(pauses_hold_over_a_restart_at_every_height),
		TEST(resuming_all_queues_wakes_them_but_not_one_that_is_paused_itself),
		TEST(limits_that_were_set_hold_over_a_restart_and_over_configured_ones_until_reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
