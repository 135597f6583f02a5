/* POST /v1/jobs: one, many in one commit, or a stream of NDJSON lines. Payloads are checked to be JSON and found, not parsed. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "base/units.h"
#include "schema/schema.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 24 };

/* Decoded texts live until the submit was handed over. */
struct submit {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct job_spec *specs;
	size_t n, room;
	struct buf *texts;
	size_t text_n;
	bool *scheduled;
	bool many;
	int64_t now_ms;
	bool against_schema; /* an input breaks its capability's schema, there: */
	char pointer[SCHEMA_POINTER_SIZE + 8];
};

static struct bytes decode(struct submit *s, struct bytes value, bool *bad)
{
	s->texts = mem_resize(s->texts, (s->text_n + 1) * sizeof *s->texts);
	struct buf *text = &s->texts[s->text_n++];
	*text = (struct buf){0};
	buf_reserve(text, 1)[0] = 0;
	*bad = !json_span_string(value, text);
	return buf_bytes(text);
}

/* ── members ── each sets one field of the spec */

typedef enum errcode reader(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e);

#define READ_TEXT(member)                                                                                              \
	static enum errcode read_##member(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)      \
	{                                                                                                                  \
		bool bad;                                                                                                      \
		spec->member = decode(s, value, &bad);                                                                         \
		return bad ? err_set(e, E_INVALID, #member ": a string is needed, not %.*s",                                   \
						 (int)(value.size < 40 ? value.size : 40), value.data)                                         \
				   : E_OK;                                                                                             \
	}
READ_TEXT(namespace)
READ_TEXT(capability)
READ_TEXT(idempotency_key)
READ_TEXT(traceparent)

static enum errcode read_input(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	spec->input = value;
	return E_OK;
}

static enum errcode read_number(
	const char *name, struct bytes value, int64_t least, int64_t most, int *out, struct err *e)
{
	int64_t n;
	if (!json_span_integer(value, &n) || n < least || n > most)
		return err_set(e, E_INVALID, "%s %.*s: must be %lld to %lld", name, (int)(value.size < 40 ? value.size : 40),
			value.data, (long long)least, (long long)most);
	*out = (int)n;
	return E_OK;
}

static enum errcode read_priority(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	return read_number("priority", value, 0, JOB_PRIORITY_MAX, &spec->priority, e);
}

static enum errcode read_max_attempts(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	return read_number("max_attempts", value, 1, JOB_ATTEMPTS_MAX, &spec->max_attempts, e);
}

static enum errcode read_duration(struct submit *s, const char *name, struct bytes value, int64_t *ms, struct err *e)
{
	bool bad;
	struct bytes text = decode(s, value, &bad);
	if (bad)
		return err_set(e, E_INVALID, "%s: a string like \"30s\" is needed, not %.*s", name,
			(int)(value.size < 40 ? value.size : 40), value.data);
	enum errcode code = units_duration(text, ms, e);
	if (code)
		err_prefix(e, "%s", name);
	return code;
}

static enum errcode read_timeout(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	enum errcode code = read_duration(s, "timeout", value, &spec->timeout_ms, e);
	return code || spec->timeout_ms > 0 ? code
										: err_set(e, E_INVALID, "timeout: every job has one; it must be more than 0");
}

static enum errcode read_delay(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	int64_t ms = 0;
	enum errcode code = read_duration(s, "delay", value, &ms, e);
	spec->due_at_ms = s->now_ms + ms;
	return code;
}

static enum errcode read_ttl(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	int64_t ms = 0;
	enum errcode code = read_duration(s, "ttl", value, &ms, e);
	spec->expires_at_ms = s->now_ms + ms;
	return code;
}

static enum errcode read_run_at(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	bool bad;
	struct bytes text = decode(s, value, &bad);
	enum errcode code = bad ? err_set(e, E_INVALID, "a string is needed") : rfc3339_parse(text, &spec->due_at_ms, e);
	if (code)
		err_prefix(e, "run_at");
	return code;
}

