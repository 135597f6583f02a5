/* runner.c - the loop's side: runner_ops, and what the threads' messages do to the instance. */
#include "module/parts.h"

#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct runner_ops ops;

static struct module_host *host_of(const struct instance *i)
{
	return (struct module_host *)i->runner; /* ops is its first member */
}

struct module_host *module_host_new(const struct module_options *options)
{
	struct module_host *h = NEW(struct module_host);
	h->ops = ops;
	h->options = *options;
	h->scratch = mem_text(options->scratch_directory);
	h->options.scratch_directory = h->scratch;
	h->crumbs = crumbs_open(options->breadcrumb_fd);
	h->direct = direct_new();
	path_make_directory(h->scratch, 0700, NULL);
	return h;
}

void module_host_free(struct module_host *h)
{
	if (!h || h->units)
		return; /* threads that were left behind may still need it */
	for (struct task *t = h->kept, *next; t; t = next) {
		next = t->next_kept;
		attempt_fini(&t->attempt);
		pthread_mutex_destroy(&t->lock);
		pthread_cond_destroy(&t->change);
		buf_fini(&t->input);
		buf_fini(&t->checkpoint);
		buf_fini(&t->result);
		free(t);
	}
	direct_free(h->direct);
	crumbs_close(h->crumbs);
	free(h->scratch);
	free(h);
}

bool module_host_idle(const struct module_host *h)
{
	return h->units == 0;
}

const struct runner_ops *module_host_runner(struct module_host *h)
{
	return &h->ops;
}

void module_crumbs(struct module_host *h, void (*visit)(void *, const struct module_crumb *), void *context)
{
	crumbs_read(h->crumbs, visit, context);
}

/* ── messages about a unit ── */

struct note {
	struct message message;
	struct unit *unit;
	void (*run)(struct unit *u, bool ok, const char *why);
	bool ok;
	char why[512];
};

static void run_note(struct message *m)
{
	struct note *n = (struct note *)m;
	n->run(n->unit, n->ok, n->why);
	free(n);
}

void unit_post(struct unit *u, void (*run)(struct unit *, bool, const char *), bool ok, const char *why)
{
	struct note *n = NEW(struct note);
	n->message.run = run_note;
	n->unit = u;
	n->run = run;
	n->ok = ok;
	snprintf(n->why, sizeof n->why, "%s", why);
	loop_post(u->host->options.loop, &n->message);
}

static void order(struct unit *u, enum unit_order what)
{
	pthread_mutex_lock(&u->lock);
	u->order = what;
	pthread_cond_broadcast(&u->control);
	pthread_mutex_unlock(&u->lock);
}

/* Direct calls stay within the namespaces of the caller: only units that serve the same ones call each other. */
static char *namespaces_text(const struct worker *w)
{
	struct buf all = {0};
	for (size_t k = 0; k < w->namespace_n; k++)
		buf_format(&all, k ? ",%s" : "%s", w->namespaces[k]);
	return buf_take(&all);
}

static struct unit *unit_new(struct module_host *h, struct instance *i)
{
	const struct worker *w = i->worker;
	struct unit *u = NEW(struct unit);
	u->base.ops = &host_instance_ops;
	u->host = h;
	u->instance = i;
	snprintf(u->id, sizeof u->id, "%s", i->id);
	u->config = mem_text(w->config);
	u->path = mem_text(w->code.module);
	u->entry = mem_text(w->code.entry_point);
	u->namespace = namespaces_text(w);
	u->health_interval_ms = w->health[HEALTH_LIVENESS].interval_ms;
	u->concurrency = w->concurrency;
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->work, NULL);
	pthread_cond_init(&u->control, NULL);
	list_init(&u->queue);
	u->mean_ns = UNIT_LONG_NS; /* until it is known */
	u->handover = handover_new(u);
	i->runner_data = u;
	h->units++;
	return u;
}

void unit_free(struct unit *u)
{
	u->host->units--;
	loop_timer_free(u->grace);
	handover_free(u->handover);
	abi_worker_fini(&u->abi);
	pthread_mutex_destroy(&u->lock);
	pthread_cond_destroy(&u->work);
	pthread_cond_destroy(&u->control);
	free(u->serial_busy);
	free(u->handlers);
	free(u->config);
	free(u->path);
	free(u->entry);
	free(u->namespace);
	free(u);
}

/* From now on the instance has nothing to do with u, which ends by itself or never. */
static void let_go(struct unit *u)
{
	if (u->instance)
		u->instance->runner_data = NULL;
	u->instance = NULL;
	if (u->running)
		direct_remove(u->host->direct, u);
	u->running = false;
	if (u->grace)
		loop_timer_set(u->grace, -1);
	if (!u->stop_sent)
		order(u, UNIT_STOP);
	u->stop_sent = true;
}

