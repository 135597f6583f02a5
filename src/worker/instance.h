/* instance.h - one running replica of a worker, and its life: the same table for every type.
 *
 *   uninitialized ─► initializing ─► initialized ─► starting ─► running ─► stopping ─► stopped
 *                         │                            │           │          │           │
 *                         └──────────► failed ◄────────┴───────────┴──────────┘           │
 *                                        ├── retry ──► starting ◄─────────────────────────┘
 *                                        └── give up ──► stopped
 *
 * Pure: the clock is a parameter; runners and the supervisor (worker/supervisor.h) act on it. Loop thread only. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "worker/health.h"
#include "worker/restart.h"
#include "worker/runner.h"

#include <stdbool.h>
#include <stdint.h>

enum instance_state {
	INSTANCE_UNINITIALIZED,
	INSTANCE_INITIALIZING,
	INSTANCE_INITIALIZED,
	INSTANCE_STARTING,
	INSTANCE_RUNNING,
	INSTANCE_STOPPING,
	INSTANCE_STOPPED,
	INSTANCE_FAILED,
	INSTANCE_STATES
};
const char *instance_state_word(enum instance_state s);

struct instance_error { /* the last one; category: "config", "start", "crash", "timeout", "health", "stop" */
	char category[16], phase[16]; /* phase: initialize start run stop */
	char details[512];
	int64_t at_ms;
	bool recoverable;
};

struct
	capability { /* as announced by the worker (HELLO) or read from the module's export; owned by the instance's worker */
	char *name, *version, *summary, *mode;
	char *tags_json, *input_schema, *output_schema, *item_schema, *errors_json; /* NULL when none */
	uint32_t flags; /* REEVE_SERIAL ... */
};

struct worker; /* worker/worker.h: what configuration declares */

#define INSTANCE_HISTORY 32 /* transitions remembered */
struct instance_change {
	enum instance_state from, to;
	int64_t at_ms;
};

struct instance {
	char id[96]; /* "<worker id>-<6 hex>" */
	struct worker *worker;
	const struct runner_ops *runner;
	enum instance_state state;
	struct instance_error last_error;
	int64_t started_at_ms, state_since_ms; /* started: when it ran; 0 while it starts */
	int pid; /* 0 for a module */
	char endpoint_type[16], endpoint_address[256];
	char *endpoint_metadata; /* a JSON object that the worker announced with it, or NULL; owned */
	char program[64], version[32]; /* what the worker calls itself; "" until it has said so */
	int64_t loaded_at_ms; /* of a module: when its file was mapped and checked */
	unsigned concurrency, prefetch;
	struct capability *capabilities; /* valid from `running` on */
	size_t capability_n;
	unsigned in_flight; /* deliveries given and not over */
	struct list deliveries; /* of struct delivery.link */
	struct health_state health[HEALTH_QUESTIONS];
	bool awaits_startup; /* it says that it runs, and its startup probe has not said so yet */
	bool draining;
	bool ready; /* as its readiness probe says; true when it has none */
	bool healthy; /* may be given work: it is ready, and its liveness is not unhealthy */
	unsigned restarts;
	struct list link; /* in worker->instances */
	void *runner_data; /* the runner's own */
	void *dispatch_data; /* dispatch's own */
	void *health_data; /* health's own */

	/* the supervisor's */
	int64_t next_try_at_ms; /* failed: when it is started again; 0: not by itself */
	struct restart_breaker breaker;
	int64_t restart_wait_ms; /* restart_wanted: after the stop */
	bool leaving; /* ends for good: scaled away, or its worker is removed */
	bool restart_wanted; /* stopping, to start again */
	struct instance_change
		history[INSTANCE_HISTORY]; /* a ring: the last one is at (history_n - 1) % INSTANCE_HISTORY */
	unsigned history_n;
};

struct instance_events { /* what runners tell the supervisor; set once by the wiring; loop thread */
	void *context;
	void (*running)(void *context, struct instance *i); /* capabilities are known; work can be given */
	void (*credit)(void *context, struct instance *i); /* a place is free again */
	void (*stopped)(void *context, struct instance *i); /* as asked; nothing of it is left */
	void (*failed)(void *context, struct instance *i,
		const struct instance_error *error); /* nothing of it is left, or it is being ended */
	void (*health)(void *context, struct instance *i, enum health_answer answer, const char *why); /* its own word */
	/* After a reconnect the worker says it still holds this job, or has its result: the delivery to go on with, already in
	 * i->deliveries; NULL: its lease was taken away, tell it to stop. Before `running` of a new engine's first sight of it. */
	struct delivery *(*reclaim)(void *context, struct instance *i, uint64_t id, uint64_t fence, bool started);
};

/* Moves along the table; refuses any other transition: E_STATE, naming the state and what would be allowed. */
enum errcode instance_move(struct instance *i, enum instance_state to, int64_t now_ms, struct err *e);

/* The state `to` may be reached from `from`: one of the 13 arrows above. */
bool instance_may(enum instance_state from, enum instance_state to);

/* A new instance of w, uninitialized; id NULL: one is made from `random`. Appended to w->instances. */
struct instance *instance_new(
	struct worker *w, const struct runner_ops *runner, const char *id, uint32_t random, int64_t now_ms);
void instance_free(struct instance *i); /* taken out of its worker */
void instance_forget_capabilities(struct instance *i);

/* Its liveness is what it says itself: nothing else is configured, or nothing that can be asked yet. */
bool instance_speaks_for_itself(const struct instance *i);

/* Where it is reached; metadata is a JSON object or {NULL,0}. Too long an address is cut. */
void instance_set_endpoint(struct instance *i, struct bytes type, struct bytes address, struct bytes metadata);

/* What went wrong; the formatted sentence is cut at its size. */
struct instance_error instance_error_of(const char *category, const char *phase, bool recoverable, int64_t now_ms,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Says what went wrong last; the formatted sentence is cut at its size. */
void instance_set_error(struct instance *i, const char *category, const char *phase, bool recoverable, int64_t now_ms,
	const char *format, ...) __attribute__((format(printf, 6, 7)));

/* {"id","state","type","last_error",...}: diagnostics with the names that clients rely on. `usage` is JSON or NULL. */
void instance_diagnostics(const struct instance *i, const char *usage, struct buf *out);
