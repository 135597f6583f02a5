/* call.c - transactional calls: someone waits for the answer, nothing is stored. */
#include "dispatch/parts.h"

#include <stdio.h>
#include <stdlib.h>

static void call_free(struct call *c)
{
	if (c->link.next)
		list_remove(&c->link);
	if (c->of_parent.next)
		list_remove(&c->of_parent);
	heap_remove(&c->dispatch->timers, &c->timer);
	idmap_remove(&c->dispatch->live_calls, c->id);
	buf_fini(&c->input);
	buf_fini(&c->traceparent);
	free(c);
}

void call_finish(struct call *c, struct bytes result, const struct job_error *error)
{
	void (*done)(void *, struct bytes, const struct job_error *) = c->done;
	void *context = c->context;
	if (error)
		c->dispatch->stats.calls_failed++;
	call_free(c);
	done(context, result, error);
}

static void fail(struct call *c, const char *code, int retryable, const char *message)
{
	struct job_error error = {.retryable = retryable};
	snprintf(error.code, sizeof error.code, "%s", code);
	snprintf(error.message, sizeof error.message, "%s", message);
	call_finish(c, (struct bytes){NULL, 0}, &error);
}

static void did_not_answer(struct call *c)
{
	char message[256];
	snprintf(message, sizeof message, "%.128s did not answer in time", c->route->name);
	fail(c, "timeout", 1, message);
}

/* A handler that looks at its deadline may end by itself a moment before our timer: that is a timeout, too. */
void call_answer(struct call *c, struct bytes result, const struct job_error *error)
{
	if (error && strcmp(error->code, "cancelled") == 0 &&
		dispatch_now(c->dispatch) + DISPATCH_CLOCKS_MS >= c->deadline_ms)
		did_not_answer(c);
	else
		call_finish(c, result, error);
}

/* Waits in its route until somebody has room, at most `until_ms`. */
static void wait_for_room(struct call *c, bool first)
{
	struct list *before = first ? c->route->calls.next : &c->route->calls;
	list_append(before, &c->link);
	c->work = NULL;
	int64_t until_ms = c->deadline_ms;
	if (c->route->offer_n == 0 && until_ms > dispatch_now(c->dispatch) + DISPATCH_START_WAIT_MS)
		until_ms = dispatch_now(c->dispatch) + DISPATCH_START_WAIT_MS;
	dispatch_timer(c->dispatch, &c->timer, until_ms, TIMER_CALL);
	route_wake(c->dispatch, c->route);
}

void call_give(struct call *c, struct work *w)
{
	list_remove(&c->link);
	c->work = w;
	w->call = c;
	w->depth = c->depth;
	w->d.id = c->id;
	w->d.fence = c->id;
	w->d.deadline_ms = c->deadline_ms;
	buf_add(&w->input, c->input.data, c->input.size);
	work_set_trace(w, buf_bytes(&c->traceparent));
	dispatch_timer(c->dispatch, &c->timer, c->deadline_ms, TIMER_CALL);
	work_give(w);
}

/* Its instance is gone. What never began may go elsewhere; what began only if running it twice does no harm. */
void call_lost(struct call *c, bool started, const struct job_error *error)
{
	const struct route *r = c->route;
	bool idempotent = false;
	const struct registry_entry *entry =
		registry_find(c->dispatch->registry, bytes_of(r->namespace), bytes_of(r->name));
	if (entry)
		idempotent = registry_capability(&entry->offers[0])->flags & 2; /* REEVE_IDEMPOTENT */
	if ((!started || idempotent) && !c->retried) {
		c->retried = started;
		wait_for_room(c, true);
		return;
	}
	struct job_error none = {"crashed", "the instance that ran the call is gone", 1};
	call_finish(c, (struct bytes){NULL, 0}, error ? error : &none);
}

static bool anyone_healthy(const struct route *r)
{
	for (size_t k = 0; k < r->offer_n; k++)
		if (r->offers[k].seat->instance->healthy)
			return true;
	return false;
}

void call_expire(struct call *c)
{
	struct work *w = c->work;
	char message[256];
	if (w) {
		work_cancel(w);
		did_not_answer(c);
	} else if (c->route->offer_n == 0) {
		snprintf(message, sizeof message, "nobody offers %.128s now", c->route->name);
		fail(c, "unavailable", 1, message);
	} else if (!anyone_healthy(c->route)) {
		snprintf(message, sizeof message, "everyone who offers %.128s is unhealthy", c->route->name);
		fail(c, "unavailable", 1, message);
	} else {
		snprintf(message, sizeof message, "everyone who offers %.128s was busy until the deadline", c->route->name);
		fail(c, "timeout", 1, message);
	}
}

