/* Who calls whom: the hooks of each part lead to the parts that care. Nothing is decided here but the order. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "base/random.h"
#include "os/durable.h"
#include "os/os_clock.h"
#include "os/path.h"
#include "upkeep/backup.h"
#include "wire/id.h"
#include "wire/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t seed(void)
{
	uint64_t s;
	random_fill(&s, sizeof s);
	return s;
}

#define EVENTS_KEPT 4096 /* for those who come back with the last id that they saw */

/* ── from the queue ── */

static void on_ready(void *context, struct queue *q)
{
	struct daemon *d = context;
	dispatch_ready(d->dispatch, q);
	claims_ready(d->claims, q);
}

static void on_wake(void *context, int64_t at_ms)
{
	clock_wake_queues(context, at_ms);
}

static void on_pending(void *context, struct job *j)
{
	struct daemon *d = context;
	api_job_pending(&d->api, j);
}

static void on_started(void *context, struct job *j)
{
	struct daemon *d = context;
	api_job_started(&d->api, j);
}

static void on_revoke(void *context, struct job *j, enum revoke_reason why)
{
	struct daemon *d = context;
	if (!claims_revoke(d->claims, j))
		dispatch_revoke(d->dispatch, j, why);
}

static void on_item(
	void *context, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes)
{
	struct daemon *d = context;
	pipelines_item(d->pipelines, j, key, data, b, becomes);
}

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	struct daemon *d = context;
	pipelines_ending(d->pipelines, j, o, b);
	callbacks_job_ending(d->callbacks, j, o, b);
	batches_ending(d->batches, j, o, b);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	struct daemon *d = context;
	waits_tell(d->waits, j->id, o);
	api_job_ended(&d->api, j, o);
	pipelines_ended(d->pipelines, j, o);
	batches_ended(d->batches, j, o);
	schedules_ended(d->schedules, j->id, os_clock_ms());
}

static void on_joining(void *context, uint64_t batch_id, const uint64_t *ids, size_t n, struct store_batch *b)
{
	struct daemon *d = context;
	batches_joining(d->batches, batch_id, ids, n, b);
}

static bool on_joined(void *context, uint64_t batch_id, uint64_t job_id)
{
	struct daemon *d = context;
	return batches_joined(d->batches, batch_id, job_id);
}

static void on_progress(void *context, struct job *j, int percent, struct bytes message)
{
	struct daemon *d = context;
	api_job_progress(&d->api, j, percent, message);
	pipelines_progress(d->pipelines, j, percent, message);
}

/* The keeper starts the next engine, which reads the disk: the only one who knows what was kept. */
static void on_lost(void *context, enum errcode code)
{
	log_write(LOG_LEVEL_ERROR, "store_lost", "code=%s: the engine exits and recovers from the disk", err_word(code));
	_exit(EXIT_FAILURE);
}

static void set_default(void *context, struct queue *q)
{
	queue_set_limits(q, context);
}

static void unlimit(void *context, const struct namespace_info *n)
{
	namespace_configure(((struct daemon *)context)->queues, n->name, &(struct flow_limits){0}, 1);
}

/* What a file that was read again no longer says is as if it had never been said. */
void daemon_set_limits(struct daemon *d, const struct settings *s)
{
	struct queue_limits defaults = s->jobs;
	queues_set_limits(d->queues, &s->jobs);
	queues_each(d->queues, set_default, &defaults);
	namespaces_each(d->queues, unlimit, d);
	for (size_t i = 0; i < s->namespace_n; i++) {
		const struct namespace_setting *n = &s->namespaces[i];
		namespace_configure(d->queues, bytes_of(n->name), &n->limits, n->weight);
	}
	for (size_t i = 0; i < s->queue_n; i++) {
		const struct queue_setting *q = &s->queues[i];
		queue_set_limits(queues_get(d->queues, bytes_of(q->namespace), bytes_of(q->capability)), &q->limits);
	}
}

