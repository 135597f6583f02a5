#include "queue/state.h"

enum errcode item_head_decode(struct bytes head, uint64_t *becomes)
{
	return item_record_decode(head, becomes, NULL);
}

/* The job's row says from its first item on that there is more to read back (and later to delete) than the row. */
static void mark_streams(struct store_batch *b, struct job *j)
{
	struct job_more *m = queues_more(j);
	if (m->streams)
		return;
	m->streams = true;
	head_put(b, j, (struct bytes){0}, false);
}

static enum errcode check_size(const char *what, struct bytes data, struct err *e)
{
	if (data.size > JOB_ITEM_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "%s: has %zu bytes, must have at most %d; make it a blob", what, data.size,
			JOB_ITEM_MAX_BYTES);
	return E_OK;
}

static void put_item(struct queues *qs, struct job *j, uint64_t key, struct bytes data, struct store_batch *b)
{
	uint64_t becomes = 0;
	scoped(buf_fini) struct buf head = {0};
	mark_streams(b, j);
	if (qs->hooks.item)
		qs->hooks.item(qs->hooks.context, j, key, data, b, &becomes);
	item_record_encode(becomes, &head);
	store_batch_put(b, STORE_ITEM, (struct store_key){.id = j->id, .sub = key}, buf_bytes(&head), data);
}

enum errcode queue_item(struct queues *qs, uint64_t id, uint64_t fence, uint64_t key, struct bytes data, int64_t now_ms,
	queue_done *done, void *context, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (!code)
		code = check_size("item", data, e);
	if (code)
		return code;
	struct job_more *m = queues_more(j);
	if (m->items.n >= ITEMS_MAX)
		return err_set(e, E_LIMIT, "item: the job has %d items already", ITEMS_MAX);
	job_started(j, now_ms);
	struct store_batch *b = store_batch_new();
	if (keyset_add(&m->items, key))
		put_item(qs, j, key, data, b);
	else
		j->queue->info.duplicates_total++; /* the batch is empty: `done` comes when the first one's is durable */
	change_simple(qs, b, done, context);
	return E_OK;
}

enum errcode queue_checkpoint(struct queues *qs, uint64_t id, uint64_t fence, struct bytes data, int64_t now_ms,
	queue_done *done, void *context, struct err *e)
{
	struct job *j;
	queues_touch(qs, now_ms);
	enum errcode code = lease_check(qs, id, fence, &j, e);
	if (!code)
		code = check_size("checkpoint", data, e);
	if (code)
		return code;
	job_started(j, now_ms);
	struct store_batch *b = store_batch_new();
	mark_streams(b, j);
	store_batch_put(b, STORE_CHECKPOINT, (struct store_key){.id = j->id}, (struct bytes){0}, data);
	change_simple(qs, b, done, context);
	return E_OK;
}
