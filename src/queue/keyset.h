/* keyset.h - a set of u64: the item keys of one streaming job. Open addressing, 8 bytes a slot; key 0 is kept apart. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyset { /* zero-initialised is empty */
	uint64_t *slots;
	size_t n, room;
	bool has_zero;
};

bool keyset_add(struct keyset *s, uint64_t key); /* false: it was there */
void keyset_fini(struct keyset *s);
