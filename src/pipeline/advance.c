/* What happens next in a run: a step's job, the end of a step, the end of the run. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "pipeline/splice.h"

#include <inttypes.h>
#include <stdlib.h>

void run_put(const struct run *r, struct store_batch *b)
{
	struct store_key key = {.id = r->id};
	scoped(buf_fini) struct buf head = {0};
	run_encode(r, &head);
	if (r->result)
		store_batch_put(b, STORE_RUN, key, buf_bytes(&head), bytes_of(r->result));
	else
		store_batch_put_head(b, STORE_RUN, key, buf_bytes(&head));
}

struct run_saved { /* the run may be gone when the commit answers: its id */
	struct pipelines *set;
	uint64_t run_id;
	void (*done)(void *context, enum errcode code, uint64_t run_id);
	void *context;
};

static void run_saved(void *context, enum errcode code)
{
	struct run_saved *s = context;
	struct run *r = run_find(s->set, s->run_id);
	if (r && code)
		r->unsaved = true;
	if (s->done)
		s->done(s->context, code, s->run_id);
	if (r && !code && r->over)
		run_settle(s->set, r);
	free(s);
}

void run_commit(struct pipelines *ps, struct run *r, struct store_batch *b,
	void (*done)(void *, enum errcode, uint64_t), void *context)
{
	struct run_saved *s = NEW(struct run_saved);
	*s = (struct run_saved){ps, r->id, done, context};
	queues_commit(ps->queues, b, run_saved, s);
}

void run_save_again(struct pipelines *ps, struct run *r)
{
	struct store_batch *b = store_batch_new();
	run_put(r, b);
	r->unsaved = false;
	run_commit(ps, r, b, NULL, NULL);
}

/* The step's `with` under the input: {"with's members", "input's members"}; an input that is no object stands as "input". */
static void add_with(const char *with, struct bytes input, struct buf *out)
{
	buf_text(out, "{");
	if (!splice_members(out, bytes_of(with), input)) {
		struct buf wrapped = {0};
		buf_text(&wrapped, "{\"input\":");
		buf_add(&wrapped, input.data, input.size);
		buf_text(&wrapped, "}");
		splice_members(out, bytes_of(with), buf_bytes(&wrapped));
		buf_fini(&wrapped);
	}
	buf_text(out, "}");
}

void run_submit_step(struct pipelines *ps, struct run *r, int step, struct bytes input, struct store_batch *b)
{
	const struct step *s = &r->pipeline->steps[step];
	scoped(buf_fini) struct buf merged = {0};
	if (s->with)
		add_with(s->with, input, &merged);

	struct job_spec spec;
	job_spec_init(&spec);
	spec.namespace = bytes_of(r->namespace);
	spec.capability = bytes_of(s->capability);
	spec.input = s->with ? buf_bytes(&merged) : input;
	spec.priority = r->priority;
	spec.timeout_ms = s->timeout_ms;
	spec.max_attempts = s->max_attempts;
	spec.run_id = r->id;
	spec.step = (uint32_t)step;
	r->steps[step].job_id = queues_submit_in(ps->queues, b, &spec, queues_now(ps->queues));
	r->steps[step].state = RUN_STEP_RUNNING;
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->pipeline->steps[i].source == STEP_EACH && r->pipeline->steps[i].of == step)
			r->steps[i].state = RUN_STEP_RUNNING; /* its items may come from now on */
}

void run_finish(struct run *r, enum run_state state, int64_t now_ms)
{
	r->state = state;
	r->over = true;
	r->finished_at_ms = now_ms;
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->steps[i].state < RUN_STEP_COMPLETED && state != RUN_COMPLETED)
			r->steps[i].state = RUN_STEP_CANCELLED;
}

static bool all_completed(const struct run *r)
{
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->steps[i].state != RUN_STEP_COMPLETED)
			return false;
	return true;
}

/* The result of a step that ended earlier. */
static void read_result(struct pipelines *ps, uint64_t job_id, struct buf *out)
{
	scoped(buf_fini) struct buf body = {0};
	if (ps->store->ops->read(ps->store, STORE_DONE, (struct store_key){.id = job_id}, NULL, &body, NULL) == E_OK)
		buf_add(out, body.data, body.size);
	else
		buf_text(out, "null");
}

