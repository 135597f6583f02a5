#include "http/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void *request_begin(void *server, const char *uri, struct MHD_Connection *connection)
{
	struct http_server *s = server;
	struct http_request *r = NEW(struct http_request);
	r->server = s;
	r->connection = connection;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	r->peer = info ? info->socket_context : NULL;
	r->uri = mem_text(uri);
	r->began_ms = loop_now_ms(s->loop);
	r->began_ns = uv_hrtime();
	list_append(&s->requests, &r->link);
	s->request_n++;
	sweep_start(s);
	return r;
}

static void free_request(struct http_request *r)
{
	list_remove(&r->link);
	r->server->request_n--;
	for (unsigned i = 0; i < r->header_n; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	if (r->response)
		MHD_destroy_response(r->response);
	r->server->body_bytes -= r->body.size;
	buf_fini(&r->body);
	buf_fini(&r->out);
	buf_fini(&r->problem);
	free(r->uri);
	free(r);
}

void request_end(void *server, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = server;
	struct http_request *r = *request;
	if (!r)
		return;
	*request = NULL;
	if (r->replied && s->o.answered)
		s->o.answered(s->o.context, r->route, r->status, (uv_hrtime() - r->began_ns) / 1000);
	void (*gone)(void *) = r->gone;
	r->gone = NULL;
	if (gone)
		gone(r->data);
	free_request(r);
}

/* ── who, where, how much: decided when the headers are there ── */

static enum errcode check_peer(const struct http_request *r, struct err *e)
{
	if (r->peer && (r->peer->uid == 0 || (r->peer->uid >= 0 && (uid_t)r->peer->uid == geteuid())))
		return E_OK;
	return err_set(
		e, E_DENIED, "this socket serves uid %d and root; you are uid %d", (int)geteuid(), r->peer ? r->peer->uid : -1);
}

static enum errcode check_length(struct http_request *r, struct err *e)
{
	struct bytes length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	unsigned long long size = length.data ? strtoull(length.data, NULL, 10) : 0;
	size_t max = r->route->body_max;
	if (r->route->body && max == 0)
		return E_OK;
	if (max == 0 && (size || http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING).data))
		return err_set(e, E_TOO_LARGE, "%s %s takes no body", r->route->method, r->route->path);
	if (size > max)
		return err_set(e, E_TOO_LARGE, "the body has %llu bytes; %s %s takes at most %zu", size, r->route->method,
			r->route->path, max);
	return E_OK;
}

static void route(struct http_request *r, const char *method)
{
	struct err e = {0};
	char allow[64];
	int status = 0;
	r->routed = true;
	if (!uri_split(r, &e)) {
		status = e.code == E_TOO_LARGE ? 414 : 400;
	} else if (check_peer(r, &e) == E_OK && router_match(r, method, allow, sizeof allow, &e) != E_OK) {
		if (e.code == E_STATE) {
			http_add_header(r, MHD_HTTP_HEADER_ALLOW, allow);
			status = 405;
		}
	} else if (e.code == E_OK) {
		check_length(r, &e);
	}
	if (e.code != E_OK) {
		r->route = NULL;
		http_problem_at(r, status ? status : http_status_of(e.code), &e, NULL);
	}
}

/* ── the answer ── */

