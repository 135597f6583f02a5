/* batch.h - what a store_batch holds, for the implementations of the store: its operations one after the other. */
#pragma once
#include "store/deliver.h"
#include "store/store.h"

enum batch_kind { BATCH_PUT, BATCH_PUT_HEAD, BATCH_DELETE, BATCH_DELETE_ALL };

struct batch_then {
	void (*then)(void *context, enum errcode code);
	void *context;
};

struct store_batch {
	struct request request; /* its way through the store and back to the loop thread */
	struct store *store;
	void (*done)(void *context, enum errcode code);
	void *context;
	struct buf ops;
	struct batch_then *thens;
	unsigned then_n, then_room;
	unsigned rows;
	unsigned generation; /* of the commit; see batch_finish */
	enum errcode code; /* how it went; set by who applied it */
	bool held;
	bool kept; /* by an overlay's generation, which frees it */
	bool ends_commit; /* the last one of its group */
	uint64_t sequence, position; /* of the commit log behind its group; see overlay.h */
	struct store_batch *next_kept; /* of those that wait for their next use, or of a generation */
};

struct batch_op {
	enum batch_kind kind;
	enum store_table table;
	struct store_key key;
	struct bytes head, body; /* borrowed from the batch */
};

/* Starts with *at = 0; false at the end. */
bool batch_next(const struct store_batch *b, size_t *at, struct batch_op *op);

/* Are these operations as store_batch_put and the others make them? */
bool batch_valid(struct bytes ops);

/* Frees what this thread keeps for its next batches: when a store is closed, or the thread ends. */
void batch_forget_kept(void);

/* Loop thread: calls `done` and the thens with b->code, and frees b unless it was held. */
void batch_finish(struct store_batch *b);
