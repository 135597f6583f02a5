/* pool.h - memory for many structs of one size: chunks of 1 MiB that are given back when nothing in them is used. */
#pragma once
#include "base/list.h"

#include <stddef.h>

struct pool {
	size_t size; /* of one */
	struct list partial; /* chunks with room */
	size_t chunk_n;
};

void pool_init(struct pool *p, size_t size);
void *pool_get(struct pool *p); /* zeroed */
void pool_put(struct pool *p, void *one);
void pool_fini(struct pool *p); /* everything must have been put back */
