/* Probes and status. /livez and /health: the engine turns. /startupz: recovery is over. /readyz: work can be done. */
#include "api/api.h"

#include "base/rfc3339.h"

#include <inttypes.h>
#include <reeve/version.h>
#include <unistd.h>

static void live(void *context, struct http_request *r);
static void ready(void *context, struct http_request *r);
static void startup(void *context, struct http_request *r);
static void status(void *context, struct http_request *r);

const struct http_route health_routes[] = {
	{.method = "GET", .path = "/health", .handle = live, .summary = "200 while the engine is alive"},
	{.method = "GET", .path = "/livez", .handle = live, .summary = "200 while the engine is alive"},
	{.method = "GET",
		.path = "/readyz",
		.handle = ready,
		.summary = "200 when jobs are accepted and every worker has started or failed"},
	{.method = "GET", .path = "/startupz", .handle = startup, .summary = "200 once recovery is over"},
	{0},
};

const struct http_route status_routes[] = {
	{.method = "GET", .path = "/status", .handle = status, .summary = "How the daemon is"},
	{0},
};

static bool starting(const struct instance *i)
{
	return i->state == INSTANCE_UNINITIALIZED || i->state == INSTANCE_INITIALIZING ||
		   i->state == INSTANCE_INITIALIZED || i->state == INSTANCE_STARTING;
}

static unsigned count_starting(struct api *a)
{
	unsigned n = 0;
	list_each(supervisor_workers(a->supervisor), at)
	{
		list_each(&container_of(at, struct worker, link)->instances, in) n +=
			starting(container_of(in, struct instance, link));
	}
	return n;
}

/* NULL: ready; else why not. */
static const char *why_not_ready(struct api *a)
{
	struct store_stats s;
	a->store->ops->stats(a->store, &s);
	if (*a->recovering)
		return "recovery is under way";
	if (*a->stopping)
		return "stopping";
	if (s.full || queues_no_space(a->queues))
		return "the disk is full";
	if (s.dead)
		return "the store has failed";
	return count_starting(a) ? "workers are starting" : NULL;
}

static void probe(struct api *a, struct http_request *r, const char *why)
{
	struct buf out = {0};
	buf_format(&out, "{\"status\":\"%s\",\"node\":", why ? "unavailable" : "healthy");
	buf_json_string(&out, bytes_of(a->node));
	if (why) {
		buf_text(&out, ",\"reason\":");
		buf_json_string(&out, bytes_of(why));
	}
	buf_text(&out, "}");
	api_reply_buf(r, why ? 503 : 200, &out);
}

static void live(void *context, struct http_request *r)
{
	probe(context, r, NULL);
}

static void ready(void *context, struct http_request *r)
{
	probe(context, r, why_not_ready(context));
}

static void startup(void *context, struct http_request *r)
{
	struct api *a = context;
	probe(a, r, *a->recovering ? "recovery is under way" : NULL);
}

/* ── status ── */

struct sums {
	uint64_t pending, scheduled, processing, failed;
};

static void add_up(void *context, struct queue *q)
{
	struct sums *s = context;
	struct queue_info i;
	queue_get_info(q, &i);
	s->pending += i.pending;
	s->scheduled += i.scheduled;
	s->processing += i.processing;
	s->failed += i.failed;
}

static void add_workers(struct api *a, struct buf *out)
{
	unsigned workers = 0, instances = 0, running = 0, failed = 0;
	list_each(supervisor_workers(a->supervisor), at)
	{
		workers++;
		list_each(&container_of(at, struct worker, link)->instances, in)
		{
			const struct instance *i = container_of(in, struct instance, link);
			instances++;
			running += i->state == INSTANCE_RUNNING;
			failed += i->state == INSTANCE_FAILED;
		}
	}
	buf_format(out, ",\"workers\":{\"declared\":%u,\"instances\":%u,\"running\":%u,\"failed\":%u}", workers, instances,
		running, failed);
}

static void add_store(struct api *a, struct buf *out)
{
	struct store_stats s;
	a->store->ops->stats(a->store, &s);
	buf_format(out,
		",\"store\":{\"type\":\"%s\",\"epoch\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"file_bytes\":%" PRIu64
		",\"wal_bytes\":%" PRIu64 ",\"full\":%s}",
		a->store->ops->name, s.epoch, s.commits, s.file_bytes, s.wal_bytes, s.full ? "true" : "false");
}

static void status(void *context, struct http_request *r)
{
	struct api *a = context;
	struct buf out = {0};
	struct sums s = {0};
	char started[RFC3339_SIZE];
	const char *why = why_not_ready(a);
	rfc3339_format(a->started_at_ms, started);
	queues_each(a->queues, add_up, &s);
	buf_text(&out, "{\"version\":\"" REEVE_VERSION "\",\"node\":");
	buf_json_string(&out, bytes_of(a->node));
	buf_format(&out, ",\"ready\":%s,\"reason\":", why ? "false" : "true");
	if (why)
		buf_json_string(&out, bytes_of(why));
	else
		buf_text(&out, "null");
	buf_format(&out, ",\"pid\":%d,\"keeper_pid\":%d,\"started_at\":\"%s\",\"uptime_seconds\":%.3f", (int)getpid(),
		a->keeper_pid, started, (double)(loop_now_ms(a->loop) - a->started_at_ms) / 1000);
	buf_text(&out, ",\"data_dir\":");
	buf_json_string(&out, bytes_of(a->data_dir));
	buf_text(&out, ",\"socket\":");
	buf_json_string(&out, bytes_of(a->socket));
	add_workers(a, &out);
	buf_format(&out,
		",\"jobs\":{\"pending\":%" PRIu64 ",\"scheduled\":%" PRIu64 ",\"processing\":%" PRIu64 ",\"failed\":%" PRIu64
		"}",
		s.pending, s.scheduled, s.processing, s.failed);
	add_store(a, &out);
	buf_text(&out, "}");
	api_reply_buf(r, 200, &out);
}