static enum MHD_Result queue_answer(struct http_request *r)
{
	enum MHD_Result rc = MHD_queue_response(r->connection, (unsigned)r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return rc;
}

/* A refused client that goes on sending: libmicrohttpd answers nobody in the middle of a body, so we write the answer
 * ourselves and end the connection. */
static enum MHD_Result answer_and_drop(struct http_request *r)
{
	scoped(buf_fini) struct buf b = {0};
	buf_format(&b,
		"HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		r->status, MHD_get_reason_phrase_for((unsigned)r->status), r->problem.size);
	buf_add(&b, r->problem.data, r->problem.size);
	if (r->peer && r->problem.size)
		while (send(r->peer->fd, b.data, b.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
			;
	return MHD_NO;
}

static enum MHD_Result first_call(struct http_request *r, const char *method)
{
	route(r, method);
	if (!r->replied)
		return MHD_YES;
	/* Refused. A short body is read away, so that the connection can go on; a long one, or one that waits for
	 * "100 Continue", is not asked for. */
	struct bytes length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	bool waits = http_header(r, MHD_HTTP_HEADER_EXPECT).data != NULL;
	if (waits || (length.data && strtoull(length.data, NULL, 10) > REQUEST_DISCARD_MAX))
		return queue_answer(r);
	return MHD_YES;
}

/* A body whose length was not told, or was a lie; or too many of them at once. */
static void check_piece(struct http_request *r, size_t size)
{
	const struct http_route *route = r->route;
	struct err e = {0};
	if (route->body_max && r->received + size > route->body_max)
		err_set(&e, E_TOO_LARGE, "the body is too large: %s %s takes at most %zu bytes", route->method, route->path,
			route->body_max);
	else if (!route->body && r->server->body_bytes + size > r->server->o.bodies_max)
		err_set(&e, E_LIMIT, "too many bodies are under way: %zu bytes of them are gathered at one time",
			r->server->o.bodies_max);
	else if (!route->body && !buf_try_reserve(&r->body, size))
		err_set(&e, E_NO_MEMORY, "there is no memory for this body now; %zu bytes of it had come", r->body.size);
	if (e.code != E_OK)
		http_problem(r, &e);
}

static enum MHD_Result take_piece(struct http_request *r, const char *data, size_t *size)
{
	struct bytes piece = {data, *size};
	if (r->dropped)
		return MHD_NO;
	if (!r->replied)
		check_piece(r, piece.size);
	if (r->replied) {
		r->discarded += piece.size;
		if (r->discarded > REQUEST_DISCARD_MAX)
			return answer_and_drop(r);
	} else if (r->route->body) {
		r->body_paused = !r->route->body(r->server->o.context, r, piece) && !r->replied;
		if (r->body_paused)
			server_suspend(r);
	} else {
		buf_add(&r->body, piece.data, piece.size);
		r->server->body_bytes += piece.size;
	}
	r->received += piece.size;
	*size = 0;
	return MHD_YES;
}

enum MHD_Result request_go_on(void *server, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **request)
{
	struct http_request *r = *request;
	if (!r->routed)
		return first_call(r, method);
	if (*size)
		return take_piece(r, data, size);
	if (r->dropped)
		return MHD_NO;
	if (!r->replied && !r->handled) {
		r->handled = true;
		r->route->handle(r->server->o.context, r);
	}
	if (r->response)
		return queue_answer(r);
	server_suspend(r);
	return MHD_YES;
}

/* ── what handlers ask ── */

static struct bytes value_of(const struct pair *pairs, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (bytes_equal(pairs[i].name, bytes_of(name)))
			return pairs[i].value;
	}
	return (struct bytes){NULL, 0};
}

struct bytes http_param(struct http_request *r, const char *name)
{
	return value_of(r->params, r->param_n, name);
}

struct bytes http_query(struct http_request *r, const char *name)
{
	return value_of(r->query, r->query_n, name);
}

struct bytes http_header(struct http_request *r, const char *name)
{
	return bytes_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

struct bytes http_body(struct http_request *r)
{
	return buf_bytes(&r->body);
}

void http_take_body(struct http_request *r, struct buf *out)
{
	r->server->body_bytes -= r->body.size;
	*out = r->body;
	r->body = (struct buf){0};
}

int http_peer_uid(struct http_request *r)
{
	return r->peer ? r->peer->uid : -1;
}

int http_peer_pid(struct http_request *r)
{
	return r->peer ? r->peer->pid : -1;
}

void *http_data(struct http_request *r)
{
	return r->data;
}

void http_set_data(struct http_request *r, void *data, void (*gone)(void *data))
{
	r->data = data;
	r->gone = gone;
}

void http_resume_body(struct http_request *r)
{
	if (r->body_paused) {
		r->body_paused = false;
		server_resume(r);
	}
}
