/* What the disk, the clock and whoever keeps the queues may do to them. */
#include "sim.h"

#include <stdlib.h>

void sim_forget(struct list *asked)
{
	list_remove(asked);
	free(asked);
}

/* ── the disk ── */

static void flush(struct world *w)
{
	sim_note(w, "flush", w->waiting_batches, 0);
	store_flush(w->store);
	w->waiting_batches = 0;
	model_flushed(w);
}

static void crash_engine(struct world *w)
{
	w->counts[DID_ENGINE_CRASH]++;
	w->waiting_batches = 0;
	world_crash(w);
}

static void fill_disk(struct world *w)
{
	w->full = !w->full && sim_chance(w, 40);
	w->counts[DID_FULL] += w->full;
	store_memory_set_full(w->store, w->full);
}

/* ── the clock ── */

static void tick(struct world *w)
{
	w->now_ms += (int64_t)sim_random(w, 4);
	if (sim_chance(w, 1))
		w->now_ms += (int64_t)sim_random(w, sim_chance(w, 10) ? 400000 : 1000);
	if (sim_chance(w, 1)) /* backwards: the queue's time stands still */
		w->now_ms -= (int64_t)sim_random(w, 50);
	int64_t next = queues_tick(w->qs, w->now_ms);
	sim_note(w, "tick", (uint64_t)(next - w->now_ms), 0);
	if (queues_now(w->qs) > w->latest_ms)
		w->latest_ms = queues_now(w->qs);
	list_each(&w->live, l)
	{
		const struct sim_job *j = container_of(l, struct sim_job, link);
		int64_t now = queues_now(w->qs);
		SIM_CHECK(w, !j->started || now < j->started_at_ms + j->timeout_ms, "job %llu: did not time out",
			(unsigned long long)j->id);
		SIM_CHECK(w, !j->deadline_ms || now < j->deadline_ms || j->settling || j->state != SIM_LIVE,
			"job %llu: has passed its deadline and goes on", (unsigned long long)j->id);
	}
}

/* ── limits and pauses ── */

static void pause_one(struct world *w)
{
	bool on = sim_chance(w, 30);
	int which = (int)sim_random(w, SIM_QUEUES + 2);
	sim_note(w, "pause", (uint64_t)which, on);
	if (which < SIM_QUEUES)
		queue_pause(w->queues[which], w->paused[which] = on && !w->paused[which], NULL, NULL);
	else if (which == SIM_QUEUES)
		queues_pause(w->qs, w->all_paused = on && !w->all_paused, NULL, NULL);
	else
		namespace_pause(w->qs, bytes_of("other"), w->space_paused[1] = on && !w->space_paused[1], NULL, NULL);
	flush(w);
}

static void random_limit(struct world *w, struct limit *l)
{
	*l = (struct limit){0};
	if (sim_chance(w, 40))
		l->concurrency = 1 + (uint32_t)sim_random(w, 12);
	if (sim_chance(w, 60))
		return;
	l->rate_milli = 1000 + (uint32_t)sim_random(w, 300000);
	l->burst = 1 + (uint32_t)sim_random(w, 10);
}

static void limit_one(struct world *w)
{
	struct flow_limits l = {0};
	int q = (int)sim_random(w, SIM_QUEUES + 1);
	if (sim_chance(w, 60)) {
		random_limit(w, &l.all);
		random_limit(w, &l.key);
		if (sim_chance(w, 30))
			l.max_length = 5 + (uint32_t)sim_random(w, 40);
	}
	sim_note(w, "limit", (uint64_t)q, l.all.concurrency);
	if (q < SIM_QUEUES)
		queue_set_flow(w->queues[q], &l, NULL, NULL);
	else
		namespace_set_flow(w->qs, bytes_of("default"), &(struct flow_limits){.all = l.all}, NULL, NULL);
	w->counts[DID_LIMIT]++;
	model_flow_read(w);
}

const struct sim_action keeper_actions[] = {
	{"flush", 30, flush},
	{"tick", 12, tick},
	{NULL, 0, NULL},
};

const struct sim_action rare_actions[] = {
	{"crash the engine", 10, crash_engine},
	{"pause", 3, pause_one},
	{"limit", 6, limit_one},
	{"fill the disk", 6, fill_disk},
	{NULL, 0, NULL},
};
