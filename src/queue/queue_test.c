#include "queue/test_queue.h"

static void a_job_is_leased_only_after_its_submit_is_durable(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL), E_OK);
	assert_null(queue_lease(f->q, f->now, f));
	assert_int_equal(f->id_n + f->ready_n, 0);
	settle(f);
	assert_int_equal(f->id_n, 1);
	assert_int_equal(f->ready_n, 1);
	assert_int_equal(queue_lease(f->q, f->now, f)->id, f->ids[0]);
}

static void a_completed_job_ends_once_its_end_is_durable(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = lease(f);
	uint64_t fence = job_fence(f->qs, j);
	assert_int_equal(queue_complete(f->qs, id, fence, bytes_of("[7]"), f->now, on_done, f, NULL), E_OK);
	assert_int_equal(f->ended_n, 0);
	assert_int_equal(queue_complete(f->qs, id, fence, bytes_of("[8]"), f->now, NULL, NULL, NULL), E_FENCE);
	settle(f);
	assert_int_equal(f->ended_n, 1);
	assert_string_equal(f->result, "[7]");
	assert_null(queues_find(f->qs, id));
	assert_false(stored(f, STORE_JOB, id));
	assert_true(stored(f, STORE_DONE, id));
	assert_int_equal(queue_complete(f->qs, id, fence, bytes_of("[8]"), f->now, NULL, NULL, NULL), E_NOT_FOUND);
	assert_int_equal(info(f).completed_total, 1);
	assert_int_equal(info(f).processing, 0);
}

static void greater_priority_comes_first_and_within_one_the_first_come(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit(f, 5), b = submit(f, 9), c = submit(f, 5), d = submit(f, 0);
	assert_int_equal(lease(f)->id, b);
	assert_int_equal(lease(f)->id, a);
	assert_int_equal(lease(f)->id, c);
	assert_int_equal(lease(f)->id, d);
	assert_null(lease(f));
}

static void a_job_that_waited_five_minutes_passes_a_fresh_one_of_four_more(void **state)
{
	struct fixture *f = *state;
	uint64_t old = submit(f, 0);
	f->now += 5 * 60000 - 1;
	uint64_t fresh = submit(f, 5);
	assert_int_equal(queue_lease(f->q, f->now, f)->id, fresh); /* 4 against 5 */
	fresh = submit(f, 5);
	f->now += 1;
	assert_int_equal(queue_lease(f->q, f->now, f)->id, old); /* 5 and came first */
}

static void a_lease_that_was_given_back_cannot_complete_the_job_and_it_keeps_its_place(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit(f, 5);
	submit(f, 5);
	struct job *j = queue_lease(f->q, f->now, f);
	uint64_t fence = job_fence(f->qs, j);
	job_release(j, f->now);
	assert_int_equal(queue_complete(f->qs, a, fence, bytes_of("1"), f->now, NULL, NULL, NULL), E_FENCE);
	j = queue_lease(f->q, f->now, f);
	assert_int_equal(j->id, a);
	assert_int_equal(j->attempts, 0);
	assert_true(job_fence(f->qs, j) > fence);
}

static void a_retry_waits_between_half_and_all_of_a_doubling_time(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	for (int n = 0; n < 2; n++) {
		struct job *j = lease(f);
		assert_int_equal(fail_job(f, j, &again), E_OK);
		int64_t wait = j->due_at_ms - f->now, most = 1000 << n;
		assert_in_range(wait, most / 2, most);
		assert_int_equal(info(f).scheduled, 1);
		f->now = j->due_at_ms - 1;
		queues_tick(f->qs, f->now);
		assert_null(lease(f));
		f->now++;
		queues_tick(f->qs, f->now);
		assert_int_equal(info(f).pending, 1);
	}
}

