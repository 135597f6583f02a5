#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void place(struct heap *h, struct heap_node *node, size_t i)
{
	h->nodes[i] = node;
	node->at = i + 1;
}

static void up(struct heap *h, struct heap_node *node, size_t i)
{
	while (i && before(node, h->nodes[(i - 1) / 2])) {
		place(h, h->nodes[(i - 1) / 2], i);
		i = (i - 1) / 2;
	}
	place(h, node, i);
}

static void down(struct heap *h, struct heap_node *node, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!before(h->nodes[child], node))
			break;
		place(h, h->nodes[child], i);
	}
	place(h, node, i);
}

/* The node belongs at i or below, or above: only one of the two loops moves it. */
static void settle(struct heap *h, struct heap_node *node, size_t i)
{
	down(h, node, i);
	up(h, node, node->at - 1);
}

void heap_put(struct heap *h, struct heap_node *node, int64_t key, uint64_t tie)
{
	if (!node->at) {
		if (h->n == h->room) {
			h->room = h->room ? h->room * 2 : 16;
			h->nodes = mem_resize(h->nodes, h->room * sizeof(struct heap_node *));
		}
		place(h, node, h->n++);
	}
	node->key = key;
	node->tie = tie;
	settle(h, node, node->at - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	if (!node->at)
		return;
	size_t i = node->at - 1;
	struct heap_node *last = h->nodes[--h->n];
	node->at = 0;
	if (last != node)
		settle(h, last, i);
	if (h->room > 1024 && h->n * 8 < h->room) {
		h->room /= 2;
		h->nodes = mem_resize(h->nodes, h->room * sizeof(struct heap_node *));
	}
}

void heap_fini(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){0};
}