static void open_queues(struct daemon *d)
{
	struct queue_hooks hooks = {.context = d,
		.ready = on_ready,
		.pending = on_pending,
		.started = on_started,
		.wake = on_wake,
		.revoke = on_revoke,
		.item = on_item,
		.ending = on_ending,
		.ended = on_ended,
		.progress = on_progress,
		.joining = on_joining,
		.joined = on_joined,
		.lost = on_lost};
	d->queues = queues_new(d->store, 0, seed(), &hooks);
	daemon_set_limits(d, d->settings);
}

/* ── blobs ── */

/* Changes that a full disk holds up are in memory alone, with the blobs that they name. A backup copies what its snapshot names. */
static bool collection_waits(void *context)
{
	struct daemon *d = context;
	return queues_held(d->queues) || d->api.backing_up;
}

static void open_collector(struct daemon *d)
{
	struct blob_collector_options o = {.loop = d->loop,
		.store = d->store,
		.blobs = d->blobs,
		.keep_unused_ms = d->settings->blob_keep_unused_ms,
		.busy = collection_waits,
		.context = d};
	d->collector = blob_collector_new(&o);
}

/* ── from pipelines ── */

static void on_resume(void *context, uint64_t job_id)
{
	struct daemon *d = context;
	const struct job *j = queues_find(d->queues, job_id);
	if (j && !claims_has(d->claims, j)) /* a pull client is told to come again */
		dispatch_emit_resume(d->dispatch, job_id);
}

static void on_run_changed(void *context, uint64_t run_id, enum run_state state)
{
	struct daemon *d = context;
	api_run_changed(&d->api, run_id, state);
	if (state != RUN_RUNNING)
		schedules_ended(d->schedules, run_id, os_clock_ms());
}

static void open_pipelines(struct daemon *d)
{
	d->pipelines = pipelines_new(d->store, d->queues, d->blobs);
	pipelines_set_resume(d->pipelines, on_resume, d);
	pipelines_set_watch(d->pipelines, on_run_changed, d);
	for (size_t i = 0; i < d->settings->pipeline_n; i++)
		pipelines_define(d->pipelines, take(d->settings->pipelines[i]));
	d->settings->pipeline_n = 0;
}

/* ── from dispatch ── */

static bool blob_of(void *context, struct bytes input, char name[80], bool *only)
{
	return blob_of_input(input, name, only);
}

static bool anyone_starting(void *context)
{
	struct daemon *d = context;
	list_each(supervisor_workers(d->supervisor), at)
	{
		list_each(&container_of(at, struct worker, link)->instances, in)
		{
			enum instance_state state = container_of(in, struct instance, link)->state;
			if (state > INSTANCE_UNINITIALIZED && state < INSTANCE_RUNNING)
				return true;
		}
	}
	return d->recovering;
}

static bool emit_waits(void *context, struct job *j)
{
	struct daemon *d = context;
	return pipelines_emit_waits(d->pipelines, j);
}

static void on_stuck(void *context, struct instance *i, const struct delivery *delivery, const char *why)
{
	struct daemon *d = context;
	log_write(LOG_LEVEL_ERROR, "handler_stuck", "worker=%s instance=%s why=\"%s\"", i->worker->id, i->id, why);
	if (i->worker->type == WORKER_MODULE)
		module_stuck(d->modules, i, delivery, why); /* a thread cannot be ended without the engine */
	else
		supervisor_kill(d->supervisor, i, why);
}

