/* Pull clients on the real queue and the memory store; the clock and the disk are ours. */
#include "claim/claim.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

struct client { /* one claim that was asked for */
	struct claim_wait *wait;
	bool gone, answered;
	enum errcode code;
	size_t n;
	uint64_t ids[64], fences[64];
	int attempts[64];
	char input[64]; /* of the first */
};

static struct {
	struct store *store;
	struct queues *qs;
	struct claims *c;
	int64_t now, wake_at;
	bool want;
	unsigned ended, expired;
	struct job_outcome last;
	uint64_t submitted[64];
} f;

/* ── what the wiring does ── */

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
	if (!f.wake_at || at_ms < f.wake_at)
		f.wake_at = at_ms;
}

static void expired(void *context, const struct claim_view *v, struct bytes why)
{
	f.expired++;
}

static const struct claim_calls calls = {.now_ms = now_ms, .want_turn = want_turn, .wake = wake, .expired = expired};

static void on_ready(void *context, struct queue *q)
{
	if (f.c)
		claims_ready(f.c, q);
}

static void on_revoke(void *context, struct job *j, enum revoke_reason why)
{
	assert_true(claims_revoke(f.c, j));
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	f.ended++;
	f.last = *o;
}

static const struct queue_hooks hooks = {.ready = on_ready, .revoke = on_revoke, .ended = on_ended};

static void turns(void) /* until nothing is left to do */
{
	do {
		if (f.want) {
			f.want = false;
			claims_turn(f.c);
		}
		store_flush(f.store);
	} while (f.want);
}

static void pass(int64_t ms)
{
	f.now += ms;
	queues_tick(f.qs, f.now);
	claims_tick(f.c);
	turns();
}

static void open_engine(void)
{
	struct err e;
	f.qs = queues_new(f.store, 1, 1, &hooks);
	assert_int_equal(queues_load(f.qs, f.now, &e), E_OK);
	f.c = claims_new(f.qs, f.store, &calls);
	assert_int_equal(claims_load(f.c, &e), E_OK);
}

static int setup(void **state)
{
	memset(&f, 0, sizeof f);
	f.now = T0;
	assert_int_equal(store_memory_open(NULL, &f.store, NULL), E_OK);
	open_engine();
	return 0;
}

static int teardown(void **state)
{
	store_close(f.store);
	claims_free(f.c);
	queues_free(f.qs);
	return 0;
}

/* kill -9: the first `durable` of the waiting batches are on the disk. */
static void crash(unsigned durable)
{
	struct store *next;
	store_memory_crash(f.store, durable, &next);
	claims_free(f.c);
	queues_free(f.qs);
	f.c = NULL;
	f.store = next;
	open_engine();
	turns();
}

/* ── clients ── */

static struct queue *queue_of(const char *capability)
{
	return queues_get(f.qs, bytes_of("default"), bytes_of(capability));
}

static void submitted(void *context, const struct submit_reply *reply)
{
	memcpy(f.submitted, reply->ids, reply->n * sizeof *reply->ids);
}

static uint64_t submit(const char *capability, const char *input, int priority)
{
	struct job_spec spec;
	job_spec_init(&spec);
	spec.capability = bytes_of(capability);
	spec.input = bytes_of(input);
	spec.priority = priority;
	assert_int_equal(queues_submit(f.qs, &spec, 1, f.now, submitted, NULL, NULL), E_OK);
	store_flush(f.store);
	return f.submitted[0];
}

static bool there(void *context)
{
	return !((struct client *)context)->gone;
}

static void done(void *context, enum errcode code, const struct claim_grant *grants, size_t n)
{
	struct client *x = context;
	assert_false(x->answered);
	x->answered = true;
	x->wait = NULL;
	x->code = code;
	x->n = n;
	for (size_t i = 0; i < n; i++) {
		x->ids[i] = grants[i].job->id;
		x->fences[i] = grants[i].fence;
		x->attempts[i] = grants[i].job->attempts;
	}
	if (n)
		snprintf(x->input, sizeof x->input, "%.*s", (int)grants[0].input.size, grants[0].input.data);
}