static enum errcode read_tags(struct submit *s, struct job_spec *spec, struct bytes value, struct err *e)
{
	if (json_span_kind(value) != '[')
		return err_set(e, E_INVALID, "tags: an array of strings is needed");
	spec->tags = value;
	return E_OK;
}

static const struct {
	const char *name;
	reader *read;
} readers[] = {{"capability", read_capability}, {"input", read_input}, {"priority", read_priority},
	{"namespace", read_namespace}, {"delay", read_delay}, {"run_at", read_run_at}, {"ttl", read_ttl},
	{"timeout", read_timeout}, {"max_attempts", read_max_attempts}, {"idempotency_key", read_idempotency_key},
	{"tags", read_tags}, {"traceparent", read_traceparent}};

static enum errcode read_member(struct submit *s, struct job_spec *spec, const struct json_member *m, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		if (bytes_equal(m->key, bytes_of(readers[i].name)))
			return readers[i].read(s, spec, m->value, e);
	return err_set(e, E_INVALID,
		"unknown member \"%.*s\"; known are capability, input, priority, namespace, delay, run_at, ttl, timeout, "
		"max_attempts, idempotency_key, tags, traceparent",
		(int)(m->key.size < 64 ? m->key.size : 64), m->key.data);
}

/* ── jobs ── */

static struct job_spec *add_spec(struct submit *s)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 1;
		s->specs = mem_resize(s->specs, s->room * sizeof *s->specs);
	}
	struct job_spec *spec = &s->specs[s->n++];
	job_spec_init(spec);
	spec->input = bytes_of("{}");
	return spec;
}

static enum errcode read_members(struct submit *s, const struct json_member *members, size_t n, struct err *e)
{
	struct job_spec *spec = add_spec(s);
	for (size_t i = 0; i < n; i++) {
		enum errcode code = read_member(s, spec, &members[i], e);
		if (code)
			return code;
	}
	enum errcode code = job_spec_check(spec, e);
	if (code || s->many)
		return code; /* in bulk the worker itself refuses: parsing each input here would hold up the loop */
	code = api_check_input(s->api, spec->namespace, spec->capability, spec->input, s->pointer, e);
	s->against_schema = code != E_OK;
	return code;
}

static enum errcode read_job(struct submit *s, struct bytes text, struct err *e)
{
	struct json_member members[MEMBERS_MAX];
	size_t n;
	if (s->n == JOB_BATCH_MAX)
		return err_set(e, E_TOO_LARGE, "more than %d jobs in one submit", JOB_BATCH_MAX);
	enum errcode code = json_span_members(text, members, MEMBERS_MAX, &n, e);
	if (!code)
		code = read_members(s, members, n, e);
	if (code && s->many)
		err_prefix(e, "job %zu", s->n ? s->n - 1 : 0);
	return code;
}

static enum errcode read_array(struct submit *s, struct bytes array, struct err *e)
{
	size_t at = 0;
	struct bytes element;
	enum errcode code = E_OK;
	if (json_span_kind(array) != '[')
		return err_set(e, E_INVALID, "jobs: an array is needed");
	while (!code && json_span_next(array, &at, &element))
		code = read_job(s, element, e);
	return code;
}

static enum errcode read_lines(struct submit *s, struct bytes body, struct err *e)
{
	enum errcode code = E_OK;
	for (const char *at = body.data, *end = body.data + body.size; !code && at < end;) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		struct bytes line = {at, (size_t)((line_end ? line_end : end) - at)};
		if (line.size && !(line.size == 1 && *line.data == '\r'))
			code = read_job(s, line, e);
		at = line_end ? line_end + 1 : end;
	}
	return code;
}

