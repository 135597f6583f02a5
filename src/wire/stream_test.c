#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int allocations_left = -1;

static void *resize(void *old, size_t size)
{
	if (!size) {
		free(old);
		return NULL;
	}
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return realloc(old, size);
}

/* Everything in `out` through `in`, `step` bytes at a time; descriptors as plain numbers. */
static void pass(struct stream_out *out, struct stream_in *in, size_t step)
{
	const char *data;
	int files[FRAME_DESCRIPTORS_MAX], n;
	size_t size = stream_out_next(out, &data, files, &n), room;
	char *to = stream_in_space(in, &room);
	if (size > step)
		size = step;
	if (size > room)
		size = room;
	memcpy(to, data, size);
	assert_true(stream_in_got(in, size, files, n));
	stream_out_wrote(out, size, n);
}

static void messages_arrive_whole_however_the_bytes_are_cut(void **state)
{
	static const size_t sizes[] = {
		0, 1, 100, FRAME_PAYLOAD_MAX, FRAME_PAYLOAD_MAX + 1, 3 * FRAME_PAYLOAD_MAX, 1 << 20, 5};
	static char body[1 << 20];
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)(i * 7 + i / 251);
	for (size_t step = 1; step < 1 << 20; step = step * 5 + 1) {
		struct stream_out out = {.resize = resize};
		struct stream_in in = {.resize = resize};
		struct wire_message m;
		const char *why;
		unsigned seen = 0;
		assert_true(stream_out_preface(&out, 5));
		for (unsigned i = 0; i < 8; i++) {
			struct stream_part parts[3] = {
				{body, sizes[i] / 3}, {NULL, 0}, {body + sizes[i] / 3, sizes[i] - sizes[i] / 3}};
			int fds[2] = {100 + (int)i, 200 + (int)i};
			assert_true(stream_out_put(&out, FRAME_ITEM, 0, 77 + i, parts, 3, fds, (int)i % 3));
		}
		while (!stream_out_empty(&out)) {
			int got;
			pass(&out, &in, step);
			while ((got = stream_in_next(&in, &m, &why)) > 0) {
				assert_int_equal(m.id, 77 + seen);
				assert_int_equal(m.size, sizes[seen]);
				assert_memory_equal(m.data, body, m.size);
				assert_int_equal(m.file_n, seen % 3);
				for (int k = 0; k < m.file_n; k++)
					assert_int_equal(m.files[k], 100 * (k + 1) + (int)seen);
				seen++;
			}
			assert_int_equal(got, 0);
			if (step == 1 && seen == 3) /* the long ones a byte at a time take too long */
				step = 60;
		}
		assert_int_equal(seen, 8);
		assert_int_equal(in.features, 5);
		stream_in_fini(&in);
		stream_out_fini(&out);
	}
}

static const char *refused(const struct frame *frames, int n)
{
	static char zero[FRAME_PAYLOAD_MAX];
	struct stream_in in = {.resize = resize};
	struct wire_message m;
	const char *why = NULL;
	int got = 0;
	size_t room;
	char *to = stream_in_space(&in, &room);
	frame_put_preface(to, 0);
	assert_true(stream_in_got(&in, FRAME_PREFACE, NULL, 0));
	for (int i = 0; i < n && got >= 0; i++) {
		to = stream_in_space(&in, &room);
		frame_put(to, &frames[i]);
		memcpy(to + FRAME_HEADER, zero, frames[i].size <= FRAME_PAYLOAD_MAX ? frames[i].size : 0);
		assert_true(
			stream_in_got(&in, FRAME_HEADER + (frames[i].size <= FRAME_PAYLOAD_MAX ? frames[i].size : 0), NULL, 0));
		while ((got = stream_in_next(&in, &m, &why)) > 0)
			;
	}
	stream_in_fini(&in);
	return got < 0 ? why : NULL;
}

