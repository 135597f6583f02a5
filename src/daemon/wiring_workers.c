/* Who calls whom, as far as workers go: supervisor, probes, and the two runners. "Process or module?" is answered in runner_of and
 * nowhere else. */
#include "daemon/wiring.h"

#include "wire/keeper.h"

void wiring_worker_log(
	struct daemon *d, const struct instance *i, int severity, struct bytes event, struct bytes fields)
{
	scoped(buf_fini) struct buf line = {0};
	buf_format(&line, "%s ", log_worker_word(severity));
	buf_add(&line, event.data, event.size);
	if (fields.size) {
		buf_text(&line, " ");
		buf_add(&line, fields.data, fields.size);
	}
	output_line(d->outputs, i->worker->id, i->id, OUTPUT_LOG, buf_bytes(&line));
}

/* ── from the supervisor ── */

static const struct runner_ops *runner_of(void *context, const struct worker *w)
{
	struct daemon *d = context;
	if (w->type == WORKER_MODULE)
		return module_host_runner(d->modules);
	return d->processes ? process_host_runner(d->processes) : NULL;
}

static void on_loaded(void *context, struct instance *i, const struct err *error)
{
	struct daemon *d = context;
	supervisor_initialized(d->supervisor, i, error);
}

static enum errcode initialize(void *context, struct instance *i, bool *later, struct err *e)
{
	struct daemon *d = context;
	enum errcode code = workers_resolve(d, i->worker, e);
	if (code)
		return code;
	if (i->worker->type == WORKER_PROCESS)
		return d->processes ? process_check(d->processes, i, e)
							: err_set(e, E_UNAVAILABLE, "processes need the keeper: start reeved, not reeve-engine");
	*later = true;
	return module_initialize(d->modules, i, on_loaded, d, e);
}

static enum errcode resolve(void *context, struct instance *i, struct err *e)
{
	struct daemon *d = context;
	enum errcode code = workers_resolve(d, i->worker, e);
	return code || i->worker->type == WORKER_MODULE || !d->processes ? code : process_check(d->processes, i, e);
}

static void log_change(const struct instance *i)
{
	const struct instance_error *x = &i->last_error;
	if (i->state == INSTANCE_FAILED)
		log_write(LOG_LEVEL_ERROR, "instance_failed", "worker=%s instance=%s phase=%s error=\"%s\"", i->worker->id,
			i->id, x->phase, x->details);
	else if (i->state == INSTANCE_RUNNING || i->state == INSTANCE_STOPPED)
		log_write(LOG_LEVEL_INFO, i->state == INSTANCE_RUNNING ? "instance_running" : "instance_stopped",
			"worker=%s instance=%s type=%s pid=%d", i->worker->id, i->id, worker_type_word(i->worker->type), i->pid);
}

static void on_changed(void *context, struct instance *i, enum instance_state from)
{
	struct daemon *d = context;
	log_change(i);
	if (from == INSTANCE_RUNNING)
		registry_remove(d->registry, i); /* what it has in hand it may finish while it is stopping */
	if (i->state == INSTANCE_STOPPING)
		dispatch_instance_stopping(d->dispatch, i);
	if (i->state == INSTANCE_STOPPED || i->state == INSTANCE_FAILED)
		dispatch_instance_gone(d->dispatch, i);
	if (i->state == INSTANCE_RUNNING) {
		registry_add(d->registry, i);
		dispatch_instance_running(d->dispatch, i);
	}
	api_instance_changed(&d->api, i);
	stop_check(d);
}

static void on_gone(void *context, struct instance *i)
{
	struct daemon *d = context;
	registry_remove(d->registry, i);
	dispatch_instance_gone(d->dispatch, i);
	health_forget(i);
	stop_check(d);
}

static void on_worker_gone(void *context, struct worker *w)
{
	struct daemon *d = context;
	log_write(LOG_LEVEL_INFO, "worker_removed", "worker=%s", w->id);
	output_forget(d->outputs, w->id);
	workers_gone(d, w);
}

static void on_health_changed(void *context, struct instance *i)
{
	struct daemon *d = context;
	const struct health_state *h = &i->health[HEALTH_LIVENESS];
	log_write(h->status == HEALTH_HEALTHY ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "instance_health",
		"worker=%s instance=%s health=%s ready=%s why=\"%s\"", i->worker->id, i->id, health_status_word(h->status),
		i->ready ? "true" : "false", *h->why ? h->why : i->health[HEALTH_READINESS].why);
	if (i->healthy) /* jobs that waited for it */
		dispatch_instance_credit(d->dispatch, i);
}

static void on_probe(void *context, struct instance *i)
{
	health_update(((struct daemon *)context)->health, i);
}

static void on_answer(
	void *context, struct instance *i, enum health_question q, enum health_answer answer, const char *why)
{
	supervisor_answer(((struct daemon *)context)->supervisor, i, q, answer, why);
}

