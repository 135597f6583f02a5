/* submit.c - POST /v1/jobs: parse, check inputs against their schemas, submit, and answer when it is on disk. */
#include "api/api.h"

#include "base/mem.h"
#include "schema/schema.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>

#define INLINE_MAX (128 << 10) /* larger bodies are read on the pool: the loop never waits */

enum where { TO_QUEUES, TO_NEW_BATCH, TO_BATCH };

struct submitting {
	struct api *api;
	enum where where;
	uint64_t batch_id; /* TO_BATCH */
	struct http_request *request; /* NULL: the client has gone */
	struct submission s;
	char *namespace, *key, *trace;
	const struct schema **schemas; /* of each spec, or NULL when none has one */
	bool blobs; /* see api_has_blobs */
	bool away; /* the pool or the store has it */
	enum errcode code;
};

static void submitting_free(struct submitting *t)
{
	submission_fini(&t->s);
	free(t->schemas);
	free(t->namespace);
	free(t->key);
	free(t->trace);
	free(t);
}

static void client_gone(void *data)
{
	struct submitting *t = data;
	t->request = NULL;
	if (!t->away)
		submitting_free(t);
}

/* With the numbers, for programs. */
static void fail_full(struct submitting *t, const struct submit_refusal *why)
{
	scoped(buf_fini) struct buf numbers = {0};
	buf_text(&numbers, ",\"namespace\":");
	buf_json_utf8(&numbers, why->namespace);
	if (why->capability.size) {
		buf_text(&numbers, ",\"capability\":");
		buf_json_utf8(&numbers, why->capability);
	}
	buf_format(&numbers, ",\"length\":%llu,\"max_length\":%llu,\"asked\":%llu", (unsigned long long)why->length,
		(unsigned long long)why->max_length, (unsigned long long)why->asked);
	http_problem_with(t->request, http_status_of(E_LIMIT), &t->s.error, NULL, numbers.data,
		(unsigned)((why->retry_after_ms + 999) / 1000));
}

static void fail(struct submitting *t)
{
	int status = t->s.status ? t->s.status : http_status_of(t->code);
	http_problem_at(t->request, status, &t->s.error, t->s.pointer[0] ? t->s.pointer : NULL);
}

/* ── the answer ── */

static void add_job(struct buf *out, struct submitting *t, const struct submit_reply *reply, size_t i)
{
	char id[ID_TEXT_SIZE];
	bool existing = reply->existing && reply->existing[i];
	id_format(reply->ids[i], id);
	buf_format(
		out, "{\"job_id\":\"%s\",\"status\":\"%s\",\"namespace\":", id, api_submitted_status(t->api, reply->ids[i]));
	struct bytes namespace = t->s.specs[i].namespace;
	buf_json_utf8(out, namespace.size ? namespace : bytes_of("default"));
	buf_text(out, existing ? ",\"existing\":true}" : "}");
}

static void add_batch(struct buf *out, const struct submitting *t)
{
	char id[ID_TEXT_SIZE];
	buf_text(out, "{");
	if (t->where == TO_QUEUES)
		return;
	id_format(t->batch_id, id);
	buf_format(out, "\"batch_id\":\"%s\",", id);
}

static void submitted(void *context, const struct submit_reply *reply)
{
	struct submitting *t = context;
	t->away = false;
	if (!t->request) {
		submitting_free(t);
		return;
	}
	if (reply->code != E_OK) {
		t->code = reply->code == E_NO_SPACE
					  ? err_set(&t->s.error, E_NO_SPACE, "the disk is full: nothing was kept")
					  : err_set(&t->s.error, reply->code,
							"the jobs could not be written to disk (%s); nothing was kept", err_word(reply->code));
		fail(t);
		return;
	}
	struct buf out = {0};
	if (!t->s.many && t->where == TO_QUEUES) {
		add_job(&out, t, reply, 0);
	} else {
		add_batch(&out, t);
		buf_text(&out, "\"jobs\":[");
		for (size_t i = 0; i < reply->n; i++) {
			if (i)
				buf_text(&out, ",");
			add_job(&out, t, reply, i);
		}
		buf_text(&out, "]}");
	}
	http_reply_buf(t->request, 202, "application/json", &out);
}

/* ── to where it is to go ── */

static void stored(void *context, const struct batch_reply *reply)
{
	static const struct submit_reply none;
	struct submitting *t = context;
	struct submit_reply jobs = reply->jobs ? *reply->jobs : none;
	jobs.code = reply->code;
	t->batch_id = reply->id;
	submitted(t, &jobs);
}

