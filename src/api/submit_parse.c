/* submit_parse.c - the body of a submit to job specs: one job, {"jobs":[...]}, or a line of NDJSON.
 *
 * The hot path: one strict pass over the bytes; `input` stays where it is, untouched. Runs on any thread. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/rfc3339.h"
#include "base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 32 };

struct parsing {
	struct submission *s;
	struct job_spec *spec;
	struct err *e;
	int64_t delay_ms, run_at_ms, ttl_ms;
};

static bool refuse(struct parsing *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct parsing *p, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	p->e->code = E_INVALID;
	vsnprintf(p->e->text, sizeof p->e->text, format, args);
	va_end(args);
	return false;
}

/* Without escapes, which is nearly always, a string is its own span. */
static bool text(struct parsing *p, struct bytes v, struct bytes *out)
{
	if (json_span_kind(v) != '"')
		return refuse(p, "%.*s is not a string", (int)(v.size < 64 ? v.size : 64), v.data);
	if (!memchr(v.data, '\\', v.size)) {
		*out = (struct bytes){v.data + 1, v.size - 2};
		return true;
	}
	struct buf b = {0};
	if (!json_span_string(v, &b)) {
		buf_fini(&b);
		return refuse(p, "a string with a NUL in it");
	}
	struct submission *s = p->s;
	s->texts = mem_resize(s->texts, (s->text_n + 1) * sizeof *s->texts);
	out->size = b.size;
	out->data = s->texts[s->text_n++] = buf_take(&b);
	return true;
}

static bool number(struct parsing *p, struct bytes v, int64_t min, int64_t max, int *out)
{
	int64_t n;
	if (!json_span_integer(v, &n) || n < min || n > max)
		return refuse(p, "%.*s is not a whole number from %lld to %lld", (int)(v.size < 64 ? v.size : 64), v.data,
			(long long)min, (long long)max);
	*out = (int)n;
	return true;
}

static bool duration(struct parsing *p, struct bytes v, int64_t *out)
{
	struct bytes t;
	return text(p, v, &t) && units_duration(t, out, p->e) == E_OK;
}

/* ── the members ── */

static bool take_namespace(struct parsing *p, struct bytes v)
{
	return text(p, v, &p->spec->namespace);
}

static bool take_capability(struct parsing *p, struct bytes v)
{
	return text(p, v, &p->spec->capability);
}

static bool take_input(struct parsing *p, struct bytes v)
{
	p->spec->input = v;
	return true;
}

static bool take_priority(struct parsing *p, struct bytes v)
{
	return number(p, v, 0, JOB_PRIORITY_MAX, &p->spec->priority);
}

static bool take_delay(struct parsing *p, struct bytes v)
{
	return duration(p, v, &p->delay_ms);
}

static bool take_run_at(struct parsing *p, struct bytes v)
{
	struct bytes t;
	return text(p, v, &t) && rfc3339_parse(t, &p->run_at_ms, p->e) == E_OK;
}

static bool take_ttl(struct parsing *p, struct bytes v)
{
	return duration(p, v, &p->ttl_ms) && (p->ttl_ms > 0 || refuse(p, "a ttl of 0 would be over at once"));
}

static bool take_deadline(struct parsing *p, struct bytes v)
{
	struct bytes t;
	if (!text(p, v, &t) || rfc3339_parse(t, &p->spec->deadline_ms, p->e) != E_OK)
		return false;
	return p->spec->deadline_ms > p->s->now_ms || refuse(p, "%.*s has passed already", (int)v.size, v.data);
}

/* Inside, 0 stands for the default; from outside it could only be meant as "none", which no job has. */
static bool take_timeout(struct parsing *p, struct bytes v)
{
	if (!duration(p, v, &p->spec->timeout_ms))
		return false;
	if (p->spec->timeout_ms > 0 && p->spec->timeout_ms <= JOB_TIMEOUT_MAX_MS)
		return true;
	return refuse(p, "%.*s is no timeout: every job has one, from 1ms to 7d; without it, 15m",
		(int)(v.size < 64 ? v.size : 64), v.data);
}

static bool take_max_attempts(struct parsing *p, struct bytes v)
{
	return number(p, v, 1, JOB_ATTEMPTS_MAX, &p->spec->max_attempts);
}

static bool take_wait(struct parsing *p, struct bytes v, int64_t *out)
{
	if (!duration(p, v, out))
		return false;
	return (*out > 0 && *out <= JOB_RETRY_MAX_MS) ||
		   refuse(p, "%.*s: the wait before another attempt is 1ms to 7d", (int)(v.size < 64 ? v.size : 64), v.data);
}

static bool take_retry_delay(struct parsing *p, struct bytes v)
{
	return take_wait(p, v, &p->spec->retry_delay_ms);
}

static bool take_retry_cap(struct parsing *p, struct bytes v)
{
	return take_wait(p, v, &p->spec->retry_cap_ms);
}