static void the_third_failure_is_a_dead_letter_with_reason_attempts_and_input(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	for (int n = 0; n < 3; n++) {
		f->now += 10 * 60000;
		queues_tick(f->qs, f->now);
		fail_job(f, lease(f), &again);
	}
	assert_int_equal(f->ended_n, 1);
	assert_int_equal(f->last.end, END_FAILED);
	assert_string_equal(f->last.error.code, "busy");
	assert_int_equal(info(f).failed, 1);
	scoped(buf_fini) struct buf head = {0}, body = {0};
	struct job_view v;
	struct store_key key = {.id = id};
	assert_int_equal(f->store->ops->read(f->store, STORE_DEAD, key, &head, &body, NULL), E_OK);
	assert_int_equal(job_view_decode(STORE_DEAD, id, buf_bytes(&head), &v, NULL), E_OK);
	assert_int_equal(v.attempts, 3);
	assert_string_equal(v.error.message, "try again");
	assert_string_equal(body.data, "{\"a\":1}");
	for (key.sub = 1; key.sub <= 3; key.sub++)
		assert_int_equal(f->store->ops->read(f->store, STORE_ATTEMPT, key, &head, NULL, NULL), E_OK);
}

static void an_error_that_is_not_retryable_is_a_dead_letter_at_once(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	fail_job(f, lease(f), &never);
	assert_int_equal(f->last.end, END_FAILED);
	assert_int_equal(f->last.error.retryable, 0);
}

static void a_crash_returns_the_job_to_its_place_and_the_third_kills_it(void **state)
{
	struct fixture *f = *state;
	struct job_error signal = {"crashed", "ended by signal 11", 1};
	uint64_t id = submit(f, 5);
	submit(f, 5);
	for (int n = 1; n <= 3; n++) {
		f->now += 10 * 60000;
		queues_tick(f->qs, f->now);
		struct job *j = queues_find(f->qs, id);
		if (n == 1)
			assert_ptr_equal(queue_lease(f->q, f->now, f), j);
		else
			while (j->state != JOB_PROCESSING)
				queue_lease(f->q, f->now, f);
		job_started(j, f->now);
		assert_int_equal(queue_crashed(f->qs, id, job_fence(f->qs, j), &signal, (struct bytes){0}, f->now, NULL), E_OK);
		settle(f);
		if (n == 1)
			assert_ptr_equal(queue_lease(f->q, f->now, f), j); /* before the one behind it */
		if (n == 1)
			job_release(j, f->now);
	}
	assert_int_equal(f->last.end, END_FAILED);
	assert_string_equal(f->last.error.code, "crashed");
	assert_int_equal(info(f).crashed_total, 3);
}

static void a_crash_before_the_handler_began_is_no_attempt(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = queue_lease(f->q, f->now, f);
	assert_int_equal(queue_crashed(f->qs, id, job_fence(f->qs, j), &again, (struct bytes){0}, f->now, NULL), E_OK);
	assert_int_equal(j->state, JOB_PENDING);
	assert_int_equal(j->attempts + j->crashes, 0);
}

static void a_timeout_takes_the_job_away_and_counts_as_an_attempt(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.timeout_ms = 100;
	uint64_t id = submit_spec(f, &s);
	struct job *j = lease(f);
	uint64_t fence = job_fence(f->qs, j);
	assert_int_equal(queues_tick(f->qs, f->now + 99), f->now + 100);
	assert_int_equal(f->revoked_n, 0);
	f->now += 100;
	queues_tick(f->qs, f->now);
	assert_int_equal(f->revoked_n, 1);
	assert_int_equal(f->revoked, REVOKE_TIMEOUT);
	assert_int_equal(queue_complete(f->qs, id, fence, bytes_of("1"), f->now, NULL, NULL, NULL), E_FENCE);
	settle(f);
	assert_int_equal(j->attempts, 1);
	assert_int_equal(j->state, JOB_SCHEDULED);
	struct job_view v;
	job_get_view(f->qs, j, &v);
	assert_string_equal(v.error.code, "timeout");
}

static void every_job_has_a_timeout(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	lease(f);
	queues_tick(f->qs, f->now + JOB_TIMEOUT_DEFAULT_MS);
	assert_int_equal(f->revoked_n, 1);
}

static void a_job_that_expires_while_it_waits_fails_as_expired(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.expires_at_ms = f->now + 1000;
	submit_spec(f, &s);
	f->now += 1000;
	assert_null(queue_lease(f->q, f->now, f));
	settle(f);
	assert_string_equal(f->last.error.code, "expired");
	s.expires_at_ms = f->now + 1000;
	submit_spec(f, &s);
	queues_tick(f->qs, f->now + 1000);
	settle(f);
	assert_int_equal(f->ended_n, 2);
}

