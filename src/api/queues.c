/* /v1/queues: what waits, for how long, and what holds it back; pause, resume, limits. */
#include "api/api.h"

#include "base/mem.h"
#include "base/rfc3339.h"

enum { TOP_KEYS = 20 };

static void list_queues(void *context, struct http_request *r);
static void show_queue(void *context, struct http_request *r);
static void pause_queue(void *context, struct http_request *r);
static void resume_queue(void *context, struct http_request *r);
static void put_limits(void *context, struct http_request *r);
static void patch_limits(void *context, struct http_request *r);
static void reset_limits(void *context, struct http_request *r);
static void pause_all(void *context, struct http_request *r);
static void resume_all(void *context, struct http_request *r);

#define SHOWS_QUEUE                                                                                                    \
	"\"x-query\":\"namespace\",\"responses\":{\"200\":{\"description\":\"the "                                         \
	"queue\",\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Queue\"}}}}}"
#define TAKES_LIMITS                                                                                                   \
	"\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"       \
	"schemas/Limits\"}}}},"
#define SHOWS_PAUSED                                                                                                   \
	"\"responses\":{\"200\":{\"description\":\"done\",\"content\":{\"application/json\":{\"schema\":{\"type\":"        \
	"\"object\",\"properties\":{\"paused\":{\"type\":\"boolean\"}}}}}}}"

const struct http_route queue_routes[] = {
	{.method = "GET",
		.path = "/queue-stats",
		.handle = api_queue_stats,
		.summary = "Depth and consumers of every queue, in the shape that others expect",
		.doc = "\"responses\":{\"200\":{\"description\":\"queues\",\"content\":{\"application/"
			   "json\":{\"schema\":{\"$ref\":\"#/"
			   "components/schemas/QueueStats\"}}}}}"},
	{.method = "GET",
		.path = "/v1/queues",
		.handle = list_queues,
		.summary = "Depth of every queue, the age of its oldest job, and what holds it back",
		.doc =
			"\"x-query\":\"namespace\",\"responses\":{\"200\":{\"description\":\"queues\",\"content\":{\"application/"
			"json\":{\"schema\":{\"type\":\"object\",\"properties\":{\"queues\":{\"type\":\"array\",\"items\":{\"$"
			"ref\":\"#/components/schemas/Queue\"}},\"paused\":{\"type\":\"boolean\",\"description\":\"all of "
			"them\"}}}}}}}"},
	{.method = "GET",
		.path = "/v1/queues/{capability}",
		.handle = show_queue,
		.summary = "One queue, with the keys that have most waiting",
		.doc = SHOWS_QUEUE},
	{.method = "POST",
		.path = "/v1/queues/pause",
		.handle = pause_all,
		.body_max = 1024,
		.summary = "Give out no more jobs of any queue; survives restarts",
		.doc = SHOWS_PAUSED},
	{.method = "POST",
		.path = "/v1/queues/resume",
		.handle = resume_all,
		.body_max = 1024,
		.summary = "Give out jobs again, but of queues that are paused themselves",
		.doc = SHOWS_PAUSED},
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
	{.method = "PUT",
		.path = "/v1/queues/{capability}/limits",
		.handle = put_limits,
		.body_max = 4096,
		.summary = "Limit it, in the place of what is configured; survives restarts",
		.doc = TAKES_LIMITS SHOWS_QUEUE},
	{.method = "PATCH",
		.path = "/v1/queues/{capability}/limits",
		.handle = patch_limits,
		.body_max = 4096,
		.summary = "Change the limits that are named, null: none; the others stay",
		.doc = TAKES_LIMITS SHOWS_QUEUE},
	{.method = "DELETE",
		.path = "/v1/queues/{capability}/limits",
		.handle = reset_limits,
		.summary = "Its limits are those of the configuration again",
		.doc = SHOWS_QUEUE},
	{0},
};

/* ── as JSON ── */

static void add_counts(const struct queue_info *i, int64_t now_ms, struct buf *out)
{
	int64_t age_ms = i->oldest_at_ms && now_ms > i->oldest_at_ms ? now_ms - i->oldest_at_ms : 0;
	buf_text(out, "{\"capability\":");
	buf_json_utf8(out, i->capability);
	buf_text(out, ",\"namespace\":");
	buf_json_utf8(out, i->namespace);
	buf_format(out,
		",\"pending\":%llu,\"scheduled\":%llu,\"processing\":%llu,\"failed\":%llu,\"oldest_age_seconds\":%.3f,"
		"\"paused\":%s,\"completed_total\":%llu,\"failed_total\":%llu,\"crashed_total\":%llu,"
		"\"duplicates_total\":%llu,\"repeated_total\":%llu,\"fenced_total\":%llu,\"keys\":%llu,\"keys_blocked\":%llu",
		(unsigned long long)i->pending, (unsigned long long)i->scheduled, (unsigned long long)i->processing,
		(unsigned long long)i->failed, (double)age_ms / 1000, i->paused ? "true" : "false",
		(unsigned long long)i->completed_total, (unsigned long long)i->failed_total,
		(unsigned long long)i->crashed_total, (unsigned long long)i->duplicates_total,
		(unsigned long long)i->repeated_total, (unsigned long long)i->fenced_total, (unsigned long long)i->keys,
		(unsigned long long)i->keys_blocked);
}

static void add_blocked(const struct queue_info *i, struct buf *out)
{
	char text[RFC3339_SIZE];
	const char *word = queue_block_word(i->blocked);
	buf_format(out, word ? ",\"blocked\":\"%s\"" : ",\"blocked\":null", word);
	if (i->blocked == BLOCK_RATE || i->blocked == BLOCK_NAMESPACE_RATE) {
		rfc3339_format(i->opens_at_ms, text);
		buf_format(out, ",\"opens_at\":\"%s\"", text);
	}
}

