/* keyset.h - which keys were emitted: a set of 64-bit numbers. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyset { /* zero-initialised: empty */
	uint64_t *slots; /* key + 1; 0: free. UINT64_MAX stands apart, in `last` */
	size_t used, room;
	bool last;
};

/* 1: it is new; 0: it was there; -1: no memory. */
int keyset_add(struct keyset *s, uint64_t key);
void keyset_fini(struct keyset *s);
