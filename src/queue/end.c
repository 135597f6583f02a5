/* The one way a job ends: its row goes, the outcome's comes, the pipeline adds its part, and all of it is one batch. */
#include "queue/state.h"

#include <stdlib.h>

struct end {
	struct change change;
	struct job *job;
	struct job_outcome outcome;
	queue_done *done;
	void *context;
	char result[];
};

static void count(struct queue *q, enum queue_end end)
{
	if (end == END_COMPLETED)
		q->info.completed_total++;
	if (end == END_FAILED) {
		q->info.failed_total++;
		q->info.failed++;
	}
}

static void ended(struct change *c, enum errcode code)
{
	struct end *n = container_of(c, struct end, change);
	struct queues *qs = c->qs;
	if (!code) {
		count(n->job->queue, n->outcome.end);
		if (qs->hooks.ended)
			qs->hooks.ended(qs->hooks.context, n->job, &n->outcome);
		queues_job_free(qs, n->job);
	}
	if (n->done)
		n->done(n->context, code);
	free(n);
}

/* The error is some 600 bytes, and most jobs have none: it is copied only when it says something. */
static struct end *end_new(struct job *j, const struct job_outcome *o, queue_done *done, void *context)
{
	struct end *n = mem_resize(NULL, sizeof *n + o->result.size);
	n->job = j;
	n->done = done;
	n->context = context;
	n->outcome.end = o->end;
	n->outcome.result = (struct bytes){n->result, o->result.size};
	if (o->result.size)
		memcpy(n->result, o->result.data, o->result.size);
	if (o->end == END_COMPLETED)
		n->outcome.error.code[0] = n->outcome.error.message[0] = 0;
	else
		n->outcome.error = o->error;
	return n;
}

static enum job_state state_of(enum queue_end end)
{
	return end == END_COMPLETED ? JOB_COMPLETED : end == END_FAILED ? JOB_FAILED : JOB_CANCELLED;
}

static void fill_record(
	struct queues *qs, struct job *j, const struct job_outcome *o, int64_t started_at_ms, struct job_record *r)
{
	head_fill(j, r);
	r->state = state_of(o->end);
	r->max_attempts = (uint64_t)queues_max_attempts(j);
	r->started_at_ms = started_at_ms;
	r->finished_at_ms = qs->now_ms;
	r->keep_until_ms = o->end == END_FAILED ? 0 : qs->now_ms + j->queue->limits.keep_results_ms;
	r->error_code = r->error_message = (struct bytes){0};
	if (o->end != END_COMPLETED) {
		r->error_code = bytes_of(o->error.code);
		r->error_message = bytes_of(o->error.message);
		r->retryable = o->error.retryable != 0;
	}
}

/* A dead letter has its own copy of the input. Should it be unreadable the letter is kept without it: losing the job, too,
 * would be worse. */
static void put_over(
	struct queues *qs, struct job *j, const struct job_outcome *o, int64_t started_at_ms, struct store_batch *b)
{
	struct job_record r;
	struct store_key key = {.id = j->id};
	scoped(buf_fini) struct buf head = {0}, input = {0};
	fill_record(qs, j, o, started_at_ms, &r);
	job_record_encode(&r, &head);
	store_batch_delete(b, STORE_JOB, key);
	if (j->more && j->more->streams)
		store_batch_delete(b, STORE_CHECKPOINT, key);
	if (o->end != END_FAILED) {
		store_batch_put(b, STORE_DONE, key, buf_bytes(&head), o->result);
		return;
	}
	job_read_input(qs, j, &input, NULL);
	store_batch_put(b, STORE_DEAD, key, buf_bytes(&head), buf_bytes(&input));
}

void end_job_in(struct queues *qs, struct job *j, struct store_batch *b, const struct job_outcome *o,
	int64_t started_at_ms, queue_done *done, void *context)
{
	queues_set_state(j, JOB_SETTLING);
	j->flags |= JOB_ENDING;
	if (o->end == END_FAILED) /* a replay goes on behind every fence that the job ever had */
		queues_more(j)->fence_floor = qs->store->epoch << 32 | j->lease_count;
	put_over(qs, j, o, started_at_ms, b);
	if (j->more && j->more->unique_states && !(j->more->unique_states >> state_of(o->end) & 1))
		unique_release(qs, b, j->id, j->more->unique_name);
	struct end *n = end_new(j, o, done, context);
	n->outcome.started_at_ms = started_at_ms;
	if (qs->hooks.ending)
		qs->hooks.ending(qs->hooks.context, j, &n->outcome, b);
	change_commit(qs, &n->change, b, true, ended);
}

void end_job(struct queues *qs, struct job *j, const struct job_outcome *o, int64_t started_at_ms, queue_done *done,
	void *context)
{
	end_job_in(qs, j, store_batch_new(), o, started_at_ms, done, context);
}

enum errcode queue_complete(struct queues *qs, uint64_t id, uint64_t fence, struct bytes result, int64_t now_ms,
	queue_done *done, void *context, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (code)
		return code;
	if (result.size > JOB_RESULT_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "result: has %zu bytes, at most %d may stand in a job; make it a blob",
			result.size, JOB_RESULT_MAX_BYTES);
	job_started(j, now_ms);
	struct job_outcome *o = &(struct job_outcome){.end = END_COMPLETED, .result = result};
	int64_t started_at_ms = lease_end(qs, j);
	end_job(qs, j, o, started_at_ms, done, context);
	return E_OK;
}