static void frames_that_cannot_be_right_are_refused_with_a_reason(void **state)
{
	struct frame many[80];
	assert_string_equal(refused(&(struct frame){.size = 65521, .type = FRAME_JOB}, 1), "a frame is longer than 64 KiB");
	assert_string_equal(refused(&(struct frame){.type = 99}, 1), "a frame's type is not known");
	assert_null(refused(&(struct frame){.type = 99, .flags = FRAME_IGNORABLE}, 1));
	assert_string_equal(
		refused(&(struct frame){.type = FRAME_JOB, .flags = 64}, 1), "a frame has a flag that is not known");
	assert_string_equal(
		refused(&(struct frame){.type = FRAME_JOB, .descriptors = 3}, 1), "a frame comes with more than 2 descriptors");
	assert_string_equal(refused(&(struct frame){.type = FRAME_JOB, .descriptors = 1}, 1),
		"a frame announces a descriptor that did not come");
	assert_string_equal(refused((struct frame[]){{.type = FRAME_JOB, .flags = FRAME_MORE, .id = 1},
									{.type = FRAME_JOB, .flags = FRAME_MORE, .id = 2}},
							2),
		"a second long message begins before the first one has ended");
	for (int i = 0; i < 80; i++)
		many[i] = (struct frame){.size = FRAME_PAYLOAD_MAX, .type = FRAME_ITEM, .flags = FRAME_MORE};
	assert_string_equal(refused(many, 80), "a message is longer than 4 MiB");
}

static void a_short_frame_may_stand_between_the_parts_of_a_long_one(void **state)
{
	assert_null(refused((struct frame[]){{.type = FRAME_ITEM, .flags = FRAME_MORE, .id = 1, .size = 10},
							{.type = FRAME_PONG, .id = 9}, {.type = FRAME_ITEM, .id = 1, .size = 3}},
		3));
}

static void without_memory_nothing_is_put_and_nothing_leaks(void **state)
{
	struct stream_out out = {.resize = resize};
	struct stream_part part = {"abc", 3};
	int fd = 5;
	allocations_left = 0;
	assert_false(stream_out_put(&out, FRAME_ITEM, 0, 1, &part, 1, &fd, 1));
	allocations_left = 1;
	assert_false(stream_out_put(&out, FRAME_ITEM, 0, 1, &part, 1, &fd, 1));
	assert_int_equal(stream_out_take_file(&out), -1);
	assert_true(stream_out_empty(&out));
	allocations_left = -1;
	stream_out_fini(&out);
}

/* What was put is what is got; a message that is cut anywhere, or longer, is refused. */
static void every_message_is_checked_to_its_last_byte(void **state)
{
	struct message_out out;
	struct span a = {"alpha", 5}, b = {"be", 2}, c = {"gamma-gamma", 11};
	for (int type = 0; type < 7; type++) {
		char flat[256];
		size_t size = 0, good = 0;
		if (type == 0)
			message_put_job(&out, &(struct message_job){.fence = 1,
									  .form = MESSAGE_INLINE,
									  .input_size = 5,
									  .input = a,
									  .checkpoint = b,
									  .traceparent = c});
		else if (type == 1)
			message_put_result(
				&out, &(struct message_result){
						  .fence = 1, .form = MESSAGE_INLINE, .result_size = 5, .result = a, .code = b, .text = c});
		else if (type == 2)
			message_put_log(&out, &(struct message_log){.fence = 1, .event = a, .fields = b});
		else if (type == 3)
			message_put_call(&out, &(struct message_call){.capability = a, .namespace = b, .input = c});
		else if (type == 4)
			message_put_answer(&out, &(struct message_answer){.code = a, .text = b, .result = c});
		else if (type == 5)
			message_put_control(
				&out, &(struct message_control){.operation = MESSAGE_MOVE, .namespace = a, .capability = b});
		else
			message_put_simple(&out, &(struct message_simple){.fence = 1, .number = -2});
		for (int i = 0; i < out.n; i++) {
			memcpy(flat + size, out.parts[i].data, out.parts[i].size);
			size += out.parts[i].size;
		}
		flat[size] = 'x';
		for (size_t n = 0; n <= size + 1; n++) {
			struct wire_message m = {.type = FRAME_ITEM, .data = flat, .size = n};
			struct message_job job;
			struct message_result result;
			struct message_log log;
			struct message_call call;
			struct message_answer answer;
			struct message_control control;
			struct message_simple simple;
			bool ok = type == 0	  ? message_get_job(&m, &job)
					  : type == 1 ? message_get_result(&m, &result)
					  : type == 2 ? message_get_log(&m, &log)
					  : type == 3 ? message_get_call(&m, &call)
					  : type == 4 ? message_get_answer(&m, &answer)
					  : type == 5 ? message_get_control(&m, &control)
								  : message_get_simple(&m, &simple);
			good += ok;
			if (n == size)
				assert_true(ok);
		}
		assert_int_equal(good, type == 6 ? 2 : 1); /* a simple message may have any bytes behind its numbers */
	}
}

