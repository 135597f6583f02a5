#include "queue/test_queue.h"

static enum errcode move(struct fixture *f, uint64_t id, const struct job_move *to, struct err *e)
{
	enum errcode code = queue_move(f->qs, id, to, f->now, on_done, f, e);
	settle(f);
	return code;
}

static void a_waiting_job_takes_its_place_at_the_new_priority(void **state)
{
	struct fixture *f = *state;
	submit(f, 5);
	f->now += 10;
	uint64_t last = submit(f, 5);
	assert_int_equal(move(f, last, &(struct job_move){.priority = 6}, NULL), E_OK);
	assert_int_equal(f->done_code, E_OK);
	crash_and_restart(f);
	struct job *j = lease(f);
	assert_int_equal(j->id, last);
	assert_int_equal(j->priority, 6);
}

static void it_goes_to_another_queue_with_its_input_and_its_time_of_waiting(void **state)
{
	struct fixture *f = *state;
	scoped(buf_fini) struct buf input = {0};
	struct job_spec s = spec(5);
	s.key = bytes_of("tenant");
	uint64_t id = submit_spec(f, &s);
	int64_t since = queues_find(f->qs, id)->due_at_ms;
	f->now += 5000;
	struct job_move to = {.priority = -1, .capability = bytes_of("other"), .namespace = bytes_of("ns")};
	assert_int_equal(move(f, id, &to, NULL), E_OK);
	assert_int_equal(info(f).pending + info(f).processing, 0);
	assert_null(lease(f));
	crash_and_restart(f);
	struct queue *q = queues_get(f->qs, bytes_of("ns"), bytes_of("other"));
	struct job *j = queue_lease(q, f->now, f);
	assert_int_equal(j->id, id);
	assert_int_equal(j->due_at_ms, since);
	assert_int_equal(job_read_input(f->qs, j, &input, NULL), E_OK);
	assert_string_equal(input.data, "{\"a\":1}");
}

static void a_move_to_nowhere_else_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err e;
	uint64_t id = submit(f, 5);
	assert_int_equal(move(f, id, &(struct job_move){.priority = -1}, &e), E_INVALID);
	assert_string_equal(e.text, "where to? priority, capability or namespace is needed");
	assert_int_equal(queues_find(f->qs, id)->state, JOB_PENDING);
}

static void a_delayed_job_stays_delayed(void **state)
{
	struct fixture *f = *state;
	struct job_spec s = spec(5);
	s.due_at_ms = f->now + 1000;
	uint64_t id = submit_spec(f, &s);
	assert_int_equal(move(f, id, &(struct job_move){.priority = 9}, NULL), E_OK);
	assert_int_equal(queues_find(f->qs, id)->state, JOB_SCHEDULED);
	assert_null(lease(f));
	queues_tick(f->qs, f->now += 1000);
	assert_int_equal(lease(f)->id, id);
}

static void one_that_runs_is_refused_with_the_word_of_its_state(void **state)
{
	struct fixture *f = *state;
	struct err e;
	uint64_t id = submit(f, 5);
	lease(f);
	assert_int_equal(move(f, id, &(struct job_move){.priority = 9}, &e), E_STATE);
	assert_non_null(strstr(e.text, "is processing; only one that is pending or scheduled"));
	assert_int_equal(move(f, id + 1, &(struct job_move){.priority = 9}, &e), E_NOT_FOUND);
	id = submit(f, 5);
	assert_int_equal(move(f, id, &(struct job_move){.priority = 10}, &e), E_INVALID);
	assert_int_equal(move(f, id, &(struct job_move){.priority = -1, .capability = bytes_of("a b")}, &e), E_INVALID);
}

static void one_that_is_cancelled_meanwhile_is_cancelled(void **state)
{
	struct fixture *f = *state;
	uint64_t id = submit(f, 5);
	assert_int_equal(queue_move(f->qs, id, &(struct job_move){.priority = 9}, f->now, NULL, NULL, NULL), E_OK);
	assert_null(lease(f)); /* its move is on its way to the disk */
	assert_int_equal(queue_cancel(f->qs, id, f->now, NULL, NULL, NULL), E_OK);
	settle(f);
	settle(f);
	assert_int_equal(f->last.end, END_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_waiting_job_takes_its_place_at_the_new_priority),
		TEST(it_goes_to_another_queue_with_its_input_and_its_time_of_waiting),
		TEST(a_move_to_nowhere_else_is_refused),
		TEST(a_delayed_job_stays_delayed),
		TEST(one_that_runs_is_refused_with_the_word_of_its_state),
		TEST(one_that_is_cancelled_meanwhile_is_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
