#include "loop/loop.h"

#include "base/mem.h"
#include "loop/lag.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t before_wait;
	uv_check_t after_events;
	_Atomic(struct message *) posted; /* a stack; the loop takes all of it at once and turns it round */
	struct message *deferred, **deferred_end;
	int64_t now_ms; /* what loop_now_ms gave last */
	uint64_t now_uv; /* uv_now at that time */
	uint64_t turn_ns, idle_ns; /* at the last wait */
	struct lag lag;
};

static void run_all(struct message *m)
{
	while (m) {
		struct message *next = m->next; /* run() frees it */
		m->next = NULL;
		m->run(m);
		m = next;
	}
}

static void on_posted(uv_async_t *wake)
{
	struct loop *l = wake->data;
	struct message *m = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire), *in_order = NULL;
	while (m) {
		struct message *next = m->next;
		m->next = in_order;
		in_order = m;
		m = next;
	}
	run_all(in_order);
}

/* What is deferred meanwhile waits for the next flush. */
static void flush_deferred(struct loop *l)
{
	struct message *m = l->deferred;
	l->deferred = NULL;
	l->deferred_end = &l->deferred;
	run_all(m);
}

static void measure(struct loop *l)
{
	uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(&l->uv);
	if (l->turn_ns) {
		uint64_t turn = now - l->turn_ns, waited = idle - l->idle_ns;
		lag_add(&l->lag, (turn > waited ? turn - waited : 0) / 1000);
	}
	l->turn_ns = now;
	l->idle_ns = idle;
}

/* libuv runs timers before this and events after it, so deferred messages of both are flushed before the loop can wait. */
static void on_before_wait(uv_prepare_t *p)
{
	struct loop *l = p->data;
	flush_deferred(l);
	if (l->deferred)
		uv_async_send(&l->wake);
	measure(l);
}

static void on_after_events(uv_check_t *c)
{
	flush_deferred(c->data);
}

struct loop *loop_new(void)
{
	struct loop *l = NEW(struct loop);
	if (uv_loop_init(&l->uv) != 0)
		abort(); /* no descriptors at start: there is nothing to be run */
	uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
	uv_async_init(&l->uv, &l->wake, on_posted);
	uv_prepare_init(&l->uv, &l->before_wait);
	uv_check_init(&l->uv, &l->after_events);
	l->uv.data = l->wake.data = l->before_wait.data = l->after_events.data = l;
	l->deferred_end = &l->deferred;
	uv_prepare_start(&l->before_wait, on_before_wait);
	uv_check_start(&l->after_events, on_after_events);
	uv_unref((uv_handle_t *)&l->before_wait);
	uv_unref((uv_handle_t *)&l->after_events);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_unref((uv_handle_t *)&l->wake); /* but threads may still post while the pool's work comes home */
	uv_run(&l->uv, UV_RUN_DEFAULT);
	do {
		on_posted(&l->wake);
		flush_deferred(l);
	} while (l->deferred || atomic_load(&l->posted));
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->before_wait, NULL);
	uv_close((uv_handle_t *)&l->after_events, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	int busy = uv_loop_close(&l->uv);
	assert(busy == 0 && "a handle on this loop was not closed");
	(void)busy;
	free(l);
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

void loop_run(struct loop *l)
{
	l->turn_ns = uv_hrtime(); /* the first turn counts, too: its timers may be due already */
	l->idle_ns = uv_metrics_idle_time(&l->uv);
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

int64_t loop_now_ms(struct loop *l)
{
	uint64_t uv = uv_now(&l->uv);
	if (l->now_ms && uv == l->now_uv)
		return l->now_ms;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	int64_t wall = t.tv_sec * 1000LL + t.tv_nsec / 1000000, steady = l->now_ms + (int64_t)(uv - l->now_uv);
	l->now_ms = l->now_ms && wall < steady ? steady : wall;
	l->now_uv = uv;
	return l->now_ms;
}

/* Only the post that finds the stack empty wakes the loop: the loop empties it in one go. */
void loop_post(struct loop *l, struct message *m)
{
	struct message *top = atomic_load_explicit(&l->posted, memory_order_relaxed);
	do
		m->next = top;
	while (!atomic_compare_exchange_weak_explicit(&l->posted, &top, m, memory_order_release, memory_order_relaxed));
	if (!top)
		uv_async_send(&l->wake);
}

void loop_defer(struct loop *l, struct message *m)
{
	m->next = NULL;
	*l->deferred_end = m;
	l->deferred_end = &m->next;
}

void loop_get_lag(struct loop *l, struct loop_lag *out, bool reset)
{
	*out = (struct loop_lag){lag_quantile(&l->lag, 0.5), lag_quantile(&l->lag, 0.99), l->lag.max_us, l->lag.n};
	if (reset)
		memset(&l->lag, 0, sizeof l->lag);
}