static void a_spec_survives_the_wire(void **state)
{
	struct message_spec s = {.capability = {"email.parse", 11},
							.input = {"{}", 2},
							.tags = {"[1]", 3},
							.priority = 7,
							.due_at_ms = -1,
							.max_attempts = 9},
						back;
	char flat[200];
	struct wire_message m = {.data = flat};
	size_t at = 0;
	m.size = (size_t)(message_put_spec(flat, &s) - flat);
	assert_int_equal(m.size, message_spec_size(&s));
	assert_true(message_get_spec(&m, &at, &back));
	assert_int_equal(at, m.size);
	assert_int_equal(back.priority, 7);
	assert_int_equal(back.due_at_ms, -1);
	assert_memory_equal(back.tags.data, "[1]", 3);
	for (m.size--; m.size; m.size--) {
		at = 0;
		assert_false(message_get_spec(&m, &at, &back));
	}
}

static void what_few_specs_have_survives_too_and_a_later_version_may_say_more(void **state)
{
	struct message_spec s = {.capability = {"a", 1},
							.fair_key = {"t", 1},
							.deadline_ms = 7,
							.retry_delay_ms = 8,
							.retry_cap_ms = 9,
							.unique_period_ms = 10,
							.unique_states = 7,
							.unique_key = {"nightly", 7},
							.callback = {"{}", 2},
							.batch = 77},
						back;
	char flat[200];
	struct wire_message m = {.data = flat};
	size_t at = 0;
	m.size = (size_t)(message_put_spec(flat, &s) - flat);
	assert_int_equal(m.size, message_spec_size(&s));
	assert_true(message_get_spec(&m, &at, &back));
	assert_int_equal(at, m.size);
	assert_true(back.deadline_ms == 7 && back.retry_delay_ms == 8 && back.retry_cap_ms == 9);
	assert_true(back.unique_period_ms == 10 && back.unique_states == 7 && back.unique_key.size == 7);
	assert_memory_equal(back.unique_key.data, "nightly", 7);
	assert_true(back.batch == 77 && back.callback.size == 2);
	flat[46] = (char)(flat[46] + 3); /* the size of what is rare */
	m.size += 3;
	at = 0;
	assert_true(message_get_spec(&m, &at, &back));
	assert_int_equal(at, m.size);
	flat[46] = MESSAGE_SPEC_RARE + 7; /* of a program that knows of no batches */
	at = 0;
	assert_true(message_get_spec(&m, &at, &back));
	assert_true(back.unique_key.size == 7 && back.batch == 0 && back.callback.size == 0);
	flat[46] = MESSAGE_SPEC_RARE - 1;
	at = 0;
	assert_false(message_get_spec(&m, &at, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_whole_however_the_bytes_are_cut),
		cmocka_unit_test(frames_that_cannot_be_right_are_refused_with_a_reason),
		cmocka_unit_test(a_short_frame_may_stand_between_the_parts_of_a_long_one),
		cmocka_unit_test(without_memory_nothing_is_put_and_nothing_leaks),
		cmocka_unit_test(every_message_is_checked_to_its_last_byte),
		cmocka_unit_test(a_spec_survives_the_wire),
		cmocka_unit_test(what_few_specs_have_survives_too_and_a_later_version_may_say_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
