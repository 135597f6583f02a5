/* queue.h - the jobs of this node: order, leases, retries, items, dead letters. Decides; does no I/O of its own.
 *
 * Everything here runs on the loop thread. The clock is a parameter (Unix milliseconds). Every change is a store batch;
 * hooks tell the others what happened. One `struct queues` holds all queues; one `struct queue` the waiting jobs of one
 * (namespace, capability).
 *
 * INVARIANTS (checked at every step by the simulator, tests/sim)
 *  - a job is in exactly one place: scheduled heap, one FIFO list (of its priority and key), leased, settling
 *  - order: greatest priority + floor(waited / 60 s) (at most 9) first, then first come; where jobs have keys, the keys of
 *    that priority take turns, and first come holds within a key (jobs without a key are together as one key); but no turn
 *    brings a job before a more urgent one of another priority
 *  - at most one valid fence per job: epoch << 32 | lease count; completions with another are refused (E_FENCE)
 *  - nothing is leased before its submit is durable; nothing is `ended` before its end is durable
 *  - an acknowledged job ends exactly once: completed, failed (dead letter) or cancelled
 *
 * FULL DISK  A submit is refused with E_NO_SPACE. Every other change is kept in memory and committed by a later tick, in
 * order: its `done` comes when it is durable. Meanwhile an ended job stays settling and its worker is not told SETTLED.
 *
 * HOOKS may call everything here, except that `item` and `ending` only add to the batch they are given. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "job/job.h"
#include "queue/limit.h"
#include "store/store.h"

#include <stdint.h>

struct queues;
struct queue; /* .name etc. by queue_info() */

/* A live job. Fields are for reading by others; only queue/ writes. 112 bytes: there may be millions of them. */
struct job {
	uint64_t id;
	struct queue *queue;
	union {
		struct list
			link; /* in its FIFO list; while leased the holder's to use: the queue takes it out when the lease ends */
		struct heap_node due; /* while scheduled */
	};
	int64_t submitted_at_ms, due_at_ms; /* due: of the current wait */
	uint64_t run_id; /* or 0 */
	uint32_t step;
	uint32_t timeout_ms; /* of one attempt; 0: the capability's */
	uint32_t lease_count;
	uint16_t max_attempts, attempts, crashes; /* max 0: the capability's; attempts that were started; crashes of them */
	uint8_t priority;
	uint8_t state; /* enum job_state */
	uint8_t flags; /* of queue/ */
	struct job_more *more; /* rarely used fields (parent, expiry, tags, error, items ...) or NULL */
	void *holder; /* while leased: whose; set by the caller of queue_lease */
	union {
		struct lease *lease; /* while processing */
		struct input *input; /* before: its input when it is still in memory, or NULL */
	};
};

enum queue_end { END_COMPLETED, END_FAILED, END_CANCELLED };

struct job_outcome { /* of a job that is over */
	enum queue_end end;
	struct bytes result; /* JSON, or {"blob":...}; borrowed */
	struct job_error error; /* END_FAILED, END_CANCELLED */
	int64_t started_at_ms; /* of its last attempt; 0: none. Set by the queue */
};

enum revoke_reason { REVOKE_CANCELLED, REVOKE_TIMEOUT, REVOKE_LEASE };

struct queue_hooks { /* set once by the wiring; any may be NULL; all are called on the loop thread */
	void *context;
	void (*ready)(void *context, struct queue *q); /* a job can be leased now */
	void (*pending)(void *context, struct job *j); /* j is; not for those that were when the engine began */
	void (*started)(void *context, struct job *j); /* an attempt has begun */
	void (*wake)(void *context, int64_t at_ms); /* call queues_tick then, if not before: a rate has a token */
	void (*revoke)(
		void *context, struct job *j, enum revoke_reason why); /* its handler should stop; the fence is void already */
	/* A new item, before it is committed. The pipeline adds the job it becomes to the same batch; its id goes to *becomes. */
	void (*item)(
		void *context, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes);
	void (*ending)(
		void *context, struct job *j, const struct job_outcome *o, struct store_batch *b); /* before the commit */
	void (*ended)(void *context, struct job *j, const struct job_outcome *o); /* durable; j is freed afterwards */
	void (*progress)(void *context, struct job *j, int percent, struct bytes message);
	/* A submit makes these jobs of a batch (job_spec.batch_id), before it is committed. */
	void (*joining)(void *context, uint64_t batch_id, const uint64_t *ids, size_t n, struct store_batch *b);
	/* Is the job one of the batch? Asked when a job of a batch has the idempotency key of an earlier one. */
	bool (*joined)(void *context, uint64_t batch_id, uint64_t job_id);
	/* Once: E_IO, what the disk holds is unknown; E_FENCE, another node has taken over. Nothing can be committed any more:
	 * the engine is to exit and to recover from the disk. */
	void (*lost)(void *context, enum errcode code);
};

