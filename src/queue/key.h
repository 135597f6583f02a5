/* key.h - idempotency keys in use: which job a (namespace, capability, key) made, for 24 hours.
 *
 * A key is kept as 128 bits of its SHA-256, in memory (48 bytes each) and as a row of STORE_KEY, so that whether a submit
 * is new is decided without a read. The same key with another input is a client's mistake: E_CONFLICT. */
#pragma once
#include "base/err.h"
#include "job/job.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum { KEY_KEEP_MS = 24 * 3600 * 1000 };

struct key {
	uint8_t name[16];
	uint64_t job_id; /* 0: a free slot */
	uint64_t input_hash;
	int64_t expires_at_ms;
};

struct keys { /* zero-initialised is empty */
	struct key *slots;
	size_t n, room, sweep;
};

void key_of(const struct job_spec *spec, struct key *out); /* name and input_hash */
struct key *keys_find(const struct keys *k, const struct key *key); /* NULL: not there; valid until the next change */
void keys_add(struct keys *k, const struct key *key); /* replaces one of that name */
void keys_remove(struct keys *k, const struct key *key);
void keys_fini(struct keys *k);

void keys_put_row(struct store_batch *b, const struct key *key);
void keys_load_row(struct keys *k, const struct store_row *row); /* other rows of STORE_KEY are left alone */
/* Looks at a part of all keys; deletes expired ones here and, by the batch, in the store. */
void keys_sweep(struct keys *k, int64_t now_ms, struct store_batch *b);
