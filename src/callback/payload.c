/* What is said of a job that is over, under the names that GET /v1/jobs/{job_id} uses; `operation` is what older systems call the
 * capability. */
#include "callback/parts.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "blob/blob.h"
#include "wire/id.h"

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	buf_format(out, at_ms ? ",\"%s\":\"%s\"" : ",\"%s\":null%.0s", name, text);
}

static void add_text(struct buf *out, const char *name, struct bytes value)
{
	buf_format(out, ",\"%s\":", name);
	buf_json_utf8(out, value); /* an error's sentence may be cut within a character */
}

static void add_id(struct buf *out, const char *name, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (id)
		buf_format(out, ",\"%s\":\"%s\"", name, text);
}

/* {"blob":"sha256:…"} as a result: the artifact is named by its checksum. */
static void add_artifact(struct buf *out, struct bytes result)
{
	char name[BLOB_NAME_SIZE];
	bool only;
	if (blob_of_input(result, name, &only))
		buf_format(out, ",\"artifact\":{\"blob\":\"%s\",\"sha256\":\"%s\"}", name, strchr(name, ':') + 1);
	else
		buf_text(out, ",\"artifact\":null");
}

static void add_result(struct buf *out, struct bytes result)
{
	add_artifact(out, result);
	buf_format(out, ",\"result_bytes\":%zu,\"result\":", result.size);
	if (!result.size || result.size > CALLBACK_RESULT_MAX_BYTES)
		buf_text(out, "null");
	else if (json_span_check(result, NULL) == E_OK)
		buf_add(out, result.data, result.size);
	else
		buf_json_utf8(out, result); /* of a capability with REEVE_BINARY_OUTPUT */
}

static void add_error(struct buf *out, const struct job_error *error)
{
	buf_text(out, ",\"error\":{\"code\":");
	buf_json_utf8(out, bytes_of(error->code));
	add_text(out, "message", bytes_of(error->message));
	buf_format(out, ",\"retryable\":%s}", error->retryable ? "true" : "false");
}

void payload_of_job(struct callbacks *cs, const struct job *j, const struct job_outcome *o, struct buf *out)
{
	static const enum job_state states[] = {
		[END_COMPLETED] = JOB_COMPLETED, [END_FAILED] = JOB_FAILED, [END_CANCELLED] = JOB_CANCELLED};
	struct job_view v;
	char text[ID_TEXT_SIZE];
	job_get_view(cs->o.queues, j, &v);
	id_format(j->id, text);
	buf_format(out, "\"job_id\":\"%s\",\"status\":\"%s\"", text, job_state_word(states[o->end]));
	add_text(out, "namespace", v.namespace);
	add_text(out, "capability", v.capability);
	add_text(out, "operation", v.capability);
	add_id(out, "batch_id", v.batch_id);
	add_id(out, "run_id", v.run_id);
	buf_format(out, ",\"priority\":%d,\"attempts\":%d,\"max_attempts\":%d,\"crashes\":%d", v.priority, v.attempts,
		v.max_attempts, v.crashes);
	add_time(out, "submitted_at", v.submitted_at_ms);
	add_time(out, "started_at", o->started_at_ms);
	add_time(out, "finished_at", queues_now(cs->o.queues));
	buf_text(out, ",\"tags\":");
	buf_add(out, v.tags.size ? v.tags.data : "[]", v.tags.size ? v.tags.size : 2);
	add_result(out, o->end == END_COMPLETED ? o->result : (struct bytes){0});
	if (o->end == END_COMPLETED)
		buf_text(out, ",\"error\":null");
	else
		add_error(out, &o->error);
}
