/* sim.h - a deterministic world around queue and store: the clock, the disk, the workers and the clients are ours.
 *
 * One seed gives one history, to the bit: every step draws from one generator, and everything that happens goes into a hash
 * that is printed. A model beside it knows what must be true (queue.h, INVARIANTS); the first step at which it is not ends
 * the run with seed, step and sentence. To look at one: `queue_sim --seed N --trace`. */
#pragma once
#include "base/idmap.h"
#include "base/list.h"
#include "queue/queue.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SIM_QUEUES = 3,
	SIM_LIVE_MAX = 120, /* jobs alive at once: enough for every list to be mixed, few enough to check them all */
	SIM_STALE = 64, /* fences that were valid once */
	SIM_DEAD = 32, /* dead letters that clients know of */
	SIM_KEYS = 16, /* idempotency keys that clients use */
	SIM_CRASHES_MAX = 3,
	SIM_SPACES = 2, /* namespaces */
	SIM_TENANTS = 4, /* keys that limits and turns go by; 0: none */
	SIM_UNIQUES = 8, /* unique keys */
	SIM_BATCHES = 4, /* 0: none */
	SIM_RESULTS = 32, /* that clients come back for */
	SIM_KEEP_MS = 5000,
};

enum sim_state { SIM_SENT, SIM_LIVE, SIM_ENDED };

struct sim_job { /* what the model knows of one job */
	struct list link; /* in world.live */
	uint64_t id;
	enum sim_state state;
	bool told; /* the client was told that it is durable */
	int queue, priority, max_attempts, timeout_ms;
	int tenant, unique, batch; /* unique: -1: none */
	unsigned number; /* what its input says */
	int64_t due_at_ms, expires_at_ms, deadline_ms, retry_delay_ms, retry_cap_ms;
	uint64_t fence; /* the valid one, or 0 */
	uint64_t failed_fence, floor; /* of the last failed attempt; of the last one durably so: never valid again */
	bool started, settling, ends; /* settling: a commit is under way, after which it has ended or waits again */
	enum queue_end end; /* when it ends */
	int64_t started_at_ms, failed_at_ms, ends_at_ms;
	int attempts, attempts_before, crashes, crashes_before; /* before: as they are durable */
	bool back_to_its_place; /* first crash: it keeps its due time */
	bool place; /* counts against limits: in hands, or its outcome is on its way */
	bool moving; /* it settles because it was moved, from: */
	int from_queue, from_priority;
	unsigned checkpoint, checkpoint_durable; /* the last that was said, and that was told to be kept */
	bool cancel_later, dead, replayed; /* dead: in the dead letters; replayed: it may be there again after a crash */
	unsigned items, items_durable; /* bit per key 0-31 */
};

struct sim_fence {
	uint64_t id, fence;
};

struct sim_key {
	uint64_t id; /* 0: unused */
	int64_t until_ms;
	bool sent; /* not yet told */
};

enum sim_count { /* main.c has their names */
	DID_SUBMIT,
	DID_LEASE,
	DID_COMPLETE,
	DID_FAIL,
	DID_CRASH,
	DID_TIMEOUT,
	DID_CANCEL,
	DID_ENGINE_CRASH,
	DID_STALE,
	DID_ITEM,
	DID_RECLAIM,
	DID_FULL,
	DID_REPLAY,
	DID_PURGE,
	DID_MOVE,
	DID_LIMIT,
	DID_BLOCKED,
	DID_TOO_LONG,
	DID_EXISTING,
	DIDS
};

struct sim_unique {
	uint64_t id; /* who took it last; 0: nobody */
	unsigned states;
	int64_t until_ms;
	bool surely; /* that is all there is to know: no replay, no crash between */
};

struct sim_result {
	uint64_t id;
	int64_t until_ms;
};

struct sim_bucket { /* tokens of a rate; see model_flow.c */
	double tokens;
	int64_t at_ms;
};

struct sim_turns { /* of one level of one queue, by lane (key); see model_order.c */
	uint64_t head[SIM_TENANTS];
	uint8_t passed[SIM_TENANTS];
};

