/* Who calls whom, as far as jobs go: queues, blobs, pipelines, dispatch, claims. Nothing is decided here but the order. */
#include "daemon/wiring.h"

#include "os/os_clock.h"
#include "wire/id.h"

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

void wiring_queues(struct daemon *d)
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
	d->queues = queues_new(d->store, 0, wiring_seed(), &hooks);
	daemon_set_limits(d, d->settings);
}

/* ── blobs ── */

/* Changes that a full disk holds up are in memory alone, with the blobs that they name. A backup copies what its snapshot names. */
static bool collection_waits(void *context)
{
	struct daemon *d = context;
	return queues_held(d->queues) || d->api.backing_up;
}

void wiring_collector(struct daemon *d)
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

void wiring_pipelines(struct daemon *d)
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

static void on_job_log(
	void *context, struct instance *i, uint64_t job_id, int severity, struct bytes event, struct bytes fields)
{
	wiring_worker_log(context, i, severity, event, fields);
}

static void on_last_lines(void *context, const struct instance *i, struct buf *out)
{
	struct daemon *d = context;
	output_last_lines(d->outputs, i->worker->id, i->id, out);
}

void wiring_dispatch(struct daemon *d)
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

void wiring_claims(struct daemon *d)
{
	struct claim_calls calls = {.context = d,
		.now_ms = clock_now,
		.want_turn = clock_want_turn,
		.wake = clock_wake_claims,
		.expired = on_claim_expired};
	d->claims = claims_new(d->queues, d->store, &calls);
	claims_hold(d->claims, true);
}
