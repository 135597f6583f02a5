/* run.h - one live run inside pipeline/: what the files of this folder share. */
#pragma once
#include "base/idmap.h"
#include "pipeline/pipeline.h"

enum { RUN_LIVE_MAX = 10000 };
#define RUN_KEEP_MS (7LL * 24 * 3600 * 1000) /* after its end, as long as results are kept */

enum run_step_state {
	RUN_STEP_WAITING, /* its source has not ended */
	RUN_STEP_RUNNING,
	RUN_STEP_GATHERING, /* `each`: every job ended, the items are being joined */
	RUN_STEP_COMPLETED,
	RUN_STEP_FAILED,
	RUN_STEP_CANCELLED
};
const char *run_step_state_word(enum run_step_state s);

struct run_step {
	enum run_step_state state;
	uint64_t job_id; /* of a step that is one job */
	bool saved; /* of a step that is one job: its end is durable, so its result can be read */
	uint64_t total, completed, failed; /* of an `each` step: counted in memory, again after a restart */
	char blob[BLOB_NAME_SIZE]; /* of an `each` step: its items, once they are gathered */
	int64_t gather_at_ms; /* not before: the disk was full, or failed */
	int gather_failures; /* in a row, of a disk that is not full */
	int percent; /* as the handler says; -1: it does not */
};

struct run {
	struct pipelines *set;
	uint64_t id;
	struct pipeline *pipeline; /* its own copy: a later definition does not change it */
	char *namespace;
	char *traceparent; /* of its jobs, or NULL */
	int priority;
	enum run_state state;
	int64_t submitted_at_ms, finished_at_ms;
	struct run_step steps[PIPELINE_STEPS_MAX];
	char items_blob[BLOB_NAME_SIZE]; /* of the last `each` step that was gathered, else "" */
	struct job_error error;
	bool changed; /* since the watcher was told */
	bool stored; /* its beginning is durable */
	unsigned cancelling; /* jobs whose cancellation is on its way to the disk */
	bool over; /* its end is on its way to the disk, or there */
	bool cleaned; /* of one that did not complete: its jobs were cancelled and its items are gone */
	char *output; /* result of the output step once that has ended in this engine; or NULL */
	struct list link; /* in pipelines.live */
};

struct run_wait {
	struct pipelines *set;
	uint64_t run_id;
	void (*over)(void *context, enum errcode code);
	void *context;
	struct list link; /* in pipelines.waits */
};

struct run_prune { /* prune.c */
	struct store_batch *batch; /* of the look that is under way, or NULL; filled on the reader thread */
	int64_t next_at_ms, until_ms;
	uint64_t cursor, last_id;
	unsigned looked_at;
};

struct pipelines {
	struct store *store;
	struct queues *queues;
	struct blobs *blobs;
	struct pipeline **definitions;
	size_t definition_n;
	struct list live, waits;
	struct idmap by_id; /* of live */
	struct run_prune prune;
	struct list starts, gathers; /* under way: an engine that dies never hears of them */
	int64_t now_ms; /* of the last call that brought the time */
	void (*changed)(void *context, uint64_t run_id, enum run_state state);
	void *changed_context;
	void (*resume)(void *context, uint64_t job_id);
	void *resume_context;
};

/* run.c */
struct run *run_new(struct pipeline *copy_of, struct bytes namespace, int priority);
void run_free(struct run *r);
void run_add(struct pipelines *ps, struct run *r); /* to the live ones; takes r */
void run_remove(struct pipelines *ps, struct run *r); /* and frees r */
struct run *run_find(struct pipelines *ps, uint64_t id); /* live ones */
uint64_t run_items(const struct run *r, uint64_t *failed); /* of its `each` steps */
void run_tell_waiters(struct pipelines *ps, uint64_t run_id, enum errcode code);

/* run_record.c: the head of a STORE_RUN row is a JSON document; its body is the run's input while it lives, then its result. */
void run_encode(const struct run *r, struct buf *out);
enum errcode run_decode(uint64_t id, struct bytes head, struct run **out, struct err *e);
void run_show_json(
	const struct run *r, struct bytes result, struct buf *out); /* as pipelines_show documents; result may be empty */

/* advance.c: what happens next */
void run_submit_step(struct pipelines *ps, struct run *r, int step, struct bytes input, struct store_batch *b);
/* The head. When r is over this is its last change: the result goes with it, and once the batch is durable run_settle. */
void run_put(struct run *r, struct store_batch *b);
void run_finish(struct run *r, enum run_state state, int64_t now_ms);
void run_step_ended(struct pipelines *ps, struct run *r, int step, struct bytes result, struct store_batch *b);
void run_advance(struct pipelines *ps, struct run *r); /* gathers every `each` step whose jobs have all ended */
/* After the commit of its end: cancels what still runs, tells, forgets. */
void run_settle(struct pipelines *ps, struct run *r);

/* start.c */
void start_abandon_all(struct pipelines *ps);

/* prune.c */
void run_prune(struct pipelines *ps, int64_t now_ms);
void run_prune_abandon(struct pipelines *ps);

/* gather.c */
void gather_start(struct pipelines *ps, struct run *r, int step);
void gather_abandon_all(struct pipelines *ps);
