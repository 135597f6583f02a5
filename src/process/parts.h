/* parts.h - between the files of this folder: what the host and one running process are. */
#pragma once
#include "link/session.h"
#include "log/pipe.h"
#include "process/keeper_client.h"
#include "process/process.h"
#include "process/ready.h"

struct process_host {
	struct process_options options;
	char *run_directory, *scratch_directory, *node, *exec_program;
	struct runner_ops runner;
	struct keeper_client *keeper;
	struct keeper_child **found; /* by the list, until process_recover takes them */
	size_t found_n;
	bool listed;
	struct list processes; /* of struct process.link */
	struct list endings; /* trees that are being ended on the pool */

	/* recovery */
	struct instance *(*adopt)(void *context, const char *worker_id, const char *instance_id);
	void (*recovered)(void *context);
	void *recover_context;
	bool recovering;
	struct loop_timer *recover_timer;
};

enum process_end { /* how it is to be told when nothing is left of it */
	PROCESS_END_FAILED,
	PROCESS_END_STOPPED, /* it was asked to, or went well by itself */
};

struct process {
	struct list link;
	struct process_host *host;
	struct instance *instance;
	struct keeper_child *child;
	struct link_worker *session; /* NULL: kind managed */
	struct log_pipe *out, *err;
	struct ready *ready; /* NULL: it need not say so */
	char *directory, *scratch;
	struct loop_timer *stop_timer, *return_timer;
	bool adopted; /* left by an earlier engine, has not spoken yet */
	bool running; /* told */
	bool stopping, terminated; /* stop() was called; SIGTERM was sent */
	bool kill_wanted; /* before the keeper said that it was spawned */
	bool ending, tree_gone; /* the tree is being ended on the pool; it is ended */
	bool exited;
	struct instance_error error; /* details "": nothing yet */
};

/* start.c */
enum errcode start_process(struct process_host *h, struct instance *i, struct err *e);
enum errcode start_adopted(
	struct process_host *h, struct instance *i, struct keeper_child *child, struct err *e); /* takes child */
void start_release(struct process *p); /* frees p, which its instance forgets; the child and its files stay */
void start_cleanup(struct process *p); /* the same, and the child's slot and files go, too */

/* life.c: what happens to it */
extern const struct keeper_child_events life_child_events;
struct link_worker_events life_link_events(struct process *p);
void life_running(struct process *p); /* tells it, once */
void life_on_ready(void *context); /* a managed program has said so */
void life_on_status(void *context, struct bytes text);
void life_on_return_timer(void *context);

/* end.c */
void end_stop(struct process *p, int64_t grace_ms);
void end_kill(struct process *p, const char *why);
void end_kill_for(struct process *p, const struct instance_error *why);
void end_exited(struct process *p); /* the child's exit was seen */
void end_on_stop_timer(void *context);
void end_spawned(struct process *p); /* kill() came before the child was there */
void end_abandon(struct process_host *h); /* what the pool still does reports to nobody */
void end_stray(struct process_host *h, struct keeper_child *child); /* nobody's: its tree is ended; takes child */
void end_describe(const struct process *p, char *into, size_t size); /* "ended by SIGSEGV; it printed: …" */

/* host.c */
void host_spoke(struct process *p); /* an adopted one has said what it holds, or is gone */
