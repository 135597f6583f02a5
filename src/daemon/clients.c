/* Clients of the link: submit, wait, show, call, as the HTTP API has them, without HTTP. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdlib.h>

struct waiting { /* one WAIT */
	struct client_holds holds; /* first member */
	struct wait wait;
	struct daemon *daemon;
	struct link_request *request;
	struct loop_timer *timer;
};

static void waiting_free(struct waiting *w)
{
	waits_remove(w->daemon->waits, &w->wait);
	loop_timer_free(w->timer);
	free(w);
}

static void waiter_gone(struct client_holds *holds)
{
	struct waiting *w = container_of(holds, struct waiting, holds);
	struct link_outcome nobody = {.id = w->wait.job_id, .state = JOB_PENDING};
	link_request_set(w->request, NULL);
	link_ended(w->request, &nobody);
	waiting_free(w);
}

/* ── submit ── */

static void submitted(void *context, const struct submit_reply *reply)
{
	struct link_request *r = context;
	if (reply->code == E_OK) {
		link_submitted(r, reply->ids, reply->existing, reply->n);
		return;
	}
	struct err e;
	err_set(&e, reply->code, "the jobs could not be stored: %s", err_word(reply->code));
	link_refused(r, &e);
}

static void joined(void *context, const struct batch_reply *reply)
{
	submitted(context, &(struct submit_reply){reply->code, reply->jobs->n, reply->jobs->ids, reply->jobs->existing});
}

/* What only the engine knows: whom a callback may reach, and that one batch takes all jobs of a submit. */
static enum errcode check_specs(struct daemon *d, const struct job_spec *specs, size_t n, struct err *e)
{
	enum errcode code = E_OK;
	for (size_t i = 0; !code && i < n; i++) {
		if (specs[i].callback.size)
			code = callback_check(d->api.allow, specs[i].callback, e);
		if (!code && specs[i].batch_id != specs[0].batch_id)
			code = err_set(e, E_INVALID, "batch: all jobs of a submit are of one batch, or of none");
	}
	return code;
}

static enum errcode hand_over(
	struct daemon *d, struct link_request *r, const struct job_spec *specs, size_t n, struct err *e)
{
	if (!specs[0].batch_id)
		return queues_submit(d->queues, specs, n, clock_now(d), submitted, r, e);
	scoped(mem_free_at) struct job_spec *own = mem_new(n * sizeof *own);
	memcpy(own, specs, n * sizeof *own);
	return batches_add(d->batches, specs[0].batch_id, own, n, clock_now(d), joined, r, e);
}

static void handle_submit(void *context, struct link_request *r, const struct job_spec *specs, size_t n)
{
	struct daemon *d = context;
	struct err e;
	if (check_specs(d, specs, n, &e) != E_OK || hand_over(d, r, specs, n, &e) != E_OK)
		link_refused(r, &e);
}

/* ── wait ── */

static enum job_state state_of(enum queue_end end)
{
	static const enum job_state states[] = {
		[END_COMPLETED] = JOB_COMPLETED, [END_FAILED] = JOB_FAILED, [END_CANCELLED] = JOB_CANCELLED};
	return states[end];
}

static void tell_end(struct wait *wait, const struct job_outcome *o)
{
	struct waiting *w = container_of(wait, struct waiting, wait);
	struct link_outcome outcome = {
		wait->job_id, state_of(o->end), o->result, o->end == END_COMPLETED ? NULL : &o->error};
	struct link_request *r = w->request;
	link_request_set(r, NULL);
	link_ended(r, &outcome);
	waiting_free(w);
}

static void tell_state(void *context)
{
	struct waiting *w = context;
	struct job *j = queues_find(w->daemon->queues, w->wait.job_id);
	struct link_outcome outcome = {.id = w->wait.job_id, .state = j ? (enum job_state)j->state : JOB_PENDING};
	if (outcome.state == JOB_SETTLING)
		outcome.state = JOB_PROCESSING;
	struct link_request *r = w->request;
	link_request_set(r, NULL);
	link_ended(r, &outcome);
	waiting_free(w);
}

/* One that is over is in the store. */
static void tell_stored(struct daemon *d, struct link_request *r, uint64_t id)
{
	static const enum store_table tables[] = {STORE_DONE, STORE_DEAD};
	scoped(buf_fini) struct buf head = {0}, body = {0};
	struct err e;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct job_view view;
		buf_clear(&head);
		buf_clear(&body);
		enum errcode code = d->store->ops->read(d->store, tables[i], (struct store_key){.id = id}, &head, &body, &e);
		if (code == E_NOT_FOUND)
			continue;
		if (code || job_view_decode(tables[i], id, buf_bytes(&head), &view, &e) != E_OK) {
			link_refused(r, &e);
			return;
		}
		struct link_outcome outcome = {id, view.state,
			view.state == JOB_COMPLETED ? buf_bytes(&body) : (struct bytes){0},
			view.state == JOB_COMPLETED ? NULL : &view.error};
		link_ended(r, &outcome);
		return;
	}
	err_set(&e, E_NOT_FOUND, "there is no such job");
	link_refused(r, &e);
}

static void handle_wait(void *context, struct link_request *r, uint64_t id, int64_t timeout_ms)
{
	struct daemon *d = context;
	if (!queues_find(d->queues, id)) {
		tell_stored(d, r, id);
		return;
	}
	struct waiting *w = NEW(struct waiting);
	w->holds.gone = waiter_gone;
	w->daemon = d;
	w->request = r;
	w->wait.ended = tell_end;
	link_request_set(r, w);
	waits_add(d->waits, &w->wait, id);
	if (timeout_ms >= 0) {
		w->timer = loop_timer_new(d->loop, tell_state, w);
		loop_timer_set(w->timer, timeout_ms);
	}
}

/* ── show, call ── */

static void handle_show(void *context, struct link_request *r, uint64_t id)
{
	struct daemon *d = context;
	scoped(buf_fini) struct buf json = {0};
	struct err e;
	if (api_job_json(&d->api, id, &json, &e) == E_OK)
		link_shown(r, buf_bytes(&json));
	else
		link_refused(r, &e);
}

static void called(void *context, struct bytes result, const struct job_error *error)
{
	link_called(context, result, error);
}

static void handle_call(void *context, struct link_request *r, struct bytes namespace, struct bytes capability,
	struct bytes input, int64_t timeout_ms)
{
	struct daemon *d = context;
	struct dispatch_call call = {.namespace = namespace,
		.capability = capability,
		.input = input,
		.deadline_ms = clock_now(d) + (timeout_ms > 0 ? timeout_ms : API_INVOKE_TIMEOUT_MS),
		.done = called,
		.context = r};
	dispatch_invoke(d->dispatch, &call);
}

/* A call goes on without its client: its answer frees the request. A wait has nothing left to do. */
static void handle_gone(void *context, struct link_request *r)
{
	struct client_holds *holds = link_request_get(r);
	if (holds)
		holds->gone(holds);
}

enum errcode clients_open(struct daemon *d, struct err *e)
{
	struct link_client_handlers handlers = {.context = d,
		.submit = handle_submit,
		.wait = handle_wait,
		.show = handle_show,
		.call = handle_call,
		.batch = client_batch,
		.control = client_control,
		.gone = handle_gone};
	char path[300];
	snprintf(path, sizeof path, "%s.link", d->settings->socket);
	return link_clients_open(d->loop, path, d->settings->node, &handlers, &d->clients, e);
}
