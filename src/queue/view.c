#include "queue/state.h"

#include <stdlib.h>

static void copy_text(char *to, size_t room, struct bytes from)
{
	size_t n = from.size < room - 1 ? from.size : room - 1;
	if (n)
		memcpy(to, from.data, n);
	to[n] = 0;
}

static void of_record(const struct job_record *r, uint64_t id, struct job_view *out)
{
	*out = (struct job_view){.id = id,
		.run_id = r->run_id,
		.batch_id = r->batch_id,
		.namespace = r->namespace.size ? r->namespace : bytes_of("default"),
		.capability = r->capability,
		.tags = r->tags,
		.traceparent = r->traceparent,
		.deadline_ms = r->deadline_ms,
		.callback = r->callback,
		.key = r->key,
		.state = (enum job_state)r->state,
		.priority = (int)r->priority,
		.attempts = (int)r->attempts,
		.max_attempts = (int)r->max_attempts,
		.crashes = (int)r->crashes,
		.submitted_at_ms = r->submitted_at_ms,
		.started_at_ms = r->started_at_ms,
		.finished_at_ms = r->finished_at_ms,
		.due_at_ms = r->due_at_ms ? r->due_at_ms : r->submitted_at_ms,
		.progress_percent = -1};
	copy_text(out->error.code, sizeof out->error.code, r->error_code);
	copy_text(out->error.message, sizeof out->error.message, r->error_message);
	out->error.retryable = r->retryable;
}

void job_get_view(const struct queues *qs, const struct job *j, struct job_view *out)
{
	struct job_record r;
	head_fill(j, &r);
	r.state = j->state;
	r.max_attempts = (uint64_t)queues_max_attempts(j);
	of_record(&r, j->id, out);
	if (j->state != JOB_PROCESSING)
		return;
	out->fence = j->lease->fence;
	out->started_at_ms = j->lease->started_at_ms;
	out->progress_percent = j->lease->progress_percent;
	out->progress_message = bytes_of(j->lease->progress_message);
}

struct bytes job_traceparent(const struct job *j)
{
	return j->more && j->more->text ? (struct bytes){j->more->text + j->more->tags_size, j->more->trace_size}
									: (struct bytes){0};
}

enum errcode job_view_decode(
	enum store_table table, uint64_t id, struct bytes head, struct job_view *out, struct err *e)
{
	struct job_record r;
	enum errcode code = job_record_decode(head, &r, e);
	if (code)
		return code;
	if (table == STORE_JOB)
		r.state = JOB_PENDING;
	of_record(&r, id, out);
	return E_OK;
}

void queues_each_live(struct queues *qs, bool (*visit)(void *context, struct job *j), void *context)
{
	for (size_t i = 0; i < qs->live.room; i++)
		if (qs->live.slots[i] && !visit(context, qs->live.slots[i]))
			return;
}
