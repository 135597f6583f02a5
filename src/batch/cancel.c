/* A batch is cancelled in two steps: first it is on disk that it is to be, then its jobs are cancelled, some at a time, so that a
 * million of them hold nobody up. An engine that dies in between goes on with it. */
#include "batch/parts.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

enum { AGAIN_MS = 200 }; /* those that were just changing state */

/* Reader thread. */
static bool note(void *context, const struct store_row *row)
{
	struct batch_cancel *c = &((struct batch *)context)->cancel;
	if (!row->key.sub)
		return true;
	c->cursor = row->key.sub + 1;
	c->ids[c->n++] = row->key.sub;
	return c->n < CANCEL_STEP;
}

static void noted(void *context, enum errcode code)
{
	struct batch *t = context;
	struct batches *bs = t->set;
	struct batch_cancel *c = &t->cancel;
	bool end = c->n < CANCEL_STEP;
	c->busy = false;
	if (t->gone) {
		batch_free(t);
		return;
	}
	for (size_t i = 0; i < c->n && !t->over; i++)
		queue_cancel(
			bs->o.queues, c->ids[i], queues_now(bs->o.queues), NULL, NULL, NULL); /* one that is over is no error */
	batch_news(t);
	if (end) {
		c->cursor = 0;
		c->next_at_ms = bs->now_ms + AGAIN_MS;
	} else if (!t->over) {
		batch_cancel_step(t); /* by way of the reader: others have their turns in between */
	}
}

void batch_cancel_step(struct batch *t)
{
	struct batches *bs = t->set;
	struct batch_cancel *c = &t->cancel;
	if (c->busy)
		return;
	if (bs->now_ms < c->next_at_ms) { /* not yet: with the next tick */
		batch_news(t);
		return;
	}
	c->busy = true;
	c->n = 0;
	struct store_range range = {.table = STORE_MEMBER, .id = t->id, .from = {.id = t->id, .sub = c->cursor}};
	bs->o.store->ops->list(bs->o.store, &range, note, noted, t);
}

struct cancelling {
	struct list link; /* in batches.requests; first member: batches_free frees it by this */
	struct batch *batch;
	batch_done *done;
	void *context;
};

static void stored(void *context, enum errcode code)
{
	struct cancelling *c = context;
	struct batch *t = c->batch;
	struct batch_reply reply = {.code = code, .id = t->id};
	list_remove(&c->link);
	c->done(c->context, &reply);
	free(c);
	if (code)
		return;
	t->cancel.ready = true;
	batch_news(t);
	batch_end_if_complete(t); /* it had no job, or all were over */
}

enum errcode batches_cancel(struct batches *bs, uint64_t id, batch_done *done, void *context, struct err *e)
{
	struct batch *t = batch_find(bs, id);
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (!t || !t->stored || t->over)
		return batch_unknown(bs, id, e);
	if (t->state == BATCH_CANCELLING)
		return err_set(e, E_STATE, "batch %s: is being cancelled already", text);
	struct cancelling *c = NEW(struct cancelling);
	*c = (struct cancelling){.batch = t, .done = done, .context = context};
	list_append(&bs->requests, &c->link);
	t->state = BATCH_CANCELLING;
	struct store_batch *b = store_batch_new();
	batch_put(t, b);
	queues_commit(bs->o.queues, b, stored, c);
	return E_OK;
}
