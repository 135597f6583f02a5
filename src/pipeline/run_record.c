/* The durable form of a run: a JSON document, since runs are few and a person may have to read one. Format 1:
 * {"format":1,"pipeline":{definition},"namespace","priority","status","submitted_at_ms","finished_at_ms","items_blob",
 *  "traceparent" (if any),"cleaned","error":{...},"steps":[{"status","job_id","total","completed","failed","blob"}]}   counts only of steps that have
 * ended. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "wire/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1

static json_t *error_json(const struct job_error *error)
{
	return json_pack("{s:s, s:s, s:b}", "code", error->code, "message", error->message, "retryable", error->retryable);
}

static json_t *step_record(const struct run_step *s)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "status", run_step_state_word(s->state), "job_id",
		(json_int_t)s->job_id, "total", (json_int_t)s->total, "completed", (json_int_t)s->completed, "failed",
		(json_int_t)s->failed, "blob", s->blob);
}

void run_encode(const struct run *r, struct buf *out)
{
	json_t *steps = json_array();
	for (int i = 0; i < r->pipeline->step_n; i++)
		json_array_append_new(steps, step_record(&r->steps[i]));
	json_t *j = json_pack("{s:i, s:o, s:s, s:i, s:s, s:I, s:I, s:s, s:b, s:o, s:o}", "format", FORMAT, "pipeline",
		pipeline_json(r->pipeline), "namespace", r->namespace, "priority", r->priority, "status",
		run_state_word(r->state), "submitted_at_ms", (json_int_t)r->submitted_at_ms, "finished_at_ms",
		(json_int_t)r->finished_at_ms, "items_blob", r->items_blob, "cleaned", r->cleaned, "error",
		error_json(&r->error), "steps", steps);
	if (r->traceparent)
		json_object_set_new(j, "traceparent", json_string(r->traceparent));
	char *text = json_dumps(j, JSON_COMPACT);
	buf_text(out, text);
	free(text);
	json_decref(j);
}

static int word_index(const char *word, const char *(*word_of)(int), int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, word_of(i)) == 0)
			return i;
	return -1;
}

static const char *state_word(int i)
{
	return run_state_word((enum run_state)i);
}

static const char *step_word(int i)
{
	return run_step_state_word((enum run_step_state)i);
}

static bool decode_steps(struct run *r, json_t *steps)
{
	if ((int)json_array_size(steps) != r->pipeline->step_n)
		return false;
	for (int i = 0; i < r->pipeline->step_n; i++) {
		const char *word, *blob;
		json_int_t job, total, completed, failed;
		if (json_unpack(json_array_get(steps, (size_t)i), "{s:s, s:I, s:I, s:I, s:I, s:s}", "status", &word, "job_id",
				&job, "total", &total, "completed", &completed, "failed", &failed, "blob", &blob) != 0)
			return false;
		int state = word_index(word, step_word, RUN_STEP_CANCELLED + 1);
		if (state < 0)
			return false;
		r->steps[i] = (struct run_step){.state = (enum run_step_state)state,
			.job_id = (uint64_t)job,
			.saved = state >= RUN_STEP_COMPLETED,
			.total = (uint64_t)total,
			.completed = (uint64_t)completed,
			.failed = (uint64_t)failed,
			.percent = -1};
		snprintf(r->steps[i].blob, sizeof r->steps[i].blob, "%s", blob);
	}
	return true;
}

static enum errcode decode_json(uint64_t id, json_t *j, struct run **out, struct err *e)
{
	int format, priority, retryable, cleaned;
	json_t *definition, *steps;
	const char *namespace, *status, *blob, *code, *message;
	json_int_t submitted, finished;
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (json_unpack(j, "{s:i, s:o, s:s, s:i, s:s, s:I, s:I, s:s, s:b, s:{s:s, s:s, s:b}, s:o}", "format", &format,
			"pipeline", &definition, "namespace", &namespace, "priority", &priority, "status", &status,
			"submitted_at_ms", &submitted, "finished_at_ms", &finished, "items_blob", &blob, "cleaned", &cleaned,
			"error", "code", &code, "message", &message, "retryable", &retryable, "steps", &steps) != 0)
		return err_set(e, E_IO, "run %s: its record in the store is damaged", text);
	if (format != FORMAT)
		return err_set(e, E_IO, "run %s: its record has format %d; this version reads %d", text, format, FORMAT);

	struct pipeline *p;
	enum errcode parsed = pipeline_parse(definition, &p, e);
	if (parsed)
		return err_prefix(e, "run %s", text);
	struct run *r = run_new(p, bytes_of(namespace), priority);
	int state = word_index(status, state_word, RUN_CANCELLED + 1);
	if (state < 0 || !decode_steps(r, steps)) {
		run_free(r);
		return err_set(e, E_IO, "run %s: its record in the store is damaged", text);
	}
	r->id = id;
	r->state = (enum run_state)state;
	r->submitted_at_ms = submitted;
	r->finished_at_ms = finished;
	r->error.retryable = retryable;
	r->cleaned = cleaned;
	if (json_is_string(json_object_get(j, "traceparent")))
		r->traceparent = mem_text(json_string_value(json_object_get(j, "traceparent")));
	snprintf(r->items_blob, sizeof r->items_blob, "%s", blob);
	snprintf(r->error.code, sizeof r->error.code, "%s", code);
	snprintf(r->error.message, sizeof r->error.message, "%s", message);
	*out = r;
	return E_OK;
}

enum errcode run_decode(uint64_t id, struct bytes head, struct run **out, struct err *e)
{
	json_t *j = json_loadb(head.data, head.size, 0, NULL);
	enum errcode code = decode_json(id, j, out, e);
	json_decref(j);
	return code;
}

/* ── as the API shows it ── */

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	if (at_ms) {
		rfc3339_format(at_ms, text);
		buf_format(out, ",\"%s\":\"%s\"", name, text);
	} else {
		buf_format(out, ",\"%s\":null", name);
	}
}

