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
		.unique = -1,
		.batch = (int)spec->batch_id,
		.number = w->submits,
		.deadline_ms = spec->deadline_ms,
		.retry_delay_ms = spec->retry_delay_ms ? spec->retry_delay_ms : 40,
		.retry_cap_ms = spec->retry_cap_ms ? spec->retry_cap_ms : 200,
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
	j->place = true;
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

void model_returned(struct world *w, struct sim_job *j)
{
	model_unleased(w, j);
	j->place = false;
	model_turns_forget(w, j->queue);
}

void model_ends(struct world *w, struct sim_job *j, enum queue_end end)
{
	SIM_CHECK(w, j->state == SIM_LIVE && !j->ends, "job %llu: ends twice", ID(j));
	j->settling = j->ends = true;
	j->end = end;
	j->ends_at_ms = queues_now(w->qs);
}

/* No more attempt can begin before the job's deadline. */
static bool out_of_time(struct world *w, const struct sim_job *j)
{
	return j->deadline_ms && queues_now(w->qs) >= j->deadline_ms;
}

void model_failed(struct world *w, struct sim_job *j, bool retryable, bool crash)
{
	j->failed_fence = j->fence;
	model_unleased(w, j);
	j->settling = true;
	j->failed_at_ms = queues_now(w->qs);
	j->crashes += crash;
	j->back_to_its_place = crash && j->crashes == 1;
	if (!retryable || j->attempts >= j->max_attempts || j->crashes >= SIM_CRASHES_MAX || out_of_time(w, j))
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
	} else {
		w->results[w->results_n++ % SIM_RESULTS] = (struct sim_result){j->id, j->ends_at_ms + SIM_KEEP_MS};
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
		.tenant = j->tenant,
		.unique = j->unique,
		.number = j->number,
		.retry_delay_ms = j->retry_delay_ms,
		.retry_cap_ms = j->retry_cap_ms,
		.max_attempts = j->max_attempts,
		.timeout_ms = j->timeout_ms,
		.due_at_ms = now};
	if (j->unique >= 0)
		w->uniques[j->unique].surely = false;
	list_append(&w->live, &j->link);
	w->live_n++;
	model_turns_forget(w, j->queue); /* the same id, at the end of its lane */
}

/* A retry's due time is the queue's to draw, within its bounds; from then on the model knows it. */
static void waits_again(struct world *w, struct sim_job *j, const struct job *real)
{
	int64_t most = j->retry_delay_ms;
	for (int n = 1; n < j->attempts; n++)
		most *= 2;
	most = most > j->retry_cap_ms ? j->retry_cap_ms : most;
	int64_t wait = real->due_at_ms - j->failed_at_ms;
	if (j->back_to_its_place)
		SIM_CHECK(w, real->due_at_ms == j->due_at_ms, "job %llu: lost its place by its first crash", ID(j));
	else
		SIM_CHECK(w, wait >= most / 2 && wait <= most, "job %llu: waits %lld ms for attempt %d", ID(j), (long long)wait,
			j->attempts + 1);
	j->due_at_ms = real->due_at_ms;
	j->settling = j->place = false;
	j->floor = j->failed_fence;
	j->attempts_before = j->attempts;
	j->crashes_before = j->crashes;
}

/* It kept its time of waiting. */
static void has_moved(struct world *w, struct sim_job *j, const struct job *real)
{
	SIM_CHECK(
		w, real->queue == w->queues[j->queue] && real->priority == j->priority, "job %llu: was moved elsewhere", ID(j));
	SIM_CHECK(w, real->due_at_ms == j->due_at_ms, "job %llu: lost its time of waiting by a move", ID(j));
	j->settling = j->moving = false;
}

void model_flushed(struct world *w)
{
	list_each(&w->live, l)
	{
		struct sim_job *j = at(l);
		const struct job *real = queues_find(w->qs, j->id);
		SIM_CHECK(w, real, "job %llu: is gone, and its end was not told", ID(j));
		if (j->settling && !j->ends && real->state != JOB_SETTLING)
			(j->moving ? has_moved : waits_again)(w, j, real);
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

static void is_where(struct world *w, struct sim_job *j, const struct job *real)
{
	bool moved = real->queue == w->queues[j->queue] && real->priority == j->priority;
	bool not_yet = j->moving && real->queue == w->queues[j->from_queue] && real->priority == j->from_priority;
	SIM_CHECK(w, moved || not_yet, "job %llu: is in another queue than it was submitted or moved to", ID(j));
	if (!moved) {
		j->queue = j->from_queue;
		j->priority = j->from_priority;
	}
	j->moving = false;
}

/* It lives on: what was under way either reached the disk or did not. */
static void lives_on(struct world *w, struct sim_job *j, const struct job *real)
{
	is_where(w, j, real);
	bool advanced = j->settling && real->attempts == j->attempts && real->crashes == j->crashes;
	bool as_before = real->attempts == j->attempts_before && real->crashes == j->crashes_before;
	SIM_CHECK(w, advanced || as_before, "job %llu: came back with %d attempts, had %d durably", ID(j), real->attempts,
		j->attempts_before);
	if (advanced && !as_before)
		j->floor = j->failed_fence;
	j->state = SIM_LIVE;
	j->settling = j->ends = j->cancel_later = j->place = false;
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
	for (int i = 0; i < SIM_UNIQUES; i++)
		w->uniques[i].surely = false;
	for (int i = 0; i < SIM_DEAD; i++) { /* a purge may have been lost, a letter never */
		struct sim_job *j = w->dead[i] ? model_find(w, w->dead[i]) : NULL;
		if (!j || j->state != SIM_ENDED)
			continue;
		bool there = stored(w, STORE_DEAD, j->id);
		SIM_CHECK(w, there || !j->dead, "dead letter %llu: is lost", ID(j));
		j->dead = there;
	}
	model_flow_read(w); /* what was set on a full disk may have been lost */
}

/* A result can be read as long as it is kept, by anyone, any number of times. */
static void check_results(struct world *w)
{
	for (int i = 0; i < SIM_RESULTS; i++) {
		const struct sim_result *r = &w->results[i];
		if (r->id && w->latest_ms < r->until_ms)
			SIM_CHECK(
				w, stored(w, STORE_DONE, r->id), "job %llu: its result is gone too early", (unsigned long long)r->id);
	}
}

static void check_batches(struct world *w)
{
	uint64_t sure[SIM_BATCHES] = {0}, most[SIM_BATCHES] = {0};
	list_each(&w->live, l)
	{
		sure[at(l)->batch] += at(l)->state == SIM_LIVE;
		most[at(l)->batch]++;
	}
	for (unsigned i = 1; i < SIM_BATCHES; i++) {
		struct job_counts c = queues_count_batch(w->qs, i);
		uint64_t n = c.pending + c.scheduled + c.processing;
		SIM_CHECK(w, n >= sure[i] && n <= most[i], "batch %u: has %llu live jobs, not %llu to %llu", i,
			(unsigned long long)n, (unsigned long long)sure[i], (unsigned long long)most[i]);
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
	if (w->step % 64 == 0) {
		check_results(w);
		check_batches(w);
	}
}
