/* collect.h - blobs that nothing refers to are deleted. Loop thread only; the work is done on the pool and on the store's reader.
 *
 * Mark and sweep, in bounded steps: candidates are blobs whose last use is long ago. Every row of the store, and every blob that
 * names others, is looked through for their names; whatever is committed meanwhile is, too (struct store_watch). Who was not
 * named is deleted. What refers to a blob is the text of its name, wherever it stands: a table or a field that is added
 * later is covered.
 *
 * WHY NOTHING IN USE GOES
 *  - A row that stays where it is is seen by the scan; one that is written or moved meanwhile is seen by the watch, which is on
 *    before the scan begins and until the last file is deleted. What was committed before is durable when the scan begins.
 *  - What is not in the store yet (an upload, a job on its way) has been used just now: its file's time says so, and the file is
 *    looked at again, under a lock, at the moment of its deletion.
 *  - Nothing is written to say what is to be deleted, so a crash at any point leaves files that are found again. */
#pragma once
#include "blob/blob.h"
#include "loop/loop.h"
#include "store/store.h"

#define BLOB_KEEP_UNUSED_MS (24LL * 3600 * 1000)

struct blob_collector;

struct blob_collector_options {
	struct loop *loop; /* NULL, for tests: no timer; then `pool` is given */
	struct store *store;
	struct blobs *blobs;
	int64_t keep_unused_ms; /* how long after its last use */
	bool (*busy)(
		void *context); /* true: what is named may be in memory alone (a full disk), or is being copied: not now */
	void (*pool)(void *context, void (*work)(void *work_context), void (*done)(void *work_context), void *work_context);
	void *context;
	unsigned delete_step; /* files in one go; 0: what is right outside of tests */
};

struct blob_collection { /* how it went */
	uint64_t candidates, deleted, deleted_bytes;
	bool given_up; /* it was busy, or the store could not be read: nothing more was deleted */
};

struct blob_collector *blob_collector_new(const struct blob_collector_options *o);
void blob_collector_stop(
	struct blob_collector *c); /* before the store is closed: nothing more is begun. NULL is fine */
void blob_collector_free(struct blob_collector *c); /* when store and pool have nothing more under way. NULL is fine */
/* At once, and of what was not used for keep_unused_ms. E_CONFLICT: one is under way. `done` comes later. */
enum errcode blob_collect(struct blob_collector *c, int64_t keep_unused_ms,
	void (*done)(void *context, const struct blob_collection *r), void *context, struct err *e);