static void a_delayed_job_waits_until_it_is_due(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.due_at_ms = f->now + 5000;
	uint64_t id = submit_spec(f, &s);
	assert_int_equal(info(f).scheduled, 1);
	assert_null(lease(f));
	assert_int_equal(queues_tick(f->qs, f->now), f->now + 5000);
	settle(f);
	f->now += 5000;
	queues_tick(f->qs, f->now);
	assert_int_equal(lease(f)->id, id);
}

static void cancelling_ends_a_waiting_and_a_running_job(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit(f, 5), b = submit(f, 5);
	struct job *j = lease(f);
	uint64_t fence = job_fence(f->qs, j);
	assert_int_equal(queue_cancel(f->qs, b, f->now, on_done, f, NULL), E_OK);
	assert_int_equal(f->revoked_n, 0);
	assert_int_equal(queue_cancel(f->qs, a, f->now, on_done, f, NULL), E_OK);
	assert_int_equal(f->revoked, REVOKE_CANCELLED);
	assert_int_equal(queue_fail(f->qs, a, fence, &again, f->now, NULL, NULL, NULL), E_FENCE);
	assert_int_equal(queue_cancel(f->qs, a, f->now, on_done, f, NULL), E_STATE);
	settle(f);
	assert_int_equal(f->ended_n, 2);
	assert_int_equal(f->last.end, END_CANCELLED);
	assert_int_equal(f->done_n, 2);
	assert_int_equal(queue_cancel(f->qs, a, f->now, NULL, NULL, NULL), E_NOT_FOUND);
}

static void cancelling_a_job_that_settles_for_a_retry_is_done_afterwards(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = lease(f);
	queue_fail(f->qs, id, job_fence(f->qs, j), &again, f->now, NULL, NULL, NULL);
	assert_int_equal(queue_cancel(f->qs, id, f->now, on_done, f, NULL), E_OK);
	assert_int_equal(queue_cancel(f->qs, id, f->now, on_done, f, NULL), E_STATE);
	settle(f);
	settle(f);
	assert_int_equal(f->last.end, END_CANCELLED);
	assert_int_equal(f->done_n, 1);
}

static void the_same_idempotency_key_gives_the_same_job_also_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	struct err e;
	s.idempotency_key = bytes_of("order-1");
	uint64_t id = submit_spec(f, &s);
	assert_int_equal(submit_spec(f, &s), id);
	assert_true(f->existing[1] && !f->existing[0]);
	assert_int_equal(info(f).pending, 1);
	crash_and_restart(f);
	assert_int_equal(submit_spec(f, &s), id);
	s.input = bytes_of("{\"a\":2}");
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, &e), E_CONFLICT);
	f->now += 24 * 3600 * 1000 + 1;
	assert_int_not_equal(submit_spec(f, &s), id);
}

