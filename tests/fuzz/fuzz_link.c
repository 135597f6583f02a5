/* fuzz_link.c - bytes of the link, as both sides read them: frames, joining, descriptors, every kind of payload.
 *
 * The first byte says how the rest is cut into reads. Nothing may crash, and what is handed out must lie within what came. */
#include "wire/jsontext.h"
#include "wire/message.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *old, size_t size)
{
	if (size)
		return realloc(old, size);
	free(old);
	return NULL;
}

static volatile unsigned char sink;

static void touch(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		sink ^= (unsigned char)s.data[i];
}

static void read_all(const struct wire_message *m)
{
	struct message_job job;
	struct message_result result;
	struct message_simple simple;
	struct message_log log;
	struct message_call call;
	struct message_answer answer;
	struct message_control control;
	struct message_spec spec;
	size_t at = MESSAGE_SUBMIT_HEAD, cursor = 0;

	if (message_get_job(m, &job)) {
		touch(job.input);
		touch(job.checkpoint);
		touch(job.blob);
	}
	if (message_get_result(m, &result))
		touch(result.result);
	if (message_get_simple(m, &simple))
		touch(simple.data);
	if (message_get_log(m, &log))
		touch(log.fields);
	if (message_get_call(m, &call))
		touch(call.input);
	if (message_get_control(m, &control))
		touch(control.namespace), touch(control.capability);
	if (message_get_answer(m, &answer))
		touch(answer.result);
	while (message_get_spec(m, &at, &spec))
		touch(spec.traceparent), touch(spec.fair_key), touch(spec.unique_key), touch(spec.callback);
	if (jsontext_check(m->data, m->size, NULL)) {
		struct jsontext all = {m->data, m->size}, key, value;
		char text[64];
		int64_t number;
		while (jsontext_next(all, &cursor, &key, &value)) {
			touch((struct span){value.data, value.size});
			jsontext_string(value, text, sizeof text);
			jsontext_int(value, &number);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_in in = {.resize = resize};
	struct wire_message m;
	const char *why = NULL;
	int fds[3] = {1000, 1001, 1002}, got = 0;
	size_t step = size ? data[0] + 1u : 1, room;

	for (size_t at = 1; at < size && got >= 0; at += step) {
		size_t n = size - at < step ? size - at : step;
		char *to = stream_in_space(&in, &room);
		if (n > room)
			n = step = room;
		memcpy(to, data + at, n);
		if (!stream_in_got(&in, n, fds, data[at] % 4))
			break;
		while ((got = stream_in_next(&in, &m, &why)) > 0)
			read_all(&m);
		if (got < 0 && !why)
			abort(); /* whoever is refused is told why */
	}
	while (stream_in_take_file(&in) >= 0)
		;
	stream_in_fini(&in);
	return 0;
}
