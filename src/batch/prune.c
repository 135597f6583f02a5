/* Batches that ended long ago go, as results do: first their members, a slice at a time, then the batch. The reader thread looks,
 * the loop thread commits. Ids are in the order of their making: past the first one that is younger, stop. */
#include "batch/parts.h"

#include "job/job_record.h"
#include "wire/id.h"

enum { REST_MS = 60000 };

static void commit(struct batches *bs, void (*done)(void *context, enum errcode code))
{
	struct store_batch *b = bs->prune.batch;
	bs->prune.batch = NULL;
	queues_commit(bs->o.queues, b, done, bs);
}

/* ── the members of one ── */

/* Reader thread. */
static bool look_member(void *context, const struct store_row *row)
{
	struct batch_prune *p = context;
	store_batch_delete(p->batch, STORE_MEMBER, row->key);
	return ++p->n < PRUNE_STEP;
}

static void members_looked(void *context, enum errcode code);

static void slice(struct batches *bs)
{
	struct batch_prune *p = &bs->prune;
	struct store_range range = {.table = STORE_MEMBER, .id = p->id};
	p->n = 0;
	p->batch = store_batch_new();
	bs->o.store->ops->list(bs->o.store, &range, look_member, members_looked, p);
}

static void slice_gone(void *context, enum errcode code)
{
	struct batches *bs = context;
	if (code)
		bs->prune.busy = false;
	else
		slice(bs); /* each waits for the disk: others have their turns in between */
}

static void batch_gone(void *context, enum errcode code)
{
	struct batches *bs = context;
	bs->prune.busy = false;
	bs->prune.next_at_ms = bs->now_ms; /* perhaps there is another */
}

static void members_looked(void *context, enum errcode code)
{
	struct batches *bs = container_of(context, struct batches, prune);
	struct batch_prune *p = &bs->prune;
	if (p->n < PRUNE_STEP)
		store_batch_delete(p->batch, STORE_BATCH, (struct store_key){.id = p->id});
	commit(bs, p->n < PRUNE_STEP ? batch_gone : slice_gone);
}

/* ── which one ── */

/* Reader thread. */
static bool look(void *context, const struct store_row *row)
{
	struct batch_prune *p = context;
	struct batch_record r;
	p->last_id = row->key.id;
	p->looked_at++;
	if (id_time_ms(row->key.id) > p->until_ms)
		return false;
	if (batch_record_decode(row->head, &r, NULL) != E_OK || r.state < BATCH_COMPLETED || r.finished_at_ms > p->until_ms)
		return p->looked_at < PRUNE_STEP;
	p->id = row->key.id;
	return false;
}

static void looked(void *context, enum errcode code)
{
	struct batches *bs = container_of(context, struct batches, prune);
	struct batch_prune *p = &bs->prune;
	bool more = !code && p->looked_at == PRUNE_STEP;
	if (p->id) {
		p->cursor = p->id;
		slice(bs);
		return;
	}
	p->busy = false;
	p->cursor = more ? p->last_id + 1 : 0;
	p->next_at_ms = bs->now_ms + (more ? 0 : REST_MS);
}

void batches_prune(struct batches *bs)
{
	struct batch_prune *p = &bs->prune;
	if (p->busy || bs->now_ms < p->next_at_ms)
		return;
	*p = (struct batch_prune){.busy = true, .cursor = p->cursor, .until_ms = bs->now_ms - bs->o.keep_ms};
	struct store_range range = {.table = STORE_BATCH, .from.id = p->cursor};
	bs->o.store->ops->list(bs->o.store, &range, look, looked, p);
}

void batches_prune_abandon(struct batches *bs)
{
	if (bs->prune.batch)
		store_batch_free(bs->prune.batch);
	bs->prune.batch = NULL;
}
