#include "queue/state.h"

enum { IDLE_MS = 10000, SWEPT_EACH = 256 }; /* of IDLE_MS: about so long until each key was looked at */

static bool due(const struct heap *h, int64_t now_ms)
{
	return heap_first(h) && heap_first(h)->key <= now_ms;
}

static void tick_due(struct queues *qs, int *left)
{
	for (; *left && due(&qs->due, qs->now_ms); --*left) {
		struct job *j = container_of(heap_first(&qs->due), struct job, due);
		heap_remove(&qs->due, &j->due);
		queues_place(qs, j, false);
	}
}

static void tick_timeouts(struct queues *qs, int *left)
{
	for (; *left && due(&qs->timeouts, qs->now_ms); --*left) {
		struct lease *l = container_of(heap_first(&qs->timeouts), struct lease, timeout);
		attempt_timed_out(qs, l->job);
	}
}

/* Jobs that settle, or that a handler has begun, are past their expiry's reach. */
static void tick_expiries(struct queues *qs, int *left)
{
	for (; *left && due(&qs->expiries, qs->now_ms); --*left) {
		struct job *j = container_of(heap_first(&qs->expiries), struct job_more, expiry)->job;
		heap_remove(&qs->expiries, &j->more->expiry);
		if (j->state == JOB_PENDING)
			order_remove(j->queue, j);
		else if (j->state == JOB_SCHEDULED)
			heap_remove(&qs->due, &j->due);
		else if (j->state == JOB_SETTLING || j->lease->started_at_ms)
			continue;
		attempt_expired(qs, j);
	}
}

/* Always a few at a time: the more keys there are the more often. */
static int64_t sweep_again_ms(const struct queues *qs)
{
	size_t room = qs->keys.room > qs->uniques.room ? qs->keys.room : qs->uniques.room;
	int64_t ms = room ? (int64_t)IDLE_MS * SWEPT_EACH * KEYS_SWEEP / (int64_t)room : IDLE_MS;
	return ms < 1 ? 1 : ms > IDLE_MS ? IDLE_MS : ms;
}

static void tick_keys(struct queues *qs)
{
	if (!(qs->keys.n + qs->uniques.n) || qs->now_ms < qs->keys_at_ms || qs->full)
		return;
	struct store_batch *b = store_batch_new();
	keys_sweep(&qs->keys, qs->now_ms, b);
	keys_sweep(&qs->uniques, qs->now_ms, b);
	qs->keys_at_ms = qs->now_ms + sweep_again_ms(qs);
	if (store_batch_empty(b))
		store_batch_free(b);
	else
		change_simple(qs, b, NULL, NULL);
}

static void sooner(int64_t *at, int64_t other)
{
	if (other < *at)
		*at = other;
}

int64_t queues_tick(struct queues *qs, int64_t now_ms)
{
	int left = TICK_MAX;
	queues_touch(qs, now_ms);
	change_tick(qs);
	tick_timeouts(qs, &left);
	tick_expiries(qs, &left);
	tick_due(qs, &left);
	flow_tick(qs, &left);
	tick_keys(qs);
	prune_tick(qs);
	prune_dead_tick(qs);
	int64_t next = qs->now_ms + IDLE_MS;
	if (qs->full && !qs->probing)
		sooner(&next, qs->probe_at_ms);
	if (qs->keys.n + qs->uniques.n && !qs->full)
		sooner(&next, qs->keys_at_ms);
	if (!qs->prune.busy)
		sooner(&next, qs->prune.next_at_ms);
	if (!qs->prune_dead.busy)
		sooner(&next, qs->prune_dead.next_at_ms);
	const struct heap *heaps[] = {&qs->due, &qs->timeouts, &qs->expiries, &qs->wakes};
	for (size_t i = 0; i < ARRAY_SIZE(heaps); i++) {
		if (heap_first(heaps[i]))
			sooner(&next, heap_first(heaps[i])->key);
	}
	return next > qs->now_ms ? next : qs->now_ms;
}