struct world {
	uint64_t seed, random, hash, step;
	bool trace;
	int64_t now_ms, latest_ms; /* latest: of any engine, whose clocks may go back */
	struct store *store;
	struct queues *qs;
	struct queue *queues[SIM_QUEUES];
	struct queue_hooks hooks;
	bool full, paused[SIM_QUEUES], space_paused[SIM_SPACES], all_paused;
	struct flow_limits flow[SIM_QUEUES], space_flow[SIM_SPACES];
	struct sim_bucket buckets[SIM_QUEUES], space_buckets[SIM_SPACES], key_buckets[SIM_QUEUES][SIM_TENANTS];
	bool key_shut[SIM_QUEUES][SIM_TENANTS]; /* without a token, as the queue says; model_flow.c */
	struct sim_turns turns[SIM_QUEUES][10];
	struct sim_unique uniques[SIM_UNIQUES];
	struct sim_result results[SIM_RESULTS];
	unsigned results_n, submits;
	struct list live; /* struct sim_job: sent or live */
	struct list asked; /* contexts of callbacks under way: an engine that dies never calls them */
	int live_n, processing_n;
	struct idmap jobs; /* every struct sim_job by id */
	struct sim_fence stale[SIM_STALE];
	unsigned stale_n;
	uint64_t dead[SIM_DEAD];
	unsigned dead_n;
	struct sim_key keys[SIM_KEYS];
	unsigned waiting_batches; /* commits since the last flush, at least */
	uint64_t counts[DIDS]; /* for the report: see enum sim_count */
};

struct sim_action {
	const char *name;
	unsigned weight;
	void (*run)(struct world *w);
};

/* Each table ends with a NULL name. */
extern const char *const sim_tenants[SIM_TENANTS];
extern const struct sim_action client_actions[], worker_actions[], keeper_actions[], rare_actions[];

/* actions.c */
void sim_forget(struct list *asked); /* takes it out of world.asked, and frees it: its first member */

/* world.c */
void world_init(struct world *w, uint64_t seed, bool trace);
void world_fini(struct world *w);
void world_open_queues(struct world *w);
void world_crash(struct world *w); /* the engine dies; some of what waited for the disk is lost */
uint64_t sim_random(struct world *w, uint64_t below); /* 0 to below - 1 */
bool sim_chance(struct world *w, unsigned percent);
void sim_note(struct world *w, const char *what, uint64_t a, uint64_t b); /* into the hash, and the trace */
_Noreturn void sim_broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define SIM_CHECK(w, condition, ...)                                                                                   \
	do {                                                                                                               \
		if (!(condition))                                                                                              \
			sim_broken(w, __VA_ARGS__);                                                                                \
	} while (0)

extern const char *const sim_names[SIM_QUEUES][2]; /* namespace, capability */
extern const int sim_space[SIM_QUEUES];

/* hooks.c */
void hooks_init(struct world *w);

/* model.c */
struct sim_job *model_find(struct world *w, uint64_t id); /* broken when nobody submitted it */
struct sim_job *model_pick(struct world *w, bool (*fits)(const struct sim_job *j)); /* a random live one, or NULL */
void model_sent(struct world *w, uint64_t id, int queue, const struct job_spec *spec);
void model_replayed(struct world *w, struct sim_job *j); /* a dead letter that is a job again, once durable */
void model_lost(struct world *w, struct sim_job *j); /* refused, or never durable */
void model_leased(struct world *w, struct sim_job *j, uint64_t fence);
void model_unleased(struct world *w, struct sim_job *j); /* its fence is stale */
void model_returned(struct world *w, struct sim_job *j); /* and it waits again, in its old place */
void model_failed(struct world *w, struct sim_job *j, bool retryable, bool crash);
void model_ends(struct world *w, struct sim_job *j, enum queue_end end);
void model_ended(struct world *w, struct sim_job *j, enum queue_end end);
bool model_waits(const struct sim_job *j);
bool model_expired(const struct sim_job *j, int64_t now_ms);
/* model_order.c: what queue_lease gave, or 0 */
void model_given(struct world *w, int queue, uint64_t id);
void model_turns_forget(struct world *w, int queue); /* somebody came in out of turn */
/* model_flow.c */
bool model_may_give(struct world *w, int queue); /* but for rates */
bool model_key_open(struct world *w, const struct sim_job *j);
void model_spend(struct world *w, int queue, int tenant);
void model_turn_forget(struct world *w, int queue, int tenant);
void model_keys_look(struct world *w, int queue); /* after a lease: which keys have no token */
bool model_rate_explains(struct world *w, int queue); /* that nothing was given */
uint64_t model_length(struct world *w, int queue, bool space, bool sure); /* jobs that wait; sure: certainly do */
void model_flow_read(struct world *w); /* limits and pauses as the queue has them */
void model_flushed(struct world *w); /* what came back from the disk */
void model_restarted(struct world *w); /* the new engine's jobs against ours */
void model_check(struct world *w); /* counters and places */