static enum errcode hand_over(struct submitting *t)
{
	struct api *a = t->api;
	struct submission *s = &t->s;
	int64_t now_ms = loop_now_ms(a->loop);
	if (t->where == TO_NEW_BATCH)
		return batches_create(a->batches, &s->batch, s->specs, s->n, now_ms, stored, t, &s->error);
	if (t->where == TO_BATCH)
		return batches_add(a->batches, t->batch_id, s->specs, s->n, now_ms, stored, t, &s->error);
	return queues_submit(a->queues, s->specs, s->n, now_ms, submitted, t, &s->error);
}

static void submit_now(struct submitting *t)
{
	struct api *a = t->api;
	t->away = true;
	t->code = hand_over(t);
	if (t->code == E_OK)
		return;
	t->away = false;
	if (queues_refusal(a->queues))
		fail_full(t, queues_refusal(a->queues));
	else
		fail(t);
}

/* ── inputs against schemas ── */

/* Where in the body, when it has many jobs. */
static void point(struct submitting *t, size_t i, const char *within)
{
	if (t->s.many)
		snprintf(t->s.pointer, sizeof t->s.pointer, "/jobs/%zu%.250s", i, within);
	else
		snprintf(t->s.pointer, sizeof t->s.pointer, "%.250s", within);
}

static void check_inputs(struct submitting *t)
{
	char within[300];
	for (size_t i = 0; t->code == E_OK && i < t->s.n; i++) {
		t->code = api_check_input(t->schemas[i], &t->s.specs[i], &t->s.status, within, &t->s.error);
		if (t->code)
			point(t, i, within);
	}
}

/* Against the schemas while the inputs are as they came; then blobs are made of large ones. */
static void check(void *context)
{
	struct submitting *t = context;
	check_inputs(t);
	if (t->code == E_OK && t->blobs)
		t->code = api_use_blobs(t->api->blobs, &t->s);
}

static void checked(void *context)
{
	struct submitting *t = context;
	t->away = false;
	if (!t->request)
		submitting_free(t);
	else if (t->code != E_OK)
		fail(t);
	else
		submit_now(t);
}

static void parsed(void *context)
{
	struct submitting *t = context;
	bool schemas = false;
	t->away = false;
	if (!t->request) {
		submitting_free(t);
		return;
	}
	if (t->code != E_OK) {
		fail(t);
		return;
	}
	t->schemas = mem_new(t->s.n * sizeof *t->schemas);
	for (size_t i = 0; i < t->s.n; i++) {
		t->schemas[i] = api_input_schema(t->api, t->s.specs[i].namespace, t->s.specs[i].capability);
		schemas |= t->schemas[i] != NULL;
	}
	t->blobs = api_has_blobs(&t->s);
	if (t->blobs || (schemas && t->s.body.size > INLINE_MAX / 8)) { /* jansson is ten times slower than a scan */
		t->away = true;
		loop_work(t->api->loop, check, checked, t);
	} else {
		check(t);
		checked(t);
	}
}

/* ── the request ── */

static void parse(void *context)
{
	struct submitting *t = context;
	t->code = t->where == TO_NEW_BATCH ? submission_parse_batch(&t->s) : submission_parse(&t->s);
	if (t->code == E_OK && t->s.many && t->s.idempotency_key.size)
		t->code = err_set(&t->s.error, E_INVALID,
			"the header Idempotency-Key is for one job; of many each has its own member idempotency_key");
}

static struct bytes keep(struct bytes text, char **copy)
{
	*copy = text.size ? mem_copy(text.data, text.size) : NULL;
	return (struct bytes){*copy, text.size};
}

static void begin(struct api *a, struct http_request *r, enum where where, uint64_t batch_id)
{
	struct submitting *t = NEW(struct submitting);
	t->api = a;
	t->where = where;
	t->batch_id = batch_id;
	t->request = r;
	http_set_data(r, t, client_gone);
	http_take_body(r, &t->s.body);
	t->s.now_ms = loop_now_ms(t->api->loop);
	t->s.allow = t->api->allow;
	t->s.namespace = keep(http_query(r, "namespace"), &t->namespace);
	t->s.idempotency_key = keep(http_header(r, "Idempotency-Key"), &t->key);
	if (where == TO_BATCH) {
		free(t->namespace);
		t->s.namespace = keep(batches_namespace(a->batches, batch_id), &t->namespace);
	}
	t->s.traceparent = keep(api_traceparent(r), &t->trace);
	if (t->s.body.size > INLINE_MAX) {
		t->away = true;
		loop_work(t->api->loop, parse, parsed, t);
	} else {
		parse(t);
		parsed(t);
	}
}

void api_submit(void *context, struct http_request *r)
{
	begin(context, r, TO_QUEUES, 0);
}

void api_create_batch(void *context, struct http_request *r)
{
	begin(context, r, TO_NEW_BATCH, 0);
}

void api_add_to_batch(void *context, struct http_request *r)
{
	uint64_t id;
	if (api_id(r, "batch_id", &id))
		begin(context, r, TO_BATCH, id);
}
