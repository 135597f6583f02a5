/* state.h - inside queue/: the structs, and what its files offer one another. The idea of each file:
 *
 *   queues.c all of them: make, find, limits      submit.c  a spec becomes a job
 *   index.c  id -> job                            order.c   who is next
 *   input.c  inputs still in memory               tenant.c  whose jobs: the keys of a queue
 *                                                 lease.c   in whose hands, under which fence
 *   head.c   job <-> stored head                  end.c     the one way a job ends
 *   change.c commit, and again when disk is full  attempt.c an attempt failed: again, or a dead letter
 *   key.c    keys in use                          item.c    items and checkpoints
 *   unique.c who holds the key of a unique job    prune.c   old results go
 *   group.c  live jobs of a batch, counted        cancel.c  dead.c  load.c  tick.c  view.c */
#pragma once
#include "base/heap.h"
#include "base/idmap.h"
#include "base/mem.h"
#include "job/job_record.h"
#include "queue/index.h"
#include "queue/key.h"
#include "queue/keyset.h"
#include "queue/pool.h"
#include "queue/queue.h"
#include "wire/id.h"

enum {
	QUEUES_MAX = 10000, /* capabilities times namespaces that jobs were submitted for */
	LIVE_MAX = 50000000, /* jobs */
	ITEMS_MAX = 16 << 20, /* of one job */
	INPUT_CACHE_BYTES = 8 << 20,
	AGE_STEP_MS = 60000, /* a wait of this long counts as one more priority */
	TICK_MAX = 200, /* jobs that one tick moves */
	PROGRESS_MAX = 512, /* bytes of a progress message */
};

enum { /* struct job.flags */
	JOB_DURABLE = 1, /* its submit is committed */
	JOB_ENDING = 4, /* settling, and over when that has come back */
	JOB_CANCEL_LATER = 2, /* as soon as the commit that is under way has come back */
	JOB_LEASE_LOST = 16, /* its last attempt was: it may still be going on somewhere when the next one begins */
	JOB_PLACE = 8, /* it holds a place in its gates: from its lease until it waits again or is over */
};

struct lane { /* pending jobs of one priority and one key, or without a key, in order of (due_at_ms, id) */
	struct list jobs;
	struct list turn; /* in its level's turns while it has a job to give; next NULL: not */
	struct heap_node
		age; /* of a tenant's that has jobs, by the first: in its level's ages, or in the queue's aside_ages */
	struct tenant *tenant; /* NULL: jobs without a key */
};

struct level { /* one priority */
	struct list turns; /* of struct lane: the first is next */
	struct heap ages;
	struct lane plain;
};

struct tenant { /* whose jobs: one key of one queue. There while it has live jobs, or its bucket is not full */
	struct queue *queue;
	struct tenant *same_hash;
	uint64_t hash;
	struct lane *lanes[JOB_PRIORITY_MAX + 1]; /* made when first used */
	uint64_t jobs, pending; /* live, and of them waiting */
	struct gate gate;
	struct list aside; /* in queue->aside while its gate is shut: its lanes have no turns. next NULL: not */
	size_t name_size;
	char name[];
};

struct queue {
	struct queues *qs;
	struct level levels[JOB_PRIORITY_MAX + 1]; /* by priority */
	unsigned nonempty; /* bit p: a lane of levels[p] has a job to give */
	struct idmap tenants; /* by hash of the key */
	struct space *space;
	struct gate gate;
	struct list held_back; /* in space->held_back while that one's gate is shut; next NULL: not */
	struct list aside; /* of struct tenant */
	struct heap aside_ages; /* of their lanes */
	struct flow_limits flow; /* that hold: those of limits, unless others were set */
	bool flow_set, paused;
	uint64_t arriving; /* jobs whose submit is not yet durable */
	size_t asked; /* while a submit is being checked: how many of its jobs are for this queue */
	struct queue_limits limits;
	uint64_t purging; /* of its dead letters */
	struct queue_info info; /* the counters; namespace and capability point into name */
	uint64_t hash;
	char name[];
};

struct space { /* a namespace */
	struct list link;
	struct queues *qs;
	struct gate gate;
	struct list held_back; /* of struct queue: they found the gate shut */
	struct flow_limits flow, configured; /* flow: that hold */
	bool flow_set, paused;
	uint32_t weight;
	uint64_t length; /* jobs that wait or arrive */
	size_t asked;
	struct namespace_info shown; /* namespaces_each counts in it */
	struct bytes name;
	char text[];
};

struct job_more {
	struct heap_node expiry;
	struct list kin; /* with the other jobs of its run, if it has one */
	struct job *job;
	struct tenant *tenant; /* NULL: the job has no key */
	uint64_t parent_id, item_key, fence_floor;
	int64_t expires_at_ms, deadline_ms, retry_delay_ms, retry_cap_ms;
	struct keyset items; /* keys of items known to be, or soon, in the store */
	struct group *group; /* the batch that it belongs to, or NULL */
	char *text; /* tags, then traceparent, then callback */
	char *error; /* code, then message, of the last failed attempt */
	uint16_t tags_size, trace_size, callback_size, code_size, message_size;
	uint16_t unique_states; /* 0: not unique; else unique_name is set */
	uint8_t unique_name[KEY_NAME_SIZE];
	bool streams, retryable;
};

