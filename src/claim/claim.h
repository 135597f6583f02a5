/* claim.h - jobs in the hands of clients that pull: claim up to N with long poll, keep them by heartbeats, end or return them.
 *
 *   claims_ask ─► waits ─► leased ─► its row is durable ─► done(grants) ─► heartbeat ... ─► complete | fail | release
 *                   └─ nobody had work: done(nothing)                  └─ the lease ran out: a crash of the job
 *
 * A pull client is a holder of leases beside the instances of dispatch: order, pause, limits, timeouts, cancels and the
 * counting of crashes are the queue's and hold for it, too. Loop thread only; no I/O; time and wake-ups come by struct
 * claim_calls. Nothing is done per event that can be done per turn: claims_turn gives out what there is, with one commit.
 *
 * INVARIANTS
 *  - a job is granted only when its row in STORE_CLAIM (fence, length of the lease) is durable, and only to a client that is
 *    still there; else it goes back to its place, and no attempt is counted
 *  - after a restart every job that was granted is its holder's again, under its old fence, for one whole lease: the rows say
 *    whose, so no heartbeat needs to be written and nothing is given to another before its lease could have run out
 *  - those who wait are served in turn, a job at a time, and so are the queues that they ask for; nobody costs anything while
 *    nothing is ready
 *
 * LIMITS  below; E_LIMIT names them. */
#pragma once
#include "queue/queue.h"

enum {
	CLAIM_MAX = 1000, /* jobs in one request; an answer may have fewer than are waiting */
	CLAIM_QUEUES_MAX = 64, /* in one claim */
	CLAIM_BYTES_MAX = 4 << 20, /* of inputs and checkpoints in one answer; at least one job is given */
	CLAIM_WAITS_MAX = 512, /* clients that wait: half of the connections of the server */
	CLAIM_HELD_MAX = 1 << 20,
	CLAIM_CLIENT_SIZE = JOB_NAME_MAX + 1,
	CLAIM_CLIENTS_MAX = 1024, /* that are remembered */
};
#define CLAIM_LEASE_DEFAULT_MS 30000
#define CLAIM_LEASE_MIN_MS	   1000
#define CLAIM_LEASE_MAX_MS	   (24LL * 3600 * 1000)

struct claims;
struct claim_wait; /* one claim, from claims_ask to `done` */

struct claim_grant { /* borrowed for the call of `done` */
	const struct job *job;
	uint64_t fence;
	int64_t until_ms;
	struct bytes input, checkpoint;
};

struct claim_view { /* a job that is held */
	const struct job *job;
	const char *client;
	uint64_t fence;
	int64_t since_ms, until_ms, lease_ms;
};

struct claim_client { /* whoever pulls, under the name it gives itself */
	char name[CLAIM_CLIENT_SIZE];
	char *asked; /* "capability namespace/capability ...": of its last claim; NULL: only known from before a restart */
	int64_t last_at_ms; /* its last word */
	unsigned held, waiting; /* jobs; claims that wait */
	uint64_t claimed, completed, failed, released, expired; /* jobs, since the engine started */
	struct list link; /* of claim/ */
};

struct claim_calls { /* set once by the wiring */
	void *context;
	int64_t (*now_ms)(void *context);
	void (*want_turn)(void *context); /* call claims_turn at the end of this turn of the loop */
	void (*wake)(void *context, int64_t at_ms); /* call claims_tick then, or earlier */
	void (*expired)(void *context, const struct claim_view *v, struct bytes why); /* may be NULL */
};

struct claims *claims_new(struct queues *qs, struct store *store, const struct claim_calls *calls);
/* After queues_load, before any job is given out: jobs that were held are held again. */
enum errcode claims_load(struct claims *c, struct err *e);
void claims_free(struct claims *c); /* after store_close; who still waits is not told */
/* While held nothing is given out, and claims wait, those without a `wait`, too: what there is is not known yet (recovery). */
void claims_hold(struct claims *c, bool hold);
void claims_stop(
	struct claims *c); /* whoever waits is answered with nothing, new claims are E_UNAVAILABLE; ends still count */

/* ── from the queue's hooks ── */
void claims_ready(struct claims *c, struct queue *q);
bool claims_revoke(struct claims *c, struct job *j); /* false: not ours */
bool claims_has(const struct claims *c, const struct job *j);

void claims_turn(struct claims *c);
void claims_tick(struct claims *c);

/* ── for clients ── */
struct claim_ask {
	struct queue *const *queues; /* copied */
	size_t queue_n;
	const char *client; /* its name; copied */
	unsigned max;
	int64_t lease_ms, wait_ms; /* wait 0: answered in this turn, with what there is */
	bool (*there)(void *context); /* the client has not gone */
	/* Once, from claims_turn, claims_tick or the commit; the wait is over then. E_NO_SPACE: the disk is full. */
	void (*done)(void *context, enum errcode code, const struct claim_grant *grants, size_t n);
	void *context;
};
/* E_LIMIT, E_UNAVAILABLE (stopping): nothing is waiting then. */
enum errcode claims_ask(struct claims *c, const struct claim_ask *ask, struct claim_wait **out, struct err *e);
void claims_forget(struct claims *c, struct claim_wait *w); /* before `done`, which is not called any more */

/* Each: E_FENCE, the job is not the caller's (any more). */
enum errcode claims_heartbeat(struct claims *c, uint64_t id, uint64_t fence, int64_t lease_ms, int64_t *until_ms,
	struct err *e); /* lease_ms 0: as long as before */
/* As queue_complete, queue_fail; on success the claim is over. */
enum errcode claims_complete(
	struct claims *c, uint64_t id, uint64_t fence, struct bytes result, queue_done *done, void *context, struct err *e);
enum errcode claims_fail(struct claims *c, uint64_t id, uint64_t fence, const struct job_error *error, queue_done *done,
	void *context, struct err *e);
/* Back to its place without an attempt; it may be somebody else's when this returns, and `done` comes when that is durable. */
enum errcode claims_release(
	struct claims *c, uint64_t id, uint64_t fence, queue_done *done, void *context, struct err *e);

void claims_each(struct claims *c, void (*visit)(void *context, const struct claim_view *v), void *context);
void claims_each_client(struct claims *c, void (*visit)(void *context, const struct claim_client *k), void *context);

struct claims_stats {
	uint64_t held, waiting, clients;
	uint64_t claimed, completed, failed, released, expired, returned; /* returned: the client had gone */
};
void claims_get_stats(const struct claims *c, struct claims_stats *out);
