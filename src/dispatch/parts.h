/* parts.h - what the files of dispatch/ share; nobody else includes it.
 *
 *   route   one (namespace, capability): its queue, who offers it, calls that wait
 *   seat    an instance, as dispatch sees it
 *   work    one delivery, from the lease to the commit of its end
 *   call    one transactional call, from dispatch_invoke to its answer */
#pragma once
#include "base/heap.h"
#include "base/idmap.h"
#include "base/mem.h"
#include "dispatch/dispatch.h"

enum {
	DISPATCH_TURN_MAX = 4096, /* deliveries in one turn of the loop */
	DISPATCH_SLICE = 64, /* deliveries of one route that is alone before anybody looks again */
	DISPATCH_SHARE = 1 << 20, /* what a delivery of a namespace of weight 1 counts */
	DISPATCH_CALLS_MAX = 16384, /* calls that wait or run */
	DISPATCH_ROUTES_MAX = 20000, /* then no call makes another, whatever its capability is called */
	DISPATCH_DEPTH_MAX = 16,
	DISPATCH_START_WAIT_MS = 2000, /* a call waits so long for someone who is starting */
	DISPATCH_GRACE_MS = 5000, /* a cancelled handler ends within, or its instance is stuck */
	DISPATCH_AHEAD_MS = 20, /* a prefetched job waits about so long in its instance, at most */
	DISPATCH_REFUSED_MS = 50, /* an instance that refused a delivery is let alone so long, or until it has credit */
	DISPATCH_CLOCKS_MS = 20, /* by which a handler's clock and the loop's may differ */
	DISPATCH_FREE_MAX = 1024, /* works kept for the next delivery */
};

struct offer {
	struct seat *seat;
	uint16_t index;
};

struct route {
	char *namespace, *name;
	struct queue *queue; /* NULL: no job was ever seen */
	struct offer *offers;
	size_t offer_n, offer_room;
	struct list calls; /* of struct call.link, waiting */
	bool ready; /* the queue may have a job for us */
	unsigned alone_n; /* of its jobs, how many wait at a seat to run alone: they are in no queue any more */
	struct heap_node active; /* in dispatch->active: by what it was given */
	int64_t given; /* deliveries, each DISPATCH_SHARE / the weight of its namespace; since its instances last changed */
	struct route *same_hash;
};

struct seat {
	struct instance *instance;
	struct list settling; /* of struct work.link */
	struct route **routes; /* one for each capability */
	size_t route_n;
	int64_t refused_until_ms;
	struct heap_node retry; /* in dispatch->timers */
	unsigned job_n; /* jobs in its instance's hands: in_flight without the calls */
	/* A job that was in hand when an instance crashed, where nobody knows which one did it, runs with no other job beside it:
	 * so the next crash is its own, and the innocent do not end as dead letters with the guilty one. */
	struct work *alone;
	bool alone_waits; /* for the jobs before it to end; it is leased but not given */
	bool blamed; /* one of its handlers is stuck: should the instance end for that, the others did nothing */
	bool measured;
	int64_t
		mean_us; /* of its handlers' times, a moving average: in whole milliseconds each, so short ones count as 0 */
};

struct work {
	struct delivery d; /* first */
	struct dispatch *dispatch;
	struct seat *seat; /* NULL: gone */
	struct route *route;
	struct job *job; /* NULL: a call, or its lease was taken away, or it is settling */
	struct call *call; /* NULL: a job, or the caller is gone */
	struct list link; /* settling: in its seat's list */
	struct list calls; /* of struct call.of_parent: what its handler waits for; next NULL: it never called */
	struct heap_node give_up; /* in dispatch->timers when it was cancelled */
	struct buf input, checkpoint, traceparent;
	unsigned refs; /* commits and calls that will come back to it */
	unsigned items_kept; /* item_done()s kept back by emit_waits */
	unsigned depth;
	int64_t started_at_ms;
	bool over; /* the runner no longer knows it */
	bool revoked; /* its job was taken back, and that is not durable yet: the worker must not hear of it */
	bool reclaimed; /* it was given out by an earlier engine */
	struct work *next_free; /* or, in dispatch->revoked, the next one there */
};

struct call {
	uint64_t id;
	struct dispatch *dispatch;
	struct route *route;
	struct list link; /* waiting: in its route's list */
	struct heap_node timer; /* in dispatch->timers */
	struct work *work; /* NULL: waiting */
	struct work *parent; /* whose handler called; NULL: a client */
	struct list of_parent; /* in parent->calls */
	struct buf input, traceparent;
	int64_t deadline_ms;
	unsigned depth;
	bool retried;
	void (*done)(void *context, struct bytes result, const struct job_error *error);
	void *context;
};

struct dispatch {
	struct queues *queues;
	struct registry *registry;
	struct dispatch_calls calls;
	struct idmap routes; /* by hash of names */
	struct idmap by_queue; /* by the queue's address */
	struct idmap live_calls; /* by id */
	struct heap active; /* routes that may have something to give out: who was given least is next */
	uint64_t wakes; /* ties: who was woken first */
	struct heap timers; /* of work.give_up, call.timer and seat.retry: told apart by tie */
	struct work *revoked; /* since the last turn; their batches are on the way */
	struct work *free_works;
	unsigned free_n;
	struct work *giving; /* the one that the runner is being given right now */
	uint64_t call_last; /* ids of calls: the highest bit is set, no job has it */
	bool held, turn_wanted;
	struct dispatch_stats stats;
};

enum { TIMER_WORK = 1, TIMER_CALL, TIMER_SEAT }; /* heap tie */

static inline int64_t dispatch_now(struct dispatch *d)
{
	return d->calls.now_ms(d->calls.context);
}

/* dispatch.c */
struct route *route_find(struct dispatch *d, struct bytes namespace, struct bytes name); /* NULL: not there */
struct route *route_get(struct dispatch *d, struct bytes namespace, struct bytes name);
void turn_want(struct dispatch *d);
void route_wake(struct dispatch *d, struct route *r); /* it may have something to give out */
struct seat *seat_get(struct dispatch *d, struct instance *i);
void seat_wake(struct dispatch *d, struct seat *s); /* it has room */
void seat_refused(struct dispatch *d, struct seat *s); /* it gave a delivery back at once */
void dispatch_timer(struct dispatch *d, struct heap_node *node, int64_t at_ms, unsigned kind);

/* work.c */
struct work *work_new(struct dispatch *d, struct seat *s, struct route *r, uint16_t index);
void work_set_trace(struct work *w, struct bytes traceparent);
void work_give(struct work *w); /* to the runner */
void work_cancel(struct work *w); /* the outcome no longer counts */
void work_tell_revoked(struct work *w); /* once what was committed before is durable */
void work_give_up(struct work *w); /* its grace is over */
void work_unref(struct work *w);
bool work_lease(struct work *w); /* the route's next job becomes its; false: there is none */
void work_drop(struct work *w); /* one that was never given */
bool work_suspected(const struct work *w); /* it must run alone: struct seat */
void work_return(struct work *w); /* it waited to run alone: back into the queue */

/* call.c */
void call_give(struct call *c, struct work *w);
void call_finish(struct call *c, struct bytes result, const struct job_error *error);
void call_answer(struct call *c, struct bytes result, const struct job_error *error); /* its handler ended */
void call_lost(struct call *c, bool started, const struct job_error *error);
void call_expire(struct call *c);
void call_cancel_all(struct work *parent); /* its handler is to stop, or has ended: nobody waits for these */