/* A capability that runs one at a time and is asked for by its own handler, directly or through others, would wait for itself. */
static bool waits_for_itself(const struct dispatch_call *call, const struct route *r)
{
	for (const struct delivery *x = call->parent; x;) {
		const struct work *w = x->context;
		bool serial = !w->over && x->instance->capabilities[x->capability].flags & 1; /* REEVE_SERIAL */
		if (w->route == r && serial)
			return true;
		x = w->call && w->call->parent ? &w->call->parent->d : NULL;
	}
	return false;
}

/* r NULL: nobody has ever offered it, or asked for it while somebody was starting. */
static enum errcode refuse(struct dispatch *d, const struct dispatch_call *call, const struct route *r, struct err *e)
{
	struct bytes name = call->capability;
	int size = (int)(name.size < 128 ? name.size : 128);
	if (call->depth >= DISPATCH_DEPTH_MAX)
		return err_set(e, E_LIMIT, "calls within calls may be %d deep, and %.*s would be deeper", DISPATCH_DEPTH_MAX,
			size, name.data);
	if (call->input.size > JOB_INPUT_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "the input of a call may have %d bytes, not %zu; use a blob",
			JOB_INPUT_MAX_BYTES, call->input.size);
	if (d->live_calls.n >= DISPATCH_CALLS_MAX)
		return err_set(e, E_LIMIT, "%d calls wait already", DISPATCH_CALLS_MAX);
	if (r && waits_for_itself(call, r))
		return err_set(e, E_INVALID, "%.*s runs one at a time and is waiting for this very call", size, name.data);
	if ((!r || r->offer_n == 0) && !d->calls.anyone_starting(d->calls.context))
		return err_set(e, E_UNAVAILABLE, "nobody offers %.*s now", size, name.data);
	if (!r && d->routes.n >= DISPATCH_ROUTES_MAX)
		return err_set(e, E_LIMIT, "nobody offers %.*s now, and %d capabilities are known already", size, name.data,
			DISPATCH_ROUTES_MAX);
	return E_OK;
}

static void refused(struct dispatch *d, const struct dispatch_call *call, const struct err *e)
{
	struct job_error error = {.retryable = e->code == E_LIMIT || e->code == E_UNAVAILABLE};
	snprintf(error.code, sizeof error.code, "%s", err_word(e->code));
	snprintf(error.message, sizeof error.message, "%s", e->text);
	d->stats.calls_failed++;
	call->done(call->context, (struct bytes){NULL, 0}, &error);
}

uint64_t dispatch_invoke(struct dispatch *d, const struct dispatch_call *call)
{
	struct err e;
	d->stats.calls++;
	if (refuse(d, call, route_find(d, call->namespace, call->capability), &e) != E_OK) {
		refused(d, call, &e);
		return 0;
	}
	struct route *r = route_get(d, call->namespace, call->capability);
	struct call *c = NEW(struct call);
	c->id = ++d->call_last | 1ull << 63;
	c->dispatch = d;
	c->route = r;
	c->parent = call->parent ? call->parent->context : NULL;
	c->deadline_ms = call->deadline_ms;
	c->depth = call->depth;
	c->done = call->done;
	c->context = call->context;
	buf_add(&c->input, call->input.data, call->input.size);
	buf_add(&c->traceparent, call->traceparent.data, call->traceparent.size);
	if (c->parent) {
		if (!c->parent->calls.next)
			list_init(&c->parent->calls);
		list_append(&c->parent->calls, &c->of_parent);
	}
	idmap_put(&d->live_calls, c->id, c);
	uint64_t id = c->id;
	wait_for_room(c, false);
	return id;
}

void dispatch_invoke_cancel(struct dispatch *d, uint64_t id)
{
	struct call *c = idmap_get(&d->live_calls, id);
	if (!c)
		return;
	if (c->work)
		work_cancel(c->work);
	call_free(c);
}

void call_cancel_all(struct work *parent)
{
	while (parent->calls.next && !list_empty(&parent->calls)) {
		struct call *c = container_of(parent->calls.next, struct call, of_parent);
		if (c->work)
			work_cancel(c->work); /* and what that one's handler waits for */
		fail(c, "cancelled", 0, "the handler that called was cancelled, or has ended");
	}
}
