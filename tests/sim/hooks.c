#include "sim.h"

static void on_ready(void *context, struct queue *q)
{
	sim_note(context, "ready", 0, 0);
}

static void on_revoke(void *context, struct job *job, enum revoke_reason why)
{
	struct world *w = context;
	struct sim_job *j = model_find(w, job->id);
	sim_note(w, "revoke", j->id, why);
	SIM_CHECK(
		w, j->fence || why == REVOKE_LEASE, "job %llu: taken back, though nobody had it", (unsigned long long)j->id);
	if (why == REVOKE_TIMEOUT) {
		w->counts[DID_TIMEOUT]++;
		int64_t now = queues_now(w->qs);
		bool late = j->deadline_ms && now >= j->deadline_ms;
		SIM_CHECK(w, j->started && (late || now >= j->started_at_ms + j->timeout_ms), "job %llu: timed out too early",
			(unsigned long long)j->id);
		model_failed(w, j, !late, false);
	} else {
		if (why == REVOKE_LEASE) /* a later holder goes on with the same attempt */
			j->attempts -= j->started;
		model_unleased(w, j);
	}
}

static void on_item(
	void *context, struct job *job, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes)
{
	struct world *w = context;
	struct sim_job *j = model_find(w, job->id);
	SIM_CHECK(w, !(j->items & 1u << key), "job %llu: item %llu came twice", (unsigned long long)j->id,
		(unsigned long long)key);
}

static void on_ending(void *context, struct job *job, const struct job_outcome *o, struct store_batch *b)
{
	struct world *w = context;
	struct sim_job *j = model_find(w, job->id);
	sim_note(w, "ending", j->id, o->end);
	/* Expiry, deadlines and later cancels are the queue's own decision; everything else the model said before. */
	if (!j->ends) {
		SIM_CHECK(w, j->cancel_later || j->expires_at_ms || j->deadline_ms,
			"job %llu: ends as %d, which nobody asked for", (unsigned long long)j->id, o->end);
		model_ends(w, j, o->end);
		if (j->cancel_later) /* it waited again for a moment, and gave its place back */
			j->place = false;
	}
	SIM_CHECK(w, j->end == o->end, "job %llu: ends as %d, should as %d", (unsigned long long)j->id, o->end, j->end);
}

static void on_ended(void *context, struct job *job, const struct job_outcome *o)
{
	struct world *w = context;
	sim_note(w, "ended", job->id, o->end);
	model_ended(w, model_find(w, job->id), o->end);
}

void hooks_init(struct world *w)
{
	w->hooks = (struct queue_hooks){
		.context = w, .ready = on_ready, .revoke = on_revoke, .item = on_item, .ending = on_ending, .ended = on_ended};
}
