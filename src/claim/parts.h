/* parts.h - what the files of claim/ share; nobody else includes it.
 *
 *   claim   one job in a client's hands
 *   wait    one claims_ask, until it is answered
 *   want    a queue that somebody waits for; a place is one wait's place in that line */
#pragma once
#include "base/heap.h"
#include "base/idmap.h"
#include "base/mem.h"
#include "claim/claim.h"

enum {
	CLAIM_TURN_MAX = 256, /* jobs given out in one turn of the loop: each input may have to be read from the store */
};

#define CLAIM_SILENT_MS (3600 * 1000) /* after so long a client that has nothing is forgotten */

struct claim {
	struct job *job; /* NULL: taken back while its row was being committed */
	uint64_t id, fence;
	int64_t since_ms, lease_ms;
	struct heap_node until; /* in claims->leases once it is granted */
	struct claim_client *client;
	bool granting; /* its wait frees it */
};

struct given {
	struct claim *claim;
	size_t input_size, checkpoint_size;
};

struct place {
	struct list link; /* in its want */
	struct want *want;
	struct claim_wait *wait;
};

struct want {
	struct queue *queue;
	struct list places;
	struct list active; /* in claims->active; next NULL: not */
};

struct claim_wait {
	struct claims *claims;
	struct claim_ask ask;
	struct claim_client *client;
	struct list link; /* waiting, served, or being committed */
	struct heap_node until; /* in claims->waits_until while it waits */
	struct place *places;
	struct given *given;
	size_t given_n, given_room;
	struct buf inputs; /* each one's input, then its checkpoint */
	bool forgotten;
};

struct claims {
	struct queues *queues;
	struct store *store;
	struct claim_calls calls;
	struct idmap held; /* struct claim by job id */
	struct idmap wants; /* by the queue's address */
	struct list waiting, served, active;
	struct list commits; /* struct granting: under way */
	struct heap leases, waits_until;
	struct buf dropped; /* job ids (u64): their rows go in the next turn */
	struct list clients; /* the last who spoke is first */
	struct idmap client_by_name; /* by hash; two names with one hash are shown as one */
	size_t client_n;
	unsigned wait_n;
	bool turn_wanted, hold, stopped;
	struct claims_stats stats;
};

static inline int64_t claims_now(struct claims *c)
{
	return c->calls.now_ms(c->calls.context);
}

/* claim.c */
void claims_want_turn(struct claims *c);
struct claim *claim_new(struct claims *c, struct claim_client *k, int64_t lease_ms);
void claim_take(struct claims *c, struct claim *k, struct job *j); /* it has been leased */
void claim_begin(struct claims *c, struct claim *k); /* granted: an attempt begins, and the lease runs */
void claim_forget(struct claims *c, struct claim *k); /* no longer held; frees it, but for one that is being granted */
void claim_drop(struct claims *c, struct claim *k); /* the same, and its row goes */

/* wait.c */
void wait_expire(struct claim_wait *w);
void waits_drop(struct claims *c); /* all of them, untold; also those whose commit will never come back */

/* row.c */
void row_put(struct store_batch *b, const struct claim *k);
bool row_read(struct bytes head, uint64_t *fence, int64_t *lease_ms, char client[CLAIM_CLIENT_SIZE]);

/* client.c */
struct claim_client *client_get(struct claims *c, const char *name);
void client_spoke(struct claims *c, struct claim_client *k);
