/* /v1/queues: what waits, for how long; pause and resume. */
#include "api/api.h"

#include "base/mem.h"

static void list_queues(void *context, struct http_request *r);
static void show_queue(void *context, struct http_request *r);
static void pause_queue(void *context, struct http_request *r);
static void resume_queue(void *context, struct http_request *r);

#define SHOWS_QUEUE                                                                                                    \
	"\"x-query\":\"namespace\",\"responses\":{\"200\":{\"description\":\"the "                                         \
	"queue\",\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Queue\"}}}}}"

const struct http_route queue_routes[] = {
	{.method = "GET",
		.path = "/v1/queues",
		.handle = list_queues,
		.summary = "Depth of every queue and the age of its oldest job",
		.doc =
			"\"x-query\":\"namespace\",\"responses\":{\"200\":{\"description\":\"queues\",\"content\":{\"application/"
			"json\":{\"schema\":{\"type\":\"object\",\"properties\":{\"queues\":{\"type\":\"array\",\"items\":{\"$"
			"ref\":\"#/components/schemas/Queue\"}}}}}}}}"},
	{.method = "GET",
		.path = "/v1/queues/{capability}",
		.handle = show_queue,
		.summary = "One queue",
		.doc = SHOWS_QUEUE},
	{.method = "POST",
		.path = "/v1/queues/{capability}/pause",
		.handle = pause_queue,
		.body_max = 1024,
		.summary = "Give out no more of its jobs; survives restarts",
		.doc = SHOWS_QUEUE},
	{.method = "POST",
		.path = "/v1/queues/{capability}/resume",
		.handle = resume_queue,
		.body_max = 1024,
		.summary = "Give out its jobs again",
		.doc = SHOWS_QUEUE},
	{0},
};

static void add_queue(const struct queue *q, int64_t now_ms, struct buf *out)
{
	struct queue_info i;
	queue_get_info(q, &i);
	buf_text(out, "{\"capability\":");
	buf_json_utf8(out, i.capability);
	buf_text(out, ",\"namespace\":");
	buf_json_utf8(out, i.namespace);
	int64_t age_ms = i.oldest_at_ms && now_ms > i.oldest_at_ms ? now_ms - i.oldest_at_ms : 0;
	buf_format(out,
		",\"pending\":%llu,\"scheduled\":%llu,\"processing\":%llu,\"failed\":%llu,\"oldest_age_seconds\":%.3f,"
		"\"paused\":%s,"
		"\"completed_total\":%llu,\"failed_total\":%llu,\"crashed_total\":%llu,\"duplicates_total\":%llu,"
		"\"repeated_total\":%llu,\"fenced_total\":%llu}",
		(unsigned long long)i.pending, (unsigned long long)i.scheduled, (unsigned long long)i.processing,
		(unsigned long long)i.failed, (double)age_ms / 1000, i.paused ? "true" : "false",
		(unsigned long long)i.completed_total, (unsigned long long)i.failed_total, (unsigned long long)i.crashed_total,
		(unsigned long long)i.duplicates_total, (unsigned long long)i.repeated_total,
		(unsigned long long)i.fenced_total);
}

struct listing {
	struct bytes namespace, capability; /* empty: all */
	int64_t now_ms;
	struct buf out;
	struct queue *last;
	size_t n;
};

static void visit(void *context, struct queue *q)
{
	struct listing *l = context;
	if ((l->namespace.size && !bytes_equal(l->namespace, queue_namespace(q))) ||
		(l->capability.size && !bytes_equal(l->capability, queue_capability(q))))
		return;
	l->last = q;
	if (l->n++)
		buf_text(&l->out, ",");
	add_queue(q, l->now_ms, &l->out);
}

static void list_queues(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {.namespace = http_query(r, "namespace"), .now_ms = loop_now_ms(a->loop)};
	buf_text(&l.out, "{\"queues\":[");
	queues_each(a->queues, visit, &l);
	buf_text(&l.out, "]}");
	http_reply_buf(r, 200, "application/json", &l.out);
}

static struct bytes namespace_of(struct http_request *r)
{
	struct bytes namespace = http_query(r, "namespace");
	return namespace.size ? namespace : bytes_of("default");
}

static void answer(struct api *a, struct http_request *r, const struct queue *q)
{
	struct buf out = {0};
	add_queue(q, loop_now_ms(a->loop), &out);
	http_reply_buf(r, 200, "application/json", &out);
}

static void show_queue(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {.namespace = namespace_of(r), .capability = http_param(r, "capability")};
	queues_each(a->queues, visit, &l);
	buf_fini(&l.out);
	if (l.last)
		answer(a, r, l.last);
	else
		api_fail(r, E_NOT_FOUND, "there is no queue for \"%.128s\" in namespace \"%.128s\": nobody has submitted to it",
			l.capability.data, l.namespace.data);
}

/* A queue may be paused before its first job. */
static void set_paused(struct api *a, struct http_request *r, bool paused)
{
	struct bytes capability = http_param(r, "capability"), namespace = namespace_of(r);
	struct err e;
	if (job_name_check("capability", capability, &e) != E_OK || job_name_check("namespace", namespace, &e) != E_OK) {
		http_problem(r, &e);
		return;
	}
	struct queue *q = queues_get(a->queues, namespace, capability);
	queue_pause(q, paused, NULL, NULL);
	answer(a, r, q);
}

static void pause_queue(void *context, struct http_request *r)
{
	set_paused(context, r, true);
}

static void resume_queue(void *context, struct http_request *r)
{
	set_paused(context, r, false);
}
