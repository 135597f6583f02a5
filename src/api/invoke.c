/* /v1/invoke: a transactional call: route, wait, answer. Not durable. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "schema/schema.h"

#include <stdlib.h>
#include <string.h>

static void invoke(void *context, struct http_request *r);

const struct http_route invoke_routes[] = {
	{.method = "POST",
		.path = "/v1/invoke/{capability}",
		.handle = invoke,
		.body_max = JOB_INPUT_MAX_BYTES,
		.summary = "Call a capability: the body is its input, the answer its result; ?timeout=10s",
		.doc = "\"x-query\":\"timeout namespace\""},
	{0},
};

#define INLINE_MAX (16 << 10) /* larger inputs are checked on the pool: jansson takes 15 us for a kilobyte */

struct calling {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct buf input;
	const struct schema *schema; /* NULL: its worker says what it takes, if anything */
	int64_t deadline_ms;
	bool away; /* the pool has it */
	enum errcode code; /* of the check against the schema */
	char pointer[SCHEMA_POINTER_SIZE];
	struct err error;
	uint64_t call; /* 0: answered, or not begun */
};

/* What the handler says of its input is the caller's fault (422); that nobody serves it is 503; the rest is the callee's (502). */
static int status_of(const struct job_error *error, enum errcode *code)
{
	static const struct {
		const char *word;
		int status;
		enum errcode code;
	} table[] = {{"not_found", 404, E_NOT_FOUND}, {"unavailable", 503, E_UNAVAILABLE}, {"timeout", 504, E_TIMEOUT},
		{"invalid", 422, E_INVALID}, {"too_large", 413, E_TOO_LARGE}, {"cancelled", 409, E_CANCELLED}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(error->code, table[i].word) != 0)
			continue;
		*code = table[i].code;
		return table[i].status;
	}
	*code = error->retryable ? E_UNAVAILABLE : E_INVALID;
	return error->retryable ? 503 : 422;
}

static void called(void *context, struct bytes result, const struct job_error *error)
{
	struct calling *c = context;
	c->call = 0;
	if (!error) {
		http_reply_json(c->request, 200, result);
		return;
	}
	struct err e;
	enum errcode code;
	int status = status_of(error, &code);
	err_set(&e, code, "%s: %s", error->code, error->message);
	http_problem_at(c->request, status, &e, NULL);
}

static void calling_free(struct calling *c)
{
	buf_fini(&c->input);
	free(c);
}

static void client_gone(void *data)
{
	struct calling *c = data;
	c->request = NULL;
	if (c->call)
		dispatch_invoke_cancel(c->api->dispatch, c->call);
	if (!c->away)
		calling_free(c);
}

static void call_now(struct calling *c)
{
	struct http_request *r = c->request;
	struct bytes namespace = http_query(r, "namespace");
	struct dispatch_call call = {.namespace = namespace.size ? namespace : bytes_of("default"),
		.capability = http_param(r, "capability"),
		.input = buf_bytes(&c->input),
		.traceparent = api_traceparent(r),
		.deadline_ms = c->deadline_ms,
		.done = called,
		.context = c};
	uint64_t id = dispatch_invoke(c->api->dispatch, &call);
	if (id) /* else it was answered, and c may be gone */
		c->call = id;
}

static void check(void *context)
{
	struct calling *c = context;
	c->code = schema_check_text(c->schema, buf_bytes(&c->input), c->pointer, &c->error);
}

static void checked(void *context)
{
	struct calling *c = context;
	c->away = false;
	if (!c->request) {
		calling_free(c);
	} else if (c->code != E_OK) {
		err_prefix(
			&c->error, "the input does not fit the input schema of %s", http_param(c->request, "capability").data);
		http_problem_at(c->request, 422, &c->error, c->pointer);
	} else {
		call_now(c);
	}
}

/* A blob in place of the input is what the schema speaks of only once it is fetched. */
static bool is_blob(struct bytes input)
{
	char name[BLOB_NAME_SIZE];
	bool only;
	return blob_of_input(input, name, &only) && only;
}

static void invoke(void *context, struct http_request *r)
{
	struct api *a = context;
	int64_t timeout_ms;
	struct err e;
	if (!api_duration(r, "timeout", API_INVOKE_TIMEOUT_MS, JOB_TIMEOUT_DEFAULT_MS, &timeout_ms))
		return;
	if (timeout_ms == 0) {
		api_fail(r, E_INVALID, "?timeout=0: an answer needs time; leave it out for %d s", API_INVOKE_TIMEOUT_MS / 1000);
		return;
	}
	if (http_body(r).size && json_span_check(http_body(r), &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	struct calling *c = NEW(struct calling);
	c->api = a;
	c->request = r;
	c->deadline_ms = loop_now_ms(a->loop) + timeout_ms;
	http_take_body(r, &c->input);
	if (!c->input.size)
		buf_text(&c->input, "{}");
	http_set_data(r, c, client_gone);
	c->schema = api_input_schema(a, http_query(r, "namespace"), http_param(r, "capability"));
	if (!c->schema || is_blob(buf_bytes(&c->input))) {
		call_now(c);
	} else if (c->input.size <= INLINE_MAX) {
		check(c);
		checked(c);
	} else {
		c->away = true;
		loop_work(a->loop, check, checked, c);
	}
}
