/* Failed callbacks go some days after they were made, as results do: the reader thread looks for them, the loop thread commits. Ids are
 * in the order of their making: past the first one that is younger, stop. */
#include "callback/parts.h"

#include "job/job_record.h"
#include "wire/id.h"

enum { SCAN = 500, REST_MS = 60000, SOON_MS = 100 };

/* Reader thread. */
static bool look(void *context, const struct store_row *row)
{
	struct callback_prune *p = context;
	struct callback_record r;
	p->last_id = row->key.id;
	if (id_time_ms(row->key.id) > p->until_ms)
		return false;
	p->looked_at++;
	if (callback_record_decode(row->head, &r, NULL) == E_OK && r.failed) {
		store_batch_delete(p->batch, STORE_CALLBACK, row->key);
		p->deleted++;
	}
	return true;
}

static void looked(void *context, enum errcode code)
{
	struct callbacks *cs = container_of(context, struct callbacks, prune);
	struct callback_prune *p = context;
	struct store_batch *b = p->batch;
	bool more = !code && p->looked_at == SCAN;
	p->batch = NULL;
	if (p->stale) { /* the same slice again */
		p->next_at_ms = cs->now_ms + SOON_MS;
		store_batch_free(b);
		return;
	}
	p->cursor = more ? p->last_id + 1 : 0;
	p->next_at_ms = cs->now_ms + (more ? 0 : REST_MS);
	cs->stats.failed -= p->deleted;
	if (store_batch_empty(b))
		store_batch_free(b);
	else
		queues_commit(cs->o.queues, b, NULL, NULL);
}

void callback_prune_tick(struct callbacks *cs)
{
	struct callback_prune *p = &cs->prune;
	if (p->batch || cs->now_ms < p->next_at_ms || !list_empty(&cs->changes))
		return;
	*p = (struct callback_prune){
		.batch = store_batch_new(), .until_ms = cs->now_ms - cs->o.limits.keep_ms, .cursor = p->cursor};
	struct store_range range = {.table = STORE_CALLBACK, .from.id = p->cursor, .scan_max = SCAN};
	cs->o.store->ops->list(cs->o.store, &range, look, looked, p);
}

void callback_prune_abandon(struct callbacks *cs)
{
	if (cs->prune.batch)
		store_batch_free(cs->prune.batch);
	cs->prune.batch = NULL;
}
