/* heap.h - a binary min-heap whose nodes live in its members: timers, due jobs, leases. O(log n), no search.
 *
 * Ties leave in the order they came only if the key says so: give `tie` a growing number where that matters. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key; /* smallest first */
	uint64_t tie; /* smallest first among equal keys */
	size_t at; /* 1 + index in the heap; 0: in none */
};

struct heap { /* zero-initialised is empty */
	struct heap_node **nodes;
	size_t n, room;
};

void heap_put(struct heap *h, struct heap_node *node, int64_t key, uint64_t tie); /* moves it when it is in already */
void heap_remove(struct heap *h, struct heap_node *node); /* fine when it is in none */
void heap_fini(struct heap *h);

static inline struct heap_node *heap_first(const struct heap *h) /* NULL: empty */
{
	return h->n ? h->nodes[0] : NULL;
}

static inline bool heap_has(const struct heap_node *node)
{
	return node->at != 0;
}
