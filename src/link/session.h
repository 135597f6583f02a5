/* session.h - a worker's side of the link, as the engine sees it: one struct link_worker per running process instance.
 *
 * The process runner opens one before it spawns the child and closes it when the child is reaped. In between the child may
 * connect, lose the connection and connect again (a stopped child, a new engine); its deliveries outlive the connection:
 *
 *   link_worker_open ─► listening ─HELLO─► hello() ─WELCOME─► (child's start) ─READY─► ready() ─► deliveries ...
 *                          ▲                                                                          │
 *                          └───────────────────────── disconnected() ◄────────────────────────────────┘
 *
 * deliver, cancel, forget, item_done, settled and call_done implement the members of runner_ops of the same name by frames
 * (docs/reference/link-protocol.md); the session tells dispatch through delivery->events what the worker answers.
 * delivery->runner_data belongs to the session while the delivery is with it.
 *
 * Held jobs: in its HELLO a worker names the jobs that it holds. Those that this session knows go on. Those that it does not
 * know (the engine was started anew) are offered to held(), which gives the delivery to go on with, or NULL: the worker is
 * told to drop them. Deliveries that the worker does not name never reached it: they are lost() without an error, to be given
 * out again without an attempt counted.
 *
 * Writes are gathered per turn of the loop. Everything on the loop thread; nothing blocks. Callbacks may call any function
 * here, also link_worker_close. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "worker/instance.h"
#include "worker/runner.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct blobs;
struct link_worker;

enum {
	LINK_TOKEN_MAX = 128,
	LINK_PING_MS =
		5000, /* a ping each, or as often as health_check.interval says; its answer brings the worker's health */
	LINK_PING_LEAST_MS = 100,
	LINK_SILENCE_MS = 30000, /* nothing read for so long: the connection is dropped */
	LINK_HELLO_MS = 10000, /* from connect to a complete HELLO */
	LINK_CAPABILITIES_MAX = 256,
	LINK_HELD_MAX = 65536,
};

struct link_hello { /* what the worker said; borrowed for the call */
	const char *name, *version, *platform, *sdk; /* "" when it said nothing */
	const char *config_schema; /* JSON; NULL: it takes any configuration */
	int pid; /* as it says; peer_pid is what the kernel says */
	int peer_pid, peer_uid;
	unsigned concurrency; /* jobs that it runs at once; 0: it leaves that to the configuration */
	bool ready; /* it runs already: this is a reconnect; ready() follows without a start */
	const struct capability *capabilities;
	size_t capability_n;
};

struct link_worker_events {
	void *context;
	/* A worker with the right token is there. Fill instance->capabilities (link_capabilities_copy) and say yes; or set `e`
	 * and refuse: it is told so and disconnected. A reconnect comes here, too. */
	enum errcode (*hello)(void *context, const struct link_hello *hello, struct err *e);
	/* Its start returned well: instance may move to running; deliveries may come. */
	void (*ready)(void *context);
	/* Its start failed, or it refused its configuration; the process is about to exit. */
	void (*start_failed)(void *context, struct bytes code, struct bytes message);
	/* See above. `started`: its handler has begun. NULL member: every unknown job is dropped. */
	struct delivery *(*held)(void *context, uint64_t id, uint64_t fence, bool started);
	/* A place is free again: a delivery ended. At most once per turn of the loop. */
	void (*credit)(void *context);
	void (*health)(void *context, bool healthy, struct bytes why); /* each answer to a ping */
	void (*log)(
		void *context, int severity, struct bytes event, struct bytes fields); /* of the instance, not of a job */
	void (*announce)(void *context, struct bytes name, struct bytes type, struct bytes address, struct bytes metadata);
	/* It drained and is about to exit by itself. */
	void (*bye)(void *context);
	/* The connection ended; deliveries stay until it returns, or link_worker_lose. `why` is a sentence. */
	void (*disconnected)(void *context, const char *why);
};

struct link_worker_options {
	const char *path; /* of the socket to make; mode 0600; an old one there is replaced */
	const char *token; /* at least 16 characters; the worker must show it */
	struct bytes config; /* JSON for reeve_config; copied */
	const char *node; /* shown to the worker */
	struct blobs *blobs; /* where blob inputs are opened and files become blobs; NULL: such jobs fail */
	int listen_fd; /* < 0: make the socket at `path`; else take over this listening one (kept by the keeper) */
	unsigned item_window; /* for deliveries that say 0; 0: 64 */
};

enum errcode link_worker_open(struct loop *loop, struct instance *instance, const struct link_worker_options *options,
	const struct link_worker_events *events, struct link_worker **out, struct err *e);
/* Ends the connection, removes the socket, frees. Deliveries that are left are lost(error) (NULL error: unstarted ones only
 * should be left). No event follows. */
void link_worker_close(struct link_worker *w, const struct job_error *error);

/* runner_ops */
void link_worker_deliver(struct link_worker *w, struct delivery *d);
void link_worker_cancel(struct link_worker *w, struct delivery *d);
void link_worker_forget(struct link_worker *w, struct delivery *d);
void link_worker_item_done(struct link_worker *w, struct delivery *d, enum errcode code);
void link_worker_settled(struct link_worker *w, uint64_t id, uint64_t fence);
void link_worker_call_done(
	struct link_worker *w, struct delivery *d, uint64_t call_id, struct bytes result, const struct job_error *error);

/* No more work: the worker gives back what it has not started (lost(NULL)), ends what it runs within grace_ms, says bye and
 * exits. Idempotent; also sent after a reconnect. Not connected: nothing happens (use a signal). */
void link_worker_drain(struct link_worker *w, int64_t grace_ms);

/* All deliveries are lost(error): unstarted ones with NULL. For a child that died; what it said last is heard before. */
void link_worker_lose(struct link_worker *w, const struct job_error *error);

bool link_worker_connected(const struct link_worker *w); /* HELLO was accepted */

/* Deep copy and its end, for instance->capabilities. */
struct capability *link_capabilities_copy(const struct capability *from, size_t n);
void link_capabilities_free(struct capability *c, size_t n);