static void two_of_one_submit_with_one_key_are_one_job(void **state)
{
	struct fixture *f = *state;
	struct job_spec s[2] = {spec(5), spec(5)};
	s[0].idempotency_key = s[1].idempotency_key = bytes_of("k");
	assert_int_equal(queues_submit(f->qs, s, 2, f->now, on_submitted, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->ids[0], f->ids[1]);
	s[0].idempotency_key = s[1].idempotency_key = bytes_of("l");
	s[1].input = bytes_of("other");
	assert_int_equal(queues_submit(f->qs, s, 2, f->now, on_submitted, f, NULL), E_CONFLICT);
	assert_int_equal(info(f).pending, 1);
}

static void one_bad_spec_refuses_the_whole_submit_and_is_named(void **state)
{
	struct fixture *f = *state;
	struct job_spec s[2] = {spec(5), spec(10)};
	struct err e;
	assert_int_equal(queues_submit(f->qs, s, 2, f->now, on_submitted, f, &e), E_INVALID);
	assert_string_equal(e.text, "job 2 of 2: priority 10: must be 0 to 9");
	settle(f);
	assert_int_equal(f->id_n, 0);
	assert_null(queue_lease(f->q, f->now, f));
}

static void an_item_is_kept_once_per_key_over_attempts_and_restarts(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = lease(f);
	uint64_t fence = job_fence(f->qs, j);
	for (int i = 0; i < 3; i++)
		assert_int_equal(queue_item(f->qs, id, fence, (uint64_t)i / 2, bytes_of("x"), f->now, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->done_n, 3);
	assert_int_equal(info(f).duplicates_total, 1);
	crash_and_restart(f);
	j = lease(f);
	assert_int_equal(queue_item(f->qs, id, fence, 9, bytes_of("y"), f->now, on_done, f, NULL), E_FENCE);
	fence = job_fence(f->qs, j);
	for (uint64_t key = 0; key < 3; key++)
		assert_int_equal(queue_item(f->qs, id, fence, key, bytes_of("y"), f->now, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(info(f).duplicates_total, 2);
	scoped(buf_fini) struct buf body = {0};
	struct store_key key = {.id = id, .sub = 1};
	assert_int_equal(f->store->ops->read(f->store, STORE_ITEM, key, NULL, &body, NULL), E_OK);
	assert_string_equal(body.data, "x");
}

static void a_checkpoint_survives_the_attempt_and_goes_with_the_job(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = lease(f);
	queue_checkpoint(f->qs, id, job_fence(f->qs, j), bytes_of("at 17"), f->now, on_done, f, NULL);
	settle(f);
	crash_and_restart(f);
	j = lease(f);
	scoped(buf_fini) struct buf at = {0};
	assert_int_equal(job_read_checkpoint(f->qs, j, &at, NULL), E_OK);
	assert_string_equal(at.data, "at 17");
	complete(f, j);
	assert_false(stored(f, STORE_CHECKPOINT, id));
}

static void a_restart_brings_back_what_was_acknowledged_in_its_order_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit(f, 1), b = submit(f, 8), c = submit(f, 8);
	complete(f, lease(f));
	struct job_spec s = spec(9);
	queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL); /* lost: not flushed */
	crash_and_restart(f);
	assert_null(queues_find(f->qs, b));
	struct job *j = queue_lease(f->q, f->now, f);
	assert_int_equal(j->id, c);
	scoped(buf_fini) struct buf input = {0};
	assert_int_equal(job_read_input(f->qs, j, &input, NULL), E_OK);
	assert_string_equal(input.data, "{\"a\":1}");
	assert_int_equal(queue_lease(f->q, f->now, f)->id, a);
	assert_null(queue_lease(f->q, f->now, f));
}

static void after_a_restart_a_holder_keeps_its_job_and_its_fence(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5), fence;
	struct job *j = lease(f);
	fence = job_fence(f->qs, j);
	crash_and_restart(f);
	assert_int_equal(queue_reclaim(f->qs, id, fence, f->now, f, &j), E_OK);
	assert_null(queue_lease(f->q, f->now, f));
	job_started(j, f->now);
	assert_int_equal(queue_complete(f->qs, id, fence, bytes_of("1"), f->now, on_done, f, NULL), E_OK);
	settle(f);
	assert_int_equal(f->ended_n, 1);
	assert_int_equal(queue_reclaim(f->qs, id, fence, f->now, f, &j), E_NOT_FOUND);
}

static void a_holder_whose_attempt_was_written_off_cannot_reclaim_after_a_restart(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5), fence;
	struct job *j = lease(f);
	fence = job_fence(f->qs, j);
	f->now += JOB_TIMEOUT_DEFAULT_MS;
	queues_tick(f->qs, f->now);
	settle(f);
	crash_and_restart(f);
	assert_int_equal(queue_reclaim(f->qs, id, fence, f->now, f, &j), E_FENCE);
}

