/* sweep.h - inside blob/: the candidates of one collection: blobs that nobody used for a while. What is named anywhere is marked;
 * who was not marked in the end is deleted. Only sweep_mark may be called by two threads at a time. */
#pragma once
#include "blob/parts.h"

struct sweep;

struct sweep *sweep_new(struct blobs *b, int64_t before_ms, size_t max); /* last used before then; at most so many */
void sweep_free(struct sweep *s);
void sweep_walk(struct sweep *s, unsigned folder); /* finds candidates, and counts */
void sweep_sort(struct sweep *s); /* after the last walk, before the first mark */
void sweep_roots(struct sweep *s, unsigned folder); /* marks what blobs that are no candidates name */
void sweep_mark(void *sweep, const char *name); /* any thread; never blocks */
void sweep_expand(struct sweep *s); /* marks what marked candidates name */
/* Deletes up to `steps` that are not marked, those first that name others; notes the rest as in use. False: that was all. */
bool sweep_delete(struct sweep *s, size_t steps);

struct sweep_counts {
	uint64_t n, bytes; /* of all blobs that were walked over */
	uint64_t candidates, deleted, deleted_bytes;
};
void sweep_get_counts(const struct sweep *s, struct sweep_counts *out);
