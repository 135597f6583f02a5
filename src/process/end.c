#include "base/mem.h"
#include "log/log.h"
#include "os/proc_tree.h"
#include "process/parts.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TREE_LIMIT_MS = 10000, LAST_LINES = 3 };

/* ── the tree, on the pool ── */

struct ending { /* what the pool needs */
	struct list link; /* in process_host.endings; NULLs: the host is gone */
	struct process *p; /* NULL: nobody's child */
	struct keeper_child *child; /* to be forgotten with p NULL */
	struct proc_tree tree;
	char instance[KEEPER_INSTANCE_MAX];
	char *scratch; /* removed with all that is in it, once nobody is left who writes there */
	unsigned left;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	remove(path);
	return 0; /* what cannot be removed is left */
}

static void on_pool(void *context)
{
	struct ending *x = context;
	x->left = proc_tree_kill(&x->tree, TREE_LIMIT_MS);
	if (x->scratch)
		nftw(x->scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void finish(struct process *p);

static void on_tree_gone(void *context)
{
	struct ending *x = context;
	if (x->link.next)
		list_remove(&x->link);
	if (x->left)
		log_write(LOG_LEVEL_ERROR, "tree_not_ended", "instance=%s processes=%u", x->instance, x->left);
	if (x->p) {
		x->p->tree_gone = true;
		if (x->p->exited)
			finish(x->p);
	} else {
		keeper_client_forget(x->child);
	}
	free(x->scratch);
	free(x);
}

static void end_tree(struct process_host *h, struct process *p, struct keeper_child *child)
{
	struct ending *x = NEW(struct ending);
	x->p = p;
	x->child = child;
	memcpy(x->instance, child->instance, sizeof x->instance);
	x->tree = (struct proc_tree){child->pid, child->start, KEEPER_ENV_INSTANCE, x->instance};
	x->scratch = p ? mem_text(p->scratch) : NULL;
	list_append(&h->endings, &x->link);
	loop_work(h->options.loop, on_pool, on_tree_gone, x);
}

void end_abandon(struct process_host *h)
{
	list_each(&h->endings, at)
	{
		struct ending *x = container_of(at, struct ending, link);
		list_remove(at);
		x->p = NULL;
		x->child = NULL;
	}
}

static void begin_end(struct process *p)
{
	if (p->ending)
		return;
	p->ending = true;
	loop_timer_set(p->stop_timer, -1);
	loop_timer_set(p->return_timer, -1);
	end_tree(p->host, p, p->child);
}

static void stray_gone(void *context)
{
	(void)context;
}

static const struct keeper_child_events stray_events = {stray_gone, NULL, stray_gone};

void end_stray(struct process_host *h, struct keeper_child *child)
{
	log_write(LOG_LEVEL_INFO, "stray_ended", "instance=%s pid=%d", child->instance, child->pid);
	keeper_child_watch(child, &stray_events, NULL);
	end_tree(h, NULL, child);
}

/* ── what happened, in words ── */

static void describe_status(const struct process *p, char *into, size_t size)
{
	int status = p->child->status;
	if (!p->exited)
		snprintf(into, size, "it runs");
	else if (!p->child->status_known)
		snprintf(into, size, "process %d ended; with what status is not known, for an earlier keeper had started it",
			p->child->pid);
	else if (WIFSIGNALED(status))
		snprintf(into, size, "process %d was ended by signal %d (SIG%s)", p->child->pid, WTERMSIG(status),
			sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(into, size, "process %d exited with status %d", p->child->pid, WEXITSTATUS(status));
}

void end_describe(const struct process *p, char *into, size_t size)
{
	char status[128], last[300];
	describe_status(p, status, sizeof status);
	output_last(p->host->options.outputs, p->instance->worker->id, p->instance->id, LAST_LINES, last, sizeof last);
	snprintf(into, size, "%s%s%s", status, *last ? "; its last lines: " : "", last);
}

static bool ended_well(const struct process *p)
{
	return p->child->status_known && WIFEXITED(p->child->status) && WEXITSTATUS(p->child->status) == 0;
}

/* ── the end ── */

static void fill_error(struct process *p)
{
	struct instance_error *e = &p->error;
	char what[448];
	end_describe(p, what, sizeof what);
	if (e->details[0] && strcmp(e->phase, "initialize") == 0)
		return; /* how it then exited says no more */
	if (e->details[0]) { /* why we ended it, or what it said itself */
		size_t n = strlen(e->details);
		snprintf(e->details + n, sizeof e->details - n, "; %s", what);
		return;
	}
	*e = (struct instance_error){.recoverable = true, .at_ms = loop_now_ms(p->host->options.loop)};
	snprintf(e->category, sizeof e->category, "%s", p->running ? "crash" : "start");
	snprintf(e->phase, sizeof e->phase, "%s", p->running ? "run" : "start");
	snprintf(e->details, sizeof e->details, "%s%s", p->running ? "" : "it ended before it was ready: ", what);
}

static void finish(struct process *p)
{
	struct process_host *h = p->host;
	struct instance *i = p->instance;
	const struct instance_events *events = &h->options.events;
	bool well = p->stopping || (p->running && ended_well(p) && !p->error.details[0]);
	struct instance_error error = p->error;
	host_spoke(p);
	start_cleanup(p);
	if (well) {
		if (error.details[0])
			i->last_error = error; /* it had to be ended by force */
		events->stopped(events->context, i);
	} else {
		events->failed(events->context, i, &error);
	}
}

void end_exited(struct process *p)
{
	p->exited = true;
	log_pipe_drain(p->out);
	log_pipe_drain(p->err);
	bool asked = p->stopping && !p->error.details[0];
	if (!asked && !(p->running && ended_well(p)))
		fill_error(p);
	struct job_error lost = {.code = "crashed", .retryable = 1};
	end_describe(p, lost.message, sizeof lost.message);
	log_write(asked ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "worker_ended", "worker=%s instance=%s what=\"%s\"",
		p->instance->worker->id, p->instance->id, lost.message);
	if (p->session)
		link_worker_lose(p->session, &lost); /* its jobs run elsewhere while we look after the rest */
	if (p->tree_gone)
		finish(p);
	else
		begin_end(p);
}

void end_kill_for(struct process *p, const struct instance_error *why)
{
	if (p->exited || p->ending)
		return;
	const struct instance *i = p->instance;
	if (!p->error.details[0])
		p->error = *why;
	log_write(
		LOG_LEVEL_WARNING, "worker_killed", "worker=%s instance=%s why=\"%s\"", i->worker->id, i->id, why->details);
	end_spawned(p);
}

void end_kill(struct process *p, const char *why)
{
	struct instance_error error = instance_error_of(p->running ? "crash" : "start", p->running ? "run" : "start", true,
		loop_now_ms(p->host->options.loop), "%s", why);
	end_kill_for(p, &error);
}

void end_spawned(struct process *p)
{
	p->kill_wanted = !p->child->pid; /* the keeper will say which process it is */
	if (!p->kill_wanted)
		begin_end(p);
}

/* ── stop ── */

static int64_t term_ms(int64_t grace_ms)
{
	return grace_ms / 2 < PROCESS_TERM_MS ? grace_ms / 2 : PROCESS_TERM_MS;
}

static void terminate(struct process *p, int64_t wait_ms)
{
	p->terminated = true;
	keeper_client_signal(p->child, SIGTERM, true);
	loop_timer_set(p->stop_timer, wait_ms);
}

void end_stop(struct process *p, int64_t grace_ms)
{
	if (p->stopping || p->ending || p->exited) {
		p->stopping = true;
		return;
	}
	p->stopping = true;
	if (p->session && link_worker_connected(p->session)) {
		link_worker_drain(p->session, grace_ms - term_ms(grace_ms));
		loop_timer_set(p->stop_timer, grace_ms - term_ms(grace_ms));
	} else {
		terminate(p, grace_ms);
	}
}

void end_on_stop_timer(void *context)
{
	struct process *p = context;
	if (!p->terminated) {
		terminate(p, term_ms(p->instance->worker->stop_timeout_ms));
		return;
	}
	p->error = (struct instance_error){
		.category = "timeout", .phase = "stop", .recoverable = true, .at_ms = loop_now_ms(p->host->options.loop)};
	snprintf(p->error.details, sizeof p->error.details, "process shutdown timeout: it had to be ended by force");
	begin_end(p);
}
