/* work.c - one delivery, from the lease to the commit of its end. */
#include "dispatch/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct delivery_events work_events;

struct work *work_new(struct dispatch *d, struct seat *s, struct route *r, uint16_t index)
{
	struct work *w = d->free_works;
	if (w) {
		d->free_works = w->next_free;
		d->free_n--;
		struct buf input = w->input, checkpoint = w->checkpoint, traceparent = w->traceparent;
		memset(w, 0, sizeof *w);
		w->input = input;
		w->checkpoint = checkpoint;
		w->traceparent = traceparent;
		buf_clear(&w->input);
		buf_clear(&w->checkpoint);
		buf_clear(&w->traceparent);
	} else {
		w = NEW(struct work);
	}
	w->dispatch = d;
	w->seat = s;
	w->route = r;
	w->d.capability = index;
	w->d.instance = s->instance;
	w->d.events = &work_events;
	w->d.context = w;
	w->d.deadline_ms = INT64_MAX;
	w->d.attempt = 1;
	return w;
}

void work_drop(struct work *w)
{
	struct dispatch *d = w->dispatch;
	heap_remove(&d->timers, &w->give_up);
	if (d->free_n >= DISPATCH_FREE_MAX || w->input.room > 1 << 16 || w->checkpoint.room > 1 << 16) {
		buf_fini(&w->input);
		buf_fini(&w->checkpoint);
		buf_fini(&w->traceparent);
		free(w);
		return;
	}
	w->next_free = d->free_works;
	d->free_works = w;
	d->free_n++;
}

void work_unref(struct work *w)
{
	if (--w->refs == 0 && w->over)
		work_drop(w);
}

static bool is_job(const struct work *w)
{
	return !(w->d.id >> 63);
}

/* It holds one reference of its own while the runner knows it. */
void work_give(struct work *w)
{
	struct instance *i = w->seat->instance;
	bool only = false;
	w->refs++;
	w->d.input = buf_bytes(&w->input);
	if (w->dispatch->calls.blob_of(w->dispatch->calls.context, w->d.input, w->d.blob, &only) && only)
		w->d.input = (struct bytes){NULL, 0};
	else if (!w->d.input.data)
		w->d.input = (struct bytes){"", 0};
	i->in_flight++;
	w->seat->job_n += is_job(w);
	list_append(&i->deliveries, &w->d.link);
	w->dispatch->stats.delivered++;
	w->dispatch->stats.in_flight++;
	w->dispatch->giving = w;
	i->runner->deliver(i, &w->d);
	w->dispatch->giving = NULL;
}

/* A copy: its handler may call others when the job or the caller is gone. */
void work_set_trace(struct work *w, struct bytes traceparent)
{
	if (!traceparent.size)
		return;
	buf_add(&w->traceparent, traceparent.data, traceparent.size);
	w->d.traceparent = buf_bytes(&w->traceparent);
}

static void describe(struct work *w, struct job *j)
{
	w->job = j;
	w->d.id = j->id;
	w->d.fence = job_fence(w->dispatch->queues, j);
	w->d.attempt = j->attempts + 1u;
	w->d.item_window = 64;
	w->d.deadline_ms = job_ends_by(j, dispatch_now(w->dispatch));
	work_set_trace(w, job_traceparent(j));
}

bool work_lease(struct work *w)
{
	struct dispatch *d = w->dispatch;
	struct err e;
	struct job *j = queue_lease(w->route->queue, dispatch_now(d), w);
	if (!j)
		return false;
	describe(w, j);
	if (job_read_input(d->queues, j, &w->input, &e) != E_OK ||
		(j->attempts && job_read_checkpoint(d->queues, j, &w->checkpoint, &e) != E_OK)) {
		struct job_error error = {.code = "internal", .retryable = 1};
		snprintf(error.message, sizeof error.message, "its input could not be read: %.400s", e.text);
		queue_fail(d->queues, w->d.id, w->d.fence, &error, dispatch_now(d), NULL, NULL, NULL);
		w->job = NULL;
		buf_clear(&w->input);
		return work_lease(w); /* the next one; each failing job leaves the queue, so this ends */
	}
	w->d.checkpoint = buf_bytes(&w->checkpoint);
	return true;
}

/* ── the end ── */

