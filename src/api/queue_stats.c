/* queue_stats.c - GET /queue-stats: depths and consumers, in the shape of the system that Reeve replaces. */
#include "api/api.h"

struct listing {
	const struct registry *registry;
	struct buf out;
	size_t n;
};

/* Outside of the default namespace: "namespace/capability". */
static void add_name(struct buf *out, const struct queue_info *i)
{
	struct buf name = {0};
	if (!bytes_equal(i->namespace, bytes_of("default")))
		buf_format(&name, "%.*s/", (int)i->namespace.size, i->namespace.data);
	buf_add(&name, i->capability.data, i->capability.size);
	buf_json_utf8(out, buf_bytes(&name));
	buf_fini(&name);
}

static void visit(void *context, struct queue *q)
{
	struct listing *l = context;
	struct queue_info i;
	queue_get_info(q, &i);
	const struct registry_entry *entry = registry_find(l->registry, i.namespace, i.capability);
	if (l->n++)
		buf_text(&l->out, ",");
	add_name(&l->out, &i);
	buf_format(&l->out, ":{\"message_count\":%llu,\"consumer_count\":%zu}",
		(unsigned long long)(i.pending + i.scheduled), entry ? (size_t)entry->offer_n : 0);
}

void api_queue_stats(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {.registry = a->registry};
	struct store_stats s;
	a->store->ops->stats(a->store, &s);
	buf_format(&l.out, "{\"connected\":%s,\"queues\":{", s.dead ? "false" : "true");
	queues_each(a->queues, visit, &l);
	buf_text(&l.out, "}}");
	http_reply_buf(r, 200, "application/json", &l.out);
}