struct queue_limits { /* of one capability; set by the wiring from configuration and from the capability itself */
	int max_attempts; /* default 3 */
	int64_t retry_delay_ms, retry_cap_ms; /* default 1 s, 5 min: wait = min(cap, delay * 2^(n-1)) * U(0.5, 1) */
	int max_crashes; /* default 3: then a dead letter */
	int64_t timeout_ms; /* default of one attempt */
	int64_t keep_results_ms; /* default 7 days */
	int64_t keep_dead_ms, max_dead; /* dead letters: how long (default 180 days), how many (default 1,000,000; the
								  * oldest go). 0: no limit */
	struct flow_limits flow; /* default none; in force unless queue_set_flow set others */
};

struct queues *queues_new(struct store *store, uint32_t node, uint64_t random_seed, const struct queue_hooks *hooks);
/* Reads every live job back. Leased jobs come back as pending; `held` ones are claimed by queue_reclaim before dispatch begins. */
enum errcode queues_load(struct queues *qs, int64_t now_ms, struct err *e);
void queues_free(struct queues *qs); /* after store_close, which calls what is under way */
void queues_set_no_space(struct queues *qs, bool no_space); /* true: submits are refused with E_NO_SPACE */
bool queues_no_space(const struct queues *qs);
bool queues_held(const struct queues *qs); /* a full disk holds up changes: they are in memory alone */
int64_t queues_now(const struct queues *qs); /* the latest now_ms that any call brought */
uint64_t queues_next_id(struct queues *qs, int64_t now_ms); /* from the one source of ids of this node */

/* The queue, made when it is not there (a queue exists before any worker does). */
struct queue *queues_get(struct queues *qs, struct bytes namespace, struct bytes capability);
/* As queues_get, for names that others choose: they are checked, and E_LIMIT when there are too many queues. */
enum errcode queues_open(
	struct queues *qs, struct bytes namespace, struct bytes capability, struct queue **out, struct err *e);
struct queue *queues_find_queue(
	struct queues *qs, struct bytes namespace, struct bytes capability); /* NULL: not there */
extern const struct queue_limits queue_default_limits;
void queues_set_limits(struct queues *qs, const struct queue_limits *limits); /* of queues that are made from now on */
void queue_set_limits(struct queue *q, const struct queue_limits *limits);
struct bytes queue_capability(const struct queue *q);
struct bytes queue_namespace(const struct queue *q);

/* ── submit ──
 * All or nothing, one commit. `done` is called once, after the commit: ids[i] of each spec (of the earlier job, when the
 * idempotency key is known or its unique key is held: then existing[i]). On a refusal it returns the code at once and `done` is not called. */
struct submit_reply {
	enum errcode code; /* E_NO_SPACE ... */
	size_t n;
	const uint64_t *ids;
	const bool *existing;
};
enum errcode queues_submit(struct queues *qs, const struct job_spec *specs, size_t n, int64_t now_ms,
	void (*done)(void *context, const struct submit_reply *reply), void *context, struct err *e);
/* Why the last queues_submit was E_LIMIT, when a length was the reason; otherwise NULL. */
struct submit_refusal {
	struct bytes namespace, capability; /* capability empty: the namespace is full */
	uint64_t length, max_length, asked;
	int64_t retry_after_ms;
};
const struct submit_refusal *queues_refusal(const struct queues *qs);
/* As a part of another batch: inside the hooks `item` and `ending` (the queue commits that batch), or in a batch of the
 * caller's that it then hands to queues_commit. Leasable when the batch is durable. */
uint64_t queues_submit_in(struct queues *qs, struct store_batch *b, const struct job_spec *spec, int64_t now_ms);
/* For who would add it so: may it be, within the limits that a submit meets? (Whether the disk is full it does not ask: such a
 * batch waits.) E_INVALID, E_LIMIT. Without idempotency_key. */
enum errcode queues_has_room(struct queues *qs, const struct job_spec *spec, int64_t now_ms, struct err *e);
/* Commits the caller's batch. On a full disk it is kept and tried again, in order with the queue's own; takes b. */
void queues_commit(
	struct queues *qs, struct store_batch *b, void (*done)(void *context, enum errcode code), void *context);

/* As queues_commit, but tried only once and out of order: on a full disk nothing of it is kept, `done` gets E_NO_SPACE. */
void queues_commit_once(
	struct queues *qs, struct store_batch *b, void (*done)(void *context, enum errcode code), void *context);

/* The head of a STORE_ITEM row (any thread): the job that the item became, or 0. The row stays, as that job's input, until
 * whoever gave the `becomes` (the pipeline) deletes it; a dead letter of such a job has its own copy of the input. */
