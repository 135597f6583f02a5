#include "link/client_session.h"

#include "base/list.h"
#include "base/mem.h"
#include "link/conn.h"
#include "link/listen.h"
#include "loop/loop.h"
#include "wire/host.h"

#include <stdlib.h>
#include <string.h>

enum { SHOW_MAX = 3 << 20 };

struct link_clients {
	struct loop *loop;
	char *node;
	struct link_client_handlers handlers;
	struct link_listener *listener;
	struct list clients;
	size_t n;
	struct link_request *free_requests;
	size_t unanswered; /* requests, of clients that are gone, too */
	bool closed; /* the last answer frees it */
};

struct client {
	struct link_clients *all;
	struct link_conn *conn;
	struct list link, requests;
	size_t request_n;
	bool greeted;
};

struct link_request {
	struct link_clients *all;
	struct client *client; /* NULL: it is gone */
	struct list link; /* in client->requests */
	uint64_t ticket;
	uint8_t type;
	bool wait; /* a SUBMIT that wants the outcomes, too */
	void *context;
	struct link_request *next_free;
};

/* ── requests ── */

static struct link_request *request_new(struct client *c, uint64_t ticket, uint8_t type)
{
	struct link_request *r = c->all->free_requests;

	if (r)
		c->all->free_requests = r->next_free;
	else
		r = NEW(struct link_request);
	*r = (struct link_request){.all = c->all, .client = c, .ticket = ticket, .type = type};
	list_append(&c->requests, &r->link);
	c->request_n++;
	c->all->unanswered++;
	return r;
}

static void clients_free(struct link_clients *all)
{
	struct link_request *r;

	while ((r = all->free_requests)) {
		all->free_requests = r->next_free;
		free(r);
	}
	free(all->node);
	free(all);
}

/* Answered. */
static void request_end(struct link_request *r)
{
	struct link_clients *all = r->all;

	if (r->client) {
		list_remove(&r->link);
		r->client->request_n--;
	}
	r->next_free = all->free_requests;
	all->free_requests = r;
	if (--all->unanswered == 0 && all->closed)
		clients_free(all);
}

void *link_request_get(const struct link_request *r)
{
	return r->context;
}

void link_request_set(struct link_request *r, void *context)
{
	r->context = context;
}

/* ── answers ── */

static int outcome_of(enum errcode code)
{
	switch (code) {
	case E_NOT_FOUND:
		return REEVE_E_NOT_FOUND;
	case E_STATE:
	case E_CONFLICT:
		return REEVE_E_STATE;
	case E_TOO_LARGE:
		return REEVE_E_TOO_LARGE;
	case E_LIMIT:
	case E_NO_SPACE:
	case E_UNAVAILABLE:
	case E_TIMEOUT:
	case E_IO:
		return REEVE_E_AGAIN;
	case E_CANCELLED:
		return REEVE_E_CANCELLED;
	case E_NO_MEMORY:
		return REEVE_E_NO_MEMORY;
	case E_INVALID:
	case E_DENIED:
		return REEVE_E_INVALID;
	default:
		return REEVE_E_INTERNAL;
	}
}

/* The jobs are there; who asked for it also hears how they end. */
static void wait_for_all(struct client *c, uint64_t ticket, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		c->all->handlers.wait(c->all->handlers.context, request_new(c, ticket, FRAME_WAIT), ids[i], -1);
}

void link_submitted(struct link_request *r, const uint64_t *ids, const bool *existing, size_t n)
{
	struct client *c = r->client;
	uint64_t ticket = r->ticket;
	bool wait = r->wait;

	request_end(r);
	if (!c)
		return;
	char small[8 + 9 * 8], *body = n <= 8 ? small : mem_new(8 + 9 * n), *at = body;
	struct message_out m = {.n = 1};
	at = frame_put_number(frame_put_number(at, n, 4), 0, 4);
	for (size_t i = 0; i < n; i++)
		at = frame_put_number(at, ids[i], 8);
	for (size_t i = 0; i < n; i++)
		*at++ = existing && existing[i];
	m.parts[0] = (struct stream_part){body, (size_t)(at - body)};
	link_conn_put(c->conn, FRAME_SUBMITTED, ticket, &m, NULL, 0);
	if (body != small)
		free(body);
	if (wait)
		wait_for_all(c, ticket, ids, n);
}

static void put_refused(struct client *c, uint64_t ticket, enum errcode code, const char *text)
{
	struct message_out m;
	message_put_simple(&m, &(struct message_simple){0, outcome_of(code), {text, strlen(text)}});
	link_conn_put(c->conn, FRAME_REFUSED, ticket, &m, NULL, 0);
}

void link_refused(struct link_request *r, const struct err *why)
{
	if (r->client)
		put_refused(r->client, r->ticket, why->code, why->text);
	request_end(r);
}

