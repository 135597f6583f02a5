/* dispatch.h - brings ready jobs and calls to instances that have room, and what comes of them back to the queue.
 *
 *   ready job ─ lease ─► delivery ─ runner ─► started, items, checkpoints ─► queue_* ─ commit ─► settled
 *
 * Loop thread only. It does no I/O and knows no runner's kind; time, wake-ups and the rest come by struct dispatch_calls.
 * Nothing is done per event that can be done per turn: hooks mark what is ready, dispatch_turn gives work out.
 *
 * INVARIANTS
 *  - a work (one delivery) is in one of: working (in its instance's list), settling (its end is being committed), free
 *  - an instance never has more deliveries than concurrency + prefetch
 *  - each delivery ends once: finished, lost, or forgotten by us */
#pragma once
#include "job/job.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "worker/instance.h"

struct dispatch;

struct dispatch_calls { /* set once by the wiring */
	void *context;
	int64_t (*now_ms)(void *context);
	void (*want_turn)(void *context); /* call dispatch_turn at the end of this turn of the loop */
	void (*wake)(void *context, int64_t at_ms); /* call dispatch_tick then, or earlier */
	bool (*blob_of)(void *context, struct bytes input, char name[80], bool *only); /* blob_of_input */
	bool (*anyone_starting)(void *context); /* some instance may soon be running */
	/* This job's items may not go on for now (a pipeline bounds what is in flight): its handler waits in reeve_emit until
	 * dispatch_emit_resume. NULL: never. */
	bool (*emit_waits)(void *context, struct job *j);
	/* An instance does not obey: a cancelled or timed-out handler did not end within the grace. */
	void (*stuck)(void *context, struct instance *i, const struct delivery *d, const char *why);
	void (*log)(
		void *context, struct instance *i, uint64_t job_id, int severity, struct bytes event, struct bytes fields);
	/* What the instance printed last, as lines: evidence for a job that was lost with it. NULL: nothing. */
	void (*last_lines)(void *context, const struct instance *i, struct buf *out);
};

struct dispatch *dispatch_new(struct queues *qs, struct registry *r, const struct dispatch_calls *calls);
void dispatch_free(struct dispatch *d);

/* ── from the queue's hooks ── */
void dispatch_ready(struct dispatch *d, struct queue *q);
void dispatch_revoke(struct dispatch *d, struct job *j, enum revoke_reason why);

/* ── from the supervisor and the runners ── */
void dispatch_instance_running(struct dispatch *d, struct instance *i); /* after registry_add */
void dispatch_instance_credit(struct dispatch *d, struct instance *i);
/* Its handlers have their grace; one that waits to emit is cancelled now. A job whose handler ends as cancelled meanwhile goes
 * back into its queue without an attempt. */
void dispatch_instance_stopping(struct dispatch *d, struct instance *i);
void dispatch_instance_gone(
	struct dispatch *d, struct instance *i); /* no longer running; its deliveries were told lost() */

/* While held nothing is given out (recovery). */
void dispatch_hold(struct dispatch *d, bool hold);
/* A reconnected instance says it still has this job. E_FENCE, E_NOT_FOUND: tell it to stop. The delivery is then in *out. */
enum errcode dispatch_reclaim(struct dispatch *d, struct instance *i, uint64_t job_id, uint64_t fence, bool started,
	struct delivery **out, struct err *e);

void dispatch_emit_resume(struct dispatch *d, uint64_t job_id); /* its emitter goes on */

void dispatch_turn(struct dispatch *d);
void dispatch_tick(struct dispatch *d, int64_t now_ms);

/* ── transactional calls (/v1/invoke, reeve_call, the link's CALL) ──
 * Routes now or when an instance has room, at most until the deadline; while nobody offers the capability but someone is
 * starting it waits up to 2 s; else E_UNAVAILABLE. Retried once elsewhere when the instance dies and the capability is REEVE_IDEMPOTENT.
 * `done` is called once, on the loop thread, never from within dispatch_invoke unless it fails at once. error NULL: result is
 * the answer (borrowed). Returns an id for dispatch_invoke_cancel, or 0 when `done` was called already. */
struct dispatch_call {
	struct bytes namespace, capability, input, traceparent; /* copied */
	int64_t deadline_ms;
	unsigned depth; /* of calls within calls; from 16 on it is refused */
	const struct delivery *parent; /* whose handler calls; NULL: a client */
	void (*done)(void *context, struct bytes result, const struct job_error *error);
	void *context;
};
uint64_t dispatch_invoke(struct dispatch *d, const struct dispatch_call *call);
void dispatch_invoke_cancel(struct dispatch *d, uint64_t id); /* the caller is gone; `done` is not called any more */

struct dispatch_stats {
	uint64_t delivered, completed, failed, lost, calls, calls_failed;
	uint64_t in_flight, settling, waiting_calls;
};
void dispatch_get_stats(const struct dispatch *d, struct dispatch_stats *out);
