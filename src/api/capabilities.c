/* /v1/capabilities and /v1/route: what exists, and who would serve it. */
#include "api/api.h"

#include "base/mem.h"

static void list_capabilities(void *context, struct http_request *r);
static void route_capability(void *context, struct http_request *r);

const struct http_route capability_routes[] = {
	{.method = "GET",
		.path = "/v1/capabilities",
		.handle = list_capabilities,
		.summary = "What running workers can do; ?name= finds by name or tag",
		.doc = "\"x-query\":\"name namespace\""},
	{.method = "GET",
		.path = "/v1/route",
		.handle = route_capability,
		.summary = "Who would serve ?capability=",
		.doc = "\"x-query\":\"capability namespace\""},
	{0},
};

struct listing {
	struct bytes namespace;
	struct buf out;
	size_t n;
};

static void add_entry(void *context, const struct registry_entry *entry)
{
	struct listing *l = context;
	if (l->namespace.size && !bytes_equal(l->namespace, bytes_of(entry->namespace)))
		return;
	if (l->n++)
		buf_text(&l->out, ",");
	registry_entry_json(entry, &l->out);
}

static void list_capabilities(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name = http_query(r, "name");
	struct listing l = {.namespace = http_query(r, "namespace")};
	buf_text(&l.out, "{\"capabilities\":[");
	const struct registry_entry *entry =
		name.size ? registry_find(a->registry, l.namespace.size ? l.namespace : bytes_of("default"), name) : NULL;
	if (entry)
		add_entry(&l, entry);
	else if (name.size)
		registry_each_tagged(a->registry, name, add_entry, &l);
	else
		registry_each(a->registry, add_entry, &l);
	buf_text(&l.out, "]}");
	api_reply_buf(r, 200, &l.out);
}

/* The one that dispatch would take now: with room, and the least to do. */
static const struct registry_offer *best_offer(const struct registry_entry *entry)
{
	const struct registry_offer *best = NULL;
	for (size_t i = 0; i < entry->offer_n; i++) {
		const struct instance *at = entry->offers[i].instance;
		if (!at->draining && (!best || at->in_flight < best->instance->in_flight))
			best = &entry->offers[i];
	}
	return best;
}

static void route_capability(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name = http_query(r, "capability"), namespace = http_query(r, "namespace");
	if (!name.size) {
		api_fail(r, E_INVALID, "?capability= is needed");
		return;
	}
	const struct registry_entry *entry =
		registry_find(a->registry, namespace.size ? namespace : bytes_of("default"), name);
	const struct registry_offer *o = entry ? best_offer(entry) : NULL;
	if (!o) {
		api_fail(r, E_NOT_FOUND, "No worker available for %.128s", name.data);
		return;
	}
	const struct instance *i = o->instance;
	api_reply_json(r, 200,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}}", "capability", entry->name, "namespace", entry->namespace,
			"version", registry_capability(o)->version, "worker_id", i->worker->id, "instance_id", i->id, "endpoint",
			"type", i->endpoint_type, "address", i->endpoint_address));
}