static void complete_run(struct pipelines *ps, struct run *r, int step, struct bytes result, struct store_batch *b)
{
	scoped(buf_fini) struct buf earlier = {0};
	int output = r->pipeline->output;
	if (output != step && r->pipeline->steps[output].source != STEP_EACH) {
		read_result(ps, r->steps[output].job_id, &earlier);
		result = buf_bytes(&earlier);
	}
	r->result = mem_copy(result.data, result.size);
	run_finish(r, RUN_COMPLETED, queues_now(ps->queues));
	run_put(r, b);
}

/* The input of a step that gathers. */
static void gathered_input(struct pipelines *ps, const struct run *r, int each, struct buf *out)
{
	int emitter = r->pipeline->steps[each].of;
	const struct run_step *s = &r->steps[each];
	buf_format(out, "{\"blob\":\"%s\",\"items\":%" PRIu64 ",\"items_failed\":%" PRIu64 ",", r->items_blob, s->total,
		s->failed);
	buf_json_string(out, bytes_of(r->pipeline->steps[emitter].id));
	buf_text(out, ":");
	read_result(ps, r->steps[emitter].job_id, out);
	buf_text(out, "}");
}

void run_step_ended(struct pipelines *ps, struct run *r, int step, struct bytes result, struct store_batch *b)
{
	r->steps[step].state = RUN_STEP_COMPLETED;
	r->changed = true;
	for (int i = 0; i < r->pipeline->step_n; i++) {
		const struct step *s = &r->pipeline->steps[i];
		if (s->of != step)
			continue;
		if (s->source == STEP_AFTER) {
			run_submit_step(ps, r, i, result, b);
		} else if (s->source == STEP_GATHER) {
			scoped(buf_fini) struct buf input = {0};
			gathered_input(ps, r, step, &input);
			run_submit_step(ps, r, i, buf_bytes(&input), b);
		}
	}
	if (all_completed(r))
		complete_run(ps, r, step, result, b);
	else
		run_put(r, b);
}

void run_advance(struct pipelines *ps, struct run *r)
{
	for (int i = 0; i < r->pipeline->step_n && !r->over; i++) {
		const struct step *s = &r->pipeline->steps[i];
		struct run_step *at = &r->steps[i];
		if (s->source == STEP_EACH && at->state == RUN_STEP_RUNNING && r->steps[s->of].state == RUN_STEP_COMPLETED &&
			at->completed + at->failed == at->total)
			gather_start(ps, r, i);
	}
}

void run_clean(struct run *r, struct store_batch *b)
{
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->pipeline->steps[i].source == STEP_EACH)
			store_batch_delete_all(b, STORE_ITEM, r->steps[r->pipeline->steps[i].of].job_id);
}

struct cancel_list {
	uint64_t run_id;
	uint64_t *ids;
	size_t n, room;
};

static bool collect_job(void *context, struct job *j)
{
	struct cancel_list *c = context;
	if (j->run_id == c->run_id) {
		if (c->n == c->room)
			c->ids = mem_resize(c->ids, (c->room = c->room ? c->room * 2 : 64) * sizeof *c->ids);
		c->ids[c->n++] = j->id;
	}
	return true;
}

/* Two passes: cancelling changes what is walked over. */
static void cancel_jobs(struct pipelines *ps, const struct run *r)
{
	struct cancel_list c = {.run_id = r->id};
	queues_each_live(ps->queues, collect_job, &c);
	for (size_t i = 0; i < c.n; i++)
		queue_cancel(ps->queues, c.ids[i], queues_now(ps->queues), NULL, NULL, NULL);
	mem_free_at(&c.ids);
}

void run_settle(struct pipelines *ps, struct run *r)
{
	list_remove(&r->link); /* from here on its jobs have no run */
	if (r->state != RUN_COMPLETED) {
		cancel_jobs(ps, r);
		struct store_batch *b = store_batch_new(); /* after the cancellations: their jobs' inputs are these rows */
		run_clean(r, b);
		queues_commit(ps->queues, b, NULL, NULL);
	}
	if (ps->changed)
		ps->changed(ps->changed_context, r->id, r->state);
	run_tell_waiters(ps, r->id, E_OK);
	run_free(r);
}
