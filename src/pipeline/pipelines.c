/* The set: definitions, live runs, and the hooks by which the queue tells what happened. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pipelines *pipelines_new(struct store *store, struct queues *queues, struct blobs *blobs)
{
	struct pipelines *ps = NEW(struct pipelines);
	ps->store = store;
	ps->queues = queues;
	ps->blobs = blobs;
	list_init(&ps->live);
	list_init(&ps->waits);
	list_init(&ps->starts);
	list_init(&ps->gathers);
	return ps;
}

void pipelines_free(struct pipelines *ps)
{
	if (!ps)
		return;
	list_each(&ps->live, at) run_remove(ps, container_of(at, struct run, link));
	list_each(&ps->waits, at) list_remove(at); /* each is its owner's to free */
	start_abandon_all(ps);
	gather_abandon_all(ps);
	run_prune_abandon(ps);
	idmap_fini(&ps->by_id);
	for (size_t i = 0; i < ps->definition_n; i++)
		pipeline_free(ps->definitions[i]);
	free(ps->definitions);
	free(ps);
}

void pipelines_define(struct pipelines *ps, struct pipeline *p)
{
	for (size_t i = 0; i < ps->definition_n; i++) {
		if (strcmp(ps->definitions[i]->name, p->name) == 0) {
			pipeline_free(ps->definitions[i]);
			ps->definitions[i] = p;
			return;
		}
	}
	ps->definitions = mem_resize(ps->definitions, (ps->definition_n + 1) * sizeof *ps->definitions);
	ps->definitions[ps->definition_n++] = p;
}

const struct pipeline *pipelines_find(const struct pipelines *ps, struct bytes name)
{
	for (size_t i = 0; i < ps->definition_n; i++)
		if (bytes_equal(bytes_of(ps->definitions[i]->name), name))
			return ps->definitions[i];
	return NULL;
}

const struct pipeline *pipelines_at(const struct pipelines *ps, size_t i)
{
	return i < ps->definition_n ? ps->definitions[i] : NULL;
}

void pipelines_set_watch(struct pipelines *ps, void (*changed)(void *, uint64_t, enum run_state), void *context)
{
	ps->changed = changed;
	ps->changed_context = context;
}

/* ── flow: the emitter of an `each` step waits while too many of its jobs are alive ── */

static int each_of(const struct run *r, uint32_t emitter)
{
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->pipeline->steps[i].source == STEP_EACH && r->pipeline->steps[i].of == (int)emitter)
			return i;
	return -1;
}

static uint64_t alive(const struct run_step *s)
{
	return s->total - s->completed - s->failed;
}

bool pipelines_emit_waits(struct pipelines *ps, const struct job *j)
{
	struct run *r = run_find(ps, j->run_id);
	int each = r ? each_of(r, j->step) : -1;
	return each >= 0 && alive(&r->steps[each]) >= r->pipeline->steps[each].in_flight;
}

void pipelines_set_resume(struct pipelines *ps, void (*resume)(void *, uint64_t), void *context)
{
	ps->resume = resume;
	ps->resume_context = context;
}

/* ── hooks of the queue ── */

void pipelines_item(
	struct pipelines *ps, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes)
{
	struct run *r = run_find(ps, j->run_id);
	int each = r && !r->over ? each_of(r, j->step) : -1;
	if (each < 0)
		return;
	const struct step *s = &r->pipeline->steps[each];
	struct job_spec spec;
	job_spec_init(&spec);
	spec.namespace = bytes_of(r->namespace);
	spec.capability = bytes_of(s->capability);
	spec.input = data;
	spec.priority = r->priority;
	spec.timeout_ms = s->timeout_ms;
	spec.max_attempts = s->max_attempts;
	spec.run_id = r->id;
	spec.step = (uint32_t)each;
	spec.traceparent = job_traceparent(j);
	spec.parent_id = j->id;
	spec.item_key = key;
	*becomes = queues_submit_in(ps->queues, b, &spec, queues_now(ps->queues));
	r->steps[each].total++;
	r->changed = true;
}

static void step_failed(struct pipelines *ps, struct run *r, int step, const struct job_outcome *o)
{
	r->steps[step].state = o->end == END_CANCELLED ? RUN_STEP_CANCELLED : RUN_STEP_FAILED;
	r->error = o->error;
	snprintf(r->error.message, sizeof r->error.message, "step \"%.64s\": %.420s", r->pipeline->steps[step].id,
		o->error.message);
	run_finish(r, o->end == END_CANCELLED ? RUN_CANCELLED : RUN_FAILED, queues_now(ps->queues));
}

void pipelines_ending(struct pipelines *ps, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	struct run *r = run_find(ps, j->run_id);
	if (!r || r->over || r->pipeline->steps[j->step].source == STEP_EACH)
		return;
	if (o->end == END_COMPLETED) {
		run_step_ended(ps, r, (int)j->step, o->result.size ? o->result : bytes_of("null"), b);
	} else {
		step_failed(ps, r, (int)j->step, o);
		run_put(r, b);
	}
}

static void item_ended(struct pipelines *ps, struct run *r, int each, enum queue_end end)
{
	struct run_step *s = &r->steps[each];
	const struct step *step = &r->pipeline->steps[each];
	if (end == END_COMPLETED)
		s->completed++;
	else
		s->failed++;
	if (ps->resume && alive(s) < step->in_flight)
		ps->resume(ps->resume_context, r->steps[step->of].job_id);
}

void pipelines_ended(struct pipelines *ps, struct job *j, const struct job_outcome *o)
{
	struct run *r = run_find(ps, j->run_id);
	if (!r || r->over)
		return;
	r->changed = true;
	if (r->pipeline->steps[j->step].source != STEP_EACH)
		r->steps[j->step].saved = true;
	else
		item_ended(ps, r, (int)j->step, o->end);
	run_advance(ps, r);
}

void pipelines_progress(struct pipelines *ps, struct job *j, int percent, struct bytes message)
{
	struct run *r = run_find(ps, j->run_id);
	if (r && r->pipeline->steps[j->step].source != STEP_EACH) {
		r->steps[j->step].percent = percent;
		r->changed = true;
	}
}

/* ── time ── */

void pipelines_tick(struct pipelines *ps, int64_t now_ms)
{
	run_prune(ps, now_ms);
	list_each(&ps->live, at)
	{
		struct run *r = container_of(at, struct run, link);
		if (r->changed && ps->changed)
			ps->changed(ps->changed_context, r->id, r->state);
		r->changed = false;
		run_advance(ps, r);
	}
}

bool pipelines_lives(struct pipelines *ps, uint64_t run_id)
{
	const struct run *r = run_find(ps, run_id);
	return r && !r->over;
}

/* ── waiting ── */

struct run_wait *pipelines_wait(
	struct pipelines *ps, uint64_t run_id, void (*over)(void *, enum errcode), void *context)
{
	struct run_wait *w = NEW(struct run_wait);
	*w = (struct run_wait){.set = ps, .run_id = run_id, .over = over, .context = context};
	if (run_find(ps, run_id)) {
		list_append(&ps->waits, &w->link);
		return w;
	}
	enum errcode code = ps->store->ops->read(ps->store, STORE_RUN, (struct store_key){.id = run_id}, NULL, NULL, NULL);
	over(context, code);
	return w;
}

void run_wait_free(struct run_wait *w)
{
	if (!w)
		return;
	if (w->link.next)
		list_remove(&w->link);
	free(w);
}
