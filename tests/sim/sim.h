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
};

enum sim_state { SIM_SENT, SIM_LIVE, SIM_ENDED };

struct sim_job { /* what the model knows of one job */
	struct list link; /* in world.live */
	uint64_t id;
	enum sim_state state;
	bool told; /* the client was told that it is durable */
	int queue, priority, max_attempts, timeout_ms;
	int64_t due_at_ms, expires_at_ms;
	uint64_t fence; /* the valid one, or 0 */
	uint64_t failed_fence, floor; /* of the last failed attempt; of the last one durably so: never valid again */
	bool started, settling, ends; /* settling: a commit is under way, after which it has ended or waits again */
	enum queue_end end; /* when it ends */
	int64_t started_at_ms, failed_at_ms;
	int attempts, attempts_before, crashes, crashes_before; /* before: as they are durable */
	bool back_to_its_place; /* first crash: it keeps its due time */
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

struct world {
	uint64_t seed, random, hash, step;
	bool trace;
	int64_t now_ms;
	struct store *store;
	struct queues *qs;
	struct queue *queues[SIM_QUEUES];
	struct queue_hooks hooks;
	bool full, paused[SIM_QUEUES];
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
	uint64_t counts[16]; /* for the report: see enum sim_count */
};

enum sim_count {
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
	DID_PURGE
};

struct sim_action {
	const char *name;
	unsigned weight;
	void (*run)(struct world *w);
};

extern const struct sim_action queue_actions[], rare_actions[]; /* end with a NULL name */

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
void model_failed(struct world *w, struct sim_job *j, bool retryable, bool crash);
void model_ends(struct world *w, struct sim_job *j, enum queue_end end);
void model_ended(struct world *w, struct sim_job *j, enum queue_end end);
uint64_t model_next(struct world *w, int queue); /* the id that queue_lease must give, or 0 */
void model_flushed(struct world *w); /* what came back from the disk */
void model_restarted(struct world *w); /* the new engine's jobs against ours */
void model_check(struct world *w); /* counters and places */
