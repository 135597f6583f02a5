#include "loop/loop.h"

#include "base/mem.h"
#include "loop/lag.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define THREADS 4
#define POSTS	20000

struct counted {
	struct message message;
	int thread, number;
};

static struct loop *loop;
static int next_number[THREADS], total;
static pthread_t loop_thread;

static void count(struct message *m)
{
	struct counted *c = container_of(m, struct counted, message);
	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(c->number, next_number[c->thread]++);
	free(c);
	if (++total == THREADS * POSTS)
		loop_stop(loop);
}

static void *post_many(void *argument)
{
	for (int i = 0; i < POSTS; i++) {
		struct counted *c = NEW(struct counted);
		*c = (struct counted){.message.run = count, .thread = (int)(intptr_t)argument, .number = i};
		loop_post(loop, &c->message);
	}
	return NULL;
}

static void every_post_arrives_once_and_in_the_order_of_its_thread(void **state)
{
	pthread_t threads[THREADS];
	loop = loop_new();
	loop_thread = pthread_self();
	for (intptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
	loop_run(loop);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(total, THREADS * POSTS);
	loop_free(loop);
}

static char trace[64];

static void traced(struct message *m)
{
	strcat(trace, "d");
	free(m);
}

static void defer_traced(void)
{
	struct message *m = NEW(struct message);
	m->run = traced;
	loop_defer(loop, m);
}

static void event(struct message *m)
{
	strcat(trace, "e");
	defer_traced();
	free(m);
}

static void on_last(void *context)
{
	strcat(trace, "t");
	loop_stop(loop);
}

static void what_is_deferred_runs_after_the_events_of_the_turn(void **state)
{
	loop = loop_new();
	trace[0] = 0;
	for (int i = 0; i < 2; i++) {
		struct message *m = NEW(struct message);
		m->run = event;
		loop_post(loop, m);
	}
	struct loop_timer *t = loop_timer_new(loop, on_last, NULL);
	loop_timer_set(t, 20);
	loop_run(loop);
	assert_string_equal(trace, "eeddt");
	loop_timer_free(t);
	loop_free(loop);
}

static void stop_deferred(struct message *m)
{
	free(m);
	loop_stop(loop);
}

static void defer_again(struct message *m)
{
	m->run = stop_deferred;
	loop_defer(loop, m);
}

static void on_defer_timer(void *context)
{
	struct message *m = NEW(struct message);
	m->run = defer_again;
	loop_defer(loop, m);
}

/* Hangs when the loop waits for events with something deferred: nothing else would wake it. */
static void the_loop_never_waits_while_something_is_deferred(void **state)
{
	loop = loop_new();
	struct loop_timer *t = loop_timer_new(loop, on_defer_timer, NULL);
	loop_timer_set(t, 0);
	loop_run(loop);
	loop_timer_free(t);
	loop_free(loop);
}

static void fail_fire(void *context)
{
	fail_msg("a timer that was switched off fired");
}

static struct loop_timer *self;

static void free_self(void *context)
{
	loop_timer_free(self);
	loop_stop(loop);
}

static void a_timer_can_be_moved_switched_off_and_freed_when_it_fires(void **state)
{
	loop = loop_new();
	struct loop_timer *off = loop_timer_new(loop, fail_fire, NULL);
	self = loop_timer_new(loop, free_self, NULL);
	loop_timer_set(off, 1);
	loop_timer_set(off, -1);
	loop_timer_set(self, 100000);
	int64_t before = loop_now_ms(loop);
	loop_timer_set(self, 10);
	loop_run(loop);
	assert_true(loop_now_ms(loop) >= before + 9);
	loop_timer_free(off);
	loop_timer_free(NULL);
	loop_free(loop);
}

struct sum {
	int value, result;
	bool done;
};

static void compute(void *context)
{
	struct sum *s = context;
	assert_false(pthread_equal(pthread_self(), loop_thread));
	s->result = s->value * 2;
}

static void computed(void *context)
{
	struct sum *s = context;
	s->done = true;
	loop_stop(loop);
}

static void work_runs_on_the_pool_and_comes_home_to_the_loop(void **state)
{
	struct sum s = {.value = 21}, late = {.value = 1};
	loop = loop_new();
	loop_thread = pthread_self();
	loop_work(loop, compute, computed, &s);
	loop_run(loop);
	assert_int_equal(s.result, 42);
	loop_work(loop, compute, computed, &late); /* loop_free waits for it */
	loop_free(loop);
	assert_true(s.done && late.done);
}

static void busy(void *context)
{
	uint64_t until = uv_hrtime() + 5000000;
	while (uv_hrtime() < until)
		;
}

static void a_busy_turn_is_seen_as_lag_and_waiting_is_not(void **state)
{
	struct loop_lag lag;
	loop = loop_new();
	struct loop_timer *work = loop_timer_new(loop, busy, NULL), *end = loop_timer_new(loop, on_last, NULL);
	loop_timer_set(work, 1);
	loop_timer_set(end, 300);
	loop_run(loop);
	loop_get_lag(loop, &lag, true);
	assert_true(lag.max_us >= 5000 && lag.max_us < 250000 && lag.turns >= 2);
	loop_get_lag(loop, &lag, false);
	assert_true(lag.turns == 0 && lag.max_us == 0);
	loop_timer_free(work);
	loop_timer_free(end);
	loop_free(loop);
}

static void a_quantile_is_right_to_within_an_eighth(void **state)
{
	struct lag l = {0};
	assert_int_equal(lag_quantile(&l, 0.99), 0);
	for (uint64_t us = 1; us <= 100000; us++)
		lag_add(&l, us);
	assert_in_range(lag_quantile(&l, 0.5), 50000, 56250);
	assert_in_range(lag_quantile(&l, 0.99), 99000, 100000);
	lag_add(&l, UINT64_MAX);
	assert_true(l.max_us == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_post_arrives_once_and_in_the_order_of_its_thread),
		cmocka_unit_test(what_is_deferred_runs_after_the_events_of_the_turn),
		cmocka_unit_test(the_loop_never_waits_while_something_is_deferred),
		cmocka_unit_test(a_timer_can_be_moved_switched_off_and_freed_when_it_fires),
		cmocka_unit_test(work_runs_on_the_pool_and_comes_home_to_the_loop),
		cmocka_unit_test(a_busy_turn_is_seen_as_lag_and_waiting_is_not),
		cmocka_unit_test(a_quantile_is_right_to_within_an_eighth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
