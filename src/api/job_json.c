/* A job as clients see it, live or over. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "wire/id.h"

#include <stdio.h>

void api_add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	if (at_ms > 0) {
		rfc3339_format(at_ms, text);
		buf_format(out, ",\"%s\":\"%s\"", name, text);
	} else {
		buf_format(out, ",\"%s\":null", name);
	}
}

void api_add_error(struct buf *out, const struct job_error *error)
{
	buf_text(out, "{\"code\":");
	buf_json_string(out, bytes_of(error->code));
	buf_text(out, ",\"message\":");
	buf_json_utf8(out, bytes_of(error->message)); /* it may be cut within a character */
	buf_format(out, ",\"retryable\":%s}", error->retryable ? "true" : "false");
}

static void add_progress(struct buf *out, const struct job_view *v)
{
	if (v->progress_percent < 0) {
		buf_text(out, ",\"progress\":null");
		return;
	}
	buf_format(out, ",\"progress\":{\"percent\":%d,\"message\":", v->progress_percent);
	buf_json_utf8(out, v->progress_message);
	buf_text(out, "}");
}

/* Its URL only: what stands in headers is often a secret. */
static void add_callback(struct buf *out, struct bytes callback)
{
	struct json_member m[2];
	size_t n;
	if (!callback.size || json_span_members(callback, m, ARRAY_SIZE(m), &n, NULL) != E_OK)
		return;
	const struct bytes *url = json_span_find(m, n, "url");
	if (url)
		buf_format(out, ",\"callback\":{\"url\":%.*s}", (int)url->size, url->data);
}

void api_add_job(struct buf *out, const struct job_view *v, struct bytes result)
{
	char text[ID_TEXT_SIZE];
	id_format(v->id, text);
	buf_format(out, "{\"job_id\":\"%s\",\"namespace\":", text);
	buf_json_string(out, v->namespace);
	buf_text(out, ",\"capability\":");
	buf_json_string(out, v->capability);
	buf_text(
		out, ",\"operation\":"); /* what the capability is called in the system that Reeve replaces; so is timestamp */
	buf_json_string(out, v->capability);
	buf_format(out, ",\"status\":\"%s\",\"priority\":%d,\"attempts\":%d,\"max_attempts\":%d,\"crashes\":%d",
		job_state_word(v->state), v->priority, v->attempts, v->max_attempts, v->crashes);
	api_add_time(out, "submitted_at", v->submitted_at_ms);
	api_add_time(out, "started_at", v->started_at_ms);
	api_add_time(out, "finished_at", v->finished_at_ms);
	api_add_time(out, "timestamp", v->finished_at_ms);
	if (v->state == JOB_SCHEDULED)
		api_add_time(out, "due_at", v->due_at_ms);
	if (v->deadline_ms)
		api_add_time(out, "deadline", v->deadline_ms);
	add_progress(out, v);
	if (v->key.size) {
		buf_text(out, ",\"key\":");
		buf_json_utf8(out, v->key);
	}
	buf_text(out, ",\"tags\":");
	buf_add(out, v->tags.size ? v->tags.data : "[]", v->tags.size ? v->tags.size : 2);
	if (v->traceparent.size) {
		buf_text(out, ",\"traceparent\":");
		buf_json_string(out, v->traceparent);
	}
	if (v->run_id) {
		id_format(v->run_id, text);
		buf_format(out, ",\"run_id\":\"%s\"", text);
	}
	if (v->batch_id) {
		id_format(v->batch_id, text);
		buf_format(out, ",\"batch_id\":\"%s\"", text);
	}
	add_callback(out, v->callback);
	buf_text(out, ",\"result\":");
	if (result.size && json_span_check(result, NULL) != E_OK)
		buf_json_utf8(out, result); /* a capability with REEVE_BINARY_OUTPUT */
	else
		buf_add(out, result.size ? result.data : "null", result.size ? result.size : 4);
	buf_text(out, ",\"error\":");
	if (v->error.code[0])
		api_add_error(out, &v->error);
	else
		buf_text(out, "null");
	buf_text(out, "}");
}

const char *api_status_of(struct api *a, uint64_t id)
{
	static const enum store_table tables[] = {STORE_DONE, STORE_DEAD};
	struct job *j = queues_find(a->queues, id);
	if (j)
		return job_state_word(j->state);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		scoped(buf_fini) struct buf head = {0};
		struct job_view v;
		if (a->store->ops->read(a->store, tables[i], (struct store_key){.id = id}, &head, NULL, NULL) == E_OK &&
			job_view_decode(tables[i], id, buf_bytes(&head), &v, NULL) == E_OK)
			return job_state_word(v.state);
	}
	return NULL;
}

static enum errcode add_stored(struct api *a, enum store_table table, uint64_t id, struct buf *out, struct err *e)
{
	scoped(buf_fini) struct buf head = {0}, body = {0};
	struct job_view view;
	enum errcode code = a->store->ops->read(
		a->store, table, (struct store_key){.id = id}, &head, table == STORE_DONE ? &body : NULL, e);
	if (!code)
		code = job_view_decode(table, id, buf_bytes(&head), &view, e);
	if (!code)
		api_add_job(out, &view, view.state == JOB_COMPLETED ? buf_bytes(&body) : (struct bytes){0});
	return code;
}

enum errcode api_job_json(struct api *a, uint64_t id, struct buf *out, struct err *e)
{
	struct job *j = queues_find(a->queues, id);
	if (j) {
		struct job_view view;
		job_get_view(a->queues, j, &view);
		api_add_job(out, &view, (struct bytes){0});
		return E_OK;
	}
	enum errcode code = add_stored(a, STORE_DONE, id, out, e);
	if (code == E_NOT_FOUND)
		code = add_stored(a, STORE_DEAD, id, out, e);
	if (code != E_NOT_FOUND)
		return code;
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	return err_set(e, E_NOT_FOUND, "there is no job %s, or its result is no longer kept", text);
}
