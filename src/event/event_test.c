#include "event/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define START 1795319100000

static struct events *events;
static int wakes;

static int setup(void **state)
{
	events = events_new(8, START);
	wakes = 0;
	return 0;
}

static int teardown(void **state)
{
	events_free(events);
	return 0;
}

static void publish(int n)
{
	for (int i = 0; i < n; i++)
		event_publish(events, START + i, &(struct event){.type = "job.pending", .job_id = (uint64_t)i + 1});
}

static void a_reader_sees_every_event_once_and_in_order(void **state)
{
	uint64_t cursor = events_last(events);
	bool lost = false;
	for (int round = 0; round < 5; round++) {
		publish(3);
		for (uint64_t i = 1; i <= 3; i++)
			assert_int_equal(events_next(events, &cursor, &lost)->job_id, i);
		assert_null(events_next(events, &cursor, &lost));
	}
	assert_false(lost);
}

static void a_reader_that_fell_behind_is_told_and_goes_on_with_the_oldest(void **state)
{
	uint64_t cursor = events_last(events);
	bool lost = false;
	publish(8);
	assert_int_equal(events_next(events, &cursor, &lost)->job_id, 1);
	assert_false(lost);
	publish(10);
	assert_int_equal(events_next(events, &cursor, &lost)->job_id, 3);
	assert_true(lost);
	int n = 1;
	while (events_next(events, &cursor, &lost))
		n++;
	assert_int_equal(n, 8);
}

static void a_place_in_an_earlier_engine_reads_as_lost(void **state)
{
	struct events *later = events_new(8, START + 60000);
	publish(3);
	uint64_t cursor = events_last(events);
	bool lost = false;
	assert_null(events_next(later, &cursor, &lost));
	assert_true(lost);
	cursor = UINT64_MAX;
	assert_null(events_next(later, &cursor, &lost));
	events_free(later);
}

static void on_wake(void *context)
{
	wakes++;
}

static void subscribers_are_woken_until_they_leave(void **state)
{
	struct event_subscriber a = {.wake = on_wake}, b = {.wake = on_wake};
	events_subscribe(events, &a);
	events_subscribe(events, &b);
	publish(2);
	assert_int_equal(wakes, 4);
	events_unsubscribe(&a);
	publish(1);
	assert_int_equal(wakes, 5);
	events_unsubscribe(&a);
	events_unsubscribe(&b);
	publish(1);
	assert_int_equal(wakes, 5);
}

static void minor_events_are_left_out_while_nobody_has_listened_for_a_minute_and_that_is_told(void **state)
{
	const struct event minor = {.type = "job.pending", .minor = true}, major = {.type = "job.completed"};
	struct event_subscriber s = {.wake = on_wake};
	int64_t now = START;
	bool lost = false;
	uint64_t cursor = events_last(events);
	events_subscribe(events, &s);
	event_publish(events, now, &minor);
	events_unsubscribe(&s);
	event_publish(events, now += 60000, &minor); /* it may come back */
	assert_string_equal(events_next(events, &cursor, &lost)->type, "job.pending");
	assert_string_equal(events_next(events, &cursor, &lost)->type, "job.pending");
	event_publish(events, now += 1, &minor);
	assert_null(events_next(events, &cursor, &lost));
	assert_false(lost);
	event_publish(events, now, &major);
	assert_string_equal(events_next(events, &cursor, &lost)->type, "job.completed");
	assert_true(lost);
}

static void id_as_number(uint64_t id, char text[14])
{
	snprintf(text, 14, "#%u", (unsigned)id);
}

static void an_event_reads_as_json_without_what_it_does_not_say(void **state)
{
	uint64_t cursor = events_last(events);
	bool lost = false;
	struct buf b = {0};
	char message[600];
	event_publish(events, START,
		&(struct event){.type = "job.progress",
			.namespace = bytes_of("default"),
			.job_id = 7,
			.percent = 40,
			.message = bytes_of("half \"way\"")});
	event_format(events_next(events, &cursor, &lost), id_as_number, &b);
	assert_string_equal(strstr(b.data, ",\"type\""),
		",\"type\":\"job.progress\",\"at\":\"2026-11-22T03:45:00.000Z\",\"namespace\":\"default\","
		"\"job_id\":\"#7\",\"percent\":40,\"message\":\"half \\\"way\\\"\"}");
	memset(message, 'x', sizeof message);
	memcpy(message + 511, "\xc3\xa9", 2); /* the cut falls into it */
	event_publish(events, START, &(struct event){.type = "run.started", .message = {message, sizeof message}});
	assert_int_equal(events_next(events, &cursor, &lost)->message.size, 511);
	buf_fini(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reader_sees_every_event_once_and_in_order),
		TEST(a_reader_that_fell_behind_is_told_and_goes_on_with_the_oldest),
		TEST(a_place_in_an_earlier_engine_reads_as_lost),
		TEST(subscribers_are_woken_until_they_leave),
		TEST(minor_events_are_left_out_while_nobody_has_listened_for_a_minute_and_that_is_told),
		TEST(an_event_reads_as_json_without_what_it_does_not_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