static void on_essential_lost(void *context, const struct instance *i)
{
	struct daemon *d = context;
	log_write(LOG_LEVEL_ERROR, "essential_worker_lost", "worker=%s instance=%s error=\"%s\"", i->worker->id, i->id,
		i->last_error.details);
	stop_begin(d, KEEPER_EXIT_ESSENTIAL);
}

void wiring_supervisor(struct daemon *d)
{
	struct supervisor_calls calls = {.context = d,
		.runner = runner_of,
		.initialize = initialize,
		.resolve = resolve,
		.changed = on_changed,
		.health = on_health_changed,
		.probe = on_probe,
		.gone = on_gone,
		.worker_gone = on_worker_gone,
		.wake = clock_wake_supervisor,
		.now_ms = clock_now,
		.essential_lost = on_essential_lost,
		.by_hand = by_hand_note};
	d->health = health_new(d->loop, on_answer, d);
	d->supervisor = supervisor_new(&calls, wiring_seed());
}

/* ── from the runners ── most goes to the supervisor, what concerns work to dispatch */

static void on_running(void *context, struct instance *i)
{
	struct instance_events ev = supervisor_events(((struct daemon *)context)->supervisor);
	ev.running(ev.context, i);
}

static void on_stopped(void *context, struct instance *i)
{
	struct instance_events ev = supervisor_events(((struct daemon *)context)->supervisor);
	ev.stopped(ev.context, i);
}

static void on_failed(void *context, struct instance *i, const struct instance_error *error)
{
	struct instance_events ev = supervisor_events(((struct daemon *)context)->supervisor);
	ev.failed(ev.context, i, error);
}

static void on_health(void *context, struct instance *i, enum health_answer answer, const char *why)
{
	struct instance_events ev = supervisor_events(((struct daemon *)context)->supervisor);
	ev.health(ev.context, i, answer, why);
}

static void on_credit(void *context, struct instance *i)
{
	struct daemon *d = context;
	dispatch_instance_credit(d->dispatch, i);
}

static struct delivery *on_reclaim(void *context, struct instance *i, uint64_t id, uint64_t fence, bool started)
{
	struct daemon *d = context;
	struct delivery *delivery = NULL;
	return dispatch_reclaim(d->dispatch, i, id, fence, started, &delivery, NULL) == E_OK ? delivery : NULL;
}

static void on_announce(void *context, struct instance *i, struct bytes name, struct bytes type, struct bytes address,
	struct bytes metadata)
{
	instance_set_endpoint(i, type, address, metadata);
}

static struct instance_events runner_events(struct daemon *d)
{
	return (struct instance_events){.context = d,
		.running = on_running,
		.credit = on_credit,
		.stopped = on_stopped,
		.failed = on_failed,
		.health = on_health,
		.reclaim = on_reclaim};
}

/* ── modules ── */

static void on_module_log(void *context, struct instance *i, int severity, struct bytes event, struct bytes fields)
{
	wiring_worker_log(context, i, severity, event, fields);
}

static int inherited_fd(const char *name)
{
	const char *text = getenv(name);
	return text ? atoi(text) : -1;
}

void wiring_modules(struct daemon *d, const char *scratch)
{
	struct module_options options = {.loop = d->loop,
		.blobs = d->blobs,
		.events = runner_events(d),
		.scratch_directory = scratch,
		.breadcrumb_fd = inherited_fd(KEEPER_ENV_BREADCRUMB),
		.context = d,
		.check_config = check_config,
		.log = on_module_log,
		.announce = on_announce};
	d->modules = module_host_new(&options);
}

/* ── processes ── */

static void on_stop(void *context, int times)
{
	struct daemon *d = context;
	stop_begin(d, KEEPER_EXIT_DONE);
	if (times > 1)
		loop_stop(d->loop); /* the children are ended by the next start, or by nobody: asked for */
}

static void on_reload(void *context)
{
	workers_reload(context);
}

static void on_keeper_lost(void *context)
{
	_exit(EXIT_FAILURE); /* the workers live on and hold their jobs; what is acknowledged is on the disk */
}

enum errcode wiring_processes(struct daemon *d, const char *run, const char *scratch, struct err *e)
{
	int fd = inherited_fd(KEEPER_ENV_FD);
	char workers[PATH_MAX], exec[PATH_MAX + 32];
	if (fd < 0)
		return E_OK; /* started alone: modules only */
	if (!settings_own_workers(workers))
		return err_set(e, E_IO, "/proc is not mounted");
	snprintf(exec, sizeof exec, "%s/exec/exec", workers);
	struct process_options options = {.loop = d->loop,
		.blobs = d->blobs,
		.outputs = d->outputs,
		.events = runner_events(d),
		.run_directory = run,
		.scratch_directory = scratch,
		.node = d->settings->node,
		.exec_program = exec,
		.keeper_fd = fd,
		.check_config = check_config,
		.context = d,
		.stop = on_stop,
		.reload = on_reload,
		.keeper_lost = on_keeper_lost,
		.announce = on_announce};
	return process_host_new(&options, &d->processes, e);
}