static void of_two_that_reclaim_the_later_lease_wins(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	struct job *j = queue_lease(f->q, f->now, f);
	uint64_t older = job_fence(f->qs, j);
	job_release(j, f->now);
	j = queue_lease(f->q, f->now, f);
	uint64_t later = job_fence(f->qs, j);
	crash_and_restart(f);
	assert_int_equal(queue_reclaim(f->qs, id, older, f->now, f, &j), E_OK);
	assert_int_equal(queue_reclaim(f->qs, id, later, f->now, f, &j), E_OK);
	assert_int_equal(f->revoked, REVOKE_LEASE);
	assert_int_equal(job_fence(f->qs, j), later);
	assert_int_equal(queue_reclaim(f->qs, id, older, f->now, f, &j), E_FENCE);
}

static void a_replayed_dead_letter_is_a_fresh_job_and_a_purged_one_is_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit(f, 5), b = submit(f, 5);
	struct job *first = lease(f);
	uint64_t fence = job_fence(f->qs, first);
	fail_job(f, first, &never);
	fail_job(f, lease(f), &never);
	assert_int_equal(queue_replay(f->qs, a, f->now, on_done, f, NULL), E_OK);
	assert_int_equal(queue_replay(f->qs, a, f->now, on_done, f, NULL), E_STATE);
	assert_int_equal(queue_purge(f->qs, b, on_done, f, NULL), E_OK);
	assert_null(queue_lease(f->q, f->now, f));
	settle(f);
	assert_int_equal(info(f).failed, 0);
	assert_false(stored(f, STORE_DEAD, a) || stored(f, STORE_DEAD, b));
	struct job *j = lease(f);
	assert_int_equal(j->id, a);
	assert_int_equal(j->attempts, 1);
	assert_true(job_fence(f->qs, j) > fence);
	assert_int_equal(queue_purge(f->qs, b, on_done, f, NULL), E_NOT_FOUND);
}

static void a_paused_queue_gives_nothing_out_also_after_a_restart(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	queue_pause(f->q, true, NULL, NULL);
	settle(f);
	assert_null(lease(f));
	crash_and_restart(f);
	assert_null(lease(f));
	assert_true(info(f).paused);
	int before = f->ready_n;
	queue_pause(f->q, false, NULL, NULL);
	assert_int_equal(f->ready_n, before + 1);
	assert_non_null(lease(f));
}

static void on_a_full_disk_a_submit_is_refused_and_an_end_is_kept_until_there_is_space(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct job_spec s = spec(5);
	submit(f, 5);
	struct job *j = lease(f);
	store_memory_set_full(f->store, true);
	queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL);
	complete(f, j);
	assert_int_equal(f->submit_code, E_NO_SPACE);
	assert_int_equal(f->done_n + f->ended_n, 0);
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, &e), E_NO_SPACE);
	f->now += 200;
	queues_tick(f->qs, f->now);
	settle(f);
	assert_int_equal(f->done_n, 0);
	store_memory_set_full(f->store, false);
	f->now += 200;
	queues_tick(f->qs, f->now);
	settle(f);
	assert_int_equal(f->done_n, 1);
	assert_int_equal(f->ended_n, 1);
	assert_int_equal(queues_submit(f->qs, &s, 1, f->now, on_submitted, f, &e), E_OK);
	settle(f);
	assert_int_equal(info(f).pending, 1);
}

struct stranger { /* whose own batch a full disk refuses */
	struct fixture *f;
	struct job *job; /* that ends when it hears of it */
};

static void refused(void *context, enum errcode code)
{
	struct stranger *s = context;
	assert_int_equal(code, E_NO_SPACE);
	queue_complete(s->f->qs, s->job->id, job_fence(s->f->qs, s->job), bytes_of("2"), s->f->now, on_done, s->f, NULL);
}

static void an_end_does_not_overtake_one_that_fails_with_a_batch_of_somebody_elses(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	submit(f, 5);
	struct job *first = lease(f), *second = lease(f);
	uint64_t second_id = second->id;
	struct stranger s = {f, second};
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_RUN, (struct store_key){.id = 1}, bytes_of("h"), (struct bytes){0});
	store_memory_set_full(f->store, true);
	store_commit(f->store, b, refused, &s);
	queue_complete(f->qs, first->id, job_fence(f->qs, first), bytes_of("1"), f->now, on_done, f, NULL);
	settle(f); /* the second one ends between the two failures */
	store_memory_set_full(f->store, false);
	settle(f);
	assert_int_equal(f->ended_n, 0);
	assert_false(stored(f, STORE_DONE, second_id));
	for (int i = 0; i < 3; i++) {
		f->now += 200;
		queues_tick(f->qs, f->now);
		settle(f);
	}
	assert_int_equal(f->ended_n, 2);
	assert_string_equal(f->result, "2");
}