enum errcode item_head_decode(struct bytes head, uint64_t *becomes);

/* ── run ── */
struct job *queue_lease(struct queue *q, int64_t now_ms, void *holder); /* NULL: nothing to do (empty or paused) */
uint64_t job_fence(const struct queues *qs, const struct job *j);
struct bytes job_callback(const struct job *j); /* JSON text, or empty */
uint64_t job_batch(const struct job *j); /* or 0 */
void job_started(struct job *j, int64_t now_ms); /* the handler runs: from now on an attempt, and the timeout counts */
struct bytes job_traceparent(const struct job *j); /* empty: none; until the job is freed */
/* By when an attempt that begins then must have ended: its timeout, or the job's deadline. Unix time. */
int64_t job_ends_by(const struct job *j, int64_t start_ms);
bool job_ran_out(const struct job *j, int64_t now_ms); /* it is processing, and past that */
void job_timeout_error(const struct job *j, int64_t now_ms, struct job_error *out); /* what is then said of it */
void job_release(struct job *j, int64_t now_ms); /* not started: back to its place, no attempt counted */
struct job *queues_find(struct queues *qs, uint64_t id); /* live ones only */
/* Reads the input of a live job: from the cache, or the store (blocks some microseconds). */
enum errcode job_read_input(struct queues *qs, struct job *j, struct buf *out, struct err *e);
enum errcode job_read_checkpoint(
	struct queues *qs, struct job *j, struct buf *out, struct err *e); /* empty when there is none */
/* After a restart, or when a link came back: this holder says it still runs `id` under `fence`. It keeps that fence. An older
 * claim to the job is revoked. E_FENCE, E_NOT_FOUND: no, tell it to stop. Then job_started when it had been. */
enum errcode queue_reclaim(
	struct queues *qs, uint64_t id, uint64_t fence, int64_t now_ms, void *holder, struct job **out);

/* Each: E_FENCE when the fence is old; E_NOT_FOUND; outcome follows by hooks. `done` (may be NULL) when durable. */
typedef void queue_done(void *context, enum errcode code);
enum errcode queue_complete(struct queues *qs, uint64_t id, uint64_t fence, struct bytes result, int64_t now_ms,
	queue_done *done, void *context, struct err *e);
enum errcode queue_fail(struct queues *qs, uint64_t id, uint64_t fence, const struct job_error *error, int64_t now_ms,
	queue_done *done, void *context, struct err *e);
/* The holder died with the job started: an attempt, a crash; requeued at once (no backoff for the first crash) or a dead letter.
 * log: the last lines that it wrote, kept with the attempt; may be empty. */
enum errcode queue_crashed(struct queues *qs, uint64_t id, uint64_t fence, const struct job_error *evidence,
	struct bytes log, int64_t now_ms, struct err *e);
enum errcode queue_item(struct queues *qs, uint64_t id, uint64_t fence, uint64_t key, struct bytes data, int64_t now_ms,
	queue_done *done, void *context, struct err *e); /* a known key is dropped: done(E_OK) */
enum errcode queue_checkpoint(struct queues *qs, uint64_t id, uint64_t fence, struct bytes data, int64_t now_ms,
	queue_done *done, void *context, struct err *e);
enum errcode queue_progress(
	struct queues *qs, uint64_t id, uint64_t fence, int percent, struct bytes message, int64_t now_ms, struct err *e);

/* ── manage ── */
enum errcode queue_cancel(struct queues *qs, uint64_t id, int64_t now_ms, queue_done *done, void *context,
	struct err *e); /* E_STATE when over */
/* To another priority or queue, durably; it keeps its time of waiting. Only one that waits: else E_STATE says how it is.
 * E_INVALID: to nowhere else. */
struct job_move {
	int priority; /* -1: as it is */
	struct bytes namespace, capability; /* empty: as they are */
};
enum errcode queue_move(struct queues *qs, uint64_t id, const struct job_move *to, int64_t now_ms, queue_done *done,
	void *context, struct err *e);
enum errcode queue_replay(
	struct queues *qs, uint64_t dead_id, int64_t now_ms, queue_done *done, void *context, struct err *e);
enum errcode queue_purge(struct queues *qs, uint64_t dead_id, queue_done *done, void *context, struct err *e);
/* Settings that outlive the engine (STORE_SETTING). In force at once; `done` (may be NULL) when durable. */
void queue_pause(struct queue *q, bool paused, queue_done *done, void *context);
/* A name that others choose: E_INVALID, or E_LIMIT when it would be one namespace too many. */
enum errcode namespaces_check(struct queues *qs, struct bytes name, struct err *e);
void namespace_pause(struct queues *qs, struct bytes name, bool paused, queue_done *done, void *context);
void queues_pause(struct queues *qs, bool paused, queue_done *done, void *context); /* all of them */
bool queues_paused(const struct queues *qs);
/* In the place of the configured ones, as a whole; set NULL: those again. */
void queue_set_flow(struct queue *q, const struct flow_limits *set, queue_done *done, void *context);
void namespace_set_flow(
	struct queues *qs, struct bytes name, const struct flow_limits *set, queue_done *done, void *context);
