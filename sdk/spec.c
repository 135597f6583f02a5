#include "spec.h"

#include "wire/host.h"
#include "wire/id.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 5))) static int refuse(char *why, size_t size, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return code;
}

struct span span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

int spec_read(const struct reeve_job_spec *given, struct message_spec *out, char *why, size_t why_size)
{
	struct reeve_job_spec s = {0};

	if (!given || given->size < offsetof(struct reeve_job_spec, namespace_))
		return refuse(
			why, why_size, REEVE_E_INVALID, "a job spec has no size: set .size = sizeof(struct reeve_job_spec)");
	memcpy(&s, given, given->size < sizeof s ? given->size : sizeof s);
	if (!s.capability || !*s.capability)
		return refuse(why, why_size, REEVE_E_INVALID, "a job spec names no capability");
	if (s.input_size > HOST_INPUT_MAX)
		return refuse(why, why_size, REEVE_E_TOO_LARGE,
			"an input of %zu bytes; at most %d are allowed, more goes as a blob", s.input_size, HOST_INPUT_MAX);
	if (s.priority < -1 || s.priority > 9)
		return refuse(why, why_size, REEVE_E_INVALID, "priority %d; it is 0 to 9, or -1 for the default", s.priority);
	*out = (struct message_spec){.capability = span_of(s.capability),
		.namespace = span_of(s.namespace_),
		.input = s.input ? (struct span){s.input, s.input_size} : (struct span){"{}", 2},
		.key = span_of(s.idempotency_key),
		.tags = span_of(s.tags),
		.traceparent = span_of(s.traceparent),
		.fair_key = span_of(s.key),
		.priority = (uint8_t)(s.priority < 0 ? 5 : s.priority),
		.due_at_ms = s.due_at_ms,
		.expires_at_ms = s.expires_at_ms,
		.timeout_ms = s.timeout_ms,
		.max_attempts = s.max_attempts < 0 ? 0 : (uint32_t)s.max_attempts,
		.deadline_ms = s.deadline_ms,
		.retry_delay_ms = s.retry_delay_ms,
		.retry_cap_ms = s.retry_cap_ms,
		.unique_states = (uint16_t)s.unique,
		.unique_period_ms = s.unique_period_ms,
		.unique_key = s.unique ? span_of(s.unique_key) : (struct span){0},
		.callback = span_of(s.callback)};
	if (s.batch && id_parse(s.batch, strlen(s.batch), &out->batch) < 0)
		return refuse(
			why, why_size, REEVE_E_INVALID, "\"%.40s\" is no batch's id: those have 13 letters and digits", s.batch);
	if (out->callback.size > HOST_CALLBACK_MAX)
		return refuse(why, why_size, REEVE_E_TOO_LARGE, "a callback of %zu bytes; at most %d are allowed",
			out->callback.size, HOST_CALLBACK_MAX);
	if (s.unique > UINT16_MAX)
		return refuse(why, why_size, REEVE_E_INVALID, "unique 0x%x: there is no such state", s.unique);
	for (const struct span *p = (struct span[]){out->capability, out->namespace, out->key, out->tags, out->traceparent,
							   out->fair_key, out->unique_key},
						   *end = p + 7;
		 p < end; p++)
		if (p->size > 4096)
			return refuse(why, why_size, REEVE_E_TOO_LARGE,
				"a name, key or list of tags of %zu bytes; at most 4096 are allowed", p->size);
	return REEVE_OK;
}