/* Nothing is held then that would find the space: /readyz would be red until somebody submits in spite of it. */
static void space_is_found_again_though_only_submits_were_refused(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	struct store_stats st;
	store_memory_set_full(f->store, true);
	queues_submit(f->qs, &s, 1, f->now, on_submitted, f, NULL);
	settle(f);
	assert_int_equal(f->submit_code, E_NO_SPACE);
	f->now += 200;
	assert_true(queues_tick(f->qs, f->now) <= f->now + 200);
	settle(f);
	f->store->ops->stats(f->store, &st);
	assert_true(st.full);
	store_memory_set_full(f->store, false);
	f->now += 200;
	queues_tick(f->qs, f->now);
	settle(f);
	f->store->ops->stats(f->store, &st);
	assert_false(st.full);
	submit(f, 5);
	assert_int_equal(info(f).pending, 1);
	assert_int_equal(
		f->store->ops->read(f->store, STORE_SETTING, (struct store_key){.text = bytes_of("probe")}, NULL, NULL, NULL),
		E_NOT_FOUND);
}

static void an_engine_that_another_has_replaced_is_told_once_and_its_ends_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	submit(f, 5);
	submit(f, 5);
	struct job *a = lease(f), *b = lease(f);
	store_memory_again(f->store, &other);
	complete(f, a);
	complete(f, b);
	assert_int_equal(f->lost_n, 1);
	assert_int_equal(f->lost_code, E_FENCE);
	assert_int_equal(f->done_code, E_FENCE);
	assert_int_equal(f->ended_n, 0);
	store_close(other);
}

static void old_results_go_a_slice_at_a_time(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 1200; i++) {
		f->id_n = 0;
		submit(f, 5);
		complete(f, lease(f));
	}
	f->now += 7LL * 24 * 3600 * 1000 + 1;
	struct store_stats before, after;
	f->store->ops->stats(f->store, &before);
	queues_tick(f->qs, f->now);
	settle(f);
	settle(f);
	f->store->ops->stats(f->store, &after);
	assert_in_range(after.rows_written - before.rows_written, 400, 500);
	for (int i = 0; i < 10; i++) {
		queues_tick(f->qs, f->now);
		settle(f);
		settle(f);
	}
	f->store->ops->stats(f->store, &after);
	assert_int_equal(after.rows_written - before.rows_written, 1200);
}

static void a_waiting_job_takes_less_than_140_bytes_besides_the_input_cache(void **state)
{
	struct fixture *f = *state;
	static struct job_spec many[1000];
	for (int i = 0; i < 1000; i++)
		many[i] = spec(i % 10);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(queues_submit(f->qs, many, 1000, f->now, NULL, NULL, NULL), E_OK);
		settle(f);
	}
	assert_int_equal(info(f).pending, 200000);
	size_t bytes = f->qs->jobs.chunk_n * (1 << 20) + f->qs->live.room * sizeof(struct job *);
	assert_true(bytes / 200000 < 140);
	assert_true(f->qs->input_bytes <= INPUT_CACHE_BYTES);
}

static void the_live_jobs_of_a_batch_are_counted_by_state_also_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct job_spec s[3] = {spec(5), spec(5), spec(5)};
	for (int i = 0; i < 3; i++)
		s[i].batch_id = 7;
	s[2].due_at_ms = f->now + 1000;
	assert_int_equal(queues_submit(f->qs, s, 3, f->now, on_submitted, f, NULL), E_OK);
	assert_int_equal(queues_count_batch(f->qs, 7).pending, 0);
	settle(f);
	struct job *j = lease(f);
	struct job_counts c = queues_count_batch(f->qs, 7);
	assert_true(c.scheduled == 1 && c.pending == 1 && c.processing == 1);
	assert_int_equal(job_batch(j), 7);
	complete(f, j);
	crash_and_restart(f);
	c = queues_count_batch(f->qs, 7);
	assert_true(c.scheduled == 1 && c.pending == 1 && c.processing == 0);
	complete(f, lease(f));
	f->now += 1000;
	queues_tick(f->qs, f->now);
	complete(f, lease(f));
	c = queues_count_batch(f->qs, 7);
	assert_int_equal(c.scheduled + c.pending + c.processing, 0);
	assert_int_equal(f->qs->groups.n, 0);
}

