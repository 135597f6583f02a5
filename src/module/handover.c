/* handover.c - the loop's side of a unit's queue: tasks go to the handler threads a turn's worth at a time, and a watch looks
 * after those that the threads have begun.
 *
 * For handlers that take microseconds the way to a thread and back is what costs. So a turn takes the queue's lock once and
 * wakes one thread, which wakes the next one only when handlers are long enough to be worth it; and that a handler began is
 * a mark in the task that the loop reads with the end, if that comes soon. The watch is for all others: it looks every few
 * milliseconds for handlers that go on (so that their time counts) and for tasks that wait behind one although a thread is
 * idle. */
#include "module/parts.h"

#include <stdlib.h>

enum { WATCH_FIRST_MS = 2, WATCH_MOST_MS = 64 };

struct handover {
	struct message message;
	struct unit *unit; /* NULL: it is gone */
	struct list given; /* in this turn */
	bool deferred; /* `message` is with the loop */
	struct loop_timer *watch;
	int64_t watch_ms; /* 0: it is off */
};

static void set_watch(struct handover *h, int64_t ms)
{
	h->watch_ms = ms;
	loop_timer_set(h->watch, ms);
}

/* ── the watch ── */

void handover_tell_started(struct task *t)
{
	if (t->d && !t->d->started && atomic_load_explicit(&t->begun, memory_order_acquire))
		t->d->events->started(t->d);
}

/* True: some of its tasks were not begun. */
static bool tell_all(struct unit *u)
{
	bool waiting = false;
	list_each(&u->instance->deliveries, at)
	{
		struct task *t = container_of(at, struct delivery, link)->runner_data;
		handover_tell_started(t);
		waiting |= !atomic_load(&t->begun);
	}
	return waiting;
}

static void on_watch(void *context)
{
	struct handover *h = context;
	struct unit *u = h->unit;
	h->watch_ms = h->watch_ms < WATCH_MOST_MS ? h->watch_ms * 2 : WATCH_MOST_MS;
	if (!u->instance || !tell_all(u)) {
		h->watch_ms = 0;
		return;
	}
	pthread_mutex_lock(&u->lock);
	bool wake = !list_empty(&u->queue) && unit_may_wake(u);
	pthread_mutex_unlock(&u->lock);
	if (wake)
		pthread_cond_signal(&u->work);
	set_watch(h, h->watch_ms);
}

void handover_ended(struct unit *u) /* its thread takes the next one */
{
	struct handover *h = u->handover;
	if (u->live && h->watch_ms != WATCH_FIRST_MS)
		set_watch(h, WATCH_FIRST_MS);
}

/* ── to the threads ── */

static void move(struct list *from, struct list *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

static void hand_out(struct handover *h)
{
	struct unit *u = h->unit;
	pthread_mutex_lock(&u->lock);
	move(&h->given, &u->queue);
	/* One that is awake comes to them by itself, and soon, unless handlers take long. */
	bool awake = u->threads > u->idle + u->blocked || u->woken;
	bool wake = !list_empty(&u->queue) && (!awake || u->mean_ns >= UNIT_LONG_NS) && unit_may_wake(u);
	pthread_mutex_unlock(&u->lock);
	if (wake) /* without the lock, or the thread would wake only to wait for it */
		pthread_cond_signal(&u->work);
	if (h->watch_ms != WATCH_FIRST_MS)
		set_watch(h, WATCH_FIRST_MS);
}

static void at_end_of_turn(struct message *m)
{
	struct handover *h = container_of(m, struct handover, message);
	h->deferred = false;
	if (h->unit)
		hand_out(h);
	else
		free(h);
}

void handover_give(struct unit *u, struct task *t)
{
	struct handover *h = u->handover;
	list_append(&h->given, &t->link);
	if (h->deferred)
		return;
	h->deferred = true;
	loop_defer(u->host->options.loop, &h->message);
}

/* ── life ── */

struct handover *handover_new(struct unit *u)
{
	struct handover *h = NEW(struct handover);
	h->message.run = at_end_of_turn;
	h->unit = u;
	list_init(&h->given);
	h->watch = loop_timer_new(u->host->options.loop, on_watch, h);
	return h;
}

void handover_free(struct handover *h)
{
	loop_timer_free(h->watch);
	h->unit = NULL;
	if (!h->deferred)
		free(h);
}
