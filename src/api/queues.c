/* /v1/queues: depth, age, in flight; pause and resume. */
#include "api/api.h"

#include <inttypes.h>

static void list_queues(void *context, struct http_request *r);
static void pause_queue(void *context, struct http_request *r);
static void resume_queue(void *context, struct http_request *r);

const struct http_route queue_routes[] = {
	{.method = "GET", .path = "/v1/queues", .handle = list_queues, .summary = "List queues"},
	{.method = "POST",
		.path = "/v1/queues/{capability}/pause",
		.handle = pause_queue,
		.summary = "Give out no more of its jobs"},
	{.method = "POST",
		.path = "/v1/queues/{capability}/resume",
		.handle = resume_queue,
		.summary = "Give them out again"},
	{0},
};

static void add_queue(struct buf *out, const struct queue *q, int64_t now_ms)
{
	struct queue_info i;
	queue_get_info(q, &i);
	buf_text(out, "{\"namespace\":");
	buf_json_string(out, i.namespace);
	buf_text(out, ",\"capability\":");
	buf_json_string(out, i.capability);
	buf_format(out, ",\"pending\":%" PRIu64 ",\"scheduled\":%" PRIu64 ",\"processing\":%" PRIu64 ",\"failed\":%" PRIu64,
		i.pending, i.scheduled, i.processing, i.failed);
	buf_format(out, ",\"completed_total\":%" PRIu64 ",\"failed_total\":%" PRIu64 ",\"crashed_total\":%" PRIu64,
		i.completed_total, i.failed_total, i.crashed_total);
	double age = i.oldest_at_ms && now_ms > i.oldest_at_ms ? (double)(now_ms - i.oldest_at_ms) / 1000 : 0;
	buf_format(out, ",\"oldest_age_seconds\":%.3f,\"paused\":%s}", age, i.paused ? "true" : "false");
}

struct listing {
	struct api *api;
	struct bytes namespace;
	struct buf out;
	bool some;
};

static void visit(void *context, struct queue *q)
{
	struct listing *l = context;
	if (l->namespace.size && !bytes_equal(l->namespace, queue_namespace(q)))
		return;
	if (l->some)
		buf_text(&l->out, ",");
	l->some = true;
	add_queue(&l->out, q, loop_now_ms(l->api->loop));
}

static void list_queues(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {.api = a, .namespace = http_query(r, "namespace")};
	buf_text(&l.out, "{\"queues\":[");
	queues_each(a->queues, visit, &l);
	buf_text(&l.out, "]}");
	api_reply_buf(r, 200, &l.out);
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
	struct bytes capability = http_param(r, "capability"), namespace = http_query(r, "namespace");
	struct job_spec spec;
	struct err e;
	job_spec_init(&spec);
	spec.capability = capability;
	spec.namespace = namespace;
	if (job_spec_check(&spec, &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	struct queue *q = queues_get(a->queues, namespace, capability); /* one without jobs or workers may be paused, too */
	struct buf out = {0};
	queue_pause(q, paused);
	add_queue(&out, q, loop_now_ms(a->loop));
	api_reply_buf(r, 200, &out);
}

static void pause_queue(void *context, struct http_request *r)
{
	set_paused(context, r, true);
}

static void resume_queue(void *context, struct http_request *r)
{
	set_paused(context, r, false);
}
