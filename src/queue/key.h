/* key.h - keys in use: which job stands for a (namespace, capability, key).
 *
 * Of two kinds, each in a table of its own: idempotency keys (a submit that is sent again gives the job that the first one
 * made, for 24 hours; with another input it is a client's mistake: E_CONFLICT) and the keys of unique jobs (unique.h).
 * A key is kept as 128 bits of its SHA-256, in memory (48 bytes each) and as a row of STORE_KEY, so that whether a submit
 * is new is decided without a read. */
#pragma once
#include "base/err.h"
#include "job/job.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum {
	KEY_KEEP_MS = 24 * 3600 * 1000,
	KEY_NAME_SIZE = 16,
	KEYS_SWEEP = 1024, /* places that keys_sweep looks at */
};
enum key_kind { KEY_IDEMPOTENCY = 'i', KEY_UNIQUE = 'u' }; /* the first byte of a row's key */

struct key {
	uint8_t name[KEY_NAME_SIZE];
	uint64_t job_id; /* 0: a free slot */
	uint64_t detail; /* idempotency: hash of the input; unique: the states that hold it */
	int64_t expires_at_ms;
};

struct keys { /* with a kind, else zero-initialised, it is empty */
	enum key_kind kind;
	struct key *slots;
	size_t n, room, sweep;
};

void key_of(const struct job_spec *spec, struct key *out); /* of its idempotency key: name and detail */
void key_of_unique(const struct job_spec *spec, struct key *out); /* the same for struct job_unique */
struct key *keys_find(const struct keys *k, const struct key *key); /* NULL: not there; valid until the next change */
void keys_add(struct keys *k, const struct key *key); /* replaces one of that name */
void keys_remove(struct keys *k, const struct key *key);
void keys_fini(struct keys *k);

void keys_put_row(const struct keys *k, struct store_batch *b, const struct key *key);
void keys_delete_row(const struct keys *k, struct store_batch *b, const struct key *key);
void keys_load_row(struct keys *k, const struct store_row *row); /* rows of the other kind are left alone */
/* Looks at the next places, KEYS_SWEEP of them; deletes expired ones here and, by the batch, in the store. */
void keys_sweep(struct keys *k, int64_t now_ms, struct store_batch *b);
