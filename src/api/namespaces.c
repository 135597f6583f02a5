/* /v1/namespaces: what all queues of a namespace have in common: counts, pause, limits, their share of workers. */
#include "api/api.h"

#include "base/mem.h"

static void list_namespaces(void *context, struct http_request *r);
static void pause_namespace(void *context, struct http_request *r);
static void resume_namespace(void *context, struct http_request *r);
static void put_limits(void *context, struct http_request *r);
static void patch_limits(void *context, struct http_request *r);
static void reset_limits(void *context, struct http_request *r);

#define SHOWS_NAMESPACE                                                                                                \
	"\"responses\":{\"200\":{\"description\":\"the namespace\",\"content\":{\"application/json\":{\"schema\":{\"$"     \
	"ref\":\"#/components/schemas/Namespace\"}}}}}"

#define TAKES_LIMITS                                                                                                   \
	"\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"       \
	"schemas/Limits\"}}}},"

const struct http_route namespace_routes[] = {
	{.method = "GET",
		.path = "/v1/namespaces",
		.handle = list_namespaces,
		.summary = "Namespaces: what waits in all their queues, limits, pauses",
		.doc = "\"responses\":{\"200\":{\"description\":\"namespaces\",\"content\":{\"application/json\":{\"schema\":{"
			   "\"type\":\"object\",\"properties\":{\"namespaces\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/"
			   "components/schemas/Namespace\"}}}}}}}}"},
	{.method = "POST",
		.path = "/v1/namespaces/{namespace}/pause",
		.handle = pause_namespace,
		.body_max = 1024,
		.summary = "Give out no more jobs of its queues; survives restarts",
		.doc = SHOWS_NAMESPACE},
	{.method = "POST",
		.path = "/v1/namespaces/{namespace}/resume",
		.handle = resume_namespace,
		.body_max = 1024,
		.summary = "Give out jobs of its queues again, but of those that are paused themselves",
		.doc = SHOWS_NAMESPACE},
	{.method = "PUT",
		.path = "/v1/namespaces/{namespace}/limits",
		.handle = put_limits,
		.body_max = 4096,
		.summary = "Limit its queues together, in the place of what is configured; survives restarts",
		.doc = TAKES_LIMITS SHOWS_NAMESPACE},
	{.method = "PATCH",
		.path = "/v1/namespaces/{namespace}/limits",
		.handle = patch_limits,
		.body_max = 4096,
		.summary = "Change the limits that are named, null: none; the others stay",
		.doc = TAKES_LIMITS SHOWS_NAMESPACE},
	{.method = "DELETE",
		.path = "/v1/namespaces/{namespace}/limits",
		.handle = reset_limits,
		.summary = "Its limits are those of the configuration again",
		.doc = SHOWS_NAMESPACE},
	{0},
};

struct listing {
	struct bytes only; /* empty: all */
	struct buf out;
	size_t n;
};

static void visit(void *context, const struct namespace_info *i)
{
	struct listing *l = context;
	if (l->only.size && !bytes_equal(l->only, i->name))
		return;
	buf_text(&l->out, l->n++ ? ",{\"namespace\":" : "{\"namespace\":");
	buf_json_utf8(&l->out, i->name);
	buf_format(&l->out,
		",\"queues\":%llu,\"pending\":%llu,\"scheduled\":%llu,\"processing\":%llu,\"weight\":%u,\"paused\":%s",
		(unsigned long long)i->queues, (unsigned long long)i->pending, (unsigned long long)i->scheduled,
		(unsigned long long)i->processing, i->weight, i->paused ? "true" : "false");
	api_add_limits(&l->out, &i->flow, i->flow_set);
	buf_text(&l->out, "}");
}

static void list_namespaces(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {0};
	buf_text(&l.out, "{\"namespaces\":[");
	namespaces_each(a->queues, visit, &l);
	buf_text(&l.out, "]}");
	http_reply_buf(r, 200, "application/json", &l.out);
}

static void answer(struct api *a, struct http_request *r)
{
	struct listing l = {.only = http_param(r, "namespace")};
	namespaces_each(a->queues, visit, &l);
	http_reply_buf(r, 200, "application/json", &l.out);
}

/* One may be paused and limited before its first job. */
static bool name_of(struct api *a, struct http_request *r, struct bytes *name)
{
	struct err e;
	*name = http_param(r, "namespace");
	if (namespaces_check(a->queues, *name, &e) == E_OK)
		return true;
	http_problem(r, &e);
	return false;
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
	struct bytes name;
	if (name_of(a, r, &name))
		namespace_pause(a->queues, name, paused, api_setting_done, api_setting_new(a, r, answer));
}

static void pause_namespace(void *context, struct http_request *r)
{
	set_paused(context, r, true);
}

static void resume_namespace(void *context, struct http_request *r)
{
	set_paused(context, r, false);
}

static void set_limits(struct api *a, struct http_request *r, struct bytes name, const struct flow_limits *old)
{
	struct flow_limits limits;
	if (!api_limits_body(r, old, &limits))
		return;
	if (limits.key.concurrency || limits.key.rate_milli)
		api_fail(r, E_INVALID, "key: a namespace has no limits for keys, its queues have");
	else
		namespace_set_flow(a->queues, name, &limits, api_setting_done, api_setting_new(a, r, answer));
}

static void put_limits(void *context, struct http_request *r)
{
	struct bytes name;
	if (name_of(context, r, &name))
		set_limits(context, r, name, NULL);
}

static void patch_limits(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name;
	if (name_of(a, r, &name))
		set_limits(a, r, name, namespace_flow(a->queues, name));
}

static void reset_limits(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name;
	if (name_of(a, r, &name))
		namespace_set_flow(a->queues, name, NULL, api_setting_done, api_setting_new(a, r, answer));
}