/* The runner no longer knows it; its place is free. */
static void leave(struct work *w)
{
	struct instance *i = w->seat->instance;
	w->over = true;
	list_remove(&w->d.link);
	heap_remove(&w->dispatch->timers, &w->give_up);
	i->in_flight--;
	w->seat->job_n -= is_job(w);
	if (w->seat->alone == w)
		w->seat->alone = NULL;
	call_cancel_all(w);
	w->dispatch->stats.in_flight--;
	seat_wake(w->dispatch, w->seat);
}

static void settled(void *context, enum errcode code)
{
	struct work *w = context;
	w->dispatch->stats.settling--;
	if (w->seat) {
		struct instance *i = w->seat->instance;
		list_remove(&w->link);
		if (code == E_OK)
			i->runner->settled(i, w->d.id, w->d.fence);
		w->seat = NULL;
	}
	work_unref(w);
}

static void settle(struct work *w, struct bytes result, const struct job_error *error)
{
	struct dispatch *d = w->dispatch;
	struct instance *i = w->seat->instance;
	int64_t now_ms = dispatch_now(d);
	list_append(&w->seat->settling, &w->link);
	d->stats.settling++;
	w->job = NULL;
	error ? d->stats.failed++ : d->stats.completed++;
	error ? i->worker->jobs_failed++ : i->worker->jobs_processed++;
	enum errcode code = error ? queue_fail(d->queues, w->d.id, w->d.fence, error, now_ms, settled, w, NULL)
							  : queue_complete(d->queues, w->d.id, w->d.fence, result, now_ms, settled, w, NULL);
	if (code == E_OK)
		return;
	/* Taken away meanwhile: the worker may forget it. */
	list_remove(&w->link);
	d->stats.settling--;
	w->seat = NULL;
	i->runner->settled(i, w->d.id, w->d.fence);
	work_unref(w);
}

static void measure(struct work *w)
{
	struct seat *s = w->seat;
	if (!w->started_at_ms)
		return;
	int64_t us = (dispatch_now(w->dispatch) - w->started_at_ms) * 1000;
	s->mean_us = s->measured ? s->mean_us + (us - s->mean_us) / 16 : us;
	s->measured = true;
}

/* A handler that looks at its deadline may end by itself a moment before the queue takes the job back: that is a timeout, too. */
static bool ran_out(const struct work *w, const struct job_error *error)
{
	return error && strcmp(error->code, "cancelled") == 0 && w->started_at_ms &&
		   job_ran_out(w->job, dispatch_now(w->dispatch) + DISPATCH_CLOCKS_MS);
}

/* Its worker stops, and so the handler did, or the engine before us stopped it and died before that was durable: that is
 * nobody's fault, and no attempt. */
static bool interrupted(const struct work *w, const struct job_error *error)
{
	return w->job && error && strcmp(error->code, "cancelled") == 0 &&
		   (w->reclaimed || w->seat->instance->state == INSTANCE_STOPPING) && !ran_out(w, error);
}

static void hand_back(struct work *w)
{
	struct instance *i = w->seat->instance;
	struct job *j = w->job;
	w->job = NULL;
	w->seat = NULL;
	job_release(j, dispatch_now(w->dispatch));
	i->runner->settled(i, w->d.id, w->d.fence);
	work_unref(w);
}

static void on_finished(struct delivery *x, struct bytes result, const struct job_error *error)
{
	struct work *w = x->context;
	measure(w);
	leave(w);
	if (interrupted(w, error)) {
		hand_back(w);
		return;
	}
	if (w->job) {
		struct job_error timeout;
		bool late = ran_out(w, error);
		if (late)
			job_timeout_error(w->job, dispatch_now(w->dispatch) + DISPATCH_CLOCKS_MS, &timeout);
		settle(w, result, late ? &timeout : error);
		return;
	}
	if (is_job(w) && !error)
		queue_count_fenced(w->route->queue);
	if (w->revoked) { /* with the outcome the worker would forget a job that after our death might still be its own */
		list_append(&w->seat->settling, &w->link);
		work_unref(w);
		return;
	}
	struct call *c = w->call;
	struct instance *i = w->seat->instance;
	if (!(w->d.id >> 63))
		i->runner->settled(i, w->d.id, w->d.fence); /* revoked: nobody waits for the outcome */
	w->call = NULL;
	w->seat = NULL;
	if (c)
		call_answer(c, result, error);
	work_unref(w);
}

