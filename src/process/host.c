#include "base/mem.h"
#include "log/log.h"
#include "process/parts.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static struct process *of(const struct instance *i)
{
	return i->runner_data;
}

/* ── runner_ops: most of it is the session's ── */

static void runner_stop(struct instance *i, int64_t grace_ms)
{
	if (of(i))
		end_stop(of(i), grace_ms);
}

static void runner_kill(struct instance *i, const struct instance_error *why)
{
	if (of(i))
		end_kill_for(of(i), why);
}

static void runner_deliver(struct instance *i, struct delivery *d)
{
	struct process *p = of(i);
	struct job_error error = {.code = "unavailable",
		.message = "the instance takes no jobs: it speaks no link, or is being ended",
		.retryable = 1};
	if (p && p->session && !p->exited && !p->ending)
		link_worker_deliver(p->session, d);
	else
		d->events->lost(d, &error);
}

static void runner_cancel(struct instance *i, struct delivery *d)
{
	if (of(i) && of(i)->session)
		link_worker_cancel(of(i)->session, d);
}

static void runner_forget(struct instance *i, struct delivery *d)
{
	if (of(i) && of(i)->session)
		link_worker_forget(of(i)->session, d);
}

static void runner_item_done(struct instance *i, struct delivery *d, enum errcode code)
{
	if (of(i) && of(i)->session)
		link_worker_item_done(of(i)->session, d, code);
}

static void runner_settled(struct instance *i, uint64_t id, uint64_t fence)
{
	if (of(i) && of(i)->session)
		link_worker_settled(of(i)->session, id, fence);
}

static void runner_call_done(
	struct instance *i, struct delivery *d, uint64_t call_id, struct bytes result, const struct job_error *error)
{
	if (of(i) && of(i)->session)
		link_worker_call_done(of(i)->session, d, call_id, result, error);
}

static enum errcode runner_start(struct instance *i, struct err *e)
{
	return start_process(container_of(i->runner, struct process_host, runner), i, e);
}

static const struct runner_ops ops = {.type = "process",
	.blames_all = true,
	.start = runner_start,
	.stop = runner_stop,
	.kill = runner_kill,
	.deliver = runner_deliver,
	.cancel = runner_cancel,
	.forget = runner_forget,
	.item_done = runner_item_done,
	.settled = runner_settled,
	.call_done = runner_call_done};

const struct runner_ops *process_host_runner(struct process_host *h)
{
	return &h->runner;
}

/* ── recovery ── */

static void recovered(struct process_host *h)
{
	if (!h->recovering)
		return;
	h->recovering = false;
	loop_timer_set(h->recover_timer, -1);
	h->recovered(h->recover_context);
}

static bool all_spoke(const struct process_host *h)
{
	list_each(&h->processes, at) if (container_of(at, struct process, link)->adopted) return false;
	return true;
}

void host_spoke(struct process *p)
{
	p->adopted = false;
	if (p->host->recovering && all_spoke(p->host))
		recovered(p->host);
}

static void on_recover_timer(void *context)
{
	recovered(context);
}

/* "<worker id>-<6 hex>" */
static bool worker_of(const char *instance, char *worker, size_t size)
{
	const char *dash = strrchr(instance, '-');
	if (!dash || dash == instance || (size_t)(dash - instance) >= size)
		return false;
	memcpy(worker, instance, (size_t)(dash - instance));
	worker[dash - instance] = 0;
	return true;
}

static void take_over(struct process_host *h, struct keeper_child *child)
{
	char worker[KEEPER_INSTANCE_MAX];
	struct err e;
	struct instance *i = !child->exited && worker_of(child->instance, worker, sizeof worker)
							 ? h->adopt(h->recover_context, worker, child->instance)
							 : NULL;
	if (!i) {
		end_stray(h, child);
		return;
	}
	log_write(LOG_LEVEL_INFO, "worker_adopted", "worker=%s instance=%s pid=%d", worker, i->id, child->pid);
	if (start_adopted(h, i, child, &e) != E_OK)
		end_kill(i->runner_data, e.text);
	else if (i->worker->kind == WORKER_MANAGED)
		life_running(i->runner_data);
}

static void take_over_all(struct process_host *h)
{
	loop_timer_set(h->recover_timer, PROCESS_RECOVER_MS);
	h->recovering = true;
	for (size_t n = 0; n < h->found_n; n++)
		take_over(h, h->found[n]);
	h->found_n = 0;
	if (all_spoke(h))
		recovered(h);
}

void process_recover(struct process_host *h,
	struct instance *(*adopt)(void *context, const char *worker_id, const char *instance_id),
	void (*done)(void *context), void *context)
{
	h->adopt = adopt;
	h->recovered = done;
	h->recover_context = context;
	if (h->listed)
		take_over_all(h);
}

/* ── from the keeper ── */

static void nothing(void *context)
{
}

static const struct keeper_child_events found_events = {nothing, NULL, nothing};

static void on_listed(void *context, struct keeper_child **children, size_t n)
{
	struct process_host *h = context;
	h->found = mem_new((n + 1) * sizeof(struct keeper_child *));
	h->found_n = n;
	for (size_t k = 0; k < n; k++) {
		h->found[k] = children[k];
		keeper_child_watch(children[k], &found_events, NULL);
	}
	h->listed = true;
	if (h->adopt)
		take_over_all(h);
}

static void on_stop(void *context, int times)
{
	struct process_host *h = context;
	h->options.stop(h->options.context, times);
}

static void on_reload(void *context)
{
	struct process_host *h = context;
	h->options.reload(h->options.context);
}

static void on_lost(void *context)
{
	struct process_host *h = context;
	h->options.keeper_lost(h->options.context);
}

enum errcode process_host_new(const struct process_options *o, struct process_host **out, struct err *e)
{
	struct process_host *h = NEW(struct process_host);
	h->options = *o;
	h->runner = ops;
	h->run_directory = mem_text(o->run_directory);
	h->scratch_directory = mem_text(o->scratch_directory);
	h->node = mem_text(o->node);
	h->exec_program = mem_text(o->exec_program);
	list_init(&h->processes);
	list_init(&h->endings);
	h->recover_timer = loop_timer_new(o->loop, on_recover_timer, h);
	struct keeper_client_events events = {
		.context = h, .listed = on_listed, .stop = on_stop, .reload = on_reload, .lost = on_lost};
	enum errcode code = keeper_client_open(o->loop, o->keeper_fd, &events, &h->keeper, e);
	if (code == E_OK)
		*out = h;
	else
		process_host_free(h);
	return code;
}

void process_host_free(struct process_host *h)
{
	if (!h)
		return;
	end_abandon(h);
	list_each(&h->processes, at) start_release(container_of(at, struct process, link));
	loop_timer_free(h->recover_timer);
	keeper_client_close(h->keeper);
	free(h->found);
	free(h->run_directory);
	free(h->scratch_directory);
	free(h->node);
	free(h->exec_program);
	free(h);
}