static void failed(struct unit *u, const char *category, const char *phase, bool recoverable, const char *why)
{
	struct instance *i = u->instance;
	struct module_host *h = u->host;
	struct instance_error error = {.recoverable = recoverable, .at_ms = loop_now_ms(h->options.loop)};
	snprintf(error.category, sizeof error.category, "%s", category);
	snprintf(error.phase, sizeof error.phase, "%s", phase);
	snprintf(error.details, sizeof error.details, "%s", why);
	let_go(u);
	h->options.events.failed(h->options.events.context, i, &error);
}

/* ── load and start ── */

static char *tags_json(const char *const *tags)
{
	struct buf b = {0};
	buf_text(&b, "[");
	for (size_t k = 0; tags && tags[k]; k++) {
		buf_text(&b, k ? "," : "");
		buf_json_string(&b, bytes_of(tags[k]));
	}
	buf_text(&b, "]");
	return buf_take(&b);
}

static void describe(struct unit *u, struct instance *i)
{
	instance_forget_capabilities(i);
	i->capability_n = u->abi.n;
	i->capabilities = mem_new((u->abi.n + 1) * sizeof *i->capabilities);
	for (unsigned k = 0; k < u->abi.n; k++) {
		const struct reeve_capability *from = &u->abi.capabilities[k];
		i->capabilities[k] = (struct capability){mem_text(from->name), mem_text(from->version), mem_text(from->summary),
			mem_text(from->mode), tags_json(from->tags), mem_text(from->input_schema), mem_text(from->output_schema),
			mem_text(from->item_schema), mem_text(from->errors), from->flags};
	}
}

enum errcode module_initialize(struct module_host *h, struct instance *i,
	void (*loaded)(void *, struct instance *, const struct err *), void *context, struct err *e)
{
	struct unit *u = unit_new(h, i);
	u->loaded = loaded;
	u->loaded_context = context;
	if (unit_begin(u))
		return E_OK;
	i->runner_data = NULL;
	unit_free(u);
	return err_set(e, E_LIMIT, "no more threads can be made");
}

void unit_loaded(struct unit *u, bool ok, const char *why)
{
	struct instance *i = u->instance;
	if (!i)
		return;
	if (ok) { /* before its start, which may announce a server of its own */
		snprintf(i->program, sizeof i->program, "%s", u->abi.worker.name);
		snprintf(i->version, sizeof i->version, "%s", u->abi.worker.version);
		i->loaded_at_ms = loop_now_ms(u->host->options.loop);
		instance_set_endpoint(i, bytes_of("function"), bytes_of(u->abi.worker.name), (struct bytes){0});
	}
	if (!u->loaded) { /* loaded again on the way to `running` */
		if (ok)
			order(u, UNIT_START);
		else
			failed(u, "config", "start", false, why);
		return;
	}
	struct err e = {.code = E_INVALID};
	snprintf(e.text, sizeof e.text, "%s", why);
	if (!ok)
		let_go(u);
	u->loaded(u->loaded_context, i, ok ? NULL : &e);
}

static enum errcode module_start(struct instance *i, struct err *e)
{
	struct unit *u = i->runner_data;
	if (u) { /* fresh from `initializing` */
		order(u, UNIT_START);
		return E_OK;
	}
	u = unit_new(host_of(i), i);
	if (unit_begin(u))
		return E_OK;
	i->runner_data = NULL;
	unit_free(u);
	return err_set(e, E_LIMIT, "no more threads can be made");
}

void unit_started(struct unit *u, bool ok, const char *why)
{
	struct instance *i = u->instance;
	if (!i)
		return;
	if (!ok) {
		failed(u, "start", "start", true, why);
		return;
	}
	describe(u, i);
	u->running = true;
	direct_add(u->host->direct, u);
	u->host->options.events.running(u->host->options.events.context, i);
}

void unit_health(struct unit *u, bool ok, const char *why)
{
	if (u->instance && !u->replace)
		u->host->options.events.health(
			u->host->options.events.context, u->instance, ok ? HEALTH_WELL : HEALTH_UNWELL, why);
}

/* ── stop ── */

static void stop_when_idle(struct unit *u)
{
	if (!u->stopping || u->live || u->stop_sent)
		return;
	u->stop_sent = true;
	order(u, UNIT_STOP);
}

static void cancel_all(struct instance *i)
{
	list_each(&i->deliveries, at) task_cancel(container_of(at, struct delivery, link)->runner_data);
}

