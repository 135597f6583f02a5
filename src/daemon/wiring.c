/* The engine as a whole: opened in order, with the API in front, and closed in reverse. */
#include "daemon/wiring.h"

#include "base/random.h"
#include "os/durable.h"
#include "os/path.h"
#include "upkeep/backup.h"

#define EVENTS_KEPT 4096 /* for those who come back with the last id that they saw */

uint64_t wiring_seed(void)
{
	uint64_t s;
	random_fill(&s, sizeof s);
	return s;
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
		wiring_queues(d);
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
	wiring_collector(d);
	if ((code = callbacks_open(d, e)))
		return code;
	batches_open(d);
	wiring_pipelines(d);
	schedules_open(d);
	wiring_dispatch(d);
	wiring_claims(d);
	wiring_supervisor(d);
	wiring_modules(d, scratch);
	dispatch_hold(d->dispatch, true);
	fill_api(d);
	if ((code = queues_load(d->queues, clock_now(d), e)) || (code = claims_load(d->claims, e)) ||
		(code = callbacks_load(d->callbacks, clock_now(d), e)) || (code = batches_load(d->batches, clock_now(d), e)) ||
		(code = pipelines_load(d->pipelines, clock_now(d), e)) || (code = schedules_read(d, e)) ||
		(code = wiring_processes(d, run, scratch, e)))
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
