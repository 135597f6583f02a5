#include "queue/pool.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A little less than its alignment is used, so that malloc's own header finds room before the next chunk. */
enum { CHUNK_ALIGN = 64 * 1024, CHUNK_BYTES = CHUNK_ALIGN - 64 };

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

static struct chunk *chunk_new(struct pool *p)
{
	void *memory;
	if (posix_memalign(&memory, CHUNK_ALIGN, CHUNK_BYTES))
		abort();
	struct chunk *c = memory;
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
	struct chunk *c = (struct chunk *)((uintptr_t)one & ~(uintptr_t)(CHUNK_ALIGN - 1));
	memcpy(one, &c->free, sizeof c->free);
	c->free = one;
	if (c->used-- == capacity(p))
		list_append(&p->partial, &c->link);
	if (c->used || p->partial.next == p->partial.prev) /* the last one with room stays */
		return;
	list_remove(&c->link);
	p->chunk_n--;
	free(c);
}

void pool_fini(struct pool *p)
{
	list_each(&p->partial, l) free(container_of(l, struct chunk, link));
	list_init(&p->partial);
}