void api_add_limits(struct buf *out, const struct flow_limits *l, bool set)
{
	json_t *json = flow_limits_json(l);
	scoped(mem_free_at) char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	buf_format(out, ",\"limits\":%s,\"limits_from\":\"%s\"", text, set ? "api" : "configuration");
}

static void add_keys(const struct queue *q, struct buf *out)
{
	static const char *const blocked[] = {[GATE_CONCURRENCY] = "concurrency", [GATE_RATE] = "rate"};
	struct queue_key keys[TOP_KEYS];
	size_t n = queue_top_keys(q, keys, TOP_KEYS);
	buf_text(out, ",\"top_keys\":[");
	for (size_t i = 0; i < n; i++) {
		const struct queue_key *k = &keys[i];
		buf_text(out, i ? ",{\"key\":" : "{\"key\":");
		buf_json_utf8(out, k->key);
		buf_format(out, ",\"pending\":%llu,\"processing\":%llu", (unsigned long long)k->pending,
			(unsigned long long)k->processing);
		buf_format(out, k->state ? ",\"blocked\":\"%s\"}" : ",\"blocked\":null}", blocked[k->state]);
	}
	buf_text(out, "]");
}

static void add_queue(const struct queue *q, int64_t now_ms, bool with_keys, struct buf *out)
{
	struct queue_info i;
	queue_get_info(q, &i);
	add_counts(&i, now_ms, out);
	add_blocked(&i, out);
	api_add_limits(out, &i.flow, i.flow_set);
	if (with_keys)
		add_keys(q, out);
	buf_text(out, "}");
}

/* ── list, show ── */

struct listing {
	struct bytes namespace; /* empty: all */
	int64_t now_ms;
	struct buf out;
	size_t n;
};

static void visit(void *context, struct queue *q)
{
	struct listing *l = context;
	if (l->namespace.size && !bytes_equal(l->namespace, queue_namespace(q)))
		return;
	if (l->n++)
		buf_text(&l->out, ",");
	add_queue(q, l->now_ms, false, &l->out);
}

static void list_queues(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {.namespace = http_query(r, "namespace"), .now_ms = loop_now_ms(a->loop)};
	buf_text(&l.out, "{\"queues\":[");
	queues_each(a->queues, visit, &l);
	buf_format(&l.out, "],\"paused\":%s}", queues_paused(a->queues) ? "true" : "false");
	http_reply_buf(r, 200, "application/json", &l.out);
}

static struct bytes namespace_of(struct http_request *r)
{
	struct bytes namespace = http_query(r, "namespace");
	return namespace.size ? namespace : bytes_of("default");
}

static void answer(struct api *a, struct http_request *r)
{
	struct buf out = {0};
	const struct queue *q = queues_get(a->queues, namespace_of(r), http_param(r, "capability"));
	add_queue(q, loop_now_ms(a->loop), true, &out);
	http_reply_buf(r, 200, "application/json", &out);
}

static void show_queue(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes namespace = namespace_of(r), capability = http_param(r, "capability");
	if (queues_find_queue(a->queues, namespace, capability))
		answer(a, r);
	else
		api_fail(r, E_NOT_FOUND, "there is no queue for \"%.128s\" in namespace \"%.128s\": nobody has submitted to it",
			capability.data, namespace.data);
}

/* ── pause, limits ── a queue may have them before its first job */

static struct queue *queue_of(struct api *a, struct http_request *r)
{
	struct queue *q;
	struct err e;
	if (queues_open(a->queues, namespace_of(r), http_param(r, "capability"), &q, &e) == E_OK)
		return q;
	http_problem(r, &e);
	return NULL;
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
	struct queue *q = queue_of(a, r);
	if (q)
		queue_pause(q, paused, api_setting_done, api_setting_new(a, r, answer));
}

static void pause_queue(void *context, struct http_request *r)
{
	set_paused(context, r, true);
}

static void resume_queue(void *context, struct http_request *r)
{
	set_paused(context, r, false);
}

static void put_limits(void *context, struct http_request *r)
{
	struct flow_limits limits;
	struct queue *q = queue_of(context, r);
	if (q && api_limits_body(r, NULL, &limits))
		queue_set_flow(q, &limits, api_setting_done, api_setting_new(context, r, answer));
}

static void patch_limits(void *context, struct http_request *r)
{
	struct queue_info i;
	struct flow_limits limits;
	struct queue *q = queue_of(context, r);
	if (!q)
		return;
	queue_get_info(q, &i);
	if (api_limits_body(r, &i.flow, &limits))
		queue_set_flow(q, &limits, api_setting_done, api_setting_new(context, r, answer));
}

static void reset_limits(void *context, struct http_request *r)
{
	struct queue *q = queue_of(context, r);
	if (q)
		queue_set_flow(q, NULL, api_setting_done, api_setting_new(context, r, answer));
}

static void answer_all(struct api *a, struct http_request *r)
{
	struct buf out = {0};
	buf_format(&out, "{\"paused\":%s}", queues_paused(a->queues) ? "true" : "false");
	http_reply_buf(r, 200, "application/json", &out);
}

static void pause_all(void *context, struct http_request *r)
{
	struct api *a = context;
	queues_pause(a->queues, true, api_setting_done, api_setting_new(a, r, answer_all));
}

static void resume_all(void *context, struct http_request *r)
{
	struct api *a = context;
	queues_pause(a->queues, false, api_setting_done, api_setting_new(a, r, answer_all));
}
