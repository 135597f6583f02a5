#include "queue/pool.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Mapped, not from malloc: a million waiting jobs between short-lived buffers would leave its heap full of holes. Pages that
 * no struct stands on yet take no memory. */
enum { CHUNK_BYTES = 1 << 20 };

struct chunk { /* aligned to its size: the chunk of a pointer is found by its address */
	struct list link; /* in partial, when it has room */
	void *free; /* chain through the first word of what was put back */
	unsigned used, fresh; /* fresh: this many were ever handed out */
};

void pool_init(struct pool *p, size_t size)
{
	*p = (struct pool){.size = (size + 15) & ~(size_t)15};
	list_init(&p->partial);
}

static void *map_aligned(void)
{
	char *twice = mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (twice == MAP_FAILED)
		abort();
	char *at = (char *)(((uintptr_t)twice + CHUNK_BYTES - 1) & ~(uintptr_t)(CHUNK_BYTES - 1));
	if (at > twice)
		munmap(twice, (size_t)(at - twice));
	munmap(at + CHUNK_BYTES, (size_t)(twice + CHUNK_BYTES - at));
	return at;
}

static struct chunk *chunk_new(struct pool *p)
{
	struct chunk *c = map_aligned();
	*c = (struct chunk){0};
	list_append(&p->partial, &c->link);
	p->chunk_n++;
	return c;
}

static unsigned capacity(const struct pool *p)
{
	return (unsigned)((CHUNK_BYTES - sizeof(struct chunk)) / p->size);
}

void *pool_get(struct pool *p)
{
	struct chunk *c = list_empty(&p->partial) ? chunk_new(p) : container_of(p->partial.next, struct chunk, link);
	void *one = c->free;
	if (one)
		memcpy(&c->free, one, sizeof c->free);
	else
		one = (char *)(c + 1) + p->size * c->fresh++;
	if (++c->used == capacity(p))
		list_remove(&c->link);
	return memset(one, 0, p->size);
}

void pool_put(struct pool *p, void *one)
{
	struct chunk *c = (struct chunk *)((uintptr_t)one & ~(uintptr_t)(CHUNK_BYTES - 1));
	memcpy(one, &c->free, sizeof c->free);
	c->free = one;
	if (c->used-- == capacity(p))
		list_append(&p->partial, &c->link);
	if (c->used || p->partial.next == p->partial.prev) /* the last one with room stays */
		return;
	list_remove(&c->link);
	p->chunk_n--;
	munmap(c, CHUNK_BYTES);
}

void pool_fini(struct pool *p)
{
	list_each(&p->partial, l) munmap(container_of(l, struct chunk, link), CHUNK_BYTES);
	list_init(&p->partial);
}