static void on_lost(struct delivery *x, const struct job_error *error)
{
	struct work *w = x->context;
	struct dispatch *d = w->dispatch;
	struct job *j = w->job;
	struct call *c = w->call;
	bool started = x->started && error, blamed = w->seat->blamed;
	scoped(buf_fini) struct buf log = {0};
	if (j && started && !blamed && d->calls.last_lines)
		d->calls.last_lines(d->calls.context, w->seat->instance, &log);
	if (d->giving == w)
		seat_refused(d, w->seat);
	leave(w);
	d->stats.lost++;
	w->job = NULL;
	w->call = NULL;
	w->seat = NULL;
	if (j && started && !blamed)
		queue_crashed(d->queues, x->id, x->fence, error, buf_bytes(&log), dispatch_now(d), NULL);
	else if (j)
		job_release(j, dispatch_now(d));
	if (c)
		call_lost(c, started, error);
	work_unref(w);
}

/* ── while it runs ── */

static void on_started(struct delivery *x)
{
	struct work *w = x->context;
	x->started = true;
	w->started_at_ms = dispatch_now(w->dispatch);
	if (w->job)
		job_started(w->job, dispatch_now(w->dispatch));
}

/* A handler that may not emit cannot end either: one whose worker stops is told to stop at once, not after its grace. */
static void keep_item(struct work *w)
{
	struct instance *i = w->seat->instance;
	w->items_kept++;
	if (i->state == INSTANCE_STOPPING)
		i->runner->cancel(i, &w->d);
}

void dispatch_instance_stopping(struct dispatch *d, struct instance *i)
{
	list_each(&i->deliveries, at)
	{
		struct work *w = container_of(at, struct delivery, link)->context;
		if (w->items_kept)
			i->runner->cancel(i, &w->d);
	}
}

static void item_settled(void *context, enum errcode code)
{
	struct work *w = context;
	if (!w->over) {
		struct dispatch *d = w->dispatch;
		struct instance *i = w->seat->instance;
		if (code == E_OK && w->job && d->calls.emit_waits && d->calls.emit_waits(d->calls.context, w->job))
			keep_item(w);
		else
			i->runner->item_done(i, &w->d, code);
	}
	work_unref(w);
}

static void on_item(struct delivery *x, uint64_t key, struct bytes data)
{
	struct work *w = x->context;
	struct dispatch *d = w->dispatch;
	w->refs++;
	enum errcode code = E_OK;
	if (w->job)
		code = queue_item(d->queues, x->id, x->fence, key, data, dispatch_now(d), item_settled, w, NULL);
	else /* a call's items have no reader; a revoked job's no longer count */
		item_settled(w, w->call ? E_OK : E_FENCE);
	if (code != E_OK)
		item_settled(w, code);
}

void dispatch_emit_resume(struct dispatch *d, uint64_t job_id)
{
	struct job *j = queues_find(d->queues, job_id);
	struct work *w = j && j->state == JOB_PROCESSING ? j->holder : NULL;
	if (!w || w->over)
		return;
	struct instance *i = w->seat->instance;
	for (; w->items_kept; w->items_kept--)
		i->runner->item_done(i, &w->d, E_OK);
}

static void on_checkpoint(struct delivery *x, struct bytes data)
{
	struct work *w = x->context;
	if (w->job)
		queue_checkpoint(w->dispatch->queues, x->id, x->fence, data, dispatch_now(w->dispatch), NULL, NULL, NULL);
}

static void on_progress(struct delivery *x, int percent, struct bytes message)
{
	struct work *w = x->context;
	if (w->job)
		queue_progress(w->dispatch->queues, x->id, x->fence, percent, message, dispatch_now(w->dispatch), NULL);
}

static void on_log(struct delivery *x, int severity, struct bytes event, struct bytes fields)
{
	struct work *w = x->context;
	struct dispatch *d = w->dispatch;
	d->calls.log(d->calls.context, w->seat->instance, x->id >> 63 ? 0 : x->id, severity, event, fields);
}

struct nested { /* a handler's own call */
	struct work *work;
	uint64_t call_id;
};

static void nested_done(void *context, struct bytes result, const struct job_error *error)
{
	struct nested *n = context;
	struct work *w = n->work;
	if (!w->over) {
		struct instance *i = w->seat->instance;
		i->runner->call_done(i, &w->d, n->call_id, result, error);
	}
	work_unref(w);
	free(n);
}

static void on_call(struct delivery *x, uint64_t call_id, struct bytes capability, struct bytes input)
{
	struct work *w = x->context;
	struct nested *n = NEW(struct nested);
	*n = (struct nested){w, call_id};
	w->refs++;
	struct dispatch_call call = {
		.namespace = bytes_of(w->route->namespace),
		.capability = capability,
		.input = input,
		.traceparent = x->traceparent,
		.deadline_ms = x->deadline_ms,
		.depth = w->depth + 1,
		.parent = x,
		.done = nested_done,
		.context = n,
	};
	dispatch_invoke(w->dispatch, &call);
}

