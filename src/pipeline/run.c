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
	free(r->result);
	free(r);
}

struct run *run_find(struct pipelines *ps, uint64_t id)
{
	list_each(&ps->live, at)
	{
		struct run *r = container_of(at, struct run, link);
		if (r->id == id)
			return r;
	}
	return NULL;
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

void run_tell_waiters(struct pipelines *ps, uint64_t run_id, enum errcode code)
{
	list_each(&ps->waits, at)
	{
		struct run_wait *w = container_of(at, struct run_wait, link);
		if (w->run_id != run_id)
			continue;
		list_remove(&w->link);
		w->over(w->context, code); /* may free w */
	}
}
