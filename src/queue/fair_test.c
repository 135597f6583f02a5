#include "queue/test_queue.h"

static uint64_t submit_key(struct fixture *f, const char *key, int priority)
{
	struct job_spec s = spec(priority);
	s.key = bytes_of(key);
	f->id_n = 0;
	return submit_spec(f, &s);
}

/* The keys of the next n jobs, each by its first letter; '.' is one without a key, '-' none. */
static const char *next(struct fixture *f, int n)
{
	static char letters[128];
	for (int i = 0; i < n; i++) {
		struct job *j = lease(f);
		letters[i] = j ? tenant_key(j).size ? tenant_key(j).data[0] : '.' : '-';
	}
	letters[n] = 0;
	return letters;
}

/* ── turns ── */

static void a_key_with_three_jobs_does_not_wait_behind_one_with_a_thousand(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 1000; i++)
		submit_key(f, "acme", 5);
	assert_string_equal(next(f, 3), "aaa");
	for (int i = 0; i < 3; i++)
		submit_key(f, "bolt", 5);
	submit_key(f, "corp", 5);
	assert_string_equal(next(f, 9), "abcababaa");
}

static void within_a_key_the_first_come_is_the_first_served(void **state)
{
	struct fixture *f = *state;
	uint64_t a[3], b[3];
	for (int i = 0; i < 3; i++)
		a[i] = submit_key(f, "acme", 5);
	for (int i = 0; i < 3; i++)
		b[i] = submit_key(f, "bolt", 5);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lease(f)->id, a[i]);
		assert_int_equal(lease(f)->id, b[i]);
	}
}

static void jobs_without_a_key_are_together_as_one_key(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 4; i++)
		submit_key(f, "", 5);
	for (int i = 0; i < 2; i++)
		submit_key(f, "acme", 5);
	assert_string_equal(next(f, 7), ".a.a..-");
}

static void a_greater_priority_goes_before_any_turn(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++)
		submit_key(f, "acme", 5);
	submit_key(f, "bolt", 4);
	submit_key(f, "acme", 9);
	submit_key(f, "acme", 9);
	assert_string_equal(next(f, 6), "aaaaab");
}

static void a_key_that_was_long_away_gains_no_turns_by_that(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 40; i++)
		submit_key(f, "acme", 5);
	assert_string_equal(next(f, 20), "aaaaaaaaaaaaaaaaaaaa");
	for (int i = 0; i < 20; i++)
		submit_key(f, "bolt", 5);
	assert_string_equal(next(f, 8), "abababab");
}

static void the_age_of_one_keys_job_does_not_lift_those_of_others_over_another_priority(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++)
		submit_key(f, "acme", 3);
	f->now += 2 * 60000;
	submit_key(f, "bolt", 3);
	submit_key(f, "corp", 5); /* as urgent as the oldest now, and came later */
	assert_string_equal(next(f, 5), "aaacb");
}

static void a_job_given_back_keeps_its_place_in_its_key(void **state)
{
	struct fixture *f = *state;
	uint64_t first = submit_key(f, "acme", 5);
	submit_key(f, "acme", 5);
	submit_key(f, "bolt", 5);
	struct job *j = queue_lease(f->q, f->now, f);
	job_release(j, f->now);
	assert_string_equal(next(f, 1), "b");
	assert_int_equal(lease(f)->id, first);
}

static void a_cancelled_job_takes_its_lane_out_of_the_turns_when_it_was_the_last(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_key(f, "acme", 5);
	submit_key(f, "bolt", 5);
	assert_int_equal(queue_cancel(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	store_flush(f->store);
	assert_string_equal(next(f, 2), "b-");
}

static void a_restart_keeps_keys_and_the_order_within_each(void **state)
{
	struct fixture *f = *state;
	uint64_t a = submit_key(f, "acme", 5), a2 = submit_key(f, "acme", 5), b = submit_key(f, "bolt", 5);
	crash_and_restart(f);
	assert_int_equal(info(f).keys, 2);
	assert_int_equal(lease(f)->id, a);
	assert_int_equal(lease(f)->id, b);
	assert_int_equal(lease(f)->id, a2);
}

static void a_key_is_forgotten_with_its_last_job(void **state)
{
	struct fixture *f = *state;
	submit_key(f, "acme", 5);
	submit_key(f, "acme", 0);
	assert_int_equal(info(f).keys, 1);
	complete(f, lease(f));
	assert_int_equal(info(f).keys, 1);
	complete(f, lease(f));
	assert_int_equal(info(f).keys, 0);
}

static void a_dead_letter_that_is_replayed_has_its_key_again(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit_key(f, "acme", 5);
	assert_int_equal(queue_fail(f->qs, id, job_fence(f->qs, lease(f)), &never, f->now, NULL, NULL, NULL), E_OK);
	store_flush(f->store);
	assert_int_equal(info(f).keys, 0);
	assert_int_equal(queue_replay(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	store_flush(f->store);
	assert_string_equal(next(f, 1), "a");
}

/* Any number of keys, submits and leases in any order: between two turns of a key each other one that waits has its own. */
static void no_key_has_two_turns_while_another_waits_for_one(void **state)
{
	enum { KEYS = 12, STEPS = 20000 };
	struct fixture *f = *state;
	uint64_t random = 7, waiting[KEYS] = {0}, turn[KEYS] = {0}, since[KEYS] = {0}, turns = 0;
	for (int step = 0; step < STEPS; step++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		unsigned k = (unsigned)(random >> 33) % KEYS;
		if (random >> 63) {
			char key[2] = {(char)('a' + (k < 4 ? 0 : k)), 0}; /* one submits far more than the others */
			k = (unsigned)(key[0] - 'a');
			submit_key(f, key, 5);
			since[k] = waiting[k]++ ? since[k] : turns;
			continue;
		}
		struct job *j = lease(f);
		if (!j)
			continue;
		k = (unsigned)(tenant_key(j).data[0] - 'a');
		for (unsigned other = 0; other < KEYS; other++) /* who waited since before k's last turn */
			assert_false(other != k && waiting[other] && turn[k] > since[other]);
		waiting[k]--;
		since[k] = turn[k] = ++turns;
		complete(f, j);
	}
	assert_true(turns > STEPS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_with_three_jobs_does_not_wait_behind_one_with_a_thousand),
		TEST(within_a_key_the_first_come_is_the_first_served),
		TEST(jobs_without_a_key_are_together_as_one_key),
		TEST(a_greater_priority_goes_before_any_turn),
		TEST(a_key_that_was_long_away_gains_no_turns_by_that),
		TEST(the_age_of_one_keys_job_does_not_lift_those_of_others_over_another_priority),
		TEST(a_job_given_back_keeps_its_place_in_its_key),
		TEST(a_cancelled_job_takes_its_lane_out_of_the_turns_when_it_was_the_last),
		TEST(a_restart_keeps_keys_and_the_order_within_each),
		TEST(a_key_is_forgotten_with_its_last_job),
		TEST(a_dead_letter_that_is_replayed_has_its_key_again),
		TEST(no_key_has_two_turns_while_another_waits_for_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