static void write_worker_log(
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

static void on_job_log(
	void *context, struct instance *i, uint64_t job_id, int severity, struct bytes event, struct bytes fields)
{
	write_worker_log(context, i, severity, event, fields);
}

static void on_last_lines(void *context, const struct instance *i, struct buf *out)
{
	struct daemon *d = context;
	output_last_lines(d->outputs, i->worker->id, i->id, out);
}

static void open_dispatch(struct daemon *d)
{
	struct dispatch_calls calls = {.context = d,
		.now_ms = clock_now,
		.want_turn = clock_want_turn,
		.wake = clock_wake_dispatch,
		.blob_of = blob_of,
		.anyone_starting = anyone_starting,
		.emit_waits = emit_waits,
		.stuck = on_stuck,
		.last_lines = on_last_lines,
		.log = on_job_log};
	d->registry = registry_new();
	d->dispatch = dispatch_new(d->queues, d->registry, &calls);
}

/* ── from claims ── */

static void on_claim_expired(void *context, const struct claim_view *v, struct bytes why)
{
	struct daemon *d = context;
	char id[ID_TEXT_SIZE];
	id_format(v->job->id, id);
	log_write(LOG_LEVEL_WARNING, "claim_expired", "client=%s job=%s held_ms=%lld", v->client, id,
		(long long)(clock_now(d) - v->since_ms));
	api_claim_expired(&d->api, v, why);
}

static void open_claims(struct daemon *d)
{
	struct claim_calls calls = {.context = d,
		.now_ms = clock_now,
		.want_turn = clock_want_turn,
		.wake = clock_wake_claims,
		.expired = on_claim_expired};
	d->claims = claims_new(d->queues, d->store, &calls);
	claims_hold(d->claims, true);
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

static void open_supervisor(struct daemon *d)
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
	d->supervisor = supervisor_new(&calls, seed());
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
	write_worker_log(context, i, severity, event, fields);
}

static int inherited_fd(const char *name)
{
	const char *text = getenv(name);
	return text ? atoi(text) : -1;
}

static void open_modules(struct daemon *d, const char *scratch)
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

static enum errcode open_processes(struct daemon *d, const char *run, const char *scratch, struct err *e)
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

/* ── HTTP ── */

static enum errcode call_add_worker(void *context, const json_t *declaration, struct err *e)
{
	return workers_add(context, declaration, e);
}

static enum errcode call_remove_worker(void *context, const char *id, struct err *e)
{
	return workers_remove(context, id, e);
}

static enum errcode call_promote_worker(void *context, const char *id, struct err *e)
{
	return crashes_promote(context, id, e);
}

/* Before anything is loaded: what an earlier engine left half done ends then, and is news. */
static void fill_api(struct daemon *d)
{
	struct api *a = &d->api;
	a->loop = d->loop;
	a->store = d->store;
	a->queues = d->queues;
	a->waits = d->waits;
	a->blobs = d->blobs;
	a->collector = d->collector;
	a->keep_unused_ms = d->settings->blob_keep_unused_ms;
	a->callbacks = d->callbacks;
	a->batches = d->batches;
	a->allow = d->settings->callbacks.allow;
	a->pipelines = d->pipelines;
	a->schedules = d->schedules;
	a->registry = d->registry;
	a->supervisor = d->supervisor;
	a->dispatch = d->dispatch;
	a->claims = d->claims;
	a->outputs = d->outputs;
	a->events = d->events;
	a->metrics = d->metrics;
	a->calls = (struct api_calls){d, call_add_worker, call_remove_worker, call_promote_worker};
	a->node = d->settings->node;
	a->data_dir = d->settings->data_dir;
	a->socket = d->settings->socket;
	a->started_at_ms = clock_now(d);
	a->recovering = &d->recovering;
	a->stopping = &d->stopping;
}

/* Where `reeve up --detach` finds the socket that the configuration names. */
static enum errcode tell_socket(struct daemon *d, const char *run, struct err *e)
{
	char path[PATH_MAX + 16], line[264];
	snprintf(path, sizeof path, "%s/socket", run);
	snprintf(line, sizeof line, "%s\n", d->settings->socket);
	return durable_write(NULL, path, bytes_of(line), 0600, e);
}

static enum errcode open_http(struct daemon *d, const char *run, struct err *e)
{
	struct http_options options = {
		.unix_path = d->settings->socket, .routes = api_routes, .context = &d->api, .answered = api_answered};
	enum errcode code = http_server_open(d->loop, &options, &d->http, e);
	if (!code)
		code = clients_open(d, e);
	return code ? code : tell_socket(d, run, e);
}

/* ── the whole ── */

static enum errcode open_directories(struct daemon *d, char run[PATH_MAX], char scratch[PATH_MAX], struct err *e)
{
	const char *data = d->settings->data_dir;
	char logs[PATH_MAX], blobs[PATH_MAX];
	if (strlen(data) > PATH_MAX - 256)
		return err_set(e, E_TOO_LARGE, "data_dir: its path is longer than %d bytes", PATH_MAX - 256);
	snprintf(run, PATH_MAX, "%s/run", data);
	snprintf(scratch, PATH_MAX, "%s/scratch", data);
	snprintf(logs, sizeof logs, "%s/logs", data);
	snprintf(blobs, sizeof blobs, "%s/blobs", data);
	enum errcode code = path_make_directory(data, 0700, e);
	if (!code)
		code = restore_check_finished(data, e);
	if (!code)
		reserve_begin(d);
	if (!code)
		code = path_make_directory(run, 0700, e);
	if (!code)
		code = path_make_directory(scratch, 0700, e);
	if (!code)
		code = outputs_new(d->loop, logs, &d->outputs, e);
	return code ? code : blobs_open(blobs, d->settings->blob_max_bytes, &d->blobs, e);
}

static enum errcode open_store(struct daemon *d, struct err *e)
{
	enum errcode code = d->settings->memory_store ? store_memory_open(d->loop, &d->store, e)
												  : store_sqlite_open(d->loop, d->settings->data_dir, &d->store, e);
	if (!code)
		open_queues(d);
	return code;
}

enum errcode daemon_open(struct daemon *d, struct err *e)
{
	char run[PATH_MAX], scratch[PATH_MAX];
	d->loop = loop_new();
	d->waits = waits_new();
	d->events = events_new(EVENTS_KEPT, clock_now(d));
	d->metrics = metrics_new();
	d->recovering = true;
	clock_open(d);
	enum errcode code = open_directories(d, run, scratch, e);
	if (!code)
		code = open_store(d, e);
	if (code)
		return code;
	reserve_open(d);
	open_collector(d);
	if ((code = callbacks_open(d, e)))
		return code;
	batches_open(d);
	open_pipelines(d);
	schedules_open(d);
	open_dispatch(d);
	open_claims(d);
	open_supervisor(d);
	open_modules(d, scratch);
	dispatch_hold(d->dispatch, true);
	fill_api(d);
	if ((code = queues_load(d->queues, clock_now(d), e)) || (code = claims_load(d->claims, e)) ||
		(code = callbacks_load(d->callbacks, clock_now(d), e)) || (code = batches_load(d->batches, clock_now(d), e)) ||
		(code = pipelines_load(d->pipelines, clock_now(d), e)) || (code = schedules_read(d, e)) ||
		(code = open_processes(d, run, scratch, e)))
		return code;
	d->api.keeper_pid = d->processes ? (int)getppid() : 0;
	return (code = recovery_adopt(d, e)) ? code : open_http(d, run, e);
}

void daemon_close(struct daemon *d)
{
	link_clients_close(d->clients);
	http_server_close(d->http);
	process_host_free(d->processes);
	module_host_free(d->modules);
	blob_collector_stop(d->collector);
	reserve_close(d);
	if (d->store)
		d->store->ops->close(d->store);
	dispatch_free(d->dispatch);
	claims_free(d->claims);
	health_free(d->health);
	supervisor_free(d->supervisor);
	registry_free(d->registry);
	schedules_free(d->schedules);
	sender_free(d->sender);
	batches_free(d->batches);
	callbacks_free(d->callbacks);
	pipelines_free(d->pipelines);
	queues_free(d->queues);
	waits_free(d->waits);
	outputs_free(d->outputs);
	events_free(d->events);
	metrics_free(d->metrics);
	clock_close(d);
	loop_free(d->loop); /* what the pool has in hand comes home */
	blob_collector_free(d->collector);
	blobs_close(d->blobs);
	settings_free(d->settings);
}