static const struct delivery_events work_events = {
	.started = on_started,
	.item = on_item,
	.checkpoint = on_checkpoint,
	.progress = on_progress,
	.log = on_log,
	.call = on_call,
	.finished = on_finished,
	.lost = on_lost,
};

/* ── one that must run alone ── */

bool work_suspected(const struct work *w)
{
	return w->job->crashes > 0 && w->seat->instance->runner->blames_all;
}

static void stop_waiting(struct work *w)
{
	struct seat *s = w->seat;
	s->alone = NULL;
	s->alone_waits = false;
	w->route->alone_n--;
	w->job = NULL;
	seat_wake(w->dispatch, s);
	work_drop(w);
}

void work_return(struct work *w)
{
	struct dispatch *d = w->dispatch;
	struct job *j = w->job;
	stop_waiting(w);
	job_release(j, dispatch_now(d));
}

/* ── taken away ── */

void work_cancel(struct work *w)
{
	struct instance *i = w->seat->instance;
	w->job = NULL;
	w->call = NULL;
	call_cancel_all(w);
	dispatch_timer(w->dispatch, &w->give_up, dispatch_now(w->dispatch) + DISPATCH_GRACE_MS, TIMER_WORK);
	for (; w->items_kept; w->items_kept--) /* a handler that waits in reeve_emit must come to see it */
		i->runner->item_done(i, &w->d, E_FENCE);
	i->runner->cancel(i, &w->d);
}

void dispatch_revoke(struct dispatch *d, struct job *j, enum revoke_reason why)
{
	struct work *w = j->holder;
	j->holder = NULL;
	if (w && w->seat && w->seat->alone == w && w->seat->alone_waits)
		stop_waiting(w);
	else if (w && !w->over) {
		w->job = NULL;
		w->revoked = true;
		w->refs++;
		w->next_free = d->revoked;
		d->revoked = w;
		turn_want(d);
	}
}

static void revoked_durable(void *context, enum errcode code)
{
	struct work *w = context;
	w->revoked = false;
	if (!w->over && code == E_OK) {
		work_cancel(w);
	} else if (w->over && w->seat) {
		struct instance *i = w->seat->instance;
		list_remove(&w->link);
		w->seat = NULL;
		if (code == E_OK)
			i->runner->settled(i, w->d.id, w->d.fence);
	}
	work_unref(w);
}

/* The queue hands over its batch after the hook, so now it is on its way; an empty one comes back behind it. */
void work_tell_revoked(struct work *w)
{
	queues_commit(w->dispatch->queues, store_batch_new(), revoked_durable, w);
}

void work_give_up(struct work *w)
{
	struct dispatch *d = w->dispatch;
	char why[160];
	w->seat->blamed = true;
	snprintf(why, sizeof why, "a handler of %s did not end within %d ms after it was cancelled", w->route->name,
		DISPATCH_GRACE_MS);
	d->calls.stuck(d->calls.context, w->seat->instance, &w->d, why);
}

/* ── after a restart of the engine ── */

enum errcode dispatch_reclaim(struct dispatch *d, struct instance *i, uint64_t job_id, uint64_t fence, bool started,
	struct delivery **out, struct err *e)
{
	struct seat *s = seat_get(d, i);
	struct job *j = queues_find(d->queues, job_id);
	if (!j)
		return err_set(e, E_NOT_FOUND, "there is no live job %" PRIu64, job_id);
	struct route *r = route_get(d, queue_namespace(j->queue), queue_capability(j->queue));
	struct work *w = work_new(d, s, r, 0);
	for (size_t k = 0; k < i->capability_n; k++)
		if (strcmp(i->capabilities[k].name, r->name) == 0)
			w->d.capability = (uint16_t)k;
	enum errcode code = queue_reclaim(d->queues, job_id, fence, dispatch_now(d), w, &j);
	if (code != E_OK) {
		work_drop(w);
		return err_set(e, code, "the lease of job %" PRIu64 " was taken away", job_id);
	}
	describe(w, j);
	w->reclaimed = true;
	w->d.fence = fence;
	w->refs++;
	i->in_flight++;
	s->job_n++;
	list_append(&i->deliveries, &w->d.link);
	d->stats.in_flight++;
	if (started)
		on_started(&w->d);
	*out = &w->d;
	return E_OK;
}
