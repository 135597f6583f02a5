/* parts.h - inside callback/: the structs, and what its files offer one another.
 *
 *   callbacks.c  the set: new, load, add     deliver.c  when which one is sent, and what its answer means
 *   payload.c    what is said of a job       manage.c   look, retry, purge     prune.c  failed ones go */
#pragma once
#include "base/heap.h"
#include "base/idmap.h"
#include "base/list.h"
#include "callback/callback.h"

struct host { /* one receiver: those to be sent to it */
	struct callbacks *set;
	struct heap_node turn; /* in callbacks.turns: when one of `due` may be sent; out of it while it has no room */
	uint64_t hash; /* of host and port */
	struct heap due;
	unsigned in_flight, n; /* n: callbacks of this host */
	bool silent; /* it did not answer the last request: one at a time until it does */
	int64_t not_before_ms; /* as it asked by Retry-After */
};

enum callback_state {
	CALLBACK_NEW, /* its row is not durable yet */
	CALLBACK_WAITING,
	CALLBACK_IN_FLIGHT,
	CALLBACK_GOING /* a purge is being committed */
};

struct callback { /* one that is still to be sent */
	struct heap_node due; /* in its host's heap, by the time of the next attempt */
	struct callbacks *set;
	struct host *host;
	uint64_t id;
	enum callback_state state;
};

struct callback_prune {
	struct store_batch *batch; /* of the look that is under way, or NULL; filled on the reader thread */
	bool stale; /* somebody changed a failed one meanwhile: what was seen no longer counts */
	int64_t next_at_ms, until_ms;
	uint64_t cursor, last_id;
	unsigned looked_at, deleted;
};

struct callbacks {
	struct callbacks_options o;
	struct idmap by_id, hosts; /* of those in memory; by hash */
	struct heap turns;
	uint64_t random;
	struct callback_stats stats;
	struct callback_prune prune;
	struct list changes; /* of failed ones, under way: an engine that dies never hears of them */
	int64_t now_ms;
};

/* callbacks.c */
struct callback *callback_new(struct callbacks *cs, uint64_t id, uint64_t host_hash);
void callback_free(struct callback *c);
void host_release(struct host *h); /* one less to be sent to it; it goes with the last */

/* deliver.c */
void callback_wait(struct callback *c, int64_t next_at_ms); /* it is durable: sent when its time has come */
void deliver_turn(struct host *h); /* its place among the hosts has changed */
void deliver_due(struct callbacks *cs);

/* payload.c */
void payload_of_job(struct callbacks *cs, const struct job *j, const struct job_outcome *o, struct buf *members);

/* prune.c */
void callback_prune_tick(struct callbacks *cs);
void callback_prune_abandon(struct callbacks *cs);
