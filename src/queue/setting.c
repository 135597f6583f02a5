/* What somebody set of a queue, a namespace or all of them while the engine ran: rows of STORE_SETTING, read back at the start.
 *
 *   queue/NAMESPACE/CAPABILITY   {"paused":true,"limits":{...}}     names have no '/'
 *   namespace/NAMESPACE          {"paused":true,"limits":{...}}
 *   queues                       {"paused":true}                    all of them
 *
 * Limits that were set are in the place of the configured ones, as a whole, until they are reset. A row with nothing in it goes. */
#include "queue/state.h"

#include <stdlib.h>

static void commit_row(struct queues *qs, struct bytes key, bool is_paused, const struct flow_limits *limits,
	queue_done *done, void *context)
{
	struct store_batch *b = store_batch_new();
	json_t *all = json_object();
	if (is_paused)
		json_object_set_new(all, "paused", json_true());
	if (limits)
		json_object_set_new(all, "limits", flow_limits_json(limits));
	if (json_object_size(all)) {
		scoped(mem_free_at) char *text = json_dumps(all, JSON_COMPACT);
		store_batch_put(b, STORE_SETTING, (struct store_key){.text = key}, (struct bytes){0}, bytes_of(text));
	} else {
		store_batch_delete(b, STORE_SETTING, (struct store_key){.text = key});
	}
	json_decref(all);
	change_simple(qs, b, done, context);
}

static void keep_queue(struct queue *q, queue_done *done, void *context)
{
	scoped(buf_fini) struct buf key = {0};
	buf_format(&key, "queue/%.*s/%.*s", (int)q->info.namespace.size, q->info.namespace.data,
		(int)q->info.capability.size, q->info.capability.data);
	commit_row(q->qs, buf_bytes(&key), q->paused, q->flow_set ? &q->flow : NULL, done, context);
}

static void keep_space(struct space *s, queue_done *done, void *context)
{
	scoped(buf_fini) struct buf key = {0};
	buf_format(&key, "namespace/%.*s", (int)s->name.size, s->name.data);
	commit_row(s->qs, buf_bytes(&key), s->paused, s->flow_set ? &s->flow : NULL, done, context);
}

/* ── pauses ── */

static void ready_of_space(void *context, struct queue *q)
{
	if (!context || q->space == context)
		flow_ready(q);
}

void queue_pause(struct queue *q, bool paused, queue_done *done, void *context)
{
	q->paused = paused;
	flow_ready(q);
	keep_queue(q, done, context);
}

void namespace_pause(struct queues *qs, struct bytes name, bool paused, queue_done *done, void *context)
{
	struct space *s = space_get(qs, name);
	s->paused = paused;
	queues_each(qs, ready_of_space, s);
	keep_space(s, done, context);
}

void queues_pause(struct queues *qs, bool paused, queue_done *done, void *context)
{
	qs->paused = paused;
	queues_each(qs, ready_of_space, NULL);
	commit_row(qs, bytes_of("queues"), paused, NULL, done, context);
}

bool queues_paused(const struct queues *qs)
{
	return qs->paused;
}

/* ── limits ── */

static void apply_queue(struct queue *q, const struct flow_limits *set)
{
	q->flow_set = set != NULL;
	q->flow = set ? *set : q->limits.flow;
	q->qs->bounded |= q->flow.max_length > 0;
	flow_changed(q);
}

void queue_set_flow(struct queue *q, const struct flow_limits *set, queue_done *done, void *context)
{
	apply_queue(q, set);
	keep_queue(q, done, context);
}

void queue_set_limits(struct queue *q, const struct queue_limits *limits)
{
	q->limits = *limits;
	if (!q->flow_set)
		apply_queue(q, NULL);
}

static void apply_space(struct space *s, const struct flow_limits *set)
{
	s->flow_set = set != NULL;
	s->flow = set ? *set : s->configured;
	s->qs->bounded |= s->flow.max_length > 0;
	flow_space_changed(s);
}

void namespace_set_flow(
	struct queues *qs, struct bytes name, const struct flow_limits *set, queue_done *done, void *context)
{
	struct space *s = space_get(qs, name);
	apply_space(s, set);
	keep_space(s, done, context);
}

const struct flow_limits *namespace_flow(struct queues *qs, struct bytes name)
{
	return &space_get(qs, name)->flow;
}

void namespace_configure(struct queues *qs, struct bytes name, const struct flow_limits *limits, uint32_t weight)
{
	struct space *s = space_get(qs, name);
	s->configured = *limits;
	s->weight = weight;
	if (!s->flow_set)
		apply_space(s, NULL);
}

/* ── the start ── */

static bool after(struct bytes text, const char *prefix, struct bytes *rest)
{
	size_t n = strlen(prefix);
	if (text.size < n || memcmp(text.data, prefix, n))
		return false;
	*rest = (struct bytes){text.data + n, text.size - n};
	return true;
}

/* NULL: the row sets none. One of a later version that cannot be read is as none: the queue goes on with its configured ones. */
static const struct flow_limits *limits_of(const json_t *row, struct flow_limits *out)
{
	char pointer[96];
	const json_t *limits = json_object_get(row, "limits");
	return limits && flow_limits_read(limits, out, pointer, NULL) == E_OK ? out : NULL;
}

void setting_load(struct queues *qs, struct bytes key, struct bytes body)
{
	struct bytes name;
	struct flow_limits limits;
	json_t *row = json_loadb(body.data ? body.data : "", body.size, 0, NULL);
	bool is_paused = json_is_true(json_object_get(row, "paused"));
	if (after(key, "queue/", &name)) {
		const char *slash = memchr(name.data, '/', name.size);
		size_t n = slash ? (size_t)(slash - name.data) : name.size;
		if (slash) {
			struct queue *q =
				queues_get(qs, (struct bytes){name.data, n}, (struct bytes){slash + 1, name.size - n - 1});
			q->paused = is_paused;
			apply_queue(q, limits_of(row, &limits));
		}
	} else if (after(key, "namespace/", &name)) {
		struct space *s = space_get(qs, name);
		s->paused = is_paused;
		apply_space(s, limits_of(row, &limits));
	} else if (bytes_equal(key, bytes_of("queues"))) {
		qs->paused = is_paused;
	}
	json_decref(row);
}
