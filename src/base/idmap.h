/* idmap.h - a map from ids (u64, not 0) to pointers (not NULL): open addressing, 16 bytes a slot, at most 3/4 full.
 *
 * Zero-initialised is empty and takes no memory. The values are borrowed. Aborts when memory runs out: what is kept in it
 * meets its limit first. No threads. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
	uint64_t id;
	void *value; /* NULL: free */
};

struct idmap {
	struct idmap_slot *slots;
	size_t n, room; /* room: 0 or a power of two */
};

void idmap_put(struct idmap *m, uint64_t id, void *value); /* replaces */
void *idmap_get(const struct idmap *m, uint64_t id); /* NULL: not there */
void *idmap_remove(struct idmap *m, uint64_t id); /* the value, or NULL when it was not there */
/* Every entry, in no order. Start with *at = 0; NULL at the end. Only idmap_get may be called meanwhile. */
void *idmap_next(const struct idmap *m, size_t *at);
void idmap_fini(struct idmap *m); /* not the values */
