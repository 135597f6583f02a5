#include "sim.h"

#include "base/mem.h"

#include <stdlib.h>

#define ID(j) ((unsigned long long)(j)->id)

static struct sim_job *at(struct list *l)
{
	return container_of(l, struct sim_job, link);
}

struct sim_job *model_find(struct world *w, uint64_t id)
{
	struct sim_job *j = idmap_get(&w->jobs, id);
	SIM_CHECK(w, j, "job %llu: nobody submitted it", (unsigned long long)id);
	return j;
}

struct sim_job *model_pick(struct world *w, bool (*fits)(const struct sim_job *j))
{
	if (!w->live_n)
		return NULL;
	uint64_t skip = sim_random(w, (uint64_t)w->live_n), tries = 0;
	struct list *l = w->live.next;
	for (skip %= 16; skip; skip--)
		l = l->next == &w->live ? w->live.next : l->next;
	for (; tries < 24; tries++, l = l->next) {
		if (l == &w->live)
			l = l->next;
		if (fits(at(l)))
			return at(l);
	}
	return NULL;
}

void model_sent(struct world *w, uint64_t id, int queue, const struct job_spec *spec)
{
	struct sim_job *j = NEW(struct sim_job);
	int64_t now = queues_now(w->qs);
	SIM_CHECK(w, !idmap_get(&w->jobs, id), "job %llu: its id was given before", (unsigned long long)id);
	*j = (struct sim_job){.id = id,
		.state = SIM_SENT,
		.queue = queue,
		.priority = spec->priority,
		.max_attempts = spec->max_attempts ? spec->max_attempts : 3,
		.timeout_ms = spec->timeout_ms ? (int)spec->timeout_ms : 500,
		.due_at_ms = spec->due_at_ms > now ? spec->due_at_ms : now,
		.expires_at_ms = spec->expires_at_ms};
	idmap_put(&w->jobs, id, j);
	list_append(&w->live, &j->link);
	w->live_n++;
}

void model_lost(struct world *w, struct sim_job *j)
{
	SIM_CHECK(w, !j->told, "job %llu: was acknowledged and is lost", ID(j));
	list_remove(&j->link);
	w->live_n--;
	for (int i = 0; i < SIM_KEYS; i++) {
		if (w->keys[i].id == j->id)
			w->keys[i].id = 0;
	}
	idmap_remove(&w->jobs, j->id);
	free(j);
}

void model_leased(struct world *w, struct sim_job *j, uint64_t fence)
{
	SIM_CHECK(w, j->state == SIM_LIVE, "job %llu: leased before its submit is durable", ID(j));
	SIM_CHECK(w, !j->fence && !j->settling, "job %llu: leased while in other hands", ID(j));
	for (unsigned i = 0; i < SIM_STALE; i++)
		SIM_CHECK(w, w->stale[i].id != j->id || w->stale[i].fence < fence, "job %llu: fence %llu is not new", ID(j),
			(unsigned long long)fence);
	j->fence = fence;
	w->processing_n++;
}

void model_unleased(struct world *w, struct sim_job *j)
{
	if (!j->fence)
		return;
	w->stale[w->stale_n++ % SIM_STALE] = (struct sim_fence){j->id, j->fence};
	j->fence = 0;
	j->started = false;
	w->processing_n--;
}

void model_ends(struct world *w, struct sim_job *j, enum queue_end end)
{
	SIM_CHECK(w, j->state == SIM_LIVE && !j->ends, "job %llu: ends twice", ID(j));
	j->settling = j->ends = true;
	j->end = end;
}

void model_failed(struct world *w, struct sim_job *j, bool retryable, bool crash)
{
	j->failed_fence = j->fence;
	model_unleased(w, j);
	j->settling = true;
	j->failed_at_ms = queues_now(w->qs);
	j->crashes += crash;
	j->back_to_its_place = crash && j->crashes == 1;
	if (!retryable || j->attempts >= j->max_attempts || j->crashes >= SIM_CRASHES_MAX)
		model_ends(w, j, END_FAILED);
}

