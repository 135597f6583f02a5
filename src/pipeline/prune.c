/* Runs that ended long ago go, as results do (queue/prune.c): the reader thread looks for them, the loop thread commits. Ids are in
 * the order of their beginning and no run ends before that: past the first one that is younger, stop. */
#include "pipeline/run.h"

#include "wire/id.h"

enum { SCAN = 1000, REST_MS = 60000 };

/* Reader thread. */
static bool look(void *context, const struct store_row *row)
{
	struct run_prune *p = context;
	struct run *r;
	p->last_id = row->key.id;
	p->looked_at++;
	if (id_time_ms(row->key.id) > p->until_ms)
		return false;
	if (run_decode(row->key.id, row->head, &r, NULL) != E_OK)
		return true; /* a person may want to look at a damaged one */
	if (r->state != RUN_RUNNING && r->finished_at_ms <= p->until_ms)
		store_batch_delete(p->batch, STORE_RUN, row->key);
	run_free(r);
	return true;
}

static void looked(void *context, enum errcode code)
{
	struct pipelines *ps = container_of(context, struct pipelines, prune);
	struct run_prune *p = context;
	struct store_batch *b = p->batch;
	bool more = !code && p->looked_at == SCAN;
	p->batch = NULL;
	p->cursor = more ? p->last_id + 1 : 0;
	p->next_at_ms = queues_now(ps->queues) + (more ? 0 : REST_MS);
	if (store_batch_empty(b))
		store_batch_free(b);
	else
		queues_commit(ps->queues, b, NULL, NULL);
}

void run_prune(struct pipelines *ps, int64_t now_ms)
{
	struct run_prune *p = &ps->prune;
	if (p->batch || now_ms < p->next_at_ms)
		return;
	p->batch = store_batch_new();
	p->until_ms = now_ms - RUN_KEEP_MS;
	p->looked_at = 0;
	struct store_range range = {.table = STORE_RUN, .from.id = p->cursor, .scan_max = SCAN};
	ps->store->ops->list(ps->store, &range, look, looked, p);
}

void run_prune_abandon(struct pipelines *ps)
{
	if (ps->prune.batch)
		store_batch_free(ps->prune.batch);
	ps->prune.batch = NULL;
}
