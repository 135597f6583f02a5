/* /v1/invoke: a transactional call: route, wait, answer. Not durable. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void invoke(void *context, struct http_request *r);

const struct http_route invoke_routes[] = {
	{.method = "POST",
		.path = "/v1/invoke/{capability}",
		.handle = invoke,
		.body_max = JOB_INPUT_MAX_BYTES,
		.summary = "Call a capability: the body is its input, the answer its result; ?timeout=10s"},
	{0},
};

struct calling {
	struct api *api;
	struct http_request *request;
	uint64_t call; /* 0: answered */
};

/* What the handler says of its input is the caller's fault (422); that nobody serves it is 503; the rest is the callee's (502). */
static int status_of(const struct job_error *error)
{
	static const struct {
		const char *code;
		int status;
	} table[] = {{"not_found", 404}, {"unavailable", 503}, {"timeout", 504}, {"invalid", 422}, {"too_large", 413},
		{"cancelled", 409}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(error->code, table[i].code) == 0)
			return table[i].status;
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
	err_set(&e, error->retryable ? E_UNAVAILABLE : E_INVALID, "%s: %s", error->code, error->message);
	http_problem_at(c->request, status_of(error), &e, NULL);
}

static void client_gone(void *data)
{
	struct calling *c = data;
	if (c->call)
		dispatch_invoke_cancel(c->api->dispatch, c->call);
	free(c);
}

static void invoke(void *context, struct http_request *r)
{
	struct api *a = context;
	int64_t timeout_ms;
	struct err e;
	struct bytes body = http_body(r).size ? http_body(r) : bytes_of("{}");
	if (!api_duration(r, "timeout", API_INVOKE_TIMEOUT_MS, JOB_TIMEOUT_DEFAULT_MS, &timeout_ms))
		return;
	if (json_span_check(body, &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	struct calling *c = NEW(struct calling);
	c->api = a;
	c->request = r;
	http_set_data(r, c, client_gone);
	struct bytes namespace = http_query(r, "namespace");
	struct dispatch_call call = {.namespace = namespace.size ? namespace : bytes_of("default"),
		.capability = http_param(r, "capability"),
		.input = body,
		.traceparent = http_header(r, "traceparent"),
		.deadline_ms = loop_now_ms(a->loop) + timeout_ms,
		.done = called,
		.context = c};
	uint64_t id = dispatch_invoke(a->dispatch, &call);
	if (id) /* else it was answered, and c may be gone */
		c->call = id;
}