static void leaves(struct world *w, struct sim_job *j)
{
	j->state = SIM_ENDED;
	list_remove(&j->link);
	w->live_n--;
}

void model_ended(struct world *w, struct sim_job *j, enum queue_end end)
{
	SIM_CHECK(w, j->state == SIM_LIVE && j->ends && j->end == end, "job %llu: ended as %d, which nobody asked for",
		ID(j), end);
	leaves(w, j);
	if (end == END_FAILED) {
		j->dead = true;
		w->dead[w->dead_n++ % SIM_DEAD] = j->id;
	}
}

void model_replayed(struct world *w, struct sim_job *j)
{
	int64_t now = queues_now(w->qs);
	*j = (struct sim_job){.id = j->id,
		.state = SIM_SENT,
		.told = true,
		.replayed = true,
		.queue = j->queue,
		.priority = j->priority,
		.max_attempts = j->max_attempts,
		.timeout_ms = j->timeout_ms,
		.due_at_ms = now};
	list_append(&w->live, &j->link);
	w->live_n++;
}

static int effective(const struct sim_job *j, int64_t now_ms)
{
	int64_t waited = now_ms > j->due_at_ms ? now_ms - j->due_at_ms : 0, p = j->priority + waited / 60000;
	return p > 9 ? 9 : (int)p;
}

static bool waits(const struct sim_job *j)
{
	return j->state == SIM_LIVE && !j->fence && !j->settling;
}

/* Over all of them, without lists or heaps: what queue/order.c must agree with. */
uint64_t model_next(struct world *w, int queue)
{
	const struct sim_job *best = NULL;
	int64_t now = queues_now(w->qs);
	if (w->paused[queue])
		return 0;
	list_each(&w->live, l)
	{
		const struct sim_job *j = at(l);
		if (j->queue != queue || !waits(j) || j->due_at_ms > now ||
			(j->expires_at_ms && !j->attempts && j->expires_at_ms <= now))
			continue;
		int p = effective(j, now), b = best ? effective(best, now) : -1;
		bool first = best && (j->due_at_ms < best->due_at_ms || (j->due_at_ms == best->due_at_ms && j->id < best->id));
		if (p > b || (p == b && first))
			best = j;
	}
	return best ? best->id : 0;
}

/* A retry's due time is the queue's to draw, within its bounds; from then on the model knows it. */
static void waits_again(struct world *w, struct sim_job *j, const struct job *real)
{
	int64_t most = 40;
	for (int n = 1; n < j->attempts; n++)
		most *= 2;
	most = most > 200 ? 200 : most;
	int64_t wait = real->due_at_ms - j->failed_at_ms;
	if (j->back_to_its_place)
		SIM_CHECK(w, real->due_at_ms == j->due_at_ms, "job %llu: lost its place by its first crash", ID(j));
	else
		SIM_CHECK(w, wait >= most / 2 && wait <= most, "job %llu: waits %lld ms for attempt %d", ID(j), (long long)wait,
			j->attempts + 1);
	j->due_at_ms = real->due_at_ms;
	j->settling = false;
	j->floor = j->failed_fence;
	j->attempts_before = j->attempts;
	j->crashes_before = j->crashes;
}

void model_flushed(struct world *w)
{
	list_each(&w->live, l)
	{
		struct sim_job *j = at(l);
		const struct job *real = queues_find(w->qs, j->id);
		SIM_CHECK(w, real, "job %llu: is gone, and its end was not told", ID(j));
		if (j->settling && !j->ends && real->state != JOB_SETTLING)
			waits_again(w, j, real);
	}
}

static bool stored(struct world *w, enum store_table table, uint64_t id)
{
	return w->store->ops->read(w->store, table, (struct store_key){.id = id}, NULL, NULL, NULL) == E_OK;
}

static bool is_submitted(void *context, struct job *real)
{
	struct world *w = context;
	const struct sim_job *j = model_find(w, real->id);
	SIM_CHECK(w, j->state != SIM_ENDED, "job %llu: was over, and is back", ID(j));
	SIM_CHECK(w, j->state != SIM_SENT, "job %llu: found, but not seen by the model", ID(j));
	return true;
}

