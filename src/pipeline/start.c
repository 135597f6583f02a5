/* The beginning of a run, and its end when somebody cancels it. */
#include "pipeline/run.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>

/* Its own copy, since a later definition of the name must not change a run under way. */
static struct pipeline *copy_definition(const struct pipeline *p)
{
	json_t *j = pipeline_json(p);
	struct pipeline *copy = NULL;
	pipeline_parse(j, &copy, NULL); /* it was parsed before: it cannot fail */
	json_decref(j);
	return copy;
}

static enum errcode check(struct pipelines *ps, const struct run_spec *spec, const struct pipeline **p, struct err *e)
{
	*p = pipelines_find(ps, spec->pipeline);
	if (!*p)
		return err_set(e, E_NOT_FOUND, "there is no pipeline \"%.*s\"", (int)spec->pipeline.size, spec->pipeline.data);
	if (spec->input.size > RUN_INPUT_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "input: %zu bytes; at most %d, larger ones go into a blob", spec->input.size,
			RUN_INPUT_MAX_BYTES);
	if (spec->input.size && (json_span_check(spec->input, e) != E_OK || json_span_kind(spec->input) != '{'))
		return err_set(e, E_INVALID, "input: a run's input is a JSON object");
	if (ps->by_id.n >= RUN_LIVE_MAX)
		return err_set(
			e, E_LIMIT, "%d runs are live already; one more may start when one of them has ended", RUN_LIVE_MAX);
	struct job_spec job;
	job_spec_init(&job);
	job.namespace = spec->namespace;
	job.capability = bytes_of((*p)->steps[0].capability);
	job.priority = spec->priority;
	job.traceparent = spec->traceparent;
	return job_spec_check(&job, e);
}

struct run_start {
	struct list link; /* in pipelines.starts */
	struct run *run;
	void (*done)(void *context, enum errcode code, uint64_t run_id);
	void *context;
};

/* Refused by a full disk it never was: its jobs go with the batch. */
static void started(void *context, enum errcode code)
{
	struct run_start *s = context;
	struct run *r = s->run;
	uint64_t id = r->id;
	r->stored = !code;
	if (code)
		run_remove(r->set, r);
	if (s->done)
		s->done(s->context, code, id);
	list_remove(&s->link);
	free(s);
}

void start_abandon_all(struct pipelines *ps)
{
	list_each(&ps->starts, at) free(container_of(at, struct run_start, link));
}

static struct run_start *start_new(struct run *r, void (*done)(void *, enum errcode, uint64_t), void *context)
{
	struct run_start *s = NEW(struct run_start);
	*s = (struct run_start){.run = r, .done = done, .context = context};
	list_append(&r->set->starts, &s->link);
	return s;
}

/* The run and its first jobs, into the batch. */
static struct run *begin(
	struct pipelines *ps, const struct pipeline *p, const struct run_spec *spec, int64_t now_ms, struct store_batch *b)
{
	struct bytes input = spec->input.size ? spec->input : bytes_of("{}");
	struct bytes namespace = spec->namespace.size ? spec->namespace : bytes_of("default");
	struct run *r = run_new(copy_definition(p), namespace, spec->priority);
	r->id = queues_next_id(ps->queues, now_ms);
	r->submitted_at_ms = now_ms;
	if (spec->traceparent.size)
		r->traceparent = mem_copy(spec->traceparent.data, spec->traceparent.size);
	run_add(ps, r);
	for (int i = 0; i < p->step_n; i++)
		if (p->steps[i].source == STEP_FROM_RUN)
			run_submit_step(ps, r, i, input, b);
	scoped(buf_fini) struct buf head = {0};
	run_encode(r, &head);
	store_batch_put(b, STORE_RUN, (struct store_key){.id = r->id}, buf_bytes(&head), input);
	return r;
}

/* Not by way of the queue, which keeps what a full disk refuses: here somebody waits to hear of it. */
enum errcode pipelines_start(struct pipelines *ps, const struct run_spec *spec, int64_t now_ms,
	void (*done)(void *, enum errcode, uint64_t), void *context, struct err *e)
{
	const struct pipeline *p = NULL;
	enum errcode code = check(ps, spec, &p, e);
	if (code)
		return code;
	struct store_batch *b = store_batch_new();
	struct run *r = begin(ps, p, spec, now_ms, b);
	store_commit(ps->store, b, started, start_new(r, done, context));
	return E_OK;
}

enum errcode pipelines_start_in(struct pipelines *ps, struct store_batch *b, const struct run_spec *spec,
	int64_t now_ms, uint64_t *run_id, struct err *e)
{
	const struct pipeline *p = NULL;
	enum errcode code = check(ps, spec, &p, e);
	if (code)
		return code;
	struct run *r = begin(ps, p, spec, now_ms, b);
	store_batch_then(b, started, start_new(r, NULL, NULL));
	*run_id = r->id;
	return E_OK;
}

static enum errcode not_running(struct pipelines *ps, uint64_t run_id, struct err *e)
{
	char text[ID_TEXT_SIZE];
	id_format(run_id, text);
	enum errcode code = ps->store->ops->read(ps->store, STORE_RUN, (struct store_key){.id = run_id}, NULL, NULL, e);
	if (code)
		return code == E_NOT_FOUND ? err_set(e, code, "there is no run %s", text) : code;
	return err_set(e, E_STATE, "run %s: is over; only a running one can be cancelled", text);
}

enum errcode pipelines_cancel(struct pipelines *ps, uint64_t run_id, int64_t now_ms, struct err *e)
{
	struct run *r = run_find(ps, run_id);
	if (!r || r->over || !r->stored)
		return not_running(ps, run_id, e);
	snprintf(r->error.code, sizeof r->error.code, "cancelled");
	snprintf(r->error.message, sizeof r->error.message, "cancelled by a client");
	run_finish(r, RUN_CANCELLED, now_ms);
	struct store_batch *b = store_batch_new();
	run_put(r, b);
	queues_commit(ps->queues, b, NULL, NULL);
	return E_OK;
}
