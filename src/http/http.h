/* http.h - an HTTP/1.1 server (libmicrohttpd, external epoll on the loop): a table of routes, requests that may be answered later.
 *
 * Loop thread only. A handler is called once the body is whole (up to the route's limit), or, when the route streams its
 * body, at its end. It answers now or later, exactly once. Errors are RFC 9457 problem+json.
 *
 * LIFETIME of a request: from its first byte until its answer is sent or its client is gone. A handler that answers later
 * says by http_set_data what to do then; from the call of `gone` on, the request must not be touched. `gone` is called
 * exactly once for each http_set_data, also after an answer. A client that goes away while we think is noticed within a second.
 *
 * WHO IS LET IN: the peer of the Unix socket must run as the daemon's own user or as root; others are answered 403.
 *
 * LIMITS: URL 8 KiB, headers 32 KiB, 32 query parameters, the route's body limit, 60 s for a body
 * that is not streamed, 256 MiB of such bodies at one time. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct http_request;

struct http_route {
	const char *method; /* "GET" (serves HEAD, too) */
	const char *path; /* "/v1/jobs/{job_id}"; a parameter is one whole segment. The first route that matches is taken */
	size_t body_max; /* bytes; above: 413 naming the limit. 0: no body is taken; of a streaming route: no limit here */
	void (*handle)(void *context, struct http_request *r);
	/* When set the body is handed on piece by piece and `handle` is called at its end. Every piece is taken; false: no more of
	 * them until http_resume_body (back-pressure). May answer (an error): then the rest is thrown away and `handle` not called. */
	bool (*body)(void *context, struct http_request *r, struct bytes piece);
	const char *summary; /* one sentence, for the OpenAPI document */
	const char *doc; /* more of the OpenAPI operation: members of a JSON object without its braces, or NULL */
	/* NULL: any. Else media types with spaces between: only requests with such a body; stands before the route for the others. */
	const char *body_types;
};

struct http_options {
	const char
		*unix_path; /* made with mode 0600; a stale one is replaced; one that a daemon listens on is E_CONFLICT */
	const struct http_route *const *routes; /* tables, NULL last; a table ends with method NULL */
	void *context;
	unsigned connections_max; /* default 1024 */
	unsigned idle_timeout_s; /* default 60 */
	unsigned body_timeout_ms; /* for the whole of a body that is not streamed; default 60000 */
	size_t bodies_max; /* bytes of all bodies that are gathered at one time; default 256 MiB; above: 429 */
	/* Told of every answer, for metrics; may be NULL. `route` is NULL when none matched. */
	void (*answered)(void *context, const struct http_route *route, int status, uint64_t took_us);
};

enum errcode http_server_open(struct loop *l, const struct http_options *o, struct http_server **out, struct err *e);
/* Open requests are dropped (their `gone` is called); the socket's file is removed. NULL is fine. */
void http_server_close(struct http_server *s);

/* Texts are decoded, UTF-8, have a NUL behind them, and live as long as the request. */
struct bytes http_param(struct http_request *r, const char *name); /* path parameter; {NULL,0} when there is none */
struct bytes http_query(struct http_request *r, const char *name); /* query parameter; {NULL,0} when absent */
struct bytes http_header(struct http_request *r, const char *name);
struct bytes http_body(struct http_request *r); /* any bytes: whoever reads JSON checks it (json_span.h) */
void http_take_body(struct http_request *r, struct buf *out); /* the bytes are the caller's from now on */
int http_peer_uid(struct http_request *r); /* of the Unix socket's peer; -1 unknown */
int http_peer_pid(struct http_request *r); /* when it connected; -1 unknown */
bool http_client_there(struct http_request *r); /* asks the kernel now: its client has not closed the connection */
void *http_data(struct http_request *r);
/* The handler's own pointer, and what to do when the request ends, however it ends: always once. */
void http_set_data(struct http_request *r, void *data, void (*gone)(void *data));

/* Each answers; r must not be used afterwards (except in `gone`). Bodies are copied. */
void http_reply_json(struct http_request *r, int status, struct bytes json);
void http_reply_buf(
	struct http_request *r, int status, const char *content_type, struct buf *body); /* takes its bytes */
void http_reply(struct http_request *r, int status, const char *content_type, struct bytes body);
void http_reply_fd(struct http_request *r, int status, const char *content_type, int fd, uint64_t size); /* takes fd */
void http_problem(struct http_request *r, const struct err *e); /* status by e->code; 429 and 503 with Retry-After */
/* As http_problem with another status; `pointer`: the JSON pointer of what is wrong in the body, or NULL. */
void http_problem_at(struct http_request *r, int status, const struct err *e, const char *pointer);
/* With members of its own (",\"length\":7", or NULL), and another wait before 429 and 503 may be tried again. */
void http_problem_with(struct http_request *r, int status, const struct err *e, const char *pointer,
	const char *members, unsigned retry_after_s);
void http_add_header(struct http_request *r, const char *name, const char *value); /* before the answer; at most 8 */

int http_status_of(enum errcode code); /* the one table */

/* Server-sent events or any stream of unknown length. After http_stream_open the request stays usable until `gone`. */
void http_stream_open(struct http_request *r, int status, const char *content_type);
bool http_stream_write(
	struct http_request *r, struct bytes data); /* kept in full. False: 1 MiB waits, the client is too slow */
void http_stream_on_drain(
	struct http_request *r, void (*drained)(void *data)); /* called (with http_data) when under 64 KiB wait */
void http_stream_close(struct http_request *r);
void http_stream_abort(struct http_request *r); /* the same, but the client sees that something is missing */
void http_resume_body(struct http_request *r);
