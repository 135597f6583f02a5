/* overlay.h - what is durable in the commit log and not yet in SQLite: batches in order, and where each row's last change stands.
 * One generation is filled while the one before is being moved; it is then not changed, so both threads may read it.
 *
 * A row that comes and goes within one generation never reaches SQLite: of a job that is done at once that is all but the result. */
#pragma once
#include "store/batch.h"

struct overlay_op { /* an operation of a batch */
	const struct store_batch *batch;
	uint32_t at, hash, older; /* offset in batch->ops; of its row; index + 1 of the next older one in its bucket */
};

struct generation { /* zero-initialised is empty */
	struct overlay_op *ops;
	uint32_t *buckets; /* index + 1 of the newest */
	uint32_t op_n, op_room, bucket_n;
	struct store_batch *first, *last; /* by next_kept; owned */
	size_t bytes; /* of operations */
	uint64_t sequence, position,
		begun; /* the commit log behind the last batch, and behind the last one before the first */
	bool whole; /* the last batch was the last one of its commit */
};

/* Takes b, which is durable. */
void generation_add(struct generation *g, struct store_batch *b);
/* Empties it, keeps its memory. Its batches go before *spent: some thousands of them are not freed in one turn of the loop. */
void generation_clear(struct generation *g, struct store_batch **spent);
void overlay_free_spent(struct store_batch **spent, unsigned most);
void generation_fini(struct generation *g);

/* Is this operation without effect, because a later one says what becomes of its row? */
bool generation_superseded(const struct generation *g, uint32_t index, const struct batch_op *op);

enum overlay_state { OVERLAY_UNKNOWN, OVERLAY_THERE, OVERLAY_GONE };
struct overlay_row { /* zero-initialised before the newest generation is asked */
	enum overlay_state state;
	bool has_head; /* also of a row whose body is older */
	struct bytes head, body; /* borrowed from the batches */
};
/* Adds to *row what this generation knows; ask the newer one first, and an older one only while it is unknown. */
void generation_find(
	const struct generation *g, enum store_table table, const struct store_key *key, struct overlay_row *row);