static bool take_states(struct parsing *p, struct bytes v)
{
	struct bytes word, t;
	size_t at = 0;
	unsigned states = 0;
	if (json_span_kind(v) != '[')
		return refuse(p, "unique: states is a list of statuses");
	while (json_span_next(v, &at, &word)) {
		if (!text(p, word, &t))
			return false;
		int state = job_state_parse(t);
		if (state < 0)
			return refuse(p,
				"unique: there is no status \"%.*s\"; they are scheduled, pending, processing, completed, failed and "
				"cancelled",
				(int)(t.size < 32 ? t.size : 32), t.data);
		states |= 1u << state;
	}
	p->spec->unique.states = states;
	return states || refuse(p, "unique: in no state at all would it hold its key");
}

static bool take_unique_member(struct parsing *p, const struct json_member *m)
{
	struct job_unique *u = &p->spec->unique;
	if (bytes_equal(m->key, bytes_of("states")))
		return take_states(p, m->value);
	if (bytes_equal(m->key, bytes_of("period")))
		return duration(p, m->value, &u->period_ms) && (u->period_ms > 0 || refuse(p, "unique: a period of 0"));
	if (bytes_equal(m->key, bytes_of("key")))
		return text(p, m->value, &u->key) &&
			   (u->key.size || refuse(p, "unique: an empty key; without it the input is the key"));
	return refuse(p, "unique has the members key, period and states, not \"%.*s\"",
		(int)(m->key.size < 64 ? m->key.size : 64), m->key.data);
}

/* {"key","period","states"}, each of which may be left out; or true for all of it. */
static bool take_unique(struct parsing *p, struct bytes v)
{
	struct json_member m[MEMBERS_MAX];
	size_t n = 0;
	p->spec->unique.states = JOB_UNIQUE_WAITING_OR_RUNNING;
	if (bytes_equal(v, bytes_of("true")))
		return true;
	if (json_span_kind(v) != '{' || json_span_members(v, m, MEMBERS_MAX, &n, p->e) != E_OK)
		return refuse(p, "unique is true, or an object with key, period and states");
	for (size_t i = 0; i < n; i++) {
		if (!take_unique_member(p, &m[i]))
			return false;
	}
	return true;
}

static bool take_key(struct parsing *p, struct bytes v)
{
	return text(p, v, &p->spec->idempotency_key);
}

static bool take_fair_key(struct parsing *p, struct bytes v)
{
	return text(p, v, &p->spec->key);
}

static bool take_traceparent(struct parsing *p, struct bytes v)
{
	return text(p, v, &p->spec->traceparent);
}

static bool take_callback(struct parsing *p, struct bytes v)
{
	p->spec->callback = v;
	return callback_check(p->s->allow, v, p->e) == E_OK;
}

static bool take_tags(struct parsing *p, struct bytes v)
{
	struct bytes tag;
	size_t at = 0, n = 0;
	if (json_span_kind(v) != '[')
		return refuse(p, "tags are a list of strings");
	while (json_span_next(v, &at, &tag)) {
		if (json_span_kind(tag) != '"' || tag.size > JOB_NAME_MAX + 2)
			return refuse(p, "tag %zu is not a string of at most %d bytes", n, JOB_NAME_MAX);
		if (++n > JOB_TAGS_MAX)
			return refuse(p, "more than %d tags", JOB_TAGS_MAX);
	}
	p->spec->tags = n ? v : (struct bytes){NULL, 0};
	return true;
}

/* Behind the line: names that jobs have in other systems, for those who come from there. */
static const struct {
	const char *name;
	bool (*read)(struct parsing *p, struct bytes v);
} members[] = {{"capability", take_capability}, {"input", take_input}, {"priority", take_priority},
	{"namespace", take_namespace}, {"tags", take_tags}, {"timeout", take_timeout}, {"delay", take_delay},
	{"run_at", take_run_at}, {"ttl", take_ttl}, {"deadline", take_deadline}, {"max_attempts", take_max_attempts},
	{"retry_delay", take_retry_delay}, {"retry_cap", take_retry_cap}, {"unique", take_unique},
	{"idempotency_key", take_key}, {"key", take_fair_key}, {"traceparent", take_traceparent},
	{"callback", take_callback},
	/* --- */
	{"operation", take_capability}, {"max_retries", take_max_attempts}, {"job_timeout", take_timeout}};

static bool take_member(struct parsing *p, const struct json_member *m)
{
	struct nearest n = {.wrong = m->key};
	char list[512];
	size_t at = 0;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (bytes_equal(m->key, bytes_of(members[i].name)))
			return members[i].read(p, m->value);
		nearest_try(&n, bytes_of(members[i].name));
		at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", members[i].name);
	}
	int size = (int)(m->key.size < 64 ? m->key.size : 64);
	if (n.best.data)
		return refuse(p, "unknown member \"%.*s\"; did you mean \"%s\"?", size, m->key.data, n.best.data);
	return refuse(p, "unknown member \"%.*s\"; a job has: %s", size, m->key.data, list);
}