static enum errcode read_body(struct submit *s, struct err *e)
{
	struct bytes body = http_body(s->request), type = http_header(s->request, "Content-Type");
	struct json_member members[MEMBERS_MAX];
	size_t n;
	if (type.size >= 20 && memcmp(type.data, "application/x-ndjson", 20) == 0) {
		s->many = true;
		return read_lines(s, body, e);
	}
	enum errcode code = json_span_members(body, members, MEMBERS_MAX, &n, e);
	if (code)
		return code;
	const struct bytes *jobs = json_span_find(members, n, "jobs");
	s->many = jobs != NULL;
	if (jobs && n > 1)
		return err_set(e, E_INVALID, "beside \"jobs\" nothing else may be there");
	return jobs ? read_array(s, *jobs, e) : read_members(s, members, n, e);
}

/* ── the answer ── */

static void submit_free(struct submit *s)
{
	for (size_t i = 0; i < s->text_n; i++)
		buf_fini(&s->texts[i]);
	free(s->texts);
	free(s->specs);
	free(s->scheduled);
	free(s);
}

static void add_answer(struct submit *s, const struct submit_reply *reply, size_t i, struct buf *out)
{
	char text[ID_TEXT_SIZE];
	id_format(reply->ids[i], text);
	bool existing = reply->existing && reply->existing[i];
	struct job *j = existing ? queues_find(s->api->queues, reply->ids[i]) : NULL;
	struct job_view view;
	const char *status = s->scheduled[i] ? "scheduled" : "pending";
	if (j) {
		job_get_view(s->api->queues, j, &view);
		status = job_state_word(view.state);
	} else if (existing) {
		status = "completed";
	}
	buf_format(out, "{\"job_id\":\"%s\",\"status\":\"%s\"%s}", text, status, existing ? ",\"existing\":true" : "");
}

static void submitted(void *context, const struct submit_reply *reply)
{
	struct submit *s = context;
	struct http_request *r = s->request;
	if (r) {
		struct buf out = {0};
		http_set_data(r, NULL, NULL);
		buf_text(&out, s->many ? "{\"jobs\":[" : "");
		for (size_t i = 0; !reply->code && i < reply->n; i++) {
			buf_text(&out, i ? "," : "");
			add_answer(s, reply, i, &out);
		}
		buf_text(&out, s->many ? "]}" : "");
		if (reply->code) {
			buf_fini(&out);
			api_fail(r, reply->code,
				reply->code == E_NO_SPACE ? "the disk is full: nothing was kept" : "the jobs could not be stored");
		} else {
			api_reply_buf(r, 202, &out);
		}
	}
	submit_free(s);
}

static void client_gone(void *data)
{
	((struct submit *)data)->request = NULL;
}

void api_submit(void *context, struct http_request *r)
{
	struct submit *s = NEW(struct submit);
	struct err e;
	s->api = context;
	s->request = r;
	s->now_ms = loop_now_ms(s->api->loop);
	enum errcode code = read_body(s, &e);
	if (!code && s->n == 0)
		code = err_set(&e, E_INVALID, "no job is in the body");
	struct bytes key = http_header(r, "Idempotency-Key");
	if (!code && key.size && !s->many && !s->specs[0].idempotency_key.size)
		s->specs[0].idempotency_key = key;
	if (!code && s->n == 1 && !s->specs[0].traceparent.size)
		s->specs[0].traceparent = http_header(r, "traceparent");
	if (!code) {
		s->scheduled = mem_new(s->n);
		for (size_t i = 0; i < s->n; i++)
			s->scheduled[i] = s->specs[i].due_at_ms > s->now_ms;
		http_set_data(r, s, client_gone);
		code = queues_submit(s->api->queues, s->specs, s->n, s->now_ms, submitted, s, &e);
		if (!code)
			return;
		http_set_data(r, NULL, NULL);
	}
	if (s->against_schema)
		http_problem_at(r, 422, &e, s->pointer);
	else
		http_problem(r, &e);
	submit_free(s);
}