static void ask(struct client *x, const char *capability, unsigned max, int64_t wait_ms)
{
	struct queue *queues[2] = {queue_of(capability), queue_of("other")};
	struct claim_ask a = {.queues = queues,
		.queue_n = 2,
		.client = "tester",
		.max = max,
		.lease_ms = 10000,
		.wait_ms = wait_ms,
		.there = there,
		.done = done,
		.context = x};
	struct err e;
	*x = (struct client){0};
	assert_int_equal(claims_ask(f.c, &a, &x->wait, &e), E_OK);
}

static struct client claimed(const char *capability, unsigned max)
{
	static struct client x;
	ask(&x, capability, max, 0);
	turns();
	if (!x.answered)
		pass(0);
	assert_true(x.answered);
	return x;
}

static bool count_row(void *context, const struct store_row *row)
{
	++*(unsigned *)context;
	return true;
}

static unsigned rows(void)
{
	unsigned n = 0;
	assert_int_equal(f.store->ops->load(f.store, STORE_CLAIM, count_row, &n, NULL), E_OK);
	return n;
}

static enum job_state state_of(uint64_t id)
{
	struct job *j = queues_find(f.qs, id);
	return j ? (enum job_state)j->state : JOB_COMPLETED;
}

/* ── tests ── */

static void the_most_urgent_jobs_of_several_queues_are_claimed_and_ended(void **state)
{
	uint64_t low = submit("a", "{\"n\":1}", 1), high = submit("a", "{\"n\":9}", 9), other = submit("other", "{}", 5);
	struct client x = claimed("a", 2), y = claimed("a", 10);
	assert_int_equal(x.n, 2);
	assert_int_equal(x.ids[0], high);
	assert_string_equal(x.input, "{\"n\":9}");
	assert_int_equal(x.attempts[0], 1);
	assert_int_equal(y.n, 1);
	assert_true((x.ids[1] == other && y.ids[0] == low) || (x.ids[1] == low && y.ids[0] == other));
	assert_int_equal(rows(), 3);
	struct job_error error = {"BAD", "no", 0};
	assert_int_equal(claims_complete(f.c, high, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	assert_int_equal(claims_complete(f.c, high, x.fences[0], bytes_of("2"), NULL, NULL, NULL), E_FENCE);
	assert_int_equal(claims_fail(f.c, x.ids[1], x.fences[1], &error, NULL, NULL, NULL), E_OK);
	assert_int_equal(claims_complete(f.c, y.ids[0], y.fences[0] + 1, bytes_of("1"), NULL, NULL, NULL), E_FENCE);
	assert_int_equal(claims_complete(f.c, y.ids[0], y.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	turns();
	assert_int_equal(f.ended, 3);
	assert_int_equal(rows(), 0);
}

static void a_wait_ends_with_a_job_or_with_nothing(void **state)
{
	struct client x;
	ask(&x, "a", 1, 5000);
	turns();
	assert_false(x.answered);
	submit("a", "{}", 5);
	turns();
	assert_int_equal(x.n, 1);
	ask(&x, "a", 1, 5000);
	turns();
	pass(4999);
	assert_false(x.answered);
	pass(1);
	assert_true(x.answered);
	assert_int_equal(x.n, 0);
	x = claimed("a", 1); /* without a wait: at once */
	assert_int_equal(x.n, 0);
}

static void those_who_wait_are_served_in_turn_a_job_at_a_time(void **state)
{
	struct client x[3];
	for (int i = 0; i < 3; i++)
		ask(&x[i], "a", 4, 5000);
	turns();
	for (int i = 0; i < 6; i++)
		submit("a", "{}", 5);
	turns();
	for (int i = 0; i < 3; i++)
		assert_int_equal(x[i].n, 2);
	struct client again;
	ask(&x[1], "a", 1, 5000);
	ask(&again, "a", 1, 5000);
	submit("a", "{}", 5);
	turns();
	assert_int_equal(x[1].n, 1);
	assert_false(again.answered);
	claims_forget(f.c, again.wait);
}

static void the_queues_that_a_client_asks_for_take_turns(void **state)
{
	uint64_t ids[6];
	for (int i = 0; i < 6; i++)
		ids[i] = submit(i < 3 ? "a" : "other", "{}", 5);
	struct client x = claimed("a", 4);
	const uint64_t expected[] = {ids[0], ids[3], ids[1], ids[4]};
	assert_memory_equal(x.ids, expected, sizeof expected);
}

static void a_client_that_went_away_while_it_waited_takes_no_job(void **state)
{
	struct client x, y;
	ask(&x, "a", 1, 5000);
	ask(&y, "a", 1, 5000);
	turns();
	x.gone = true; /* and nobody has told us yet */
	uint64_t id = submit("a", "{}", 5);
	turns();
	assert_int_equal(y.n, 1);
	assert_int_equal(y.ids[0], id);
	assert_int_equal(y.attempts[0], 1);
	assert_int_equal(x.n, 0);
}

static void a_client_that_goes_during_the_commit_gives_its_jobs_back_without_an_attempt(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x;
	for (int told = 0; told < 2; told++) {
		ask(&x, "a", 1, 5000);
		f.want = false;
		claims_turn(f.c);
		assert_false(x.answered); /* not before its row is durable */
		assert_int_equal(state_of(id), JOB_PROCESSING);
		if (told)
			claims_forget(f.c, x.wait);
		else
			x.gone = true;
		turns();
		assert_int_equal(state_of(id), JOB_PENDING);
		assert_int_equal(x.n, 0);
	}
	assert_int_equal(rows(), 0);
	x = claimed("a", 1);
	assert_int_equal(x.attempts[0], 1);
}

static void a_lease_that_runs_out_is_a_crash_and_voids_the_fence(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	pass(9999);
	assert_int_equal(f.expired, 0);
	pass(1);
	assert_int_equal(f.expired, 1);
	assert_int_equal(state_of(id), JOB_PENDING); /* at once: it was the first crash */
	assert_int_equal(queues_find(f.qs, id)->crashes, 1);
	assert_int_equal(claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_FENCE);
	struct client y = claimed("a", 1);
	struct queue_info info;
	queue_get_info(queues_find(f.qs, id)->queue, &info);
	assert_true(info.fenced_total == 1 && info.repeated_total == 1); /* it was done twice, and that is known */
	assert_int_equal(y.attempts[0], 2);
	assert_true(y.fences[0] > x.fences[0]);
	for (int i = 0; i < 2; i++) {
		pass(10000);
		pass(300000);
		y = claimed("a", 1);
	}
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.last.end, END_FAILED);
	assert_string_equal(f.last.error.code, "lease_expired");
	assert_non_null(strstr(f.last.error.message, "client tester"));
	assert_int_equal(rows(), 0);
}

static void a_heartbeat_extends_the_lease(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	int64_t until_ms;
	for (int i = 0; i < 5; i++) {
		pass(9000);
		assert_int_equal(claims_heartbeat(f.c, id, x.fences[0], 0, &until_ms, NULL), E_OK);
		assert_int_equal(until_ms, f.now + 10000);
	}
	assert_int_equal(claims_heartbeat(f.c, id, x.fences[0], 60000, &until_ms, NULL), E_OK);
	turns();
	pass(59999);
	assert_int_equal(f.expired, 0);
	crash(UINT32_MAX); /* the new length is durable */
	pass(59999);
	assert_int_equal(f.expired, 0);
	pass(1);
	assert_int_equal(f.expired, 1);
}

static void what_is_released_goes_back_to_its_place_without_an_attempt(void **state)
{
	uint64_t first = submit("a", "{}", 5), second = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	assert_int_equal(x.ids[0], first);
	assert_int_equal(claims_release(f.c, first, x.fences[0], NULL, NULL, NULL), E_OK);
	turns();
	assert_int_equal(rows(), 0);
	struct client y = claimed("a", 2);
	assert_int_equal(y.ids[0], first);
	assert_int_equal(y.ids[1], second);
	assert_int_equal(y.attempts[0], 1);
	assert_int_equal(claims_complete(f.c, first, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_FENCE);
}

static void a_cancel_and_a_timeout_take_the_job_from_its_client(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	int64_t until_ms;
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	assert_int_equal(claims_heartbeat(f.c, id, x.fences[0], 0, &until_ms, NULL), E_FENCE);
	turns();
	assert_int_equal(f.last.end, END_CANCELLED);
	assert_int_equal(rows(), 0);
	id = submit("a", "{}", 5);
	x = claimed("a", 1);
	for (int64_t t = 0; t < JOB_TIMEOUT_DEFAULT_MS; t += 9000) { /* alive, but too slow */
		assert_int_equal(claims_heartbeat(f.c, id, x.fences[0], 0, &until_ms, NULL), E_OK);
		pass(9000);
	}
	assert_int_equal(claims_heartbeat(f.c, id, x.fences[0], 0, &until_ms, NULL), E_FENCE);
	assert_int_equal(rows(), 0);
}

static void a_job_that_is_cancelled_while_it_is_being_granted_is_not_given(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x;
	ask(&x, "a", 1, 5000);
	f.want = false;
	claims_turn(f.c);
	assert_int_equal(queue_cancel(f.qs, id, f.now, NULL, NULL, NULL), E_OK);
	turns();
	assert_true(x.answered);
	assert_int_equal(x.n, 0);
	assert_int_equal(rows(), 0);
}

static void after_a_crash_of_the_engine_the_client_goes_on_with_its_fence(void **state)
{
	uint64_t held = submit("a", "{}", 5), lost = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	assert_int_equal(x.ids[0], held);
	pass(9000);
	crash(UINT32_MAX);
	struct client y = claimed("a", 5); /* what nobody holds is given out at once */
	assert_int_equal(y.n, 1);
	assert_int_equal(y.ids[0], lost);
	int64_t until_ms;
	pass(9000); /* a whole lease from the start of the new engine */
	assert_int_equal(claims_heartbeat(f.c, held, x.fences[0], 0, &until_ms, NULL), E_OK);
	crash(UINT32_MAX);
	assert_int_equal(claims_complete(f.c, held, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	turns();
	assert_int_equal(f.last.end, END_COMPLETED);
	pass(10000); /* the other one's client did not come back */
	assert_int_equal(f.expired, 1);
	assert_int_equal(queues_find(f.qs, lost)->crashes, 1);
}

static void a_completion_that_was_not_durable_is_the_clients_to_repeat(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	assert_int_equal(claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	crash(0);
	assert_int_equal(claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	crash(1); /* the end is durable, that its row may go is not */
	assert_int_equal(claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_FENCE);
	assert_int_equal(rows(), 0);
	assert_null(queues_find(f.qs, id));
}

static void an_attempt_that_was_written_off_is_not_held_again_after_a_crash(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	struct job_error error = {"BAD", "no", 1};
	assert_int_equal(claims_fail(f.c, id, x.fences[0], &error, NULL, NULL, NULL), E_OK);
	crash(1); /* the failed attempt, but not that its row may go */
	assert_int_equal(state_of(id), JOB_SCHEDULED);
	assert_int_equal(rows(), 0);
}

static void on_a_full_disk_nothing_is_claimed_and_the_job_stays(void **state)
{
	uint64_t id = submit("a", "{}", 5);
	store_memory_set_full(f.store, true);
	struct client x;
	ask(&x, "a", 1, 5000);
	turns();
	assert_int_equal(x.code, E_NO_SPACE);
	assert_int_equal(state_of(id), JOB_PENDING);
	store_memory_set_full(f.store, false);
	pass(100); /* when the queue looks for space again */
	x = claimed("a", 1);
	assert_int_equal(x.n, 1);
	store_memory_set_full(f.store, true);
	assert_int_equal(claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL), E_OK);
	for (int i = 0; i < 3; i++) {
		f.want = false;
		claims_turn(f.c);
		store_flush(f.store);
	}
	store_memory_set_full(f.store, false);
	pass(1000);
	pass(1000);
	assert_int_equal(f.ended, 1);
	assert_int_equal(rows(), 0);
}

static void a_paused_queue_gives_nothing_until_it_is_resumed(void **state)
{
	struct client x;
	submit("a", "{}", 5);
	queue_pause(queue_of("a"), true, NULL, NULL);
	ask(&x, "a", 1, 50000);
	turns();
	assert_false(x.answered);
	queue_pause(queue_of("a"), false, NULL, NULL);
	turns();
	assert_int_equal(x.n, 1);
}

static void while_held_claims_wait_and_when_stopped_they_are_answered(void **state)
{
	struct client x;
	submit("a", "{}", 5);
	claims_hold(f.c, true);
	ask(&x, "a", 1, 0);
	turns();
	pass(1);
	assert_false(x.answered);
	claims_hold(f.c, false);
	turns();
	assert_int_equal(x.n, 1);
	ask(&x, "a", 1, 50000);
	claims_stop(f.c);
	assert_true(x.answered);
	struct queue *q = queue_of("a");
	struct claim_ask a = {.queues = &q, .queue_n = 1, .client = "x", .max = 1, .there = there, .done = done};
	assert_int_equal(claims_ask(f.c, &a, &x.wait, NULL), E_UNAVAILABLE);
}

static void too_many_who_wait_are_refused(void **state)
{
	static struct client many[CLAIM_WAITS_MAX];
	struct queue *q = queue_of("a");
	struct claim_ask a = {.queues = &q, .queue_n = 1, .client = "x", .max = 1, .there = there, .done = done};
	struct claim_wait *w;
	struct err e;
	for (int i = 0; i < CLAIM_WAITS_MAX; i++)
		ask(&many[i], "a", 1, 1000);
	assert_int_equal(claims_ask(f.c, &a, &w, &e), E_LIMIT);
	assert_string_equal(e.text, "512 claims are waiting already");
	pass(1000);
	assert_int_equal(claims_ask(f.c, &a, &w, &e), E_OK);
	claims_forget(f.c, w);
}

static void see_client(void *context, const struct claim_client *k)
{
	buf_format(context, "%s asked %s held %u claimed %d completed %d;", k->name, k->asked ? k->asked : "-", k->held,
		(int)k->claimed, (int)k->completed);
}

static void it_is_known_who_pulls(void **state)
{
	scoped(buf_fini) struct buf text = {0};
	uint64_t id = submit("a", "{}", 5);
	struct client x = claimed("a", 1);
	claims_each_client(f.c, see_client, &text);
	assert_string_equal(text.data, "tester asked a other held 1 claimed 1 completed 0;");
	claims_complete(f.c, id, x.fences[0], bytes_of("1"), NULL, NULL, NULL);
	turns();
	buf_clear(&text);
	claims_each_client(f.c, see_client, &text);
	assert_string_equal(text.data, "tester asked a other held 0 claimed 1 completed 1;");
	struct queue *q = queue_of("a");
	struct client y = {0};
	struct claim_ask late = {
		.queues = &q, .queue_n = 1, .client = "later", .max = 1, .there = there, .done = done, .context = &y};
	pass(3600 * 1000);
	assert_int_equal(claims_ask(f.c, &late, &y.wait, NULL), E_OK);
	turns();
	buf_clear(&text);
	claims_each_client(f.c, see_client, &text);
	assert_string_equal(
		text.data, "later asked a held 0 claimed 0 completed 0;"); /* who is silent for an hour is forgotten */
	claims_forget(f.c, y.wait);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_most_urgent_jobs_of_several_queues_are_claimed_and_ended),
		TEST(a_wait_ends_with_a_job_or_with_nothing),
		TEST(those_who_wait_are_served_in_turn_a_job_at_a_time),
		TEST(the_queues_that_a_client_asks_for_take_turns),
		TEST(a_client_that_went_away_while_it_waited_takes_no_job),
		TEST(a_client_that_goes_during_the_commit_gives_its_jobs_back_without_an_attempt),
		TEST(a_lease_that_runs_out_is_a_crash_and_voids_the_fence),
		TEST(a_heartbeat_extends_the_lease),
		TEST(what_is_released_goes_back_to_its_place_without_an_attempt),
		TEST(a_cancel_and_a_timeout_take_the_job_from_its_client),
		TEST(a_job_that_is_cancelled_while_it_is_being_granted_is_not_given),
		TEST(after_a_crash_of_the_engine_the_client_goes_on_with_its_fence),
		TEST(a_completion_that_was_not_durable_is_the_clients_to_repeat),
		TEST(an_attempt_that_was_written_off_is_not_held_again_after_a_crash),
		TEST(on_a_full_disk_nothing_is_claimed_and_the_job_stays),
		TEST(a_paused_queue_gives_nothing_until_it_is_resumed),
		TEST(while_held_claims_wait_and_when_stopped_they_are_answered),
		TEST(too_many_who_wait_are_refused),
		TEST(it_is_known_who_pulls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