static void add_string(struct buf *out, const char *name, const char *value)
{
	buf_format(out, ",\"%s\":", name);
	buf_json_string(out, bytes_of(value));
}

static int step_percent(const struct run *r, int i)
{
	const struct step *s = &r->pipeline->steps[i];
	const struct run_step *at = &r->steps[i];
	if (at->state == RUN_STEP_COMPLETED)
		return 100;
	if (s->source != STEP_EACH || at->total == 0)
		return at->percent;
	/* More items may come: what has ended cannot be further than what was read. */
	int source = r->steps[s->of].state == RUN_STEP_COMPLETED ? 100 : r->steps[s->of].percent;
	return source < 0 ? -1 : (int)((at->completed + at->failed) * (uint64_t)source / at->total);
}

static void show_step(const struct run *r, int i, struct buf *out)
{
	const struct step *s = &r->pipeline->steps[i];
	const struct run_step *at = &r->steps[i];
	buf_text(out, i ? ",{\"id\":" : "{\"id\":");
	buf_json_string(out, bytes_of(s->id));
	add_string(out, "capability", s->capability);
	add_string(out, "status", run_step_state_word(at->state));
	if (s->source == STEP_EACH) {
		buf_format(out, ",\"total\":%" PRIu64 ",\"completed\":%" PRIu64 ",\"failed\":%" PRIu64, at->total,
			at->completed, at->failed);
	} else if (at->job_id) {
		char text[ID_TEXT_SIZE];
		id_format(at->job_id, text);
		add_string(out, "job_id", text);
	}
	int percent = step_percent(r, i);
	if (percent >= 0)
		buf_format(out, ",\"percent\":%d", percent);
	buf_text(out, "}");
}

void run_show_json(const struct run *r, struct bytes result, struct buf *out)
{
	char text[ID_TEXT_SIZE];
	uint64_t failed, items = run_items(r, &failed);
	id_format(r->id, text);
	buf_format(out, "{\"run_id\":\"%s\"", text);
	add_string(out, "pipeline", r->pipeline->name);
	add_string(out, "namespace", r->namespace);
	add_string(out, "status", run_state_word(r->state));
	add_time(out, "submitted_at", r->submitted_at_ms);
	add_time(out, "finished_at", r->finished_at_ms);
	buf_format(out, ",\"items\":%" PRIu64 ",\"items_failed\":%" PRIu64, items, failed);
	if (r->items_blob[0])
		add_string(out, "items_blob", r->items_blob);
	else
		buf_text(out, ",\"items_blob\":null");
	buf_text(out, ",\"steps\":[");
	for (int i = 0; i < r->pipeline->step_n; i++)
		show_step(r, i, out);
	buf_text(out, "]");
	if (result.size) {
		buf_text(out, ",\"result\":");
		buf_add(out, result.data, result.size);
	}
	if (r->error.code[0]) {
		buf_text(out, ",\"error\":{\"code\":");
		buf_json_string(out, bytes_of(r->error.code));
		add_string(out, "message", r->error.message);
		buf_format(out, ",\"retryable\":%s}", r->error.retryable ? "true" : "false");
	}
	buf_text(out, "}");
}
