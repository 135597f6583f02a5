/* The keys of a queue. A tenant is there while it has live jobs, so their number has the bound of the jobs; then until its bucket
 * is full again, or it could begin anew with one. */
#include "queue/state.h"

#include <stdlib.h>

/* Keys come from clients, in any number: the seed keeps them from choosing what collides. */
static uint64_t hash(uint64_t seed, struct bytes key)
{
	uint64_t h = seed;
	for (size_t i = 0; i < key.size; i++)
		h = (h ^ (unsigned char)key.data[i]) * 0x100000001b3ULL;
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL;
	return (h ^ h >> 29) | 1; /* 0 is no id of a map */
}

static struct bytes name_of(const struct tenant *t)
{
	return (struct bytes){t->name, t->name_size};
}

static struct tenant *tenant_get(struct queue *q, struct bytes key)
{
	uint64_t h = hash(q->qs->hash_seed, key);
	struct tenant *same = idmap_get(&q->tenants, h), *t = same;
	while (t && !bytes_equal(name_of(t), key))
		t = t->same_hash;
	if (t)
		return t;
	t = mem_new(sizeof *t + key.size);
	t->queue = q;
	t->hash = h;
	t->same_hash = same;
	t->name_size = key.size;
	memcpy(t->name, key.data, key.size);
	idmap_put(&q->tenants, h, t);
	return t;
}

static void tenant_free(struct tenant *t)
{
	for (unsigned p = 0; p <= JOB_PRIORITY_MAX; p++)
		free(t->lanes[p]);
	free(t);
}

void tenant_forget(struct tenant *t)
{
	struct idmap *all = &t->queue->tenants;
	struct tenant *first = idmap_get(all, t->hash), **at = &first;
	while (*at != t)
		at = &(*at)->same_hash;
	*at = t->same_hash;
	if (first)
		idmap_put(all, t->hash, first);
	else
		idmap_remove(all, t->hash);
	if (t->aside.next)
		order_step_in(t);
	heap_remove(&t->queue->qs->wakes, &t->gate.wake);
	tenant_free(t);
}

void tenant_join(struct job *j, struct bytes key)
{
	struct tenant *t = tenant_get(j->queue, key);
	queues_more(j)->tenant = t;
	j->queue->info.keys += t->jobs++ == 0;
}

void tenant_leave(struct job *j)
{
	struct tenant *t = j->more ? j->more->tenant : NULL;
	if (!t)
		return;
	j->more->tenant = NULL;
	if (--t->jobs)
		return;
	j->queue->info.keys--;
	flow_idle(t);
}

struct bytes tenant_key(const struct job *j)
{
	return j->more && j->more->tenant ? name_of(j->more->tenant) : (struct bytes){0};
}

void tenants_free(struct queue *q)
{
	size_t at = 0;
	for (struct tenant *t; (t = idmap_next(&q->tenants, &at));)
		for (struct tenant *next; t; t = next) {
			next = t->same_hash;
			tenant_free(t);
		}
	idmap_fini(&q->tenants);
}