/* It lives on: what was under way either reached the disk or did not. */
static void lives_on(struct world *w, struct sim_job *j, const struct job *real)
{
	bool advanced = j->settling && real->attempts == j->attempts && real->crashes == j->crashes;
	bool as_before = real->attempts == j->attempts_before && real->crashes == j->crashes_before;
	SIM_CHECK(w, advanced || as_before, "job %llu: came back with %d attempts, had %d durably", ID(j), real->attempts,
		j->attempts_before);
	if (advanced && !as_before)
		j->floor = j->failed_fence;
	j->state = SIM_LIVE;
	j->settling = j->ends = j->cancel_later = false;
	j->attempts = j->attempts_before = real->attempts;
	j->crashes = j->crashes_before = real->crashes;
	j->due_at_ms = real->due_at_ms;
	j->items = 0;
	for (uint64_t key = 0; key < 32; key++) {
		struct store_key item = {.id = j->id, .sub = key};
		if (w->store->ops->read(w->store, STORE_ITEM, item, NULL, NULL, NULL) == E_OK)
			j->items |= 1u << key;
	}
	SIM_CHECK(w, (j->items_durable & ~j->items) == 0, "job %llu: lost an item that was acknowledged", ID(j));
	j->items_durable = j->items;
}

static void restarted_one(struct world *w, struct sim_job *j)
{
	const struct job *real = queues_find(w->qs, j->id);
	int places = (real != NULL) + stored(w, STORE_DONE, j->id) + stored(w, STORE_DEAD, j->id);
	SIM_CHECK(w, places <= 1, "job %llu: is in %d places after the restart", ID(j), places);
	model_unleased(w, j);
	if (real) {
		lives_on(w, j, real);
	} else if (places && j->replayed && j->state == SIM_SENT) { /* the replay was lost: a dead letter still */
		leaves(w, j);
		j->dead = true;
	} else if (places && (j->ends || j->cancel_later)) { /* durable, though nobody was told */
		leaves(w, j);
	} else {
		SIM_CHECK(w, !places, "job %llu: ended, which nobody asked for", ID(j));
		model_lost(w, j);
	}
}

void model_restarted(struct world *w)
{
	list_each(&w->live, l) restarted_one(w, at(l));
	queues_each_live(w->qs, is_submitted, w);
	for (int i = 0; i < SIM_KEYS; i++)
		w->keys[i].sent = false;
	for (int i = 0; i < SIM_DEAD; i++) { /* a purge may have been lost, a letter never */
		struct sim_job *j = w->dead[i] ? model_find(w, w->dead[i]) : NULL;
		if (!j || j->state != SIM_ENDED)
			continue;
		bool there = stored(w, STORE_DEAD, j->id);
		SIM_CHECK(w, there || !j->dead, "dead letter %llu: is lost", ID(j));
		j->dead = there;
	}
	for (int i = 0; i < SIM_QUEUES; i++) { /* a pause on a full disk may have been lost */
		struct queue_info info;
		queue_get_info(w->queues[i], &info);
		w->paused[i] = info.paused;
	}
}

void model_check(struct world *w)
{
	uint64_t real = 0, ours = 0, processing = 0, settling = 0;
	for (int i = 0; i < SIM_QUEUES; i++) {
		struct queue_info info;
		queue_get_info(w->queues[i], &info);
		real += info.pending + info.scheduled + info.processing;
		processing += info.processing;
	}
	list_each(&w->live, l)
	{
		ours += at(l)->state == SIM_LIVE;
		settling += at(l)->settling;
	}
	SIM_CHECK(w, real == ours, "the queue counts %llu live jobs, there are %llu", (unsigned long long)real,
		(unsigned long long)ours);
	SIM_CHECK(w, processing == (uint64_t)w->processing_n + settling, "the queue counts %llu in hands, there are %llu",
		(unsigned long long)processing, (unsigned long long)((uint64_t)w->processing_n + settling));
}
