/* What is shown of queues, their keys and the namespaces. */
#include "queue/state.h"

const char *queue_block_word(enum queue_block block)
{
	static const char *const words[] = {[BLOCK_PAUSED] = "paused",
		[BLOCK_NAMESPACE_PAUSED] = "namespace_paused",
		[BLOCK_ALL_PAUSED] = "all_paused",
		[BLOCK_CONCURRENCY] = "concurrency",
		[BLOCK_RATE] = "rate",
		[BLOCK_NAMESPACE_CONCURRENCY] = "namespace_concurrency",
		[BLOCK_NAMESPACE_RATE] = "namespace_rate",
		[BLOCK_KEYS] = "keys"};
	return words[block];
}

void queue_count_fenced(struct queue *q)
{
	q->info.fenced_total++;
}

void queue_get_info(const struct queue *q, struct queue_info *out)
{
	*out = q->info;
	out->paused = q->paused;
	out->oldest_at_ms = order_oldest_at_ms(q);
	out->blocked = flow_block(q, &out->opens_at_ms);
	out->flow = q->flow;
	out->flow_set = q->flow_set;
}

/* ── keys ── */

static bool more(const struct queue_key *a, const struct queue_key *b)
{
	if (a->pending != b->pending)
		return a->pending > b->pending;
	int order = memcmp(a->key.data, b->key.data, a->key.size < b->key.size ? a->key.size : b->key.size);
	return order ? order < 0 : a->key.size < b->key.size;
}

/* Into its place among the first n; the least falls out when there are max. */
static size_t put(struct queue_key *out, size_t n, size_t max, const struct queue_key *k)
{
	size_t i = n < max ? n++ : max;
	for (; i && more(k, &out[i - 1]); i--) {
		if (i < max)
			out[i] = out[i - 1];
	}
	if (i < max)
		out[i] = *k;
	return n;
}

size_t queue_top_keys(const struct queue *q, struct queue_key *out, size_t max)
{
	size_t at = 0, n = 0;
	for (const struct tenant *t; (t = idmap_next(&q->tenants, &at));) {
		for (; t; t = t->same_hash) {
			struct queue_key k = {{t->name, t->name_size}, t->pending, t->gate.places, (enum gate_state)t->gate.state};
			if (t->jobs)
				n = put(out, n, max, &k);
		}
	}
	return n;
}

/* ── namespaces ── */

static void add_queue(void *context, struct queue *q)
{
	struct namespace_info *info = &q->space->shown;
	info->queues++;
	info->pending += q->info.pending;
	info->scheduled += q->info.scheduled;
	info->processing += q->info.processing;
}

static void begin_counting(struct space *s)
{
	s->shown = (struct namespace_info){
		.name = s->name, .weight = s->weight, .paused = s->paused, .flow_set = s->flow_set, .flow = s->flow};
}

/* One look at each queue, however many namespaces there are. */
void namespaces_each(struct queues *qs, void (*visit)(void *context, const struct namespace_info *info), void *context)
{
	list_each(&qs->spaces, at) begin_counting(container_of(at, struct space, link));
	queues_each(qs, add_queue, NULL);
	list_each(&qs->spaces, at) visit(context, &container_of(at, struct space, link)->shown);
}

uint32_t queue_weight(const struct queue *q)
{
	return q->space->weight;
}