/* The live jobs of a batch. It is there as long as one of them is. */
struct group {
	uint64_t id, live;
	struct job_counts counts;
};

struct lease {
	struct heap_node timeout; /* from job_started on */
	struct job *job;
	uint64_t fence;
	int64_t started_at_ms; /* 0: not started */
	struct input *input;
	int progress_percent;
	char *progress_message; /* or NULL */
};

/* A batch of ours that is not yet durable. Embedded first in what `applied` needs; one allocation each, freed by applied. */
struct change {
	struct list link; /* in changes or held */
	struct queues *qs;
	struct store_batch *batch;
	uint64_t number; /* order of the commits */
	bool retain; /* on a full disk: keep and commit again */
	bool probe; /* sent to find out whether it is still full */
	void (*applied)(struct change *c, enum errcode code);
};

struct prune {
	bool busy;
	uint64_t cursor;
	int64_t next_at_ms, now_ms, until_ms;
	struct store_batch *batch; /* filled on the reader thread */
	unsigned looked_at, deleted;
	uint64_t last_id;
	bool at_end;
};

struct prune_dead { /* prune_dead.c */
	bool busy;
	uint64_t cursor, last_id;
	int64_t next_at_ms, until_ms;
	struct candidate *found; /* with `names`: filled on the reader thread */
	struct buf names;
	size_t n, looked_at, waits; /* waits: purges under way */
};

struct queues {
	struct store *store;
	struct queue_hooks hooks;
	struct id_source ids;
	int64_t now_ms;
	uint64_t random, hash_seed;
	struct index live;
	struct pool jobs, leases;
	struct heap due, timeouts, expiries;
	struct heap wakes; /* of struct gate: when there is a token; a tenant without jobs: when it may be forgotten */
	struct list spaces;
	size_t space_n;
	bool paused; /* all queues */
	bool bounded; /* some queue or namespace has a greatest length */
	int64_t drained_at_ms; /* buckets may have been emptied until then by the engine before us, or 0 */
	struct submit_refusal refusal; /* of the last submit; max_length 0: none */
	struct queue **table; /* open addressing by hash of the names */
	size_t queue_n, room;
	struct queue_limits limits; /* of queues that are made from now on */
	struct list changes, held;
	uint64_t failures; /* of the store, when we had nothing there */
	uint64_t change_n;
	bool no_space; /* by the wiring's word */
	bool full; /* submits are refused, and nothing may overtake what is held */
	bool probing; /* one change is at the store, to find out */
	bool lost; /* the hook was called */
	int64_t probe_at_ms;
	struct list cancels; /* struct cancel_later */
	struct idmap groups; /* by the batch's id */
	struct idmap runs; /* struct list of job_more, by the run's id */
	struct idmap dead_busy; /* dead letters that are being replayed or purged */
	struct keys keys, uniques; /* idempotency keys; those of unique jobs */
	int64_t keys_at_ms;
	struct list inputs; /* the cache, oldest first */
	size_t input_bytes;
	struct prune prune;
	struct prune_dead prune_dead;
};

static inline void queues_touch(struct queues *qs, int64_t now_ms)
{
	if (now_ms > qs->now_ms)
		qs->now_ms = now_ms;
}

/* queues.c */
/* E_LIMIT when it is not there and may not be made. */
enum errcode queues_check_room(struct queues *qs, struct bytes namespace, struct bytes capability, struct err *e);
struct job *queues_job_new(struct queues *qs, uint64_t id, struct queue *q); /* settling, not durable */
void queues_job_free(struct queues *qs, struct job *j); /* out of the index and its heaps, too */
struct job_more *queues_more(struct job *j); /* makes it */
void queues_set_state(struct job *j, enum job_state state); /* keeps the counters */
int queues_max_attempts(const struct job *j);
/* When it must not wait any longer: its time to live, before the first attempt, or its deadline. 0: never. */
int64_t queues_expires_at(const struct job *j);
/* It waits from now on: scheduled or pending. back_to_its_place: it stood near the front before. */
void queues_place(struct queues *qs, struct job *j, bool back_to_its_place);

/* group.c */
void group_join(struct job *j, uint64_t batch_id); /* 0: none */
void group_leave(struct queues *qs, struct job *j); /* j is about to go */
uint64_t *group_counter(struct group *g, enum job_state state);

/* order.c */
void order_init(struct queue *q);
void order_fini(struct queue *q);
void order_append(struct queue *q, struct job *j); /* by (due_at_ms, id), looked for from the end */
void order_return(struct queue *q, struct job *j); /* the same, looked for from the front */
void order_load(struct queue *q, struct job *j); /* at the end, wherever it belongs: order_sort follows */
void order_sort(struct queue *q);
void order_remove(struct queue *q, struct job *j);
/* NULL: empty. *urgent: the job whose age makes this one's level the most urgent; maybe itself, maybe of another key. */
struct job *order_first(const struct queue *q, int64_t now_ms, struct job **urgent);
void order_take(struct queue *q, struct job *j); /* order_first's: removed, and the next key has its turn */
int64_t order_oldest_at_ms(const struct queue *q); /* submitted_at_ms; 0: none waits */
void order_step_aside(struct tenant *t); /* its lanes have no turns */
void order_step_in(struct tenant *t);

