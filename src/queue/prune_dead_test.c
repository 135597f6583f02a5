#include "queue/test_queue.h"

static const int64_t DAY_MS = 24 * 3600 * 1000;

static uint64_t dead_letter(struct fixture *f)
{
	f->id_n = 0;
	uint64_t id = submit(f, 5);
	fail_job(f, lease(f), &never);
	return id;
}

static void limit(struct fixture *f, int64_t keep_dead_ms, int64_t max_dead)
{
	struct queue_limits l = queue_default_limits;
	l.keep_dead_ms = keep_dead_ms;
	l.max_dead = max_dead;
	queue_set_limits(f->q, &l);
}

/* A minute later, as often as it takes; gives how many went by the first look. */
static uint64_t prune(struct fixture *f)
{
	uint64_t before = info(f).failed, first;
	queues_tick(f->qs, f->now += 60000);
	settle(f);
	settle(f);
	first = before - info(f).failed;
	for (int i = 0; i < 50; i++)
		settle(f);
	return first;
}

static void those_that_failed_too_long_ago_go_and_the_others_stay(void **state)
{
	struct fixture *f = *state;
	limit(f, 10 * DAY_MS, 0);
	uint64_t old = dead_letter(f);
	f->now += 9 * DAY_MS;
	uint64_t young = dead_letter(f);
	prune(f);
	assert_true(stored(f, STORE_DEAD, old));
	f->now += DAY_MS;
	prune(f);
	assert_false(stored(f, STORE_DEAD, old));
	assert_true(stored(f, STORE_DEAD, young));
	assert_int_equal(info(f).failed, 1);
	assert_int_equal(info(f).dead_pruned_total, 1);
	struct store_key attempt = {.id = old, .sub = 1};
	assert_int_equal(f->store->ops->read(f->store, STORE_ATTEMPT, attempt, NULL, NULL, NULL), E_NOT_FOUND);
}

static void of_too_many_the_oldest_go_a_slice_at_a_time(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[200];
	for (int i = 0; i < 200; i++)
		ids[i] = dead_letter(f);
	limit(f, 0, 80);
	assert_int_equal(prune(f), 50);
	assert_int_equal(info(f).failed, 80);
	assert_false(stored(f, STORE_DEAD, ids[119]));
	assert_true(stored(f, STORE_DEAD, ids[120]));
	prune(f);
	assert_int_equal(info(f).failed, 80);
}

static void another_queue_s_letters_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.capability = bytes_of("other");
	dead_letter(f);
	submit_spec(f, &s);
	struct queue *other = queues_get(f->qs, (struct bytes){0}, s.capability);
	struct job *j = queue_lease(other, f->now, f);
	fail_job(f, j, &never);
	dead_letter(f);
	limit(f, 0, 1);
	prune(f);
	assert_int_equal(info(f).failed, 1);
	assert_true(stored(f, STORE_DEAD, f->ids[0]));
	struct queue_info i;
	queue_get_info(other, &i);
	assert_int_equal(i.failed, 1);
}

static void one_that_is_replayed_just_then_lives(void **state)
{
	struct fixture *f = *state;
	uint64_t id = dead_letter(f);
	limit(f, DAY_MS, 0);
	f->now += 2 * DAY_MS;
	queues_tick(f->qs, f->now);
	assert_int_equal(queue_replay(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	for (int i = 0; i < 5; i++)
		settle(f);
	assert_non_null(queues_find(f->qs, id));
	assert_int_equal(info(f).dead_pruned_total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(those_that_failed_too_long_ago_go_and_the_others_stay),
		TEST(of_too_many_the_oldest_go_a_slice_at_a_time),
		TEST(another_queue_s_letters_do_not_count),
		TEST(one_that_is_replayed_just_then_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
