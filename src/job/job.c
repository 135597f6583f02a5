#include "job/job.h"

#include <ctype.h>

static const char *const words[] = {
	[JOB_SCHEDULED] = "scheduled",
	[JOB_PENDING] = "pending",
	[JOB_PROCESSING] = "processing",
	[JOB_SETTLING] = "processing",
	[JOB_COMPLETED] = "completed",
	[JOB_FAILED] = "failed",
	[JOB_CANCELLED] = "cancelled",
};

const char *job_state_word(enum job_state state)
{
	return words[state];
}

int job_state_parse(struct bytes word)
{
	for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
		if (i != JOB_SETTLING && bytes_equal(word, bytes_of(words[i])))
			return i;
	}
	return -1;
}

void job_spec_init(struct job_spec *spec)
{
	*spec = (struct job_spec){.priority = JOB_PRIORITY_DEFAULT};
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

enum errcode job_name_check(const char *what, struct bytes name, struct err *e)
{
	if (name.size == 0)
		return err_set(e, E_INVALID, "%s: is missing", what);
	if (name.size > JOB_NAME_MAX)
		return err_set(e, E_INVALID, "%s: has %zu bytes, must have at most %d", what, name.size, JOB_NAME_MAX);
	for (size_t i = 0; i < name.size; i++) {
		if (!name_char(name.data[i]))
			return err_set(e, E_INVALID, "%s \"%.*s\": must consist of letters, digits, '.', '_' and '-'", what,
				(int)(i < 64 ? i + 1 : 64), name.data);
	}
	return E_OK;
}

/* A key is the client's own: any text without control characters. */
static enum errcode check_key(const char *what, struct bytes key, struct err *e)
{
	if (key.size > JOB_NAME_MAX)
		return err_set(e, E_INVALID, "%s: has %zu bytes, must have at most %d", what, key.size, JOB_NAME_MAX);
	for (size_t i = 0; i < key.size; i++) {
		if ((unsigned char)key.data[i] < 0x20)
			return err_set(e, E_INVALID, "%s: byte %zu is a control character", what, i);
	}
	return E_OK;
}

static enum errcode check_range(const char *what, int64_t value, int64_t low, int64_t high, struct err *e)
{
	if (value < low || value > high)
		return err_set(
			e, E_INVALID, "%s %lld: must be %lld to %lld", what, (long long)value, (long long)low, (long long)high);
	return E_OK;
}

static enum errcode check_numbers(const struct job_spec *s, struct err *e)
{
	enum errcode code = check_range("priority", s->priority, 0, JOB_PRIORITY_MAX, e);
	if (!code)
		code = check_range("max_attempts", s->max_attempts, 0, JOB_ATTEMPTS_MAX, e);
	if (!code)
		code = check_range("timeout in milliseconds", s->timeout_ms, 0, JOB_TIMEOUT_MAX_MS, e);
	if (!code)
		code = check_range("due time in milliseconds", s->due_at_ms, 0, JOB_TIME_MAX_MS, e);
	if (!code)
		code = check_range("expiry in milliseconds", s->expires_at_ms, 0, JOB_TIME_MAX_MS, e);
	if (!code)
		code = check_range("deadline in milliseconds", s->deadline_ms, 0, JOB_TIME_MAX_MS, e);
	if (!code)
		code = check_range("retry delay in milliseconds", s->retry_delay_ms, 0, JOB_RETRY_MAX_MS, e);
	if (!code)
		code = check_range("longest retry delay in milliseconds", s->retry_cap_ms, 0, JOB_RETRY_MAX_MS, e);
	return code;
}

static enum errcode check_deadline(const struct job_spec *s, struct err *e)
{
	if (s->deadline_ms && s->due_at_ms >= s->deadline_ms)
		return err_set(e, E_INVALID, "deadline: lies before the time at which the job may begin");
	return E_OK;
}

static enum errcode check_unique(const struct job_unique *u, struct err *e)
{
	if (!u->states)
		return E_OK;
	if (u->states & ~(JOB_UNIQUE_WAITING_OR_RUNNING | JOB_UNIQUE_OVER))
		return err_set(e, E_INVALID, "unique: states 0x%x: there is no such state", u->states);
	if (u->states & JOB_UNIQUE_OVER && !u->period_ms)
		return err_set(
			e, E_INVALID, "unique: a job that is over can hold its key for a period only, and none is given");
	enum errcode code = check_range("unique: period in milliseconds", u->period_ms, 0, JOB_UNIQUE_MAX_MS, e);
	return code ? code : check_key("unique: key", u->key, e);
}

static size_t hex_run(struct bytes text, size_t at, bool *zero)
{
	size_t from = at;
	*zero = true;
	for (; at < text.size && (isdigit((unsigned char)text.data[at]) || (text.data[at] >= 'a' && text.data[at] <= 'f'));
		 at++)
		*zero &= text.data[at] == '0';
	return at - from;
}

enum errcode job_traceparent_check(struct bytes t, struct err *e)
{
	static const size_t sizes[] = {2, 32, 16, 2};
	static const char *const parts[] = {"version", "trace id", "parent id", "flags"};
	size_t at = 0;
	for (int i = 0; i < 4; i++) {
		bool zero;
		if (hex_run(t, at, &zero) != sizes[i])
			return err_set(e, E_INVALID, "traceparent: its %s at byte %zu is not %zu small hexadecimal digits",
				parts[i], at, sizes[i]);
		if (zero && (i == 1 || i == 2))
			return err_set(e, E_INVALID, "traceparent: its %s is all zeros", parts[i]);
		at += sizes[i];
		if (i < 3 && (at == t.size || t.data[at++] != '-'))
			return err_set(e, E_INVALID, "traceparent: no '-' after its %s", parts[i]);
	}
	if (!memcmp(t.data, "ff", 2))
		return err_set(e, E_INVALID, "traceparent: version ff is not allowed");
	if (t.size > at && (!memcmp(t.data, "00", 2) || t.data[at] != '-')) /* later versions may say more */
		return err_set(e, E_INVALID, "traceparent: has %zu bytes, must have %zu", t.size, at);
	return E_OK;
}

static enum errcode check_sizes(const struct job_spec *s, struct err *e)
{
	if (s->input.size > JOB_INPUT_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "input: has %zu bytes, at most %d may stand in a job; store it as a blob",
			s->input.size, JOB_INPUT_MAX_BYTES);
	if (s->tags.size > JOB_TAGS_MAX * (JOB_NAME_MAX + 4))
		return err_set(e, E_TOO_LARGE, "tags: have %zu bytes, at most %d tags of %d bytes are kept", s->tags.size,
			JOB_TAGS_MAX, JOB_NAME_MAX);
	if (s->traceparent.size > JOB_NAME_MAX)
		return err_set(
			e, E_INVALID, "traceparent: has %zu bytes, must have at most %d", s->traceparent.size, JOB_NAME_MAX);
	if (s->callback.size > JOB_CALLBACK_MAX_BYTES)
		return err_set(
			e, E_TOO_LARGE, "callback: has %zu bytes, must have at most %d", s->callback.size, JOB_CALLBACK_MAX_BYTES);
	return s->traceparent.size ? job_traceparent_check(s->traceparent, e) : E_OK;
}

enum errcode job_spec_check(const struct job_spec *spec, struct err *e)
{
	enum errcode code = job_name_check("capability", spec->capability, e);
	if (!code && spec->namespace.size)
		code = job_name_check("namespace", spec->namespace, e);
	if (!code)
		code = check_key("idempotency key", spec->idempotency_key, e);
	if (!code)
		code = check_key("key", spec->key, e);
	if (!code)
		code = check_unique(&spec->unique, e);
	if (!code)
		code = check_numbers(spec, e);
	if (!code)
		code = check_deadline(spec, e);
	if (!code)
		code = check_sizes(spec, e);
	return code;
}
