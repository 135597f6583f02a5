/* http.h - an HTTP/1.1 server (libmicrohttpd, external epoll on the loop): a table of routes, requests that may be answered later.
 *
 * Loop thread only. A handler is called once the body is whole (up to the route's limit), or at the first byte when the
 * route streams its body. It answers now or later, once. Errors are RFC 9457 problem+json. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct http_request;

struct http_route {
	const char *method; /* "GET" */
	const char *path;	/* "/v1/jobs/{job_id}" */
	size_t body_max;	/* bytes; above: 413 naming the limit. 0: no body is taken */
	void (*handle)(void *context, struct http_request *r);
	/* When set the body is handed on piece by piece on the loop thread and `handle` is called at its end. False: paused until
	 * http_resume_body (back-pressure). */
	bool (*body)(void *context, struct http_request *r, struct bytes piece);
	const char *summary; /* for the OpenAPI document */
};

struct http_options {
	const char *unix_path; /* made with mode 0600; a stale one is replaced */
	const struct http_route *const *routes; /* tables, NULL last; a table ends with method NULL */
	void *context;
	unsigned connections_max; /* default 1024 */
	unsigned idle_timeout_s;  /* default 60 */
};

enum errcode http_server_open(struct loop *l, const struct http_options *o, struct http_server **out, struct err *e);
void http_server_close(struct http_server *s);

struct bytes http_param(struct http_request *r, const char *name);	/* path parameter, decoded; {NULL,0} when there is none */
struct bytes http_query(struct http_request *r, const char *name);	/* query parameter, decoded; {NULL,0} when absent */
struct bytes http_header(struct http_request *r, const char *name);
struct bytes http_body(struct http_request *r);
int http_peer_uid(struct http_request *r); /* of the Unix socket's peer; -1 unknown */
int http_peer_pid(struct http_request *r);
void *http_data(struct http_request *r);
/* The handler's own pointer and what to do when the client goes away before the answer (or after it: always once). */
void http_set_data(struct http_request *r, void *data, void (*gone)(void *data));

/* Each answers; r must not be used afterwards (except in `gone`). Bodies are copied. */
void http_reply_json(struct http_request *r, int status, struct bytes json);
void http_reply(struct http_request *r, int status, const char *content_type, struct bytes body);
void http_reply_fd(struct http_request *r, int status, const char *content_type, int fd, uint64_t size); /* takes fd */
void http_problem(struct http_request *r, const struct err *e); /* status by e->code, one table; 429 and 503 with Retry-After */
void http_add_header(struct http_request *r, const char *name, const char *value); /* before the answer */

/* Server-sent events or any stream of unknown length. */
void http_stream_open(struct http_request *r, int status, const char *content_type);
bool http_stream_write(struct http_request *r, struct bytes data); /* false: the client is too slow (1 MiB waiting); drop or close */
void http_stream_close(struct http_request *r);
void http_resume_body(struct http_request *r);
