/* Old results go, a slice at a time: the reader thread looks for them and fills the batch, the loop thread commits it.
 * Ids are in order of submission and nothing finishes before that: past the first id that is younger than the shortest time
 * that any queue keeps results, stop. */
#include "queue/state.h"

enum { SLICE = 500, SCAN = 5000, REST_MS = 60000 };

static void delete_row(struct store_batch *b, uint64_t id, const struct job_record *r)
{
	store_batch_delete(b, STORE_DONE, (struct store_key){.id = id});
	if (r->attempts > 1 || r->crashes || r->state == JOB_CANCELLED)
		store_batch_delete_all(b, STORE_ATTEMPT, id);
	if (r->streams && !r->run_id)
		store_batch_delete_all(b, STORE_ITEM, id);
}

/* Reader thread. */
static bool look(void *context, const struct store_row *row)
{
	struct prune *p = &((struct queues *)context)->prune;
	struct job_record r;
	p->last_id = row->key.id;
	p->looked_at++;
	if (id_time_ms(row->key.id) > p->until_ms) {
		p->at_end = true;
		return false;
	}
	if (!job_record_decode(row->head, &r, NULL) && r.keep_until_ms <= p->now_ms) {
		delete_row(p->batch, row->key.id, &r);
		p->deleted++;
	}
	return p->deleted < SLICE;
}

static void committed(void *context, enum errcode code)
{
	struct queues *qs = context;
	struct prune *p = &qs->prune;
	bool more = !p->at_end && !code;
	p->busy = false;
	p->cursor = more ? p->last_id + 1 : 0;
	p->next_at_ms = qs->now_ms + (more ? 0 : REST_MS);
	if (more)
		prune_tick(qs); /* each slice waits for the reader and the disk: others have their turns in between */
}

static void looked(void *context, enum errcode code)
{
	struct queues *qs = context;
	struct prune *p = &qs->prune;
	struct store_batch *b = take(p->batch);
	p->at_end |= code || (p->deleted < SLICE && p->looked_at < SCAN);
	if (!store_batch_empty(b)) {
		change_simple(qs, b, committed, qs);
		return;
	}
	store_batch_free(b);
	committed(qs, code);
}

static int64_t shortest_keep(const struct queues *qs)
{
	int64_t shortest = INT64_MAX;
	for (size_t i = 0; i < qs->room; i++) {
		if (qs->table[i] && qs->table[i]->limits.keep_results_ms < shortest)
			shortest = qs->table[i]->limits.keep_results_ms;
	}
	return shortest == INT64_MAX ? 0 : shortest;
}

void prune_tick(struct queues *qs)
{
	struct prune *p = &qs->prune;
	if (p->busy || qs->now_ms < p->next_at_ms || qs->full)
		return;
	*p = (struct prune){.busy = true, .cursor = p->cursor, .now_ms = qs->now_ms, .batch = store_batch_new()};
	p->until_ms = qs->now_ms - shortest_keep(qs);
	struct store_range range = {.table = STORE_DONE, .from.id = p->cursor, .scan_max = SCAN};
	qs->store->ops->list(qs->store, &range, look, looked, qs);
}
