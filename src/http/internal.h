/* internal.h - what the files of http/ share: the server, a request. Nobody else includes it. */
#pragma once
#include "base/list.h"
#include "http/http.h"

#include <microhttpd.h>

enum {
	REQUEST_URI_MAX = 8192,
	REQUEST_QUERY_MAX = 32,
	REQUEST_PARAM_MAX = 4,
	REQUEST_HEADER_MAX = 8,
	REQUEST_DISCARD_MAX = 4 << 20, /* of a refused body is read to let the client see the answer */
	STREAM_FULL = 1 << 20,
	STREAM_LOW = 64 << 10,
};

struct http_server {
	struct loop *loop;
	struct http_options o;
	struct MHD_Daemon *daemon;
	char *unix_path;
	uint64_t inode; /* of the socket's file: we remove only our own */
	uv_poll_t poll;
	struct loop_timer *timer, *sweep;
	struct message turn; /* runs libmicrohttpd at the end of this turn */
	bool turn_waits, poll_open, closing;
	struct list requests; /* of struct http_request.link */
	size_t request_n;
	size_t body_bytes; /* in the bodies of all requests */
};

struct peer { /* of a connection */
	int fd, uid, pid;
};

struct pair {
	struct bytes name, value;
};

struct http_request {
	struct http_server *server;
	struct MHD_Connection *connection;
	const struct peer *peer;
	const struct http_route *route;
	struct list link;
	char *uri; /* our copy; names and values below lie in it, decoded */
	size_t uri_size; /* path: up to the '?' */
	struct pair query[REQUEST_QUERY_MAX], params[REQUEST_PARAM_MAX];
	unsigned query_n, param_n;
	struct buf body;
	size_t received, discarded;
	int64_t began_ms;
	uint64_t began_ns;
	bool routed, handled, suspended, replied, dropped, body_paused;
	/* the answer */
	struct {
		char *name, *value;
	} headers[REQUEST_HEADER_MAX];
	unsigned header_n;
	struct MHD_Response *response; /* until it is queued */
	int status;
	struct buf problem; /* text of an error, for a client that must be dropped in the middle of its body */
	struct buf out; /* stream: what waits; from out_at on */
	size_t out_at;
	bool stream_closed;
	bool stream_cut; /* it ended with less than was to come */
	void (*drained)(void *data);
	void *data;
	void (*gone)(void *data);
};

/* server.c */
void server_schedule(struct http_server *s); /* libmicrohttpd runs again soon; any time */
void server_suspend(struct http_request *r);
void server_resume(struct http_request *r);

/* request.c: libmicrohttpd's callbacks */
void *request_begin(void *server, const char *uri, struct MHD_Connection *connection);
enum MHD_Result request_go_on(void *server, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **request);
void request_end(void *server, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why);

/* sweep.c: every half second while there are requests */
void sweep_requests(void *server);
void sweep_start(struct http_server *s);

/* listen.c: E_CONFLICT when another process listens there */
enum errcode listen_unix(const char *path, int *fd, uint64_t *inode, struct err *e);

/* uri.c: splits and decodes r->uri in place. False: r gets `e`. */
bool uri_split(struct http_request *r, struct err *e);
/* A path segment, in place; writes a NUL behind it. {NULL,0}: not UTF-8 without NUL. */
struct bytes uri_decode_segment(char *text, size_t size);

/* router.c: sets route and params. E_NOT_FOUND; E_STATE: another method, and `allow` lists those. */
enum errcode router_match(struct http_request *r, const char *method, char *allow, size_t allow_size, struct err *e);

/* send.c: an answer from a file; takes fd */
struct MHD_Response *send_file(struct http_request *r, int fd, uint64_t size);
