/* The beginning of a run, and its end when somebody cancels it. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "pipeline/splice.h"

#include <stdio.h>
#include <string.h>

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
	struct job_spec job;
	job_spec_init(&job);
	job.namespace = spec->namespace;
	job.capability = bytes_of((*p)->steps[0].capability);
	job.priority = spec->priority;
	return job_spec_check(&job, e);
}

enum errcode pipelines_start(struct pipelines *ps, const struct run_spec *spec, int64_t now_ms,
	void (*done)(void *, enum errcode, uint64_t), void *context, struct err *e)
{
	const struct pipeline *p = NULL;
	enum errcode code = check(ps, spec, &p, e);
	if (code)
		return code;
	struct bytes input = spec->input.size ? spec->input : bytes_of("{}");
	struct buf probe = {0};
	bool object = splice_members(&probe, input, bytes_of("{}"));
	buf_fini(&probe);
	if (!object)
		return err_set(e, E_INVALID, "input: a run's input is a JSON object");

	struct bytes namespace = spec->namespace.size ? spec->namespace : bytes_of("default");
	struct run *r = run_new(copy_definition(p), namespace, spec->priority);
	r->id = queues_next_id(ps->queues, now_ms);
	r->submitted_at_ms = now_ms;
	list_append(&ps->live, &r->link);
	struct store_batch *b = store_batch_new();
	for (int i = 0; i < p->step_n; i++)
		if (p->steps[i].source == STEP_FROM_RUN)
			run_submit_step(ps, r, i, input, b);
	scoped(buf_fini) struct buf head = {0};
	run_encode(r, &head);
	store_batch_put(b, STORE_RUN, (struct store_key){.id = r->id}, buf_bytes(&head), input);
	run_commit(ps, r, b, done, context);
	return E_OK;
}

enum errcode pipelines_cancel(struct pipelines *ps, uint64_t run_id, int64_t now_ms, struct err *e)
{
	struct run *r = run_find(ps, run_id);
	if (!r || r->over) {
		enum errcode code = ps->store->ops->read(ps->store, STORE_RUN, (struct store_key){.id = run_id}, NULL, NULL, e);
		return code ? code : err_set(e, E_STATE, "the run is over; only a running one can be cancelled");
	}
	snprintf(r->error.code, sizeof r->error.code, "cancelled");
	snprintf(r->error.message, sizeof r->error.message, "cancelled by a client");
	run_finish(r, RUN_CANCELLED, now_ms);
	struct store_batch *b = store_batch_new();
	run_put(r, b);
	run_commit(ps, r, b, NULL, NULL);
	return E_OK;
}
