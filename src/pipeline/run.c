#include "pipeline/run.h"

#include "base/mem.h"

#include <stdlib.h>

const char *run_state_word(enum run_state s)
{
	static const char *const words[] = {"running", "completed", "failed", "cancelled"};
	return words[s];
}

const char *run_step_state_word(enum run_step_state s)
{
	static const char *const words[] = {"waiting", "running", "gathering", "completed", "failed", "cancelled"};
	return words[s];
}

struct run *run_new(struct pipeline *copy_of, struct bytes namespace, int priority)
{
	struct run *r = NEW(struct run);
	r->pipeline = copy_of;
	r->namespace = mem_copy(namespace.data, namespace.size);
	r->priority = priority;
	for (int i = 0; i < PIPELINE_STEPS_MAX; i++)
		r->steps[i].percent = -1;
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	pipeline_free(r->pipeline);
	free(r->namespace);
	free(r->traceparent);
	free(r->output);
	free(r);
}

void run_add(struct pipelines *ps, struct run *r)
{
	r->set = ps;
	list_append(&ps->live, &r->link);
	idmap_put(&ps->by_id, r->id, r);
}

void run_remove(struct pipelines *ps, struct run *r)
{
	list_remove(&r->link);
	idmap_remove(&ps->by_id, r->id);
	run_free(r);
}

struct run *run_find(struct pipelines *ps, uint64_t id)
{
	return id ? idmap_get(&ps->by_id, id) : NULL;
}

uint64_t run_items(const struct run *r, uint64_t *failed)
{
	uint64_t total = 0;
	*failed = 0;
	for (int i = 0; i < r->pipeline->step_n; i++) {
		total += r->steps[i].total;
		*failed += r->steps[i].failed;
	}
	return total;
}

static struct run_wait *next_waiter(struct pipelines *ps, uint64_t run_id)
{
	list_each(&ps->waits, at)
	{
		struct run_wait *w = container_of(at, struct run_wait, link);
		if (w->run_id == run_id)
			return w;
	}
	return NULL;
}

/* From the beginning after each: whoever is told may free this wait, and others. */
void run_tell_waiters(struct pipelines *ps, uint64_t run_id, enum errcode code)
{
	struct run_wait *w;
	while ((w = next_waiter(ps, run_id))) {
		list_remove(&w->link);
		w->over(w->context, code);
	}
}
