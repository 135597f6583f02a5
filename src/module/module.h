/* module.h - the runner of modules: workers as shared objects, on threads of the engine.
 *
 * One instance is one control thread (load, start, healthy, drain, stop) and `concurrency` handler threads with one state.
 * They and the loop meet by messages; results are as those of the same worker as a process, for both share sdk/attempt.c.
 *
 * A module shares the engine's fate: what it has in hand stands in breadcrumbs (wire/breadcrumb.h), so that the next engine
 * knows whom to blame. A handler that does not end is left behind with its thread ("module shutdown timeout"). */
#pragma once
#include "blob/blob.h"
#include "loop/loop.h"
#include "worker/instance.h"
#include "worker/worker.h"

struct module_host;

struct module_options {
	struct loop *loop;
	struct blobs *blobs;
	struct instance_events events;
	const char *scratch_directory; /* private copies of changed modules */
	int breadcrumb_fd; /* of the keeper's file; -1: none, crumbs are kept in memory */
	void *context; /* of the functions below */
	/* Is `config` what the worker's schema asks for? Any thread. */
	enum errcode (*check_config)(void *context, const char *schema, struct bytes config, struct err *e);
	/* A log line of an instance that belongs to no job. Loop thread. */
	void (*log)(void *context, struct instance *i, int severity, struct bytes event, struct bytes fields);
	/* A server of the worker's own. Loop thread. */
	void (*announce)(void *context, struct instance *i, struct bytes name, struct bytes type, struct bytes address,
		struct bytes metadata);
};

struct module_host *module_host_new(const struct module_options *options);
/* Instances have ended. Where threads had to be left behind their memory stays, for they may still be running. */
void module_host_free(struct module_host *h);
bool module_host_idle(const struct module_host *h); /* no thread of any module is left */
const struct runner_ops *module_host_runner(struct module_host *h);

/* supervisor_calls.initialize for modules: loads the file, checks ABI and configuration on the control thread, then calls
 * `loaded` on the loop thread (error NULL: well). w->code.module and .entry_point are resolved. */
enum errcode module_initialize(struct module_host *h, struct instance *i,
	void (*loaded)(void *context, struct instance *i, const struct err *error), void *context, struct err *e);

/* A cancelled handler did not end: the instance is reported unhealthy, and ended once nothing else runs in it. */
void module_stuck(struct module_host *h, struct instance *i, const struct delivery *d, const char *why);

/* What the engine before had in its threads' hands when it ended: read and cleared. Before any module starts. `crashed`: this
 * one is to blame ("module panic: SIGSEGV in capability email.parse"); job 0: a call, or the worker's start or stop. */
struct module_crumb {
	uint64_t job, fence;
	char instance[96], capability[136];
	bool crashed;
	char evidence[256];
};
void module_crumbs(
	struct module_host *h, void (*visit)(void *context, const struct module_crumb *crumb), void *context);
