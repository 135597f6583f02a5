/* /v1/workers and /v1/instances: what is declared, how it is, and what may be done to it. */
#include "api/api.h"

#include "base/mem.h"
#include "os/proc.h"
#include "worker/instance.h"
#include "worker/worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void list_workers(void *context, struct http_request *r);
static void show_worker(void *context, struct http_request *r);
static void add_worker(void *context, struct http_request *r);
static void remove_worker(void *context, struct http_request *r);
static void start_worker(void *context, struct http_request *r);
static void stop_worker(void *context, struct http_request *r);
static void restart_worker(void *context, struct http_request *r);
static void promote_worker(void *context, struct http_request *r);
static void scale_worker(void *context, struct http_request *r);
static void list_instances(void *context, struct http_request *r);
static void show_instance(void *context, struct http_request *r);

#define WORKER_BODY_MAX (256 << 10)

const struct http_route worker_routes[] = {
	{.method = "GET",
		.path = "/v1/workers",
		.handle = list_workers,
		.summary = "List workers with their instances",
		.doc = "\"x-query\":\"type namespace\""},
	{.method = "POST",
		.path = "/v1/workers",
		.handle = add_worker,
		.body_max = WORKER_BODY_MAX,
		.summary = "Add a worker, declared as in the configuration"},
	{.method = "GET",
		.path = "/v1/workers/{worker}",
		.handle = show_worker,
		.summary = "Show a worker with its diagnostics"},
	{.method = "DELETE", .path = "/v1/workers/{worker}", .handle = remove_worker, .summary = "Remove a stopped worker"},
	{.method = "POST", .path = "/v1/workers/{worker}/start", .handle = start_worker, .summary = "Start a worker"},
	{.method = "POST",
		.path = "/v1/workers/{worker}/stop",
		.handle = stop_worker,
		.summary = "Drain and stop a worker"},
	{.method = "POST",
		.path = "/v1/workers/{worker}/restart",
		.handle = restart_worker,
		.summary = "Restart a worker; ?force=true even while it waits after failures",
		.doc = "\"x-query\":\"force\""},
	{.method = "POST",
		.path = "/v1/workers/{worker}/promote",
		.handle = promote_worker,
		.summary = "Run a worker as a module again that was demoted to a process"},
	{.method = "POST",
		.path = "/v1/workers/{worker}/scale",
		.handle = scale_worker,
		.summary = "Run ?replicas=N instances",
		.doc = "\"x-query\":\"replicas\""},
	{.method = "GET",
		.path = "/v1/instances",
		.handle = list_instances,
		.summary = "List instances",
		.doc = "\"x-query\":\"namespace\""},
	{.method = "GET", .path = "/v1/instances/{instance}", .handle = show_instance, .summary = "Show an instance"},
	{0},
};

/* ── as JSON ── */

static void add_instance(struct buf *out, const struct instance *i)
{
	struct proc_stat st;
	char usage[96];
	bool sampled = i->pid > 0 && proc_stat_read(i->pid, &st);
	if (sampled)
		snprintf(usage, sizeof usage, "{\"rss_bytes\":%" PRIu64 ",\"cpu_ms\":%" PRIu64 "}", st.rss_bytes, st.cpu_ms);
	instance_diagnostics(i, sampled ? usage : NULL, out);
}

/* The worker's state is that of the instance that does best; without any it is stopped. */
static enum instance_state best_state(const struct worker *w)
{
	static const int rank[INSTANCE_STATES] = {[INSTANCE_RUNNING] = 7,
		[INSTANCE_STARTING] = 6,
		[INSTANCE_INITIALIZED] = 5,
		[INSTANCE_INITIALIZING] = 4,
		[INSTANCE_STOPPING] = 3,
		[INSTANCE_FAILED] = 2,
		[INSTANCE_STOPPED] = 1};
	enum instance_state best = INSTANCE_STOPPED;
	list_each((struct list *)&w->instances, at)
	{
		enum instance_state state = container_of(at, struct instance, link)->state;
		if (rank[state] > rank[best])
			best = state;
	}
	return best;
}

static void add_text(struct buf *out, const char *name, const char *value)
{
	buf_format(out, ",\"%s\":", name);
	if (value)
		buf_json_string(out, bytes_of(value));
	else
		buf_text(out, "null");
}

static void add_capabilities(struct buf *out, const struct worker *w)
{
	buf_text(out, ",\"capabilities\":[");
	list_each((struct list *)&w->instances, at)
	{
		const struct instance *i = container_of(at, struct instance, link);
		if (i->state != INSTANCE_RUNNING)
			continue;
		for (size_t c = 0; c < i->capability_n; c++) {
			if (c)
				buf_text(out, ",");
			buf_json_string(out, bytes_of(i->capabilities[c].name));
		}
		break; /* its replicas have the same */
	}
	buf_text(out, "]");
}

static void add_worker_json(struct buf *out, const struct worker *w)
{
	buf_text(out, "{\"id\":");
	buf_json_string(out, bytes_of(w->id));
	add_text(out, "namespace", w->namespace);
	for (size_t k = 0; k < w->namespace_n; k++) {
		buf_text(out, k ? "," : ",\"namespaces\":[");
		buf_json_string(out, bytes_of(w->namespaces[k]));
	}
	buf_text(out, "]");
	add_text(out, "type", worker_type_word(w->type));
	add_text(out, "state", instance_state_word(best_state(w)));
	add_text(out, "package", w->package_name);
	add_text(out, "version", w->code.version);
	buf_format(out, ",\"enabled\":%s,\"wanted\":%s,\"runtime\":%s", w->enabled ? "true" : "false",
		w->wanted ? "true" : "false", w->runtime ? "true" : "false");
	buf_format(out, ",\"replicas\":{\"min\":%u,\"max\":%u,\"current\":%u},\"concurrency\":%u", w->replicas_min,
		w->replicas_max, w->replicas, w->concurrency);
	add_capabilities(out, w);
	buf_text(out, ",\"instances\":[");
	bool first = true;
	list_each((struct list *)&w->instances, at)
	{
		if (!first)
			buf_text(out, ",");
		first = false;
		add_instance(out, container_of(at, struct instance, link));
	}
	buf_text(out, "]}");
}

