/* loop.h - the engine's one loop (libuv), and how other threads reach it.
 *
 * The loop thread owns all state. It never waits: no fsync, no lock that a slow thread holds, no parse of a large body.
 * Other threads post messages to it (loop_post); it hands blocking work to the pool (loop_work). */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;

/* A message embeds this first and is freed by whoever runs it. */
struct message {
	struct message *next;
	void (*run)(struct message *m); /* on the loop thread */
};

struct loop *loop_new(void);
void loop_free(struct loop *l); /* waits for the pool's work; every other handle on it must be closed or closing */
uv_loop_t *loop_uv(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop, or until nothing is left that could happen (tests) */
void loop_stop(struct loop *l); /* loop thread */
/* Unix milliseconds, cached for this turn; never goes back: when the clock is set back, time goes on from where it was. */
int64_t loop_now_ms(struct loop *l);
/* Any thread; never blocks, never allocates; in the order of the posts of one thread. Wakes the loop at most once a turn. */
void loop_post(struct loop *l, struct message *m);
/* Runs work() on a pool thread, then done() on the loop thread. */
void loop_work(struct loop *l, void (*work)(void *context), void (*done)(void *context), void *context);
/* Runs once at the end of this turn of the loop, after all events of the turn: the place to flush what was gathered. */
void loop_defer(struct loop *l, struct message *m); /* loop thread; m must not be waiting already */

struct loop_timer; /* one-shot; heap */
struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *context), void *context);
void loop_timer_set(struct loop_timer *t, int64_t after_ms); /* again, from now; < 0: off */
void loop_timer_free(struct loop_timer *t); /* may be called by fire() itself; NULL is fine */

/* Lag: how long an event may have waited because the loop was busy: the time from one wait for events to the next, the waiting
 * left out. In microseconds, to within an eighth; since the last call with reset. */
struct loop_lag {
	uint64_t p50_us, p99_us, max_us, turns;
};
void loop_get_lag(struct loop *l, struct loop_lag *out, bool reset);