const struct flow_limits *namespace_flow(struct queues *qs, struct bytes name); /* that hold now */
/* From the configuration. weight: its share of a worker that serves several namespaces. */
void namespace_configure(struct queues *qs, struct bytes name, const struct flow_limits *limits, uint32_t weight);

/* Due jobs, retries of what a full disk held up, timeouts, expiries, old results (a bounded number a call). Returns when to be called next. */
int64_t queues_tick(struct queues *qs, int64_t now_ms);

/* What holds back the jobs of a queue that could be given out. */
enum queue_block {
	BLOCK_NONE, /* nothing, or none waits */
	BLOCK_PAUSED,
	BLOCK_NAMESPACE_PAUSED,
	BLOCK_ALL_PAUSED,
	BLOCK_CONCURRENCY, /* each with its rate behind it */
	BLOCK_RATE,
	BLOCK_NAMESPACE_CONCURRENCY,
	BLOCK_NAMESPACE_RATE,
	BLOCK_KEYS, /* each key by its own limit */
};
const char *queue_block_word(enum queue_block block); /* "namespace_rate"; NULL: BLOCK_NONE */

struct queue_info {
	struct bytes namespace, capability;
	uint64_t pending, scheduled, processing, failed, completed_total, failed_total, crashed_total, duplicates_total;
	uint64_t repeated_total; /* attempts that began after the lease of the one before was lost */
	uint64_t dead_pruned_total; /* dead letters that went for their age or their number */
	uint64_t fenced_total; /* outcomes that came too late: the lease was taken back */
	uint64_t keys, keys_blocked; /* that have a live job; of them at their limit */
	enum queue_block blocked;
	int64_t opens_at_ms; /* of a rate: when it has its next token */
	struct flow_limits flow;
	bool flow_set; /* not the configured ones */
	int64_t oldest_at_ms; /* submitted_at of the oldest pending, 0 when none */
	bool paused;
};
void queue_count_fenced(struct queue *q); /* of one that never came to queue_complete or queue_fail */
void queue_get_info(const struct queue *q, struct queue_info *out);
struct queue_key {
	struct bytes key; /* borrowed until the next change */
	uint64_t pending, processing;
	enum gate_state state;
};
/* The keys with the most pending jobs, most first, then by name; how many there are in `out`. Looks at all keys. */
size_t queue_top_keys(const struct queue *q, struct queue_key *out, size_t max);

struct namespace_info {
	struct bytes name;
	uint64_t queues, pending, scheduled, processing;
	uint32_t weight;
	bool paused, flow_set;
	struct flow_limits flow;
};
void namespaces_each(struct queues *qs, void (*visit)(void *context, const struct namespace_info *info), void *context);
uint32_t queue_weight(const struct queue *q); /* of its namespace */
/* The live jobs of one batch by their state. */
struct job_counts {
	uint64_t scheduled, pending, processing;
};
struct job_counts queues_count_batch(const struct queues *qs, uint64_t batch_id);
void queues_each(struct queues *qs, void (*visit)(void *context, struct queue *q), void *context);
/* Every live job, in no order; false stops. For tests: for listings there is the store's list of STORE_JOB, on the reader's thread. */
void queues_each_live(struct queues *qs, bool (*visit)(void *context, struct job *j), void *context);
/* Those of a run, in the order in which they came. The visitor may cancel the job at hand. */
void queues_each_of_run(struct queues *qs, uint64_t run_id, bool (*visit)(void *context, struct job *j), void *context);

/* What any job, live or over, looks like to clients: decoded from the live record or from DONE/DEAD heads. */
struct job_view {
	uint64_t id, run_id, batch_id, fence;
	struct bytes namespace, capability, tags, callback, key, traceparent;
	enum job_state state;
	int priority, attempts, max_attempts, crashes;
	int64_t submitted_at_ms, started_at_ms, finished_at_ms, due_at_ms;
	int64_t deadline_ms; /* 0: none */
	int progress_percent; /* -1: none said */
	struct bytes progress_message;
	struct job_error error; /* of the last failed attempt; code "" when none */
};
void job_get_view(const struct queues *qs, const struct job *j, struct job_view *out);
/* For rows of STORE_DONE, STORE_DEAD and STORE_JOB (then as the job was when it was written) (any thread; borrowed from head). */
enum errcode job_view_decode(
	enum store_table table, uint64_t id, struct bytes head, struct job_view *out, struct err *e);