/* flow.c */
bool flow_open(struct queue *q); /* it may give out a job now, as far as it and its namespace go */
bool flow_key_open(const struct job *j); /* of one that waits in its lane; false: its key has stepped aside */
void flow_spend(const struct job *j); /* it is given out: a token of each bucket */
void flow_enter(struct job *j); /* it is in hands: a place */
void flow_leave(struct job *j); /* fine when it has none */
void flow_ready(struct queue *q); /* calls the hook, if it may have something to give */
void flow_later(struct queue *q); /* the next tick says that it is ready */
void flow_changed(struct queue *q); /* its limits */
void flow_space_changed(struct space *s);
void flow_idle(struct tenant *t); /* it has no more jobs */
void flow_tick(struct queues *qs, int *left);
enum queue_block flow_block(const struct queue *q, int64_t *opens_at_ms);

/* space.c */
struct space *space_find(const struct queues *qs, struct bytes name); /* NULL: not there */
struct space *space_get(struct queues *qs, struct bytes name);
void spaces_free(struct queues *qs);

/* room.c: ask for each new job of a submit, then check, then forget what was asked */
void room_ask(struct queue *q);
enum errcode room_check(struct queue *q, struct err *e);
void room_forget(struct queue *q);

/* tenant.c */
void tenant_join(struct job *j, struct bytes key); /* a job that is being made */
void tenant_leave(struct job *j); /* one that is being freed; fine when it has none */
struct bytes tenant_key(const struct job *j); /* empty: none */
void tenant_forget(struct tenant *t);
void tenants_free(struct queue *q);

/* kin.c */
void kin_join(struct job *j); /* its run_id is set */
void kin_leave(struct queues *qs, struct job *j); /* j is about to go */

/* change.c */
void change_commit(struct queues *qs, struct change *c, struct store_batch *b, bool retain,
	void (*applied)(struct change *c, enum errcode code));
void change_tick(struct queues *qs);
/* For a change without a struct of its own. */
void change_simple(struct queues *qs, struct store_batch *b, queue_done *done, void *context);

/* head.c */
void head_fill(const struct job *j, struct job_record *r); /* bytes are borrowed from j */
void head_put(struct store_batch *b, const struct job *j, struct bytes input, bool with_body);
void head_apply(struct job *j, const struct job_record *r);
void head_set_error(struct job *j, const struct job_error *error);

/* input.c */
struct input *input_keep(struct queues *qs, struct bytes data, struct input **owner); /* NULL: too large for it */
void input_drop(struct queues *qs, struct input *in); /* NULL is fine */
void input_move(struct input *in, struct input **owner);
struct bytes input_bytes(const struct input *in);

/* lease.c */
/* The job if it is processing under this fence. */
enum errcode lease_check(struct queues *qs, uint64_t id, uint64_t fence, struct job **out, struct err *e);
/* The fence is void; the holder stays set. Gives started_at_ms or 0. The caller then sets the state. */
int64_t lease_end(struct queues *qs, struct job *j);
int64_t lease_timeout_ms(const struct job *j); /* of one attempt: the job's own, or its queue's */
int64_t lease_revoke(
	struct queues *qs, struct job *j, enum revoke_reason why); /* the same, and tells the holder; settling */

/* end.c */
void end_job(struct queues *qs, struct job *j, const struct job_outcome *o, int64_t started_at_ms, queue_done *done,
	void *context); /* the job waits or its lease has ended */
/* As end_job; the batch may have something already (the failed attempt's row). */
void end_job_in(struct queues *qs, struct job *j, struct store_batch *b, const struct job_outcome *o,
	int64_t started_at_ms, queue_done *done, void *context);

/* attempt.c */
void attempt_timed_out(struct queues *qs, struct job *j); /* takes it from its holder */
void attempt_expired(
	struct queues *qs, struct job *j); /* a pending job, out of its list, or a processing one not started */

/* cancel.c */
void cancel_settled(
	struct queues *qs, struct job *j); /* a commit came back, and the job lives on: is it to be cancelled? */
void cancel_given_up(struct queues *qs, const struct job *j); /* its submit was not kept: there is nothing to cancel */

/* unique.c */
const struct key *unique_holder(const struct queues *qs, const struct key *key); /* NULL: it is free */
void unique_take(struct queues *qs, struct store_batch *b, const struct key *key); /* for key->job_id */
/* b NULL: it was never durable. Nothing happens when another job holds it. */
void unique_release(struct queues *qs, struct store_batch *b, uint64_t job_id, const uint8_t name[KEY_NAME_SIZE]);

/* setting.c */
void setting_load(struct queues *qs, struct bytes key, struct bytes body); /* of a row of STORE_SETTING */

/* prune.c */
void prune_tick(struct queues *qs);

/* prune_dead.c */
void prune_dead_tick(struct queues *qs);
void prune_dead_fini(struct queues *qs);
