/* Dead letters over their limits go, the oldest first: those that failed too long ago, and those that a queue has too many of.
 * The reader thread looks, a slice at a time; the loop decides, since it knows the queues, and purges as a client would. */
#include "queue/state.h"

#include <stdlib.h>

enum { SLICE = 50, SCAN = 2000, REST_MS = 60000 };

struct candidate {
	uint64_t id;
	int64_t failed_at_ms;
	size_t name, namespace_size, capability_size; /* in `names`: one after the other */
};

static uint64_t excess(const struct queue *q)
{
	uint64_t kept = q->info.failed - q->purging, most = (uint64_t)q->limits.max_dead;
	return most && kept > most ? kept - most : 0;
}

static bool any_excess(const struct queues *qs)
{
	for (size_t i = 0; i < qs->room; i++)
		if (qs->table[i] && excess(qs->table[i]))
			return true;
	return false;
}

static int64_t shortest_keep(const struct queues *qs)
{
	int64_t shortest = INT64_MAX;
	for (size_t i = 0; i < qs->room; i++) {
		int64_t keep_ms = qs->table[i] ? qs->table[i]->limits.keep_dead_ms : 0;
		if (keep_ms && keep_ms < shortest)
			shortest = keep_ms;
	}
	return shortest;
}

/* Reader thread. Ids are in order of submission, and nothing fails before that. */
static bool look(void *context, const struct store_row *row)
{
	struct prune_dead *p = &((struct queues *)context)->prune_dead;
	struct job_record r;
	if (p->looked_at == SCAN || p->n == SLICE || id_time_ms(row->key.id) > p->until_ms)
		return false;
	p->last_id = row->key.id;
	p->looked_at++;
	if (job_record_decode(row->head, &r, NULL))
		return true;
	struct bytes namespace = r.namespace.size ? r.namespace : bytes_of("default");
	p->found[p->n++] =
		(struct candidate){row->key.id, r.finished_at_ms, p->names.size, namespace.size, r.capability.size};
	buf_add(&p->names, namespace.data, namespace.size);
	buf_add(&p->names, r.capability.data, r.capability.size);
	return true;
}

static void finish(struct queues *qs)
{
	struct prune_dead *p = &qs->prune_dead;
	bool more = p->n == SLICE || p->looked_at == SCAN;
	p->busy = false;
	p->cursor = more ? p->last_id + 1 : 0;
	p->next_at_ms = qs->now_ms + (more ? 0 : REST_MS);
	if (more)
		prune_dead_tick(qs);
}

static void purged(void *context, enum errcode code)
{
	struct queues *qs = context;
	if (--qs->prune_dead.waits == 0)
		finish(qs);
}

static bool is_over(const struct queues *qs, const struct queue *q, const struct candidate *c)
{
	int64_t keep_ms = q->limits.keep_dead_ms;
	return excess(q) || (keep_ms && c->failed_at_ms <= qs->now_ms - keep_ms);
}

static void looked(void *context, enum errcode code)
{
	struct queues *qs = context;
	struct prune_dead *p = &qs->prune_dead;
	p->waits = 1;
	if (code)
		p->n = p->looked_at = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct candidate *c = &p->found[i];
		const char *name = p->names.data + c->name;
		struct queue *q = queues_find_queue(
			qs, (struct bytes){name, c->namespace_size}, (struct bytes){name + c->namespace_size, c->capability_size});
		if (!q || !is_over(qs, q, c))
			continue;
		p->waits++;
		if (queue_purge(qs, c->id, purged, qs, NULL)) /* somebody replays it, or was quicker */
			p->waits--;
		else
			q->info.dead_pruned_total++;
	}
	purged(qs, code);
}

void prune_dead_tick(struct queues *qs)
{
	struct prune_dead *p = &qs->prune_dead;
	if (p->busy || qs->now_ms < p->next_at_ms || qs->full)
		return;
	if (!p->found)
		p->found = mem_new(SLICE * sizeof *p->found);
	int64_t keep_ms = shortest_keep(qs);
	p->until_ms = any_excess(qs) ? INT64_MAX : keep_ms < qs->now_ms ? qs->now_ms - keep_ms : 0;
	p->n = p->looked_at = 0;
	p->busy = true;
	buf_clear(&p->names);
	struct store_range range = {.table = STORE_DEAD, .from.id = p->cursor, .scan_max = SCAN + 1};
	qs->store->ops->list(qs->store, &range, look, looked, qs);
}

void prune_dead_fini(struct queues *qs)
{
	free(qs->prune_dead.found);
	buf_fini(&qs->prune_dead.names);
}
