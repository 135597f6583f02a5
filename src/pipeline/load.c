/* After a restart: live runs, and how far each `each` step is, counted from its items and the jobs that they became. */
#include "pipeline/run.h"

#include "base/mem.h"

#include <string.h>

struct load {
	struct pipelines *set;
	struct err *error;
	enum errcode code;
	uint64_t emitter_id;
	struct run_step *step; /* of emitter_id's items; or NULL */
};

static bool load_run(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct run *r;
	l->code = run_decode(row->key.id, row->head, &r, l->error);
	if (l->code)
		return false;
	r->stored = true;
	r->over = r->state != RUN_RUNNING;
	if (!r->over || (r->state != RUN_COMPLETED && !r->cleaned))
		run_add(l->set, r);
	else
		run_free(r);
	return true;
}

/* The `each` step that this job's items feed, in the run that still counts. */
static struct run_step *step_of_items(struct pipelines *ps, uint64_t emitter_id)
{
	list_each(&ps->live, at)
	{
		struct run *r = container_of(at, struct run, link);
		for (int i = 0; i < r->pipeline->step_n; i++)
			if (r->pipeline->steps[i].source == STEP_EACH && r->steps[r->pipeline->steps[i].of].job_id == emitter_id &&
				r->steps[i].state < RUN_STEP_COMPLETED)
				return &r->steps[i];
	}
	return NULL;
}

static bool completed_well(struct pipelines *ps, uint64_t job_id)
{
	scoped(buf_fini) struct buf head = {0};
	struct job_view view;
	return ps->store->ops->read(ps->store, STORE_DONE, (struct store_key){.id = job_id}, &head, NULL, NULL) == E_OK &&
		   job_view_decode(STORE_DONE, job_id, buf_bytes(&head), &view, NULL) == E_OK && view.state == JOB_COMPLETED;
}

static bool count_item(void *context, const struct store_row *row)
{
	struct load *l = context;
	uint64_t job_id = 0;
	if (row->key.id != l->emitter_id) { /* rows come by id */
		l->emitter_id = row->key.id;
		l->step = step_of_items(l->set, row->key.id);
	}
	struct run_step *s = l->step;
	if (!s || item_head_decode(row->head, &job_id) != E_OK)
		return true;
	s->total++;
	const struct job *j = queues_find(l->set->queues, job_id);
	if (j && j->run_id) /* a replayed dead letter is no more the run's */
		return true;
	if (completed_well(l->set, job_id))
		s->completed++;
	else
		s->failed++;
	return true;
}

/* What was counted before the restart is counted afresh; a gathering that was under way begins again. */
static void begin_again(struct run *r)
{
	for (int i = 0; i < r->pipeline->step_n; i++) {
		struct run_step *s = &r->steps[i];
		if (r->pipeline->steps[i].source != STEP_EACH || s->state >= RUN_STEP_COMPLETED)
			continue;
		s->total = s->completed = s->failed = 0;
		if (s->state == RUN_STEP_GATHERING)
			s->state = RUN_STEP_RUNNING;
	}
}

enum errcode pipelines_load(struct pipelines *ps, int64_t now_ms, struct err *e)
{
	struct load l = {.set = ps, .error = e};
	enum errcode code = ps->store->ops->load(ps->store, STORE_RUN, load_run, &l, e);
	if (!code)
		code = l.code;
	if (code)
		return code;
	list_each(&ps->live, at) begin_again(container_of(at, struct run, link));
	if (!list_empty(&ps->live))
		code = ps->store->ops->load(ps->store, STORE_ITEM, count_item, &l, e);
	list_each(&ps->live, at)
	{
		struct run *r = container_of(at, struct run, link);
		if (r->over) /* the engine died before it had cancelled the run's jobs */
			run_settle(ps, r);
	}
	return code;
}