static void put_answer(struct link_request *r, uint8_t type, struct message_answer *a, const struct job_error *error)
{
	struct message_out m;

	if (error) {
		a->retryable = error->retryable != 0;
		a->code = (struct span){error->code, strlen(error->code)};
		a->text = (struct span){error->message, strlen(error->message)};
	}
	if (r->client) {
		message_put_answer(&m, a);
		link_conn_put(r->client->conn, type, r->ticket, &m, NULL, 0);
	}
	request_end(r);
}

void link_ended(struct link_request *r, const struct link_outcome *o)
{
	struct message_answer a = {
		.subject = o->id, .state = (uint8_t)o->state, .result = {o->result.data, o->result.size}};
	put_answer(r, FRAME_OUTCOME, &a, o->error);
}

void link_called(struct link_request *r, struct bytes result, const struct job_error *error)
{
	struct message_answer a = {.state = error != NULL, .result = {result.data, result.size}};
	put_answer(r, FRAME_CALL_RESULT, &a, error);
}

void link_shown(struct link_request *r, struct bytes json)
{
	struct client *c = r->client;

	if (c && json.size > SHOW_MAX)
		put_refused(c, r->ticket, E_TOO_LARGE, "the job is too large to be shown over the link; use GET /v1/jobs/{id}");
	else if (c)
		link_conn_put_json(c->conn, FRAME_SHOWN, r->ticket, json.data, json.size);
	request_end(r);
}

void link_controlled(struct link_request *r)
{
	struct message_out m;

	if (r->client) {
		message_put_simple(&m, &(struct message_simple){0});
		link_conn_put(r->client->conn, FRAME_CONTROLLED, r->ticket, &m, NULL, 0);
	}
	request_end(r);
}

/* ── questions ── */

static struct bytes bytes_at(struct span s)
{
	return (struct bytes){s.data, s.size};
}

static bool read_spec(const struct wire_message *m, size_t *at, struct job_spec *out)
{
	struct message_spec s;

	if (!message_get_spec(m, at, &s))
		return false;
	job_spec_init(out);
	out->capability = bytes_at(s.capability);
	if (s.namespace.size)
		out->namespace = bytes_at(s.namespace);
	out->input = bytes_at(s.input);
	out->idempotency_key = bytes_at(s.key);
	out->key = bytes_at(s.fair_key);
	out->tags = bytes_at(s.tags);
	out->traceparent = bytes_at(s.traceparent);
	out->priority = s.priority;
	out->due_at_ms = s.due_at_ms;
	out->expires_at_ms = s.expires_at_ms;
	out->deadline_ms = s.deadline_ms;
	out->retry_delay_ms = s.retry_delay_ms;
	out->retry_cap_ms = s.retry_cap_ms;
	out->callback = bytes_at(s.callback);
	out->batch_id = s.batch;
	out->unique = (struct job_unique){s.unique_states, s.unique_period_ms, bytes_at(s.unique_key)};
	if (s.timeout_ms)
		out->timeout_ms = s.timeout_ms;
	if (s.max_attempts)
		out->max_attempts = s.max_attempts > JOB_ATTEMPTS_MAX ? JOB_ATTEMPTS_MAX + 1 : (int)s.max_attempts;
	return true;
}

static const char *take_submit(struct client *c, const struct wire_message *m)
{
	struct job_spec small[4], *specs = small;
	const char *why = NULL;
	struct err e = {0};
	size_t at = MESSAGE_SUBMIT_HEAD, n = m->size >= MESSAGE_SUBMIT_HEAD ? frame_number(m->data, 4) : 0;
	enum errcode code = E_OK;

	if (n < 1 || n > JOB_BATCH_MAX)
		return "SUBMIT needs 1 to 10000 jobs";
	if (n > 4)
		specs = mem_new(n * sizeof *specs);
	for (size_t i = 0; i < n && !why && code == E_OK; i++) {
		if (!read_spec(m, &at, &specs[i]))
			why = "SUBMIT is malformed";
		else
			code = job_spec_check(&specs[i], &e);
	}
	if (!why && code != E_OK) {
		put_refused(c, m->id, code, e.text);
	} else if (!why) {
		struct link_request *r = request_new(c, m->id, FRAME_SUBMIT);
		r->wait = frame_number(m->data + 4, 4) & MESSAGE_SUBMIT_WAIT;
		c->all->handlers.submit(c->all->handlers.context, r, specs, n);
	}
	if (specs != small)
		free(specs);
	return why;
}

static const char *take_call(struct client *c, const struct wire_message *m)
{
	const struct link_client_handlers *h = &c->all->handlers;
	struct message_call call;

	if (!message_get_call(m, &call) || call.capability.size > JOB_NAME_MAX || call.namespace.size > JOB_NAME_MAX)
		return "CALL is malformed";
	if (call.input.size > JOB_INPUT_MAX_BYTES)
		put_refused(c, m->id, E_TOO_LARGE, "the input of a call may have at most 1 MiB");
	else
		h->call(h->context, request_new(c, m->id, FRAME_CALL), bytes_at(call.namespace), bytes_at(call.capability),
			bytes_at(call.input), call.timeout_ms);
	return NULL;
}

