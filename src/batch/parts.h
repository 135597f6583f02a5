/* parts.h - inside batch/: the structs, and what its files offer one another.
 *
 *   batches.c  the set: load, wait, tick     join.c    made, added to, closed     end.c    how a job's end becomes the batch's
 *   cancel.c   its jobs, some at a time      show.c    as clients see it          prune.c  old ones go */
#pragma once
#include "base/idmap.h"
#include "base/list.h"
#include "batch/batches.h"

enum { CANCEL_STEP = 50, PRUNE_STEP = 500 };

struct batch_counts {
	uint64_t completed, failed, cancelled;
};

struct batch_cancel { /* a look for members; filled on the reader thread */
	bool ready; /* it is on disk that the batch is to be cancelled */
	bool busy;
	uint64_t cursor, ids[CANCEL_STEP];
	size_t n;
	int64_t next_at_ms;
};

struct batch {
	struct list link; /* in batches.live */
	struct list news_link; /* in batches.news: changed since the last tick */
	struct batches *set;
	uint64_t id;
	char *namespace, *name;
	enum batch_state state;
	int64_t created_at_ms, finished_at_ms;
	uint64_t total, max_failures, then_id;
	unsigned adding; /* requests under way that add jobs, or close it */
	struct batch_counts decided, durable; /* ends that were given to the store; that are on disk */
	uint64_t failed_ids[BATCH_FAILED_MAX];
	size_t failed_n;
	bool closed, stored; /* both durable */
	bool closing; /* that it is closed is on its way to the disk: nothing may write over it */
	bool over; /* its end is on its way to the disk, or there */
	bool gone; /* its end is durable; freed when the look for members has come back */
	struct batch_cancel cancel;
};

struct batch_wait {
	struct list link; /* in batches.waits */
	uint64_t id;
	void (*over)(void *context);
	void *context;
};

struct batch_prune { /* prune.c */
	bool busy;
	int64_t next_at_ms, until_ms;
	uint64_t cursor, last_id, id; /* id: the one that goes */
	unsigned looked_at, n;
	struct store_batch *batch; /* filled on the reader thread */
};

struct batches {
	struct batches_options o;
	struct list live, news, waits, requests; /* requests: under way; an engine that dies never hears of them */
	struct idmap by_id; /* of live */
	struct batch *joining; /* whose jobs are being submitted in this very call; */
	const struct batch_spec *making; /* and what it is made of, when it is new */
	size_t joined_n; /* how many of them are new */
	struct batches_stats stats;
	struct batch_prune prune;
	int64_t now_ms;
};

/* batches.c */
struct batch *batch_new(struct batches *bs, uint64_t id, struct bytes namespace, struct bytes name); /* live */
void batch_free(struct batch *t); /* no more live */
struct batch *batch_find(const struct batches *bs, uint64_t id); /* live, or NULL */
void batch_news(struct batch *t);
enum errcode batch_unknown(struct batches *bs, uint64_t id, struct err *e); /* why it is not among the live ones */
const char *batch_status(enum batch_state state, bool closed);
int batch_percent(uint64_t ended, uint64_t total, bool over);
uint64_t batch_ended(const struct batch_counts *c);

/* end.c */
void batch_put(const struct batch *t, struct store_batch *b); /* its head */
bool batch_is_complete(const struct batch *t);
/* Its end, into b; t is over afterwards. */
void batch_end(struct batch *t, struct store_batch *b);
void batch_end_if_complete(struct batch *t); /* in a commit of its own */

/* cancel.c */
void batch_cancel_step(struct batch *t);

/* show.c */
struct batch_record;
void batch_add_members(
	const struct batch_record *r, uint64_t id, const char *status, struct job_counts live, struct buf *out);
void batch_fill(
	const struct batch *t, const struct batch_counts *counts, struct batch_record *r, struct buf *failed_ids);

/* prune.c */
void batches_prune(struct batches *bs);
void batches_prune_abandon(struct batches *bs);