/* Everything it holds is lost; threads that do not end are left behind. */
static void abandon(struct unit *u, const char *category, const char *phase, const char *why)
{
	struct instance *i = u->instance;
	struct job_error error = {.code = "crashed", .retryable = 1};
	snprintf(error.message, sizeof error.message, "%s", why);
	list_each(&i->deliveries, at)
	{
		struct delivery *d = container_of(at, struct delivery, link);
		struct task *t = d->runner_data;
		handover_tell_started(t);
		t->d = NULL;
		task_cancel(t);
		hop_drop(t);
		d->events->lost(d, d->started ? &error : NULL);
	}
	failed(u, category, phase, true, why);
}

/* First at 4/5 of the grace: handlers are asked to stop; then when it is over: they are left behind. */
static void on_grace(void *context)
{
	struct unit *u = context;
	if (!u->instance)
		return;
	if (u->late_ms) {
		cancel_all(u->instance);
		loop_timer_set(u->grace, u->late_ms);
		u->late_ms = 0;
		return;
	}
	abandon(u, "timeout", "stop", "module shutdown timeout");
}

static void give_back_queued(struct instance *i) /* what was not begun goes elsewhere */
{
	list_each(&i->deliveries, at)
	{
		struct task *t = container_of(at, struct delivery, link)->runner_data;
		if (!t->d->started && t->place == TASK_QUEUED)
			task_cancel(t);
	}
}

static void module_stop(struct instance *i, int64_t grace_ms)
{
	struct unit *u = i->runner_data;
	if (!u || u->stopping)
		return;
	u->stopping = true;
	if (u->running)
		direct_remove(u->host->direct, u);
	u->running = false;
	give_back_queued(i);
	u->grace = loop_timer_new(u->host->options.loop, on_grace, u);
	u->late_ms = grace_ms / 5 + 1;
	loop_timer_set(u->grace, grace_ms - grace_ms / 5);
	stop_when_idle(u);
}

void unit_stopped(struct unit *u, bool ok, const char *why)
{
	struct instance *i = u->instance;
	struct module_host *h = u->host;
	if (i)
		i->runner_data = NULL;
	u->instance = NULL;
	u->ended = true;
	if (u->live == 0) /* else a job of a unit that was left behind still waits for its reeve_finish */
		unit_free(u);
	if (i)
		h->options.events.stopped(h->options.events.context, i);
}

struct killing { /* events never come from within runner_ops */
	struct message message;
	struct unit *unit;
	struct instance *instance;
	struct instance_error why;
};

static void run_killing(struct message *m)
{
	struct killing *k = (struct killing *)m;
	struct instance *i = k->instance;
	if (i->runner_data == k->unit && k->unit && k->unit->instance == i)
		abandon(k->unit, k->why.category, k->why.phase, k->why.details);
	free(k);
}

static void module_kill(struct instance *i, const struct instance_error *why)
{
	struct unit *u = i->runner_data;
	if (!u)
		return;
	struct killing *k = NEW(struct killing);
	k->message.run = run_killing;
	k->unit = u;
	k->instance = i;
	k->why = *why;
	loop_post(u->host->options.loop, &k->message);
}

/* Its stuck threads cannot be ended, but the instance can be given up, once nobody else works in it. */
static void replace_stuck(struct unit *u)
{
	struct instance_error error =
		instance_error_of("stop", "run", true, loop_now_ms(u->host->options.loop), "a cancelled handler did not end");
	if (u->instance && u->replace && u->stuck >= u->instance->in_flight)
		module_kill(u->instance, &error);
}

void module_stuck(struct module_host *h, struct instance *i, const struct delivery *d, const char *why)
{
	struct unit *u = i->runner_data;
	struct task *t = d->runner_data;
	if (!u || !t || t->stuck)
		return;
	t->stuck = u->replace = true;
	u->stuck++;
	h->options.events.health(h->options.events.context, i, HEALTH_STUCK, why);
	give_back_queued(i);
	replace_stuck(u);
}

/* ── tasks ── */

static void on_finished(struct message *m)
{
	struct task *t = container_of(m, struct task, finished);
	struct unit *u = t->unit;
	struct delivery *d = t->d;
	handover_tell_started(t);
	t->d = NULL;
	hop_drop(t);
	u->live--;
	u->stuck -= t->stuck;
	if (d && t->lost)
		d->events->lost(d, NULL);
	else if (d)
		d->events->finished(d, buf_bytes(&t->result), t->outcome == REEVE_OK ? NULL : &t->error);
	task_free(t);
	handover_ended(u);
	if (u->ended) {
		if (u->live == 0)
			unit_free(u);
		return;
	}
	stop_when_idle(u);
	replace_stuck(u);
}

