/* runner.h - the one place where "process or module?" is hidden: how an instance is started, given work, and stopped.
 *
 * Two implementations: process/ (a child of the keeper that speaks the link) and module/ (threads in the engine). dispatch/,
 * api/ and pipeline/ know this header and never those folders. All of it runs on the loop thread; nothing blocks.
 *
 * dispatch/ keeps instance->deliveries and instance->in_flight: runners read them and never change them. Events (finished, lost,
 * and those of instance.h) never come from within a runner_ops function: they come from a later event of the loop. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "job/job.h"

#include <stdint.h>

struct instance; /* worker/instance.h */
struct instance_error;
struct delivery;

/* One call of a handler: a durable job's attempt, or a transactional call (reeve_call, /v1/invoke): the runner cannot tell.
 * Made and owned by dispatch; lives until finished() or lost() has returned. */
struct delivery {
	uint64_t id; /* the job's id, or one made for the call */
	uint64_t fence;
	uint32_t attempt; /* from 1 */
	uint16_t capability; /* index into the instance's capabilities */
	int64_t deadline_ms; /* Unix time; INT64_MAX: none */
	struct bytes input; /* inline bytes; {NULL,0} when the input is only a blob */
	char blob[80]; /* "sha256:..." when the input names one, else "" */
	struct bytes checkpoint, traceparent;
	unsigned item_window; /* items that may be in flight before the handler waits */
	struct instance *instance;
	struct list link; /* in the instance's list */
	const struct delivery_events *events;
	void *context; /* of events */
	void *runner_data; /* the runner's own */
	bool started;
};

struct delivery_events { /* what the runner tells; each is called on the loop thread */
	void (*started)(struct delivery *d);
	/* done(…) must be told by runner_ops.item_done later: that frees a place in the window */
	void (*item)(struct delivery *d, uint64_t key, struct bytes data);
	void (*checkpoint)(struct delivery *d, struct bytes data);
	void (*progress)(struct delivery *d, int percent, struct bytes message);
	void (*log)(struct delivery *d, int severity, struct bytes event, struct bytes fields);
	/* The handler calls another capability: answer with runner_ops.call_done(d, call_id, ...). */
	void (*call)(struct delivery *d, uint64_t call_id, struct bytes capability, struct bytes input);
	/* Over: error NULL when it ended well. result is borrowed; a large one is {"blob":"sha256:…"} already. */
	void (*finished)(struct delivery *d, struct bytes result, const struct job_error *error);
	/* The instance is gone, or the job was given back unstarted: no outcome. error says what happened (signal, last lines). */
	void (*lost)(struct delivery *d, const struct job_error *error);
};

struct runner_ops {
	const char *type; /* "process", "module" */
	bool blames_all; /* when an instance crashes, nobody knows which of its handlers did it */
	/* Begins; instance_* events (instance.h) tell how it goes on. */
	enum errcode (*start)(struct instance *i, struct err *e);
	/* Draining stop: no new work, running handlers get grace_ms, then the whole tree is ended. Idempotent. */
	void (*stop)(struct instance *i, int64_t grace_ms);
	/* Now. `why` becomes its last error; what a process said last is added. */
	void (*kill)(struct instance *i, const struct instance_error *why);
	/* Gives work; the instance has credit. Never fails: what goes wrong arrives as lost(). */
	void (*deliver)(struct instance *i, struct delivery *d);
	void (*cancel)(
		struct instance *i, struct delivery *d); /* the handler should stop; finished() or lost() still follows */
	void (*forget)(
		struct instance *i, struct delivery *d); /* its outcome no longer counts; d may be freed after this */
	void (*item_done)(struct instance *i, struct delivery *d, enum errcode code);
	void (*settled)(
		struct instance *i, uint64_t id, uint64_t fence); /* the end is durable: the worker may forget its result */
	void (*call_done)(
		struct instance *i, struct delivery *d, uint64_t call_id, struct bytes result, const struct job_error *error);
};