/* ── look ── */

static void list_workers(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes type = http_query(r, "type"), namespace = http_query(r, "namespace");
	struct buf out = {0};
	bool first = true;
	buf_text(&out, "{\"workers\":[");
	list_each(supervisor_workers(a->supervisor), at)
	{
		const struct worker *w = container_of(at, struct worker, link);
		if ((type.size && !bytes_equal(type, bytes_of(worker_type_word(w->type)))) || !worker_serves(w, namespace))
			continue;
		if (!first)
			buf_text(&out, ",");
		first = false;
		add_worker_json(&out, w);
	}
	buf_text(&out, "]}");
	api_reply_buf(r, 200, &out);
}

static struct worker *find_worker(struct api *a, struct http_request *r)
{
	struct bytes id = http_param(r, "worker");
	struct worker *w = supervisor_find(a->supervisor, id.data);
	if (!w)
		api_fail(r, E_NOT_FOUND, "there is no worker \"%.128s\"", id.data);
	return w;
}

static void answer_worker(struct http_request *r, int status, const struct worker *w)
{
	struct buf out = {0};
	add_worker_json(&out, w);
	api_reply_buf(r, status, &out);
}

static void show_worker(void *context, struct http_request *r)
{
	struct worker *w = find_worker(context, r);
	if (w)
		answer_worker(r, 200, w);
}

static void list_instances(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes namespace = http_query(r, "namespace");
	struct buf out = {0};
	bool first = true;
	buf_text(&out, "{\"instances\":[");
	list_each(supervisor_workers(a->supervisor), at)
	{
		const struct worker *w = container_of(at, struct worker, link);
		if (!worker_serves(w, namespace))
			continue;
		list_each((struct list *)&w->instances, in)
		{
			if (!first)
				buf_text(&out, ",");
			first = false;
			add_instance(&out, container_of(in, struct instance, link));
		}
	}
	buf_text(&out, "]}");
	api_reply_buf(r, 200, &out);
}

static void show_instance(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes id = http_param(r, "instance");
	struct instance *i = supervisor_find_instance(a->supervisor, id.data);
	struct buf out = {0};
	if (!i) {
		api_fail(r, E_NOT_FOUND, "there is no instance \"%.128s\"", id.data);
		return;
	}
	add_instance(&out, i);
	api_reply_buf(r, 200, &out);
}

/* ── change ── */

static void add_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	json_t *declaration;
	struct err e;
	if (!api_json_body(r, &declaration))
		return;
	enum errcode code = a->calls.add_worker(a->calls.context, declaration, &e);
	scoped(mem_free_at) char *id = mem_text(json_string_value(json_object_get(declaration, "id")));
	json_decref(declaration);
	if (code) {
		http_problem(r, &e);
		return;
	}
	struct buf out = {0};
	add_worker_json(&out, supervisor_find(a->supervisor, id));
	api_reply_saved(a, r, 201, &out);
}

static void remove_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct worker *w = find_worker(a, r);
	if (!w)
		return;
	enum instance_state state = best_state(w);
	if (state != INSTANCE_STOPPED && state != INSTANCE_FAILED) {
		api_fail(r, E_STATE, "worker \"%s\" is %s; stop it first", w->id, instance_state_word(state));
		return;
	}
	if (a->calls.remove_worker(a->calls.context, w->id, &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	struct buf out = {0};
	buf_text(&out, "{\"removed\":true}");
	api_reply_saved(a, r, 200, &out);
}

static void answer_change(
	struct api *a, struct http_request *r, struct worker *w, enum errcode code, const struct err *e)
{
	if (code)
		http_problem(r, e);
	else
		answer_worker(r, 202, w);
}

static void start_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct worker *w = find_worker(a, r);
	if (w)
		answer_change(a, r, w, supervisor_start(a->supervisor, w->id, &e), &e);
}

static void stop_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct worker *w = find_worker(a, r);
	if (w)
		answer_change(a, r, w, supervisor_stop(a->supervisor, w->id, &e), &e);
}

static void restart_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct bytes text = http_query(r, "force");
	bool force = bytes_equal(text, bytes_of("true"));
	struct worker *w = find_worker(a, r);
	if (w && text.size && !force && !bytes_equal(text, bytes_of("false")))
		api_fail(r, E_INVALID, "?force=%.32s: true or false is needed", text.data);
	else if (w)
		answer_change(a, r, w, supervisor_restart(a->supervisor, w->id, force, &e), &e);
}

static void promote_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct worker *w = find_worker(a, r);
	if (w)
		answer_change(a, r, w, a->calls.promote_worker(a->calls.context, w->id, &e), &e);
}

static void scale_worker(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	struct worker *w = find_worker(a, r);
	struct bytes text = http_query(r, "replicas");
	char *end = NULL;
	unsigned long n = text.size ? strtoul(text.data, &end, 10) : 0;
	if (!w)
		return;
	if (!end || *end || n > WORKER_REPLICAS_MAX)
		api_fail(r, E_INVALID, "?replicas=%.32s: a number up to %d is needed", text.data ? text.data : "",
			WORKER_REPLICAS_MAX);
	else
		answer_change(a, r, w, supervisor_scale(a->supervisor, w->id, (unsigned)n, &e), &e);
}
