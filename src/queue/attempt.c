#include "queue/state.h"

#include <stdio.h>
#include <stdlib.h>

struct failure { /* how an attempt ended */
	const struct job_error *error;
	struct bytes log; /* the last lines of a worker that was lost with it */
	bool crash;
};

struct retry {
	struct change change;
	struct job *job;
	bool at_once;
	queue_done *done;
	void *context;
};

/* splitmix64: the same seed gives the same waits, which the simulator relies on. */
static uint64_t next_random(struct queues *qs)
{
	uint64_t z = qs->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static int64_t either(int64_t own, int64_t of_queue)
{
	return own ? own : of_queue;
}

/* min(cap, delay * 2^(n-1)) * U(0.5, 1): doubling, and spread so that what failed together does not return together. */
static int64_t backoff_ms(struct queues *qs, const struct job *j)
{
	const struct queue_limits *l = &j->queue->limits;
	const struct job_more *m = j->more;
	int64_t wait = either(m ? m->retry_delay_ms : 0, l->retry_delay_ms);
	int64_t cap = either(m ? m->retry_cap_ms : 0, l->retry_cap_ms);
	for (int n = 1; n < j->attempts && wait < cap; n++)
		wait *= 2;
	if (wait > cap)
		wait = cap;
	return wait / 2 + (int64_t)(next_random(qs) % (uint64_t)(wait / 2 + 1));
}

static void put_attempt(struct queues *qs, struct store_batch *b, const struct job *j, int64_t started_at_ms,
	const struct job_error *error, struct bytes log)
{
	scoped(buf_fini) struct buf head = {0};
	attempt_record_encode(&(struct attempt_record){started_at_ms, qs->now_ms, error->retryable != 0,
							  bytes_of(error->code), bytes_of(error->message)},
		&head);
	store_batch_put(b, STORE_ATTEMPT, (struct store_key){.id = j->id, .sub = j->attempts}, buf_bytes(&head), log);
}

static void retry_applied(struct change *c, enum errcode code)
{
	struct retry *r = container_of(c, struct retry, change);
	if (!code) {
		queues_place(c->qs, r->job, r->at_once);
		if (r->job->flags & JOB_CANCEL_LATER)
			cancel_settled(c->qs, r->job);
	}
	if (r->done)
		r->done(r->context, code);
	free(r);
}

/* Why there is no further attempt, in *o; or true. `due_ms`: when it would begin. */
static bool again(const struct job *j, const struct failure *f, int64_t due_ms, struct job_outcome *o)
{
	const struct job_more *m = j->more;
	const struct job_error *error = f->error;
	*o = (struct job_outcome){.end = END_FAILED, .error = *error};
	if (f->crash && j->crashes >= j->queue->limits.max_crashes) {
		snprintf(o->error.message, sizeof o->error.message, "%d times its worker was lost with it; at last: %.440s",
			j->crashes, error->message);
		return false;
	}
	if (!error->retryable || j->attempts >= queues_max_attempts(j) || j->crashes >= j->queue->limits.max_crashes)
		return false;
	if (!m || !m->deadline_ms || due_ms < m->deadline_ms)
		return true;
	snprintf(o->error.code, sizeof o->error.code, "deadline");
	snprintf(o->error.message, sizeof o->error.message,
		"before its deadline there is no time for another attempt; the last one: %s: %.360s", error->code,
		error->message);
	return false;
}

/* The lease has ended, the job is settling. */
static void settle(struct queues *qs, struct job *j, uint64_t fence, int64_t started_at_ms, const struct failure *f,
	queue_done *done, void *context)
{
	struct store_batch *b = store_batch_new();
	struct job_outcome o;
	if (f->crash) {
		j->crashes++;
		j->queue->info.crashed_total++;
	}
	put_attempt(qs, b, j, started_at_ms, f->error, f->log);
	bool at_once = f->crash && j->crashes == 1;
	int64_t due_ms = at_once ? qs->now_ms : qs->now_ms + backoff_ms(qs, j);
	if (!again(j, f, due_ms, &o)) {
		end_job_in(qs, j, b, &o, started_at_ms, done, context);
		return;
	}
	struct retry *r = NEW(struct retry);
	*r = (struct retry){.job = j, .at_once = at_once, .done = done, .context = context};
	if (!at_once)
		j->due_at_ms = due_ms;
	head_set_error(j, f->error);
	j->more->fence_floor = fence; /* after a restart no holder of an earlier lease is believed */
	head_put(b, j, (struct bytes){0}, false);
	change_commit(qs, &r->change, b, true, retry_applied);
}

static void attempt_failed(struct queues *qs, struct job *j, const struct failure *f, queue_done *done, void *context)
{
	job_started(j, qs->now_ms);
	uint64_t fence = j->lease->fence;
	int64_t started_at_ms = lease_end(qs, j);
	queues_set_state(j, JOB_SETTLING);
	settle(qs, j, fence, started_at_ms, f, done, context);
}

static bool past_deadline(const struct job *j, int64_t now_ms)
{
	return j->more && j->more->deadline_ms && j->more->deadline_ms <= now_ms;
}

void job_timeout_error(const struct job *j, int64_t now_ms, struct job_error *out)
{
	bool late = past_deadline(j, now_ms);
	out->retryable = !late;
	snprintf(out->code, sizeof out->code, late ? "deadline" : "timeout");
	if (late)
		snprintf(out->message, sizeof out->message, "the attempt had not ended at the job's deadline");
	else
		snprintf(out->message, sizeof out->message, "the attempt took longer than its timeout (%lld ms)",
			(long long)lease_timeout_ms(j));
}

void attempt_timed_out(struct queues *qs, struct job *j)
{
	if (!j->lease->started_at_ms) { /* its deadline came while it was in the hands of one who had not begun */
		attempt_expired(qs, j);
		return;
	}
	struct job_error error;
	uint64_t fence = j->lease->fence;
	job_timeout_error(j, qs->now_ms, &error);
	int64_t started_at_ms = lease_revoke(qs, j, REVOKE_TIMEOUT);
	j->flags |= JOB_LEASE_LOST;
	settle(qs, j, fence, started_at_ms, &(struct failure){.error = &error}, NULL, NULL);
}

void attempt_expired(struct queues *qs, struct job *j)
{
	struct job_outcome o = {
		.end = END_FAILED, .error = {.code = "expired", .message = "the job had not been started when it expired"}};
	if (past_deadline(j, qs->now_ms))
		o.error = (struct job_error){.code = "deadline", .message = "the job's deadline came while it waited"};
	if (j->state == JOB_PROCESSING)
		lease_revoke(qs, j, REVOKE_LEASE);
	end_job(qs, j, &o, 0, NULL, NULL);
}

enum errcode queue_fail(struct queues *qs, uint64_t id, uint64_t fence, const struct job_error *error, int64_t now_ms,
	queue_done *done, void *context, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (!code)
		attempt_failed(qs, j, &(struct failure){.error = error}, done, context);
	return code;
}

enum errcode queue_crashed(struct queues *qs, uint64_t id, uint64_t fence, const struct job_error *evidence,
	struct bytes log, int64_t now_ms, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (code)
		return code;
	if (!j->lease->started_at_ms) { /* it was in the dead one's hands, not at work: no attempt */
		job_release(j, now_ms);
		return E_OK;
	}
	struct job_error error = *evidence;
	error.retryable = 1;
	j->flags |= JOB_LEASE_LOST;
	attempt_failed(qs, j, &(struct failure){&error, log, true}, NULL, NULL);
	return E_OK;
}
