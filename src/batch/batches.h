/* batches.h - groups of jobs with one progress, one end, and what follows from it.
 *
 *   open ──close──► running ──all its jobs are over──► completed | failed        failed: more than max_failures did not complete
 *     └───────────────┴──cancel──► cancelling ──all are over──► cancelled
 *
 * A batch is made closed with all its jobs in one commit, or open: then jobs are added until it is closed. When it is over its
 * callback is told and, when it completed, its `then` job is submitted.
 *
 * INVARIANTS
 *  - a batch, its first jobs and their membership are one store batch; so are later jobs and the new total
 *  - the end of a job and the batch's counts are one store batch; and with the last job's end, the end of the batch, its
 *    callback and its `then` job: no kill can come between them
 *  - a batch that is over does not change any more: a replayed dead letter of one is a job of its own
 *
 * ROWS  STORE_BATCH (id): head = progress, which only ends write; body = definition. STORE_MEMBER (id, 0): the total and whether it
 * is closed, which only clients' requests write, so that what a full disk refused leaves no trace; (id, job id): a member.
 * Memory: one struct per live batch; its jobs by state are counted by the queue. Loop thread only. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "callback/callback.h"
#include "queue/queue.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BATCH_LIVE_MAX = 10000,
	BATCH_JOBS_MAX = 10000000, /* in one batch */
	BATCH_FAILED_MAX = 100, /* ids of failed jobs that are remembered */
	BATCH_THEN_MAX_BYTES = 512 << 10,
};

enum batch_state { BATCH_RUNNING, BATCH_CANCELLING, BATCH_COMPLETED, BATCH_FAILED, BATCH_CANCELLED };

struct batches;

struct batches_options {
	struct store *store;
	struct queues *queues;
	struct callbacks *callbacks;
	int64_t keep_ms; /* after its end */
	void *context; /* of the functions below */
	/* The job that `text` asks for, in the batch: its id, or 0 when it cannot be (then it is left out). */
	uint64_t (*submit)(void *context, struct bytes namespace, struct bytes text, struct store_batch *b);
	/* What a person may want to see: at most once a tick, and at the end. May be NULL. */
	void (*changed)(void *context, uint64_t id, struct bytes namespace, const char *status, int percent);
};

struct batches *batches_new(const struct batches_options *o);
enum errcode batches_load(struct batches *bs, int64_t now_ms, struct err *e); /* after queues_load and callbacks_load */
void batches_free(struct batches *bs); /* after store_close */

/* Called by the wiring from the hooks of the queue. */
void batches_joining(struct batches *bs, uint64_t id, const uint64_t *ids, size_t n, struct store_batch *b);
bool batches_joined(struct batches *bs, uint64_t id, uint64_t job_id);
void batches_ending(struct batches *bs, struct job *j, const struct job_outcome *o, struct store_batch *b);
void batches_ended(struct batches *bs, struct job *j, const struct job_outcome *o);
void batches_tick(struct batches *bs, int64_t now_ms);

/* ── what clients do ── each: the code at once when it is refused, else `done` once when it is durable (or was not) */

struct batch_spec { /* borrowed for the call */
	struct bytes namespace, name; /* empty: "default", none. name: any text of at most JOB_NAME_MAX bytes */
	struct bytes callback; /* as callback_check let pass, or empty */
	struct bytes then; /* JSON text of a job, checked, or empty */
	uint64_t max_failures; /* so many jobs may fail or be cancelled, and it has still completed */
	bool open; /* more jobs will come */
};
struct batch_reply {
	enum errcode code;
	uint64_t id;
	const struct submit_reply *jobs; /* NULL: there were none */
};
typedef void batch_done(void *context, const struct batch_reply *reply);

/* n = 0 only if it is open. Each spec's batch_id is set here. */
enum errcode batches_create(struct batches *bs, const struct batch_spec *spec, struct job_spec *jobs, size_t n,
	int64_t now_ms, batch_done *done, void *context, struct err *e);
enum errcode batches_add(struct batches *bs, uint64_t id, struct job_spec *jobs, size_t n, int64_t now_ms,
	batch_done *done, void *context, struct err *e);
enum errcode batches_close(struct batches *bs, uint64_t id, batch_done *done, void *context, struct err *e);
enum errcode batches_cancel(struct batches *bs, uint64_t id, batch_done *done, void *context, struct err *e);

/* ── look ── */

/* {"batch_id","namespace","name","status","created_at","finished_at","counts":{"total","scheduled","pending","processing",
 * "completed","failed","cancelled"},"percent","max_failures","failed_jobs":[ids],"then_job_id"}. E_NOT_FOUND. */
enum errcode batches_show(struct batches *bs, uint64_t id, struct buf *out, struct err *e);
/* {"batches":[...],"cursor":"..."|null}; newest first. namespace may be empty. */
void batches_list(struct batches *bs, struct bytes namespace, uint64_t before, unsigned limit,
	void (*done)(void *context, enum errcode code, struct bytes json), void *context);
bool batches_lives(const struct batches *bs, uint64_t id);
struct bytes batches_namespace(const struct batches *bs, uint64_t id); /* of a live one; else empty */
/* Calls back once when the batch is over (or is not live: at once). The handle is freed with batch_wait_free, at any time. */
struct batch_wait;
struct batch_wait *batches_wait(struct batches *bs, uint64_t id, void (*over)(void *context), void *context);
void batch_wait_free(struct batch_wait *w);

struct batches_stats {
	uint64_t live, completed_total, failed_total, cancelled_total;
};
void batches_get_stats(const struct batches *bs, struct batches_stats *out);
