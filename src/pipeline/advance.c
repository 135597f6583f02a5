/* What happens next in a run: a step's job, the end of a step, the end of the run. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "pipeline/splice.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CANCEL_MAX = 256 };

static void run_cancel_jobs(struct run *r);

/* Whatever fails here ends the engine: a full disk only delays (queue.h). */
static void end_saved(void *context, enum errcode code)
{
	struct run *r = context;
	if (!code)
		run_settle(r->set, r);
}

/* Rows of items that nobody needs any more. */
static void clean(const struct run *r, struct store_batch *b)
{
	for (int i = 0; i < r->pipeline->step_n; i++)
		if (r->steps[i].job_id)
			store_batch_delete_all(b, STORE_ITEM, r->steps[i].job_id);
}

void run_put(struct run *r, struct store_batch *b)
{
	struct store_key key = {.id = r->id};
	scoped(buf_fini) struct buf head = {0};
	run_encode(r, &head);
	if (r->state == RUN_COMPLETED) {
		store_batch_put(b, STORE_RUN, key, buf_bytes(&head), bytes_of(r->output));
		clean(r, b);
	} else {
		store_batch_put_head(b, STORE_RUN, key, buf_bytes(&head));
	}
	if (r->over)
		store_batch_then(b, end_saved, r);
}

/* The step's `with` under the input: {with's members, input's members}; an input that is no object stands as "input". */
static void add_with(const char *with, struct bytes input, struct buf *out)
{
	buf_text(out, "{");
	if (!splice_members(out, bytes_of(with), input)) {
		struct buf wrapped = {0};
		buf_text(&wrapped, "{\"input\":");
		splice_value(&wrapped, input);
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
	spec.traceparent = bytes_of(r->traceparent);
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
		splice_value(out, buf_bytes(&body));
	else
		buf_text(out, "null");
}

/* The members that say what the items of an `each` step were joined into. */
static void add_joined(const struct run_step *s, struct buf *out)
{
	buf_format(out, "\"blob\":\"%s\",\"items\":%" PRIu64 ",\"items_failed\":%" PRIu64, s->blob, s->total, s->failed);
}

/* Only called when this engine did not see the output step end: then its result is in the store. */
static void find_output(struct pipelines *ps, struct run *r)
{
	const struct run_step *s = &r->steps[r->pipeline->output];
	scoped(buf_fini) struct buf found = {0};
	if (r->pipeline->steps[r->pipeline->output].source == STEP_EACH) {
		buf_text(&found, "{");
		add_joined(s, &found);
		buf_text(&found, "}");
	} else {
		read_result(ps, s->job_id, &found);
	}
	r->output = take(found.data);
}

static void complete_run(struct pipelines *ps, struct run *r, struct store_batch *b)
{
	if (!r->output)
		find_output(ps, r);
	run_finish(r, RUN_COMPLETED, queues_now(ps->queues));
	run_put(r, b);
}

/* The input of a step that gathers. */
static void gathered_input(struct pipelines *ps, const struct run *r, int each, struct buf *out)
{
	int emitter = r->pipeline->steps[each].of;
	buf_text(out, "{");
	add_joined(&r->steps[each], out);
	buf_text(out, ",");
	buf_json_string(out, bytes_of(r->pipeline->steps[emitter].id));
	buf_text(out, ":");
	read_result(ps, r->steps[emitter].job_id, out);
	buf_text(out, "}");
}

static void keep_output(struct run *r, struct bytes result)
{
	scoped(buf_fini) struct buf value = {0};
	splice_value(&value, result);
	free(r->output);
	r->output = take(value.data);
}

void run_step_ended(struct pipelines *ps, struct run *r, int step, struct bytes result, struct store_batch *b)
{
	r->steps[step].state = RUN_STEP_COMPLETED;
	r->changed = true;
	if (step == r->pipeline->output && r->pipeline->steps[step].source != STEP_EACH)
		keep_output(r, result);
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
		complete_run(ps, r, b);
	else
		run_put(r, b);
}

void run_advance(struct pipelines *ps, struct run *r)
{
	for (int i = 0; i < r->pipeline->step_n && !r->over; i++) {
		const struct step *s = &r->pipeline->steps[i];
		struct run_step *at = &r->steps[i];
		if (s->source == STEP_EACH && at->state == RUN_STEP_RUNNING && r->steps[s->of].state == RUN_STEP_COMPLETED &&
			r->steps[s->of].saved && at->completed + at->failed == at->total &&
			at->gather_at_ms <= queues_now(ps->queues))
			gather_start(ps, r, i);
	}
}

/* The items after the cancellations, since they are those jobs' inputs. An engine that dies in between does both again. */
static void clean_and_remove(struct pipelines *ps, struct run *r)
{
	struct store_batch *b = store_batch_new();
	scoped(buf_fini) struct buf head = {0};
	clean(r, b);
	r->cleaned = true;
	run_encode(r, &head);
	store_batch_put_head(b, STORE_RUN, (struct store_key){.id = r->id}, buf_bytes(&head));
	queues_commit(ps->queues, b, NULL, NULL);
	run_remove(ps, r);
}

static void cancelled(void *context, enum errcode code)
{
	struct run *r = context;
	if (--r->cancelling == 0 && !code)
		run_cancel_jobs(r);
}

/* One that has ended already, or is being cancelled, is left alone. */
static bool cancel_one(void *context, struct job *j)
{
	struct run *r = context;
	struct queues *qs = r->set->queues;
	r->cancelling += queue_cancel(qs, j->id, queues_now(qs), cancelled, r, NULL) == E_OK;
	return r->cancelling < CANCEL_MAX;
}

/* Some at a time, the next ones when those are on the disk: there may be a million, and others want their turn. */
static void run_cancel_jobs(struct run *r)
{
	queues_each_of_run(r->set->queues, r->id, cancel_one, r);
	if (!r->cancelling)
		clean_and_remove(r->set, r);
}

void run_settle(struct pipelines *ps, struct run *r)
{
	uint64_t id = r->id;
	enum run_state state = r->state;
	if (state == RUN_COMPLETED)
		run_remove(ps, r);
	else
		run_cancel_jobs(r);
	if (ps->changed)
		ps->changed(ps->changed_context, id, state);
	run_tell_waiters(ps, id, E_OK);
}
