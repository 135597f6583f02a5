/* index.h - id -> live job: open addressing, 8 bytes a slot, at most 3/4 full; the id is read from the job. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct job;

struct index { /* zero-initialised is empty */
	struct job **slots;
	size_t n, room;
};

void index_put(struct index *x, struct job *j); /* its id must not be there */
struct job *index_get(const struct index *x, uint64_t id); /* NULL: not there */
void index_remove(struct index *x, const struct job *j);
void index_fini(struct index *x);
