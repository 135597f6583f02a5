#include "store/batch.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct op_header { /* stands before the bytes of text, head and body */
	uint64_t id, sub;
	uint32_t head_size, body_size;
	uint16_t text_size;
	uint8_t kind, table;
};

enum {
	FIRST_ROOM = 448, /* a small job with its head fits without growing */
	KEPT_ROOM = 4096,
	KEPT_MAX = 256,
};

/* Two batches a job, some dozens on their way: more than malloc keeps at hand, so they are used again. */
static _Thread_local struct store_batch *kept;
static _Thread_local unsigned kept_n;

struct store_batch *store_batch_new(void)
{
	struct store_batch *b = kept;
	if (!b) {
		b = NEW(struct store_batch);
		buf_reserve(&b->ops, FIRST_ROOM);
		return b;
	}
	struct buf ops = b->ops;
	kept = b->next_kept;
	kept_n--;
	*b = (struct store_batch){.ops = ops};
	buf_clear(&b->ops);
	return b;
}

void store_batch_free(struct store_batch *b)
{
	if (!b)
		return;
	free(b->thens);
	b->thens = NULL;
	if (kept_n < KEPT_MAX && b->ops.room <= KEPT_ROOM) {
		b->next_kept = kept;
		kept = b;
		kept_n++;
		return;
	}
	buf_fini(&b->ops);
	free(b);
}

void batch_forget_kept(void)
{
	for (struct store_batch *b; (b = kept);) {
		kept = b->next_kept;
		buf_fini(&b->ops);
		free(b);
	}
	kept_n = 0;
}

bool store_batch_empty(const struct store_batch *b)
{
	return b->rows == 0;
}

struct bytes store_batch_bytes(const struct store_batch *b)
{
	return buf_bytes(&b->ops);
}

static void add(struct store_batch *b, enum batch_kind kind, enum store_table table, struct store_key key,
	struct bytes head, struct bytes body)
{
	assert(key.text.size <= 512 && head.size <= UINT32_MAX && body.size <= UINT32_MAX);
	struct op_header h = {key.id, key.sub, (uint32_t)head.size, (uint32_t)body.size, (uint16_t)key.text.size,
		(uint8_t)kind, (uint8_t)table};
	buf_reserve(&b->ops, sizeof h + key.text.size + head.size + body.size);
	buf_add(&b->ops, &h, sizeof h);
	buf_add(&b->ops, key.text.data, key.text.size);
	buf_add(&b->ops, head.data, head.size);
	buf_add(&b->ops, body.data, body.size);
	b->rows++;
}

void store_batch_put(
	struct store_batch *b, enum store_table table, struct store_key key, struct bytes head, struct bytes body)
{
	add(b, BATCH_PUT, table, key, head, body);
}

void store_batch_put_head(struct store_batch *b, enum store_table table, struct store_key key, struct bytes head)
{
	add(b, BATCH_PUT_HEAD, table, key, head, (struct bytes){0});
}

void store_batch_delete(struct store_batch *b, enum store_table table, struct store_key key)
{
	add(b, BATCH_DELETE, table, key, (struct bytes){0}, (struct bytes){0});
}

void store_batch_delete_all(struct store_batch *b, enum store_table table, uint64_t id)
{
	add(b, BATCH_DELETE_ALL, table, (struct store_key){.id = id}, (struct bytes){0}, (struct bytes){0});
}

void store_batch_then(struct store_batch *b, void (*then)(void *context, enum errcode code), void *context)
{
	if (b->then_n == b->then_room) {
		b->then_room = b->then_room ? b->then_room * 2 : 2;
		b->thens = mem_resize(b->thens, b->then_room * sizeof *b->thens);
	}
	b->thens[b->then_n++] = (struct batch_then){then, context};
}

void store_batch_hold(struct store_batch *b)
{
	assert(b->code == E_NO_SPACE);
	b->held = true;
}

bool batch_next(const struct store_batch *b, size_t *at, struct batch_op *op)
{
	if (*at == b->ops.size)
		return false;
	const char *p = b->ops.data + *at;
	struct op_header h;
	memcpy(&h, p, sizeof h);
	p += sizeof h;
	op->kind = h.kind;
	op->table = h.table;
	op->key = (struct store_key){h.id, h.sub, {p, h.text_size}};
	op->head = (struct bytes){p + h.text_size, h.head_size};
	op->body = (struct bytes){op->head.data + h.head_size, h.body_size};
	*at += sizeof h + h.text_size + h.head_size + h.body_size;
	return true;
}

bool batch_valid(struct bytes ops)
{
	struct op_header h;
	for (size_t at = 0; at < ops.size;) {
		if (ops.size - at < sizeof h)
			return false;
		memcpy(&h, ops.data + at, sizeof h);
		at += sizeof h;
		if (h.kind > BATCH_DELETE_ALL || h.table >= STORE_TABLES || h.text_size > 512 ||
			(uint64_t)h.text_size + h.head_size + h.body_size > ops.size - at)
			return false;
		at += (size_t)h.text_size + h.head_size + h.body_size;
	}
	return true;
}

void batch_finish(struct store_batch *b)
{
	b->held = false;
	if (b->done)
		b->done(b->context, b->code);
	if (b->held)
		return;
	for (unsigned i = 0; i < b->then_n; i++)
		b->thens[i].then(b->thens[i].context, b->code);
	if (!b->kept)
		store_batch_free(b);
}