struct task *task_new(struct module_host *h, struct unit *u)
{
	struct task *t = h->kept;
	if (t) {
		h->kept = t->next_kept;
		h->kept_n--;
	} else {
		t = NEW(struct task);
		attempt_init(&t->attempt);
		pthread_mutex_init(&t->lock, NULL);
		pthread_cond_init(&t->change, NULL);
		t->finished.run = on_finished;
	}
	t->attempt.base.ops = &host_job_ops;
	t->unit = u;
	t->root = t;
	t->depth = 0;
	t->out = t->checkpoints_out = 0;
	t->item_error = REEVE_OK;
	t->stuck = t->progress_sent = t->lost = t->over = t->cancelling = t->end_kept = false;
	t->place = TASK_QUEUED;
	atomic_store(&t->begun, false);
	buf_clear(&t->input);
	buf_clear(&t->checkpoint);
	return t;
}

void task_free(struct task *t)
{
	struct module_host *h = t->unit->host;
	attempt_reset(&t->attempt);
	if (h->kept_n < MODULE_TASKS_KEPT && t->input.room <= 1 << 16 && t->result.room <= 1 << 16) {
		t->next_kept = h->kept;
		h->kept = t;
		h->kept_n++;
		return;
	}
	attempt_fini(&t->attempt);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->change);
	buf_fini(&t->input);
	buf_fini(&t->checkpoint);
	buf_fini(&t->result);
	free(t);
}

static struct reeve_bytes kept(struct buf *b, struct bytes from)
{
	if (!from.data)
		return (struct reeve_bytes){NULL, 0};
	buf_add(b, from.data, from.size); /* a NUL follows */
	return (struct reeve_bytes){b->data, b->size};
}

static void describe_task(struct task *t, const struct delivery *d, int64_t now_ms)
{
	struct attempt *a = &t->attempt;
	a->capability = t->capability;
	a->number = d->id;
	a->fence = d->fence;
	a->count = (int)d->attempt;
	if (d->id >> 63)
		a->id[0] = 0; /* a call has no job */
	else
		id_format(d->id, a->id);
	a->deadline_ms = d->deadline_ms;
	attempt_set_trace(a, d->traceparent.data, d->traceparent.size);
	/* A job's time counts from when its handler begins; a call's deadline is its caller's. */
	t->timeout_ms = d->deadline_ms == INT64_MAX || d->id >> 63 ? -1 : d->deadline_ms - now_ms;
	a->input = kept(&t->input, d->input);
	a->checkpoint = kept(&t->checkpoint, d->checkpoint);
	memcpy(t->blob, d->blob, sizeof t->blob);
}

static void module_deliver(struct instance *i, struct delivery *d)
{
	struct unit *u = i->runner_data;
	struct module_host *h = host_of(i);
	struct task *t = task_new(h, u);
	t->index = d->capability;
	t->capability = &u->abi.capabilities[d->capability];
	t->window = d->item_window ? d->item_window : 64;
	t->d = d;
	d->runner_data = t;
	describe_task(t, d, loop_now_ms(h->options.loop));
	u->live++;
	handover_give(u, t);
}

static void module_cancel(struct instance *i, struct delivery *d)
{
	task_cancel(d->runner_data);
}

static void module_forget(struct instance *i, struct delivery *d)
{
	struct task *t = d->runner_data;
	t->d = NULL;
	task_cancel(t);
	hop_drop(t);
}

static void module_item_done(struct instance *i, struct delivery *d, enum errcode code)
{
	struct task *t = d->runner_data;
	pthread_mutex_lock(&t->lock);
	t->out--;
	if (code == E_FENCE)
		t->item_error = REEVE_E_CANCELLED;
	else if (code != E_OK && t->item_error == REEVE_OK)
		t->item_error = code == E_NO_SPACE ? REEVE_E_AGAIN : REEVE_E_INTERNAL;
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
}

static void module_settled(struct instance *i, uint64_t id, uint64_t fence)
{
	/* A thread of the engine itself keeps no result back. */
}

static void module_call_done(
	struct instance *i, struct delivery *d, uint64_t call_id, struct bytes result, const struct job_error *error)
{
	hop_answer(d->runner_data, call_id, result, error);
}

static const struct runner_ops ops = {
	.type = "module",
	.start = module_start,
	.stop = module_stop,
	.kill = module_kill,
	.deliver = module_deliver,
	.cancel = module_cancel,
	.forget = module_forget,
	.item_done = module_item_done,
	.settled = module_settled,
	.call_done = module_call_done,
};