static void a_callback_stays_with_its_job_over_retries_restarts_and_a_replay(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	struct bytes callback = bytes_of("{\"url\":\"http://h/\"}");
	s.tags = bytes_of("[\"a\"]");
	s.traceparent = bytes_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	s.callback = callback;
	uint64_t id = submit_spec(f, &s);
	fail_job(f, lease(f), &again);
	crash_and_restart(f);
	assert_true(bytes_equal(job_callback(queues_find(f->qs, id)), callback));
	f->now += 10000;
	queues_tick(f->qs, f->now);
	fail_job(f, lease(f), &never);
	assert_int_equal(queue_replay(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	settle(f);
	assert_true(bytes_equal(job_callback(queues_find(f->qs, id)), callback));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_leased_only_after_its_submit_is_durable),
		TEST(a_completed_job_ends_once_its_end_is_durable),
		TEST(greater_priority_comes_first_and_within_one_the_first_come),
		TEST(a_job_that_waited_five_minutes_passes_a_fresh_one_of_four_more),
		TEST(a_lease_that_was_given_back_cannot_complete_the_job_and_it_keeps_its_place),
		TEST(a_retry_waits_between_half_and_all_of_a_doubling_time),
		TEST(the_third_failure_is_a_dead_letter_with_reason_attempts_and_input),
		TEST(an_error_that_is_not_retryable_is_a_dead_letter_at_once),
		TEST(a_crash_returns_the_job_to_its_place_and_the_third_kills_it),
		TEST(a_crash_before_the_handler_began_is_no_attempt),
		TEST(a_timeout_takes_the_job_away_and_counts_as_an_attempt),
		TEST(every_job_has_a_timeout),
		TEST(a_job_that_expires_while_it_waits_fails_as_expired),
		TEST(a_delayed_job_waits_until_it_is_due),
		TEST(cancelling_ends_a_waiting_and_a_running_job),
		TEST(cancelling_a_job_that_settles_for_a_retry_is_done_afterwards),
		TEST(the_same_idempotency_key_gives_the_same_job_also_after_a_restart),
		TEST(two_of_one_submit_with_one_key_are_one_job),
		TEST(one_bad_spec_refuses_the_whole_submit_and_is_named),
		TEST(an_item_is_kept_once_per_key_over_attempts_and_restarts),
		TEST(a_checkpoint_survives_the_attempt_and_goes_with_the_job),
		TEST(a_restart_brings_back_what_was_acknowledged_in_its_order_and_nothing_else),
		TEST(after_a_restart_a_holder_keeps_its_job_and_its_fence),
		TEST(a_holder_whose_attempt_was_written_off_cannot_reclaim_after_a_restart),
		TEST(of_two_that_reclaim_the_later_lease_wins),
		TEST(a_replayed_dead_letter_is_a_fresh_job_and_a_purged_one_is_gone),
		TEST(a_paused_queue_gives_nothing_out_also_after_a_restart),
		TEST(on_a_full_disk_a_submit_is_refused_and_an_end_is_kept_until_there_is_space),
		TEST(space_is_found_again_though_only_submits_were_refused),
		TEST(an_end_does_not_overtake_one_that_fails_with_a_batch_of_somebody_elses),
		TEST(an_engine_that_another_has_replaced_is_told_once_and_its_ends_do_not_count),
		TEST(old_results_go_a_slice_at_a_time),
		TEST(a_waiting_job_takes_less_than_140_bytes_besides_the_input_cache),
		TEST(the_live_jobs_of_a_batch_are_counted_by_state_also_after_a_restart),
		TEST(a_callback_stays_with_its_job_over_retries_restarts_and_a_replay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