static const char *take_question(struct client *c, const struct wire_message *m)
{
	const struct link_client_handlers *h = &c->all->handlers;
	struct message_simple s;

	if (!message_get_simple(m, &s))
		return "a question about a job is malformed";
	if (m->type == FRAME_WAIT)
		h->wait(h->context, request_new(c, m->id, FRAME_WAIT), s.fence, s.number);
	else
		h->show(h->context, request_new(c, m->id, FRAME_SHOW), s.fence);
	return NULL;
}

static const char *take_batch(struct client *c, const struct wire_message *m)
{
	const struct link_client_handlers *h = &c->all->handlers;
	struct message_simple s;

	if (!message_get_simple(m, &s))
		return "a question about a batch is malformed";
	h->batch(h->context, request_new(c, m->id, FRAME_SHOW), (enum link_batch)(m->type - FRAME_BATCH_OPEN), s.fence,
		s.number, bytes_at(s.data));
	return NULL;
}

static const char *take_control(struct client *c, const struct wire_message *m)
{
	const struct link_client_handlers *h = &c->all->handlers;
	struct message_control what;

	if (!message_get_control(m, &what))
		return "CONTROL is malformed";
	h->control(h->context, request_new(c, m->id, FRAME_CONTROL), &what);
	return NULL;
}

static const char *greet(struct client *c, const struct wire_message *m)
{
	struct buf json = {0};

	if (m->type != FRAME_HELLO)
		return "the first frame must be HELLO";
	c->greeted = true;
	buf_text(&json, "{\"role\":\"client\",\"node\":");
	buf_json_string(&json, bytes_of(c->all->node));
	buf_text(&json, "}");
	link_conn_put_json(c->conn, FRAME_WELCOME, 0, json.data, json.size);
	buf_fini(&json);
	return NULL;
}

static const char *on_message(void *context, struct wire_message *m)
{
	struct client *c = context;

	if (m->file_n)
		return "a descriptor comes with a frame that takes none";
	if (!c->greeted)
		return greet(c, m);
	if (c->request_n >= LINK_REQUESTS_MAX)
		return "more than 16384 requests are unanswered";
	switch (m->type) {
	case FRAME_SUBMIT:
		return take_submit(c, m);
	case FRAME_CALL:
		return take_call(c, m);
	case FRAME_WAIT:
	case FRAME_SHOW:
		return take_question(c, m);
	case FRAME_BATCH_OPEN:
	case FRAME_BATCH_CLOSE:
	case FRAME_BATCH_CANCEL:
	case FRAME_BATCH_WAIT:
		return take_batch(c, m);
	case FRAME_CONTROL:
		return take_control(c, m);
	default:
		return frame_name(m->type) ? "a client may not send this frame" : NULL; /* ignorable */
	}
}

/* ── clients ── */

static void client_free(struct client *c)
{
	struct link_clients *all = c->all;

	list_remove(&c->link);
	all->n--;
	while (!list_empty(&c->requests)) {
		struct link_request *r = container_of(c->requests.next, struct link_request, link);
		list_remove(&r->link);
		r->client = NULL;
		if (all->handlers.gone)
			all->handlers.gone(all->handlers.context, r);
	}
	free(c);
}

static void on_closed(void *context, const char *why)
{
	client_free(context);
}

static const struct link_conn_events conn_events = {on_message, on_closed};

static void on_accepted(void *context, int fd)
{
	struct link_clients *all = context;
	struct client *c = NEW(struct client);

	c->all = all;
	list_init(&c->requests);
	list_append(&all->clients, &c->link);
	all->n++;
	c->conn = link_conn_open(all->loop, fd, &conn_events, c);
	if (all->n > LINK_CLIENTS_MAX)
		link_conn_end(c->conn, "limit", "1024 clients are connected already");
}

enum errcode link_clients_open(struct loop *loop, const char *path, const char *node,
	const struct link_client_handlers *handlers, struct link_clients **out, struct err *e)
{
	struct link_clients *all = NEW(struct link_clients);
	enum errcode code;

	*all = (struct link_clients){.loop = loop, .handlers = *handlers};
	list_init(&all->clients);
	code = link_listener_open(loop, path, -1, on_accepted, all, &all->listener, e);
	if (code != E_OK) {
		free(all);
		return code;
	}
	all->node = mem_text(node);
	*out = all;
	return E_OK;
}

void link_clients_close(struct link_clients *all)
{
	if (!all)
		return;
	link_listener_close(all->listener);
	while (!list_empty(&all->clients)) {
		struct client *c = container_of(all->clients.next, struct client, link);
		link_conn_drop(c->conn);
		client_free(c);
	}
	all->closed = true;
	if (!all->unanswered)
		clients_free(all);
}
