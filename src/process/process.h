/* process.h - the runner of processes: workers as children of the keeper that speak the link.
 *
 *   start ─► spawn ─► (kind managed: running) ─► HELLO ─► READY: running ─► stop: DRAIN ─► SIGTERM ─► the tree is ended
 *                                                             │ exit, crash
 *                                                             └─► deliveries lost ─► the rest of the tree is ended ─► failed
 *
 * A child that died gives its deliveries back in the same turn of the loop, with evidence (signal, last lines); failed() or
 * stopped() follows when nothing of its tree is left. A child whose connection ends while it lives has PROCESS_RETURN_MS to come
 * back. Each child has a directory `<run>/<slot>` with its socket, token and log FIFOs; an engine that starts anew finds them
 * there, takes the children over and waits for what they say they hold. Loop thread only; nothing blocks. */
#pragma once
#include "log/output.h"
#include "loop/loop.h"
#include "worker/instance.h"
#include "worker/worker.h"

struct blobs;
struct process_host;

enum {
	PROCESS_RETURN_MS = 30000, /* for a living child to connect again */
	PROCESS_RECOVER_MS = 2000, /* after a restart of the engine, dispatch waits so long for the children's HELLO */
	PROCESS_TERM_MS = 5000, /* before the end of a stop's grace, SIGTERM; half the grace when that is shorter */
};

struct process_options {
	struct loop *loop;
	struct blobs *blobs;
	struct outputs *outputs;
	struct instance_events events;
	const char *run_directory; /* `<data>/run`, made by the keeper */
	const char *scratch_directory; /* REEVE_SCRATCH of each child is a directory below it, removed with the child */
	const char *node;
	const char *exec_program; /* the worker that runs commands (workers/exec); NULL: `exec` is refused */
	int keeper_fd; /* of KEEPER_ENV_FD */

	/* Is `config` what the worker's schema asks for? NULL: nobody checks. */
	enum errcode (*check_config)(void *context, const char *schema, struct bytes config, struct err *e);

	void *context; /* of the functions; none below may be NULL */
	void (*stop)(void *context, int times); /* the keeper was asked to stop; from the second time on, hurry */
	void (*reload)(void *context);
	void (*keeper_lost)(void *context); /* exit at once: the children live on */
	void (*announce)(void *context, struct instance *i, struct bytes name, struct bytes type, struct bytes address,
		struct bytes metadata);
};

enum errcode process_host_new(const struct process_options *options, struct process_host **out, struct err *e);
/* The children are left as they are (the next engine finds them): stop them first where they shall end. */
void process_host_free(struct process_host *h);
const struct runner_ops *process_host_runner(struct process_host *h);

/* Takes over what an earlier engine left. `adopt` gives the instance for a living child, made under this id and in state
 * `starting` (supervisor_adopt), or NULL: then its tree is ended. `done` is called once: when every adopted child has said
 * what it holds, or is dead, or PROCESS_RECOVER_MS are over. Call it first; start() works before, too. */
void process_recover(struct process_host *h,
	struct instance *(*adopt)(void *context, const char *worker_id, const char *instance_id),
	void (*done)(void *context), void *context);

/* supervisor_calls.initialize for processes: is the program there? E_NOT_FOUND, E_DENIED name it. */
enum errcode process_check(struct process_host *h, const struct instance *i, struct err *e);
