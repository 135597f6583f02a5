/* parts.h - what the files of module/ share; nobody else includes it.
 *
 *   unit   one load of a module for one instance: its threads and jobs. An instance that is started again gets a new one; an
 *          old unit that does not come to an end is left behind (`abandoned`) and touches the instance no more.
 *   task   one delivery in a unit, or one direct call from another module's handler
 *
 * Threads: "loop" members belong to the loop thread, "shared" ones to unit->lock; the rest does not change once it is set. */
#pragma once
#include "sdk/attempt.h"
#include "base/list.h"
#include "base/mem.h"
#include "module/crumb.h"
#include "module/load.h"
#include "module/module.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	MODULE_LOGS_MAX = 1024, /* log lines of one unit on their way to the loop; more are dropped and counted */
	MODULE_CHECKPOINTS_MAX = 8, /* of one task on their way */
	MODULE_LATE_MS = 500, /* after the grace: from the last cancel to leaving a thread behind */
	MODULE_TASKS_KEPT = 256,
	UNIT_LONG_NS = 20000, /* handlers that take as long are worth a thread each */
};

struct module_host {
	struct runner_ops ops; /* first: an instance's runner leads here */
	struct module_options options;
	char *scratch;
	struct crumbs *crumbs;
	struct direct *direct; /* direct.c: who can be called on the caller's own thread */
	struct task *kept; /* loop: tasks to use again */
	unsigned kept_n;
	unsigned units; /* loop: begun and not freed */
};

enum unit_order { UNIT_NONE, UNIT_START, UNIT_STOP };

struct unit {
	struct reeve_instance base; /* first: what the worker's functions get */
	struct module_host *host;
	char id[96], *config, *path, *entry, *namespace; /* namespace: of several "a,b" */
	int64_t health_interval_ms;
	unsigned concurrency;
	struct abi_worker abi;
	void *state; /* the worker's */

	/* loop */
	struct instance *instance; /* NULL: abandoned, or gone */
	void (*loaded)(void *context, struct instance *i, const struct err *error);
	void *loaded_context;
	bool running, stopping, stop_sent, ended; /* ended: its threads are gone */
	unsigned live; /* tasks not yet over */
	unsigned stuck; /* tasks whose handler did not end after it was cancelled */
	bool replace; /* one was: the unit ends once only such are left */
	struct loop_timer *grace;
	int64_t late_ms; /* 0: the grace runs; else the time after it */
	struct handover *handover;

	pthread_mutex_t lock; /* shared: */
	pthread_cond_t work, control;
	enum unit_order order;
	struct list queue; /* of struct task.link */
	bool *serial_busy; /* for each capability */
	bool closing;
	unsigned idle, threads, direct_calls;
	unsigned blocked; /* handlers that wait for the loop */
	unsigned woken; /* of the idle ones: on their way */
	int64_t mean_ns; /* of what handlers take, a moving average */
	atomic_uint logs, logs_dropped;
	pthread_t *handlers;
};

enum task_place { TASK_QUEUED, TASK_RUNNING, TASK_OVER };

struct task {
	struct attempt attempt; /* first: begins with struct reeve_job */
	struct unit *unit;
	const struct reeve_capability *capability;
	uint16_t index;
	struct task *root; /* itself, or for a direct call the delivery that it came from */
	unsigned depth;
	int64_t timeout_ms; /* of the attempt; < 0: a fixed deadline */
	char blob[BLOB_NAME_SIZE];
	struct buf input, checkpoint;
	struct list link; /* shared: in unit->queue */
	enum task_place place; /* shared */

	pthread_mutex_t lock; /* of what stands below */
	pthread_cond_t change;
	bool init;
	unsigned window, out; /* items on their way */
	int item_error;
	unsigned checkpoints_out;
	bool progress_sent;
	int percent;
	char progress[HOST_MESSAGE_MAX + 1];
	bool cancelling, end_kept; /* the worker's cancel() is being called; the end waits for it */
	pthread_t canceller;
	bool over; /* of a direct call: finish was told */
	struct hop *hops; /* loop: calls that wait for an answer */

	/* the end: written by the thread that ends it, then read by the loop */
	int outcome;
	struct job_error error;
	struct buf result;
	bool lost; /* it was never begun */
	bool stuck; /* loop: counted in unit->stuck */

	atomic_bool begun; /* its handler was called; the loop tells it when it looks */
	struct message finished;
	struct delivery *d; /* loop; NULL: nobody waits any more */
	struct task *next_kept;
};

extern const struct reeve_host_ops host_job_ops, host_instance_ops;

/* runner.c (loop thread) */
struct task *task_new(struct module_host *h, struct unit *u);
void task_free(struct task *t); /* kept for the next */
void unit_post(struct unit *u, void (*run)(struct unit *u, bool ok, const char *why), bool ok, const char *why);

/* thread.c */
bool unit_begin(struct unit *u); /* starts its control thread */
void unit_free(struct unit *u);
void unit_loaded(struct unit *u, bool ok, const char *why); /* told by its control thread, run on the loop: */
void unit_started(struct unit *u, bool ok, const char *why);
void unit_stopped(struct unit *u, bool ok, const char *why);
void unit_health(struct unit *u, bool ok, const char *why);
void task_end(struct task *t, int outcome); /* any thread: the attempt has ended */
void task_cancel(struct task *t); /* loop: asks the handler to stop */

static inline bool unit_may_wake(struct unit *u) /* under u->lock; true: the caller signals u->work */
{
	if (u->idle <= u->woken)
		return false;
	u->woken++;
	return true;
}

/* thread.c: around a handler's wait for the loop; others may begin meanwhile. Any thread. */
void unit_block(struct unit *u);
void unit_unblock(struct unit *u);

/* handover.c (loop thread) */
struct handover *handover_new(struct unit *u);
void handover_free(struct handover *h);
void handover_give(struct unit *u, struct task *t); /* to a handler thread, at the end of the turn */
void handover_ended(struct unit *u); /* one of its tasks is over */
void handover_tell_started(
	struct task *t); /* if it was begun and dispatch does not know it yet; before any other event */

/* direct.c: any thread */
struct direct *direct_new(void);
void direct_free(struct direct *d);
void direct_add(struct direct *d, struct unit *u);
void direct_remove(struct direct *d, struct unit *u); /* no new call begins afterwards */
int direct_call(
	struct task *t, const char *capability, const void *data, size_t size, struct reeve_result **out, bool *found);

/* hop.c: a call over the loop */
int hop_call(struct task *t, const char *capability, const void *data, size_t size, struct reeve_result **out);
void hop_answer(struct task *t, uint64_t id, struct bytes result, const struct job_error *error); /* loop */
void hop_drop(struct task *t); /* loop: nobody will answer any more */
struct reeve_result *result_new(const void *data, size_t size);
struct reeve_bytes result_bytes(const struct reeve_result *result);
void result_free(struct reeve_result *result);
int host_call(struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out);
