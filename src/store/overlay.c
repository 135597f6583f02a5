#include "store/overlay.h"

#include "base/mem.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 4096 };

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/* What takes every sub of an id stands under the id alone. */
static uint32_t hash_of(enum store_table table, const struct store_key *key, bool all)
{
	uint64_t h = mix(key->id + (uint64_t)table * 0x9e3779b97f4a7c15ULL) + (all ? 1 : mix(key->sub) * 2);
	for (size_t i = 0; i < key->text.size; i++)
		h = (h ^ (unsigned char)key->text.data[i]) * 0x100000001b3ULL;
	return (uint32_t)mix(h);
}

static void read_op(const struct overlay_op *o, struct batch_op *op)
{
	size_t at = o->at;
	batch_next(o->batch, &at, op);
}

static void link_op(struct generation *g, uint32_t index)
{
	uint32_t *bucket = &g->buckets[g->ops[index].hash & (g->bucket_n - 1)];
	g->ops[index].older = *bucket;
	*bucket = index + 1;
}

static void make_room(struct generation *g)
{
	if (g->op_n < g->op_room)
		return;
	g->op_room = g->op_room ? g->op_room * 2 : FIRST_BUCKETS;
	g->ops = mem_resize(g->ops, g->op_room * sizeof *g->ops);
	g->bucket_n = g->op_room;
	g->buckets = mem_resize(g->buckets, g->bucket_n * sizeof *g->buckets);
	memset(g->buckets, 0, g->bucket_n * sizeof *g->buckets);
	for (uint32_t i = 0; i < g->op_n; i++)
		link_op(g, i);
}

void generation_add(struct generation *g, struct store_batch *b)
{
	struct batch_op op;
	for (size_t at = 0, from = 0; batch_next(b, &at, &op); from = at) {
		make_room(g);
		g->ops[g->op_n] = (struct overlay_op){
			.batch = b, .at = (uint32_t)from, .hash = hash_of(op.table, &op.key, op.kind == BATCH_DELETE_ALL)};
		link_op(g, g->op_n++);
	}
	b->next_kept = NULL;
	if (g->last)
		g->last->next_kept = b;
	else
		g->first = b;
	g->last = b;
	g->bytes += b->ops.size;
	g->sequence = b->sequence;
	g->position = b->position;
	g->whole = b->ends_commit;
}

void overlay_free_spent(struct store_batch **spent, unsigned most)
{
	for (struct store_batch *b; most && (b = *spent); most--) {
		*spent = b->next_kept;
		store_batch_free(b);
	}
}

void generation_clear(struct generation *g, struct store_batch **spent)
{
	if (g->last) {
		g->last->next_kept = *spent;
		*spent = g->first;
	}
	if (g->op_n)
		memset(g->buckets, 0, g->bucket_n * sizeof *g->buckets);
	g->first = g->last = NULL;
	g->op_n = 0;
	g->bytes = 0;
	g->begun = g->position;
	g->whole = false;
}

void generation_fini(struct generation *g)
{
	struct store_batch *spent = NULL;
	generation_clear(g, &spent);
	overlay_free_spent(&spent, UINT32_MAX);
	free(g->ops);
	free(g->buckets);
	*g = (struct generation){0};
}

static bool same_row(const struct batch_op *op, enum store_table table, const struct store_key *key)
{
	return op->kind != BATCH_DELETE_ALL && op->table == table && op->key.id == key->id && op->key.sub == key->sub &&
		   bytes_equal(op->key.text, key->text);
}

bool generation_superseded(const struct generation *g, uint32_t index, const struct batch_op *op)
{
	const struct overlay_op *this = &g->ops[index];
	struct batch_op newer;
	if (op->kind == BATCH_DELETE_ALL)
		return false;
	for (uint32_t i = g->buckets[this->hash & (g->bucket_n - 1)]; i > index + 1; i = g->ops[i - 1].older) {
		if (g->ops[i - 1].hash != this->hash)
			continue;
		read_op(&g->ops[i - 1], &newer);
		if (same_row(&newer, op->table, &op->key) && (newer.kind != BATCH_PUT_HEAD || op->kind == BATCH_PUT_HEAD))
			return true;
	}
	return false;
}

/* Index + 1 of the newest that took every sub of the id, or 0. */
static uint32_t taken_all(const struct generation *g, enum store_table table, const struct store_key *key)
{
	uint32_t hash = hash_of(table, &(struct store_key){.id = key->id}, true);
	struct batch_op op;
	for (uint32_t i = g->buckets[hash & (g->bucket_n - 1)]; i; i = g->ops[i - 1].older) {
		if (g->ops[i - 1].hash != hash)
			continue;
		read_op(&g->ops[i - 1], &op);
		if (op.kind == BATCH_DELETE_ALL && op.table == table && op.key.id == key->id)
			return i;
	}
	return 0;
}

static void see(struct overlay_row *row, const struct batch_op *op)
{
	if (op->kind == BATCH_DELETE) {
		row->state = OVERLAY_GONE;
		return;
	}
	if (!row->has_head)
		row->head = op->head;
	row->has_head = true;
	if (op->kind == BATCH_PUT) {
		row->body = op->body;
		row->state = OVERLAY_THERE;
	}
}

void generation_find(
	const struct generation *g, enum store_table table, const struct store_key *key, struct overlay_row *row)
{
	if (!g->op_n)
		return;
	uint32_t hash = hash_of(table, key, false), all = taken_all(g, table, key);
	struct batch_op op;
	for (uint32_t i = g->buckets[hash & (g->bucket_n - 1)]; i > all && !row->state; i = g->ops[i - 1].older) {
		if (g->ops[i - 1].hash != hash)
			continue;
		read_op(&g->ops[i - 1], &op);
		if (same_row(&op, table, key))
			see(row, &op);
	}
	if (all && !row->state)
		row->state = OVERLAY_GONE;
}
