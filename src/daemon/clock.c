/* Timers of the engine, and the turn of dispatch and claims at the end of each turn of the loop. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "os/os_clock.h"

#include <stddef.h>

#define TICK_MAX_MS 100 /* how late a delay or a retry may be noticed when nothing else happens */

int64_t clock_now(void *daemon)
{
	return loop_now_ms(((struct daemon *)daemon)->loop);
}

/* By the clock that people see, which stands still where it was set back; the loop's then goes on ahead of it. */
static int64_t tick_schedules(struct daemon *d)
{
	int64_t now = os_clock_ms();
	return schedules_tick(d->schedules, now) - now;
}

void clock_tick(void *daemon)
{
	struct daemon *d = daemon;
	int64_t now = clock_now(d);
	int64_t next = queues_tick(d->queues, now);
	callbacks_tick(d->callbacks, now);
	batches_tick(d->batches, now);
	pipelines_tick(d->pipelines, now);
	int64_t wait = next - now, until_schedule = d->stopping ? wait : tick_schedules(d);
	if (until_schedule < wait)
		wait = until_schedule;
	wait = wait < 1 ? 1 : wait > TICK_MAX_MS ? TICK_MAX_MS : wait;
	d->tick_at_ms = now + wait;
	loop_timer_set(d->tick, wait);
}

static void supervise(void *context)
{
	struct daemon *d = context;
	d->supervise_at_ms = 0;
	supervisor_tick(d->supervisor, clock_now(d));
	stop_check(d);
}

static void deliver(void *context)
{
	struct daemon *d = context;
	d->deliver_at_ms = 0;
	dispatch_tick(d->dispatch, clock_now(d));
}

static void claim(void *context)
{
	struct daemon *d = context;
	d->claim_at_ms = 0;
	claims_tick(d->claims);
}

/* Instances with room come first, pull clients take what is left. */
static void turn(struct message *m)
{
	struct daemon *d = container_of(m, struct daemon, turn);
	d->turn_wanted = false;
	dispatch_turn(d->dispatch);
	claims_turn(d->claims);
}

void clock_want_turn(void *daemon)
{
	struct daemon *d = daemon;
	if (d->turn_wanted)
		return;
	d->turn_wanted = true;
	loop_defer(d->loop, &d->turn);
}

/* The earliest of all that were asked for; a tick asks again for what is still to come. */
static void wake(struct daemon *d, struct loop_timer *t, int64_t *earliest_ms, int64_t at_ms)
{
	if (*earliest_ms && *earliest_ms <= at_ms)
		return;
	*earliest_ms = at_ms;
	int64_t wait = at_ms - clock_now(d);
	loop_timer_set(t, wait < 0 ? 0 : wait);
}

void clock_wake_dispatch(void *daemon, int64_t at_ms)
{
	struct daemon *d = daemon;
	wake(d, d->deliver, &d->deliver_at_ms, at_ms);
}

void clock_wake_queues(void *daemon, int64_t at_ms)
{
	struct daemon *d = daemon;
	int64_t wait = at_ms - clock_now(d);
	if (at_ms >= d->tick_at_ms)
		return;
	d->tick_at_ms = at_ms;
	loop_timer_set(d->tick, wait < 0 ? 0 : wait);
}

void clock_wake_claims(void *daemon, int64_t at_ms)
{
	struct daemon *d = daemon;
	wake(d, d->claim, &d->claim_at_ms, at_ms);
}

void clock_wake_supervisor(void *daemon, int64_t at_ms)
{
	struct daemon *d = daemon;
	wake(d, d->supervise, &d->supervise_at_ms, at_ms);
}

void clock_open(struct daemon *d)
{
	d->turn.run = turn;
	d->tick = loop_timer_new(d->loop, clock_tick, d);
	d->supervise = loop_timer_new(d->loop, supervise, d);
	d->deliver = loop_timer_new(d->loop, deliver, d);
	d->claim = loop_timer_new(d->loop, claim, d);
}

void clock_close(struct daemon *d)
{
	loop_timer_free(d->tick);
	loop_timer_free(d->supervise);
	loop_timer_free(d->deliver);
	loop_timer_free(d->claim);
}
