/* client.h - HTTP requests of our own: libcurl's multi interface on a thread, many at a time. Nothing in it is of one use only:
 * callbacks and health probes bring what they want in struct http_call.
 *
 * The loop never waits for a receiver, a name server or a certificate: calls go over by an atomic exchange and come back as
 * messages. The thread begins with the first call. HTTP/1.1; no redirect is followed, no proxy of the environment is used.
 *
 * LIFETIME  A call is its owner's memory (zero-initialised, then filled), which stays until `done`: that comes exactly once, on the
 * loop thread, however the call ends. http_call_fini then frees what the client has added. */
#pragma once
#include "base/bytes.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { HTTP_CALL_ERROR_SIZE = 256 };

struct http_call {
	/* What is asked; texts are borrowed until `done`. */
	const char *method; /* "GET", "POST" ... */
	const char *url; /* http:// or https:// */
	const char *unix_path; /* connect to this socket, whatever the URL's host is; NULL: to the host */
	struct buf headers; /* "Name: value\n" each */
	struct bytes body;
	int64_t timeout_ms; /* in all, from the name to the last byte of the answer */
	size_t answer_max; /* bytes of the answer, headers with it: more are not read. The status counts all the same */
	bool keep_answer; /* its body is wanted */
	void *context; /* of the functions */
	void (*prepare)(void *context, struct http_call *c); /* NULL, or on the client's thread, first: may add headers */
	/* NULL: any address; else on the client's thread, for each one before it is connected to. Not asked for unix_path. */
	bool (*may_reach)(void *context, const struct sockaddr *address);
	void (*done)(void *context, struct http_call *c);

	/* How it went. */
	int status; /* 0: there was no answer, error says why */
	bool denied; /* because may_reach let no address through */
	int64_t retry_after_ms; /* of the header Retry-After (seconds or a date), else 0 */
	struct buf answer; /* the body, as far as it was read; with keep_answer */
	char error[HTTP_CALL_ERROR_SIZE];

	struct http_call_state *state; /* of client.c */
};

struct http_client_options {
	struct loop *loop;
	const char *ca_file; /* NULL: the system's certificates; copied */
	unsigned connections; /* that are kept for the next call; 0: libcurl's default */
};

struct http_client;
struct http_client *http_client_new(const struct http_client_options *o);
/* Ends what is under way: `done` of those calls is called by the loop, at the latest within loop_free. NULL is fine. */
void http_client_free(struct http_client *c);
void http_client_call(struct http_client *c, struct http_call *call);
void http_client_cancel(struct http_client *c, struct http_call *call); /* under way; `done` follows soon */
void http_call_fini(struct http_call *call); /* headers and answer */