static bool times(struct parsing *p)
{
	if (p->delay_ms && p->run_at_ms)
		return refuse(p, "delay and run_at exclude each other");
	if (p->delay_ms || p->run_at_ms)
		p->spec->due_at_ms = p->delay_ms ? p->s->now_ms + p->delay_ms : p->run_at_ms;
	if (p->ttl_ms)
		p->spec->expires_at_ms = (p->spec->due_at_ms > p->s->now_ms ? p->spec->due_at_ms : p->s->now_ms) + p->ttl_ms;
	return true;
}

/* One object that is known to be JSON, as `m`. On failure the pointer gets "/jobs/3/priority". */
static enum errcode take_job(struct submission *s, const struct json_member *m, size_t n)
{
	if (s->n == JOB_BATCH_MAX)
		return err_set(&s->error, E_TOO_LARGE, "more than %d jobs in one submit; send them in several", JOB_BATCH_MAX);
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 1;
		s->specs = mem_resize(s->specs, s->room * sizeof *s->specs);
	}
	struct job_spec *spec = &s->specs[s->n];
	struct parsing p = {.s = s, .spec = spec, .e = &s->error};
	job_spec_init(spec);
	spec->namespace = s->namespace;
	spec->traceparent = s->traceparent;
	spec->input = bytes_of("{}");
	if (!s->many)
		spec->idempotency_key = s->idempotency_key;
	for (size_t i = 0; i < n; i++) {
		if (take_member(&p, &m[i]))
			continue;
		size_t at = strlen(s->pointer);
		snprintf(s->pointer + at, sizeof s->pointer - at, "/%.*s", (int)(m[i].key.size < 64 ? m[i].key.size : 64),
			m[i].key.data);
		return s->error.code;
	}
	if (!times(&p))
		return s->error.code;
	struct job_spec rest = *spec; /* a large input becomes a blob: payload.c */
	rest.input = (struct bytes){0};
	enum errcode code = job_spec_check(&rest, &s->error);
	s->n += code == E_OK;
	return code;
}

enum errcode submission_parse_list(struct submission *s, struct bytes list)
{
	struct json_member m[MEMBERS_MAX];
	struct bytes element;
	size_t at = 0, n;
	if (json_span_kind(list) != '[') {
		snprintf(s->pointer, sizeof s->pointer, "/jobs");
		return err_set(&s->error, E_INVALID, "jobs is a list of jobs");
	}
	while (json_span_next(list, &at, &element)) {
		snprintf(s->pointer, sizeof s->pointer, "/jobs/%zu", s->n);
		enum errcode code = json_span_members(element, m, MEMBERS_MAX, &n, &s->error);
		if (code == E_OK)
			code = take_job(s, m, n);
		if (code != E_OK)
			return code;
	}
	s->pointer[0] = 0;
	return s->n ? E_OK : err_set(&s->error, E_INVALID, "the list of jobs is empty");
}

enum errcode submission_parse_line(struct submission *s, struct bytes line)
{
	struct json_member m[MEMBERS_MAX];
	size_t n;
	s->many = true;
	s->pointer[0] = 0;
	enum errcode code = json_span_members(line, m, MEMBERS_MAX, &n, &s->error);
	return code ? code : take_job(s, m, n);
}

enum errcode submission_parse(struct submission *s)
{
	struct json_member m[MEMBERS_MAX];
	size_t n;
	if (json_span_members(s->body.data ? buf_bytes(&s->body) : bytes_of(""), m, MEMBERS_MAX, &n, &s->error) != E_OK) {
		err_prefix(&s->error, "the body");
		return s->error.code;
	}
	const struct bytes *jobs = json_span_find(m, n, "jobs");
	if (!jobs)
		return take_job(s, m, n);
	s->many = true;
	if (n == 1)
		return submission_parse_list(s, *jobs);
	for (size_t i = 0; i < n; i++) {
		if (bytes_equal(m[i].key, bytes_of("namespace")) && json_span_kind(m[i].value) == '"')
			s->namespace = (struct bytes){m[i].value.data + 1, m[i].value.size - 2};
		else if (!bytes_equal(m[i].key, bytes_of("jobs")))
			return err_set(&s->error, E_INVALID, "beside \"jobs\" only \"namespace\" may stand, not \"%.*s\"",
				(int)(m[i].key.size < 64 ? m[i].key.size : 64), m[i].key.data);
	}
	return submission_parse_list(s, *jobs);
}

void submission_fini(struct submission *s)
{
	for (size_t i = 0; i < s->text_n; i++)
		free(s->texts[i]);
	free(s->texts);
	free(s->specs);
	buf_fini(&s->body);
}
