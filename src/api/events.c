/* /v1/events, and a job's or a run's own: server-sent events. A reader pulls from the ring as fast as its client takes it. */
#include "api/api.h"

#include "base/mem.h"
#include "event/event.h"
#include "wire/id.h"

#include <stdlib.h>

static void all_events(void *context, struct http_request *r);
static void job_events(void *context, struct http_request *r);
static void run_events(void *context, struct http_request *r);

#define IS_STREAM                                                                                                      \
	"\"responses\":{\"200\":{\"description\":\"server-sent events; the data of each is an "                            \
	"Event\",\"content\":{\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}}}"

const struct http_route event_routes[] = {
	{.method = "GET",
		.path = "/v1/events",
		.handle = all_events,
		.summary =
			"Everything that happens, as server-sent events; Last-Event-ID goes on; ?type=job. ?namespace= filter",
		.doc = "\"x-query\":\"type namespace\"," IS_STREAM},
	{.method = "GET",
		.path = "/v1/jobs/{job_id}/events",
		.handle = job_events,
		.summary = "What happens to a job, as server-sent events; first how it is; ends with it",
		.doc = IS_STREAM},
	{.method = "GET",
		.path = "/v1/runs/{run_id}/events",
		.handle = run_events,
		.summary = "What happens in a run, as server-sent events",
		.doc = IS_STREAM},
	{0},
};

#define HEARTBEAT_MS 15000 /* a dead client is only noticed by writing to it */

struct following {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct event_subscriber subscriber;
	struct message pull; /* deferred: what was published in this turn goes out at its end */
	bool pulls, full; /* pull waits; the client is too slow */
	struct loop_timer *heartbeat;
	uint64_t cursor, job_id, run_id;
	char *type, *namespace;
};

static void following_free(struct following *f)
{
	free(f->type);
	free(f->namespace);
	free(f);
}

static void client_gone(void *data)
{
	struct following *f = data;
	f->request = NULL;
	events_unsubscribe(&f->subscriber);
	loop_timer_free(take(f->heartbeat));
	if (!f->pulls)
		following_free(f);
}

static bool wanted(const struct following *f, const struct event *e)
{
	return (!f->job_id || e->job_id == f->job_id) && (!f->run_id || e->run_id == f->run_id) &&
		   (!f->type || strncmp(e->type, f->type, strlen(f->type)) == 0) &&
		   (!f->namespace || !e->namespace.size || bytes_equal(e->namespace, bytes_of(f->namespace)));
}

static bool is_end(const struct following *f, const struct event *e)
{
	static const char *const ends[] = {"completed", "failed", "cancelled"};
	const char *dot = strchr(e->type, '.');
	bool own = (f->job_id && strncmp(e->type, "job.", 4) == 0) || (f->run_id && strncmp(e->type, "run.", 4) == 0);
	for (size_t i = 0; own && dot && i < ARRAY_SIZE(ends); i++) {
		if (strcmp(dot + 1, ends[i]) == 0)
			return true;
	}
	return false;
}

static void drained(void *data)
{
	struct following *f = data;
	f->full = false;
	if (f->pulls)
		return;
	f->pulls = true;
	loop_defer(f->api->loop, &f->pull);
}

/* Events until there are no more or the client has had enough for now. True: the last one was the end. */
static bool write_events(struct following *f, struct buf *out)
{
	const struct event *e;
	bool lost = false;
	while (out->size < 64 << 10 && (e = events_next(f->api->events, &f->cursor, &lost))) {
		if (!wanted(f, e))
			continue;
		buf_format(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)e->id, e->type);
		event_format(e, id_format, out);
		buf_text(out, "\n\n");
		if (is_end(f, e))
			return true;
	}
	if (lost)
		buf_text(out, "event: lost\ndata: {\"type\":\"lost\",\"message\":\"events were dropped; read what you follow "
					  "again\"}\n\n");
	return false;
}

static void on_pull(struct message *m)
{
	struct following *f = container_of(m, struct following, pull);
	scoped(buf_fini) struct buf out = {0};
	f->pulls = false;
	if (!f->request) {
		following_free(f);
		return;
	}
	while (!f->full) {
		buf_clear(&out);
		bool end = write_events(f, &out);
		if (!out.size)
			return;
		f->full = !http_stream_write(f->request, buf_bytes(&out));
		if (end) {
			http_stream_close(f->request);
			return;
		}
	}
	http_stream_on_drain(f->request, drained);
}

static void on_event(void *context)
{
	struct following *f = context;
	if (f->pulls || f->full)
		return;
	f->pulls = true;
	loop_defer(f->api->loop, &f->pull);
}

static void on_heartbeat(void *context)
{
	struct following *f = context;
	if (!f->full)
		http_stream_write(f->request, bytes_of(": still here\n\n"));
	loop_timer_set(f->heartbeat, HEARTBEAT_MS);
}

static char *copy(struct bytes text)
{
	return text.size ? mem_copy(text.data, text.size) : NULL;
}

static struct following *follow(struct api *a, struct http_request *r)
{
	struct following *f = NEW(struct following);
	struct bytes last = http_header(r, "Last-Event-ID");
	f->api = a;
	f->request = r;
	f->cursor = last.size ? strtoull(last.data, NULL, 10) : events_last(a->events);
	f->type = copy(http_query(r, "type"));
	f->namespace = copy(http_query(r, "namespace"));
	f->subscriber = (struct event_subscriber){.wake = on_event, .context = f};
	f->pull.run = on_pull;
	http_set_data(r, f, client_gone);
	http_stream_open(r, 200, "text/event-stream");
	http_stream_write(r, bytes_of("retry: 1000\n\n"));
	f->heartbeat = loop_timer_new(a->loop, on_heartbeat, f);
	loop_timer_set(f->heartbeat, HEARTBEAT_MS);
	events_subscribe(a->events, &f->subscriber);
	if (last.size)
		on_event(f);
	return f;
}

static void all_events(void *context, struct http_request *r)
{
	follow(context, r);
}

/* First how it is now: whoever follows must not miss what happened before. */
static void job_events(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	scoped(buf_fini) struct buf job = {0}, out = {0};
	if (!api_id(r, "job_id", &id))
		return;
	if (api_job_json(a, id, &job, &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	bool live = queues_find(a->queues, id) != NULL;
	struct following *f = follow(a, r);
	f->job_id = id;
	buf_format(&out, "event: job\ndata: %s\n\n", job.data);
	http_stream_write(r, buf_bytes(&out));
	if (!live)
		http_stream_close(r);
}

static void run_events(void *context, struct http_request *r)
{
	uint64_t id;
	if (api_id(r, "run_id", &id))
		follow(context, r)->run_id = id;
}
