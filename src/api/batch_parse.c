/* batch_parse.c - the body of POST /v1/batches: a batch, with its jobs or open. Runs on any thread. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { MEMBERS_MAX = 16 };

static enum errcode take_text(struct submission *s, struct bytes v, struct bytes *out)
{
	struct buf text = {0};
	if (json_span_kind(v) != '"' || !json_span_string(v, &text)) {
		buf_fini(&text);
		return err_set(&s->error, E_INVALID, "%.*s is not a string", (int)(v.size < 64 ? v.size : 64), v.data);
	}
	s->texts = mem_resize(s->texts, (s->text_n + 1) * sizeof *s->texts);
	out->size = text.size;
	out->data = s->texts[s->text_n++] = text.data ? buf_take(&text) : mem_text("");
	return E_OK;
}

/* The job that follows; its own input comes to stand beside how the batch ended. */
static enum errcode take_then(struct submission *s, struct bytes v)
{
	struct submission job;
	scoped(mem_free_at) char *text = mem_copy(v.data, v.size);
	enum errcode code = job_template_parse(&job, s->namespace, s->allow, text, s->now_ms);
	if (code) {
		s->error = job.error;
		snprintf(s->pointer + strlen(s->pointer), sizeof s->pointer - strlen(s->pointer), "%.200s", job.pointer);
	}
	submission_fini(&job);
	s->batch.then = v;
	return code;
}

static enum errcode take_failures(struct submission *s, struct bytes v)
{
	int64_t n;
	if (!json_span_integer(v, &n) || n < 0 || n > BATCH_JOBS_MAX)
		return err_set(&s->error, E_INVALID, "%.*s is not a whole number from 0 to %d",
			(int)(v.size < 64 ? v.size : 64), v.data, BATCH_JOBS_MAX);
	s->batch.max_failures = (uint64_t)n;
	return E_OK;
}

static enum errcode take_open(struct submission *s, struct bytes v)
{
	if (json_span_kind(v) != 't' && json_span_kind(v) != 'f')
		return err_set(&s->error, E_INVALID, "open is true or false");
	s->batch.open = json_span_kind(v) == 't';
	return E_OK;
}

static enum errcode take_callback(struct submission *s, struct bytes v)
{
	s->batch.callback = v;
	return callback_check(s->allow, v, &s->error);
}

static enum errcode take_member(struct submission *s, const struct json_member *m)
{
	if (bytes_equal(m->key, bytes_of("jobs")) || bytes_equal(m->key, bytes_of("namespace")))
		return E_OK; /* read before and after the others */
	if (bytes_equal(m->key, bytes_of("name")))
		return take_text(s, m->value, &s->batch.name);
	if (bytes_equal(m->key, bytes_of("max_failures")))
		return take_failures(s, m->value);
	if (bytes_equal(m->key, bytes_of("open")))
		return take_open(s, m->value);
	if (bytes_equal(m->key, bytes_of("callback")))
		return take_callback(s, m->value);
	if (bytes_equal(m->key, bytes_of("then")))
		return take_then(s, m->value);
	return err_set(&s->error, E_INVALID,
		"unknown member \"%.*s\"; a batch has jobs, open, namespace, name, max_failures, callback and then",
		(int)(m->key.size < 64 ? m->key.size : 64), m->key.data);
}

enum errcode submission_parse_batch(struct submission *s)
{
	struct json_member m[MEMBERS_MAX];
	size_t n;
	if (json_span_members(s->body.data ? buf_bytes(&s->body) : bytes_of(""), m, MEMBERS_MAX, &n, &s->error) != E_OK)
		return err_prefix(&s->error, "the body");
	const struct bytes *jobs = json_span_find(m, n, "jobs"), *namespace = json_span_find(m, n, "namespace");
	enum errcode code = namespace ? take_text(s, *namespace, &s->namespace) : E_OK;
	if (code)
		snprintf(s->pointer, sizeof s->pointer, "/namespace");
	for (size_t i = 0; !code && i < n; i++) {
		snprintf(s->pointer, sizeof s->pointer, "/%.*s", (int)(m[i].key.size < 64 ? m[i].key.size : 64), m[i].key.data);
		code = take_member(s, &m[i]);
	}
	if (code)
		return code;
	s->pointer[0] = 0;
	s->many = true;
	s->batch.namespace = s->namespace;
	return jobs ? submission_parse_list(s, *jobs) : E_OK;
}
