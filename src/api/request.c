/* What every resource needs of a request: ids, limits, durations, bodies; wrong ones are answered here. */
#include "api/api.h"

#include "base/mem.h"
#include "base/units.h"
#include "wire/id.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct http_route *const api_routes[] = {backup_routes, batch_routes, blob_routes, callback_routes,
	capability_routes, claim_routes, dead_routes, event_routes, health_routes, invoke_routes, job_routes, log_routes,
	metric_routes, namespace_routes, openapi_routes, pipeline_routes, queue_routes, run_routes, schedule_routes,
	status_routes, worker_routes, NULL};

void api_fail(struct http_request *r, enum errcode code, const char *format, ...)
{
	struct err e = {.code = code};
	va_list args;
	va_start(args, format);
	vsnprintf(e.text, sizeof e.text, format, args);
	va_end(args);
	http_problem(r, &e);
}

char *api_text(struct bytes b)
{
	return mem_copy(b.data, b.size);
}

void api_reply_buf(struct http_request *r, int status, struct buf *json)
{
	http_reply_json(r, status, buf_bytes(json));
	buf_fini(json);
}

void api_reply_json(struct http_request *r, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	http_reply_json(r, status, bytes_of(text));
	free(text);
	json_decref(json);
}

struct saving { /* an answer that waits for what it says to be on disk */
	struct http_request *request; /* NULL: the client has gone */
	int status;
	struct buf answer;
};

static void client_gone(void *data)
{
	((struct saving *)data)->request = NULL;
}

static void saved(void *context, enum errcode code)
{
	struct saving *s = context;
	struct http_request *r = s->request;
	if (r && code)
		api_fail(r, code, "the change could not be stored: %s", err_word(code));
	else if (r)
		api_reply_buf(r, s->status, &s->answer);
	if (r)
		http_set_data(r, NULL, NULL);
	buf_fini(&s->answer);
	free(s);
}

/* An empty batch is durable when every one before it is. */
void api_reply_saved(struct api *a, struct http_request *r, int status, struct buf *answer)
{
	struct saving *s = NEW(struct saving);
	*s = (struct saving){.request = r, .status = status, .answer = *answer};
	*answer = (struct buf){0};
	http_set_data(r, s, client_gone);
	queues_commit(a->queues, store_batch_new(), saved, s);
}

bool api_json_body(struct http_request *r, json_t **out)
{
	struct bytes body = http_body(r);
	json_error_t where;
	json_t *json = json_loadb(body.size ? body.data : "{}", body.size ? body.size : 2, JSON_REJECT_DUPLICATES, &where);
	if (!json) {
		api_fail(r, E_INVALID, "the body is not JSON: line %d, column %d: %s", where.line, where.column, where.text);
		return false;
	}
	if (!json_is_object(json)) {
		json_decref(json);
		api_fail(r, E_INVALID, "the body is not a JSON object");
		return false;
	}
	*out = json;
	return true;
}

bool api_id(struct http_request *r, const char *parameter, uint64_t *id)
{
	struct bytes text = http_param(r, parameter);
	if (id_parse(text.data, text.size, id) == 0)
		return true;
	api_fail(r, E_NOT_FOUND, "%s \"%.*s\": an id is 13 letters and digits", parameter,
		(int)(text.size < 64 ? text.size : 64), text.data);
	return false;
}

bool api_duration(struct http_request *r, const char *query, int64_t default_ms, int64_t max_ms, int64_t *ms)
{
	struct bytes text = http_query(r, query);
	struct err e;
	*ms = default_ms;
	if (!text.data)
		return true;
	if (units_duration(text, ms, &e) != E_OK) {
		err_prefix(&e, "?%s=", query);
		http_problem(r, &e);
		return false;
	}
	if (*ms > max_ms)
		*ms = max_ms;
	return true;
}

bool api_limit(struct http_request *r, unsigned *limit)
{
	struct bytes text = http_query(r, "limit");
	*limit = API_LIST_DEFAULT;
	if (!text.data)
		return true;
	scoped(mem_free_at) char *copy = api_text(text);
	char *end;
	unsigned long n = strtoul(copy, &end, 10);
	if (!*copy || *end || n < 1 || n > API_LIST_MAX) {
		api_fail(r, E_INVALID, "?limit=%.32s: a number from 1 to %d is needed", copy, API_LIST_MAX);
		return false;
	}
	*limit = (unsigned)n;
	return true;
}

bool api_cursor(struct http_request *r, uint64_t *before)
{
	struct bytes text = http_query(r, "cursor");
	*before = 0;
	if (!text.data || id_parse(text.data, text.size, before) == 0)
		return true;
	api_fail(r, E_INVALID, "?cursor=%.*s: the cursor of an earlier answer is needed",
		(int)(text.size < 64 ? text.size : 64), text.data);
	return false;
}

struct bytes api_traceparent(struct http_request *r)
{
	struct bytes t = http_header(r, "traceparent");
	return t.size && job_traceparent_check(t, NULL) == E_OK ? t : (struct bytes){NULL, 0};
}
