/* What clients, workers, the clock and the disk may do to the queue. */
#include "sim.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

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

/* ── clients ── */

static void forget(struct list *asked)
{
	list_remove(asked);
	free(asked);
}

struct sent {
	struct list link; /* in world.asked; first member */
	struct world *w;
	int key;
};

static void on_submitted(void *context, const struct submit_reply *r)
{
	struct sent *s = context;
	struct world *w = s->w;
	for (size_t i = 0; i < r->n; i++) {
		struct sim_job *j = idmap_get(&w->jobs, r->ids[i]);
		sim_note(w, "submitted", r->ids[i], r->code);
		if (r->existing[i]) {
			SIM_CHECK(w, r->code || (j && j->state != SIM_SENT), "key: an earlier job that was never kept");
			continue;
		}
		if (r->code) {
			model_lost(w, j);
			continue;
		}
		j->told = true;
		if (j->state == SIM_SENT)
			j->state = SIM_LIVE;
	}
	if (s->key >= 0)
		w->keys[s->key].sent = false;
	forget(&s->link);
}

static void random_spec(struct world *w, int queue, struct job_spec *spec)
{
	static const char *const namespaces[] = {"", "default", "other"}, *const capabilities[] = {
																		  "email.parse", "work", "work"};
	job_spec_init(spec);
	spec->namespace = bytes_of(namespaces[queue]);
	spec->capability = bytes_of(capabilities[queue]);
	spec->input = bytes_of("{\"message\":\"a small input\"}");
	spec->priority = (int)sim_random(w, 10);
	if (sim_chance(w, 15))
		spec->due_at_ms = w->now_ms + (int64_t)sim_random(w, 300);
	if (sim_chance(w, 5))
		spec->expires_at_ms = w->now_ms + 1 + (int64_t)sim_random(w, 400);
	if (sim_chance(w, 20))
		spec->timeout_ms = 20 + (int64_t)sim_random(w, 400);
	if (sim_chance(w, 20))
		spec->max_attempts = 1 + (int)sim_random(w, 5);
}

static struct sent *sent_new(struct world *w, int key)
{
	struct sent *s = NEW(struct sent);
	*s = (struct sent){.w = w, .key = key};
	list_append(&w->asked, &s->link);
	return s;
}

/* The ids that a submit gives follow one another: the model knows them before anybody is told. */
static void submit(struct world *w)
{
	struct job_spec specs[4];
	size_t n = 1 + (sim_chance(w, 20) ? sim_random(w, 3) : 0);
	int queue = (int)sim_random(w, SIM_QUEUES);
	if (w->live_n + (int)n > SIM_LIVE_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		random_spec(w, queue, &specs[i]);
	struct sent *s = sent_new(w, -1);
	uint64_t before = queues_next_id(w->qs, w->now_ms > queues_now(w->qs) ? w->now_ms : queues_now(w->qs));
	enum errcode code = queues_submit(w->qs, specs, n, w->now_ms, on_submitted, s, NULL);
	sim_note(w, "submit", n, code);
	if (code) {
		SIM_CHECK(w, code == E_NO_SPACE, "submit: refused with %s", err_word(code));
		forget(&s->link);
		return;
	}
	w->counts[DID_SUBMIT] += n;
	w->waiting_batches++;
	for (size_t i = 0; i < n; i++) {
		uint64_t id = before + 1 + i;
		SIM_CHECK(w, queues_find(w->qs, id), "submit: job %zu of %zu is not there", i + 1, n);
		model_sent(w, id, queue, &specs[i]);
	}
}

static void submit_with_key(struct world *w)
{
	struct job_spec spec;
	char text[8];
	int k = (int)sim_random(w, SIM_KEYS);
	struct sim_key *key = &w->keys[k];
	if (key->sent || w->full || w->live_n >= SIM_LIVE_MAX)
		return;
	random_spec(w, 1, &spec);
	snprintf(text, sizeof text, "k%d", k);
	spec.idempotency_key = bytes_of(text);
	uint64_t before = queues_next_id(w->qs, w->now_ms > queues_now(w->qs) ? w->now_ms : queues_now(w->qs));
	bool known = key->id && key->until_ms > queues_now(w->qs);
	struct sent *s = sent_new(w, k);
	enum errcode code = queues_submit(w->qs, &spec, 1, w->now_ms, on_submitted, s, NULL);
	if (code) {
		SIM_CHECK(w, code == E_NO_SPACE, "submit: refused with %s", err_word(code));
		forget(&s->link);
		return;
	}
	w->waiting_batches++;
	bool made = queues_find(w->qs, before + 1) != NULL;
	sim_note(w, "submit key", (uint64_t)k, made);
	SIM_CHECK(w, made == !known, "key %d: %s", k, known ? "made a second job" : "was thought known");
	if (!made)
		return;
	key->sent = true;
	key->id = before + 1;
	key->until_ms = queues_now(w->qs) + 24 * 3600 * 1000;
	model_sent(w, key->id, 1, &spec);
}

static bool is_live(const struct sim_job *j)
{
	return j->state == SIM_LIVE;
}

static void cancel(struct world *w)
{
	struct sim_job *j = model_pick(w, is_live);
	if (!j)
		return;
	bool ends = j->ends, later = j->settling && !j->ends;
	enum errcode want = ends || (later && j->cancel_later) ? E_STATE : E_OK;
	if (!ends && !later)
		model_ends(w, j, END_CANCELLED);
	enum errcode code = queue_cancel(w->qs, j->id, w->now_ms, NULL, NULL, NULL);
	sim_note(w, "cancel", j->id, code);
	SIM_CHECK(w, code == want, "cancel of job %llu: %s", (unsigned long long)j->id, err_word(code));
	w->counts[DID_CANCEL]++;
	j->cancel_later |= later;
}

struct dead_told {
	struct list link; /* in world.asked; first member */
	struct world *w;
	uint64_t id;
	bool replay;
};

static void on_dead_done(void *context, enum errcode code)
{
	struct dead_told *t = context;
	struct sim_job *j = model_find(t->w, t->id);
	SIM_CHECK(t->w, !code, "dead letter %llu: %s", (unsigned long long)t->id, err_word(code));
	if (t->replay)
		j->state = SIM_LIVE;
	forget(&t->link);
}

static struct dead_told *dead_told_new(struct world *w, uint64_t id, bool replay)
{
	struct dead_told *t = NEW(struct dead_told);
	*t = (struct dead_told){.w = w, .id = id, .replay = replay};
	list_append(&w->asked, &t->link);
	return t;
}

/* A dead letter becomes a job again, or is forgotten. */
static void handle_dead(struct world *w)
{
	unsigned i = (unsigned)sim_random(w, SIM_DEAD);
	bool replay = sim_chance(w, 70) && w->live_n < SIM_LIVE_MAX;
	struct sim_job *j = w->dead[i] ? model_find(w, w->dead[i]) : NULL;
	if (!j)
		return;
	struct dead_told *t = dead_told_new(w, j->id, replay);
	enum errcode want = j->dead ? E_OK : j->state == SIM_ENDED ? E_NOT_FOUND : E_STATE;
	enum errcode code = replay ? queue_replay(w->qs, j->id, w->now_ms, on_dead_done, t, NULL)
							   : queue_purge(w->qs, j->id, on_dead_done, t, NULL);
	sim_note(w, replay ? "replay" : "purge", j->id, code);
	/* While a purge is under way the letter is neither there nor gone. */
	SIM_CHECK(w, code == want || (want == E_NOT_FOUND && code == E_STATE), "dead letter %llu: %s, not %s",
		(unsigned long long)j->id, err_word(code), err_word(want));
	w->counts[replay ? DID_REPLAY : DID_PURGE] += !code;
	if (code) {
		forget(&t->link);
		return;
	}
	j->dead = false;
	if (replay)
		model_replayed(w, j);
}

static void pause_one(struct world *w)
{
	int q = (int)sim_random(w, SIM_QUEUES);
	w->paused[q] = !w->paused[q] && sim_chance(w, 30);
	sim_note(w, "pause", (uint64_t)q, w->paused[q]);
	queue_pause(w->queues[q], w->paused[q], NULL, NULL);
	flush(w);
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
	list_each(&w->live, l)
	{
		const struct sim_job *j = container_of(l, struct sim_job, link);
		SIM_CHECK(w, !j->started || queues_now(w->qs) < j->started_at_ms + j->timeout_ms, "job %llu: did not time out",
			(unsigned long long)j->id);
	}
}

/* ── workers ── */

static void start(struct world *w, struct sim_job *j)
{
	if (j->started)
		return;
	j->started = true;
	j->started_at_ms = queues_now(w->qs);
	j->attempts++;
}

static void lease(struct world *w)
{
	int q = (int)sim_random(w, SIM_QUEUES);
	queues_tick(w->qs, w->now_ms); /* so that what is due is pending */
	uint64_t next = model_next(w, q);
	struct job *real = queue_lease(w->queues[q], w->now_ms, w);
	sim_note(w, "lease", real ? real->id : 0, (uint64_t)q);
	SIM_CHECK(w, (real ? real->id : 0) == next, "lease: gave job %llu, job %llu is next",
		(unsigned long long)(real ? real->id : 0), (unsigned long long)next);
	if (!real)
		return;
	w->counts[DID_LEASE]++;
	struct sim_job *j = model_find(w, next);
	model_leased(w, j, job_fence(w->qs, real));
	if (sim_chance(w, 80)) {
		job_started(real, w->now_ms);
		start(w, j);
	}
}

static bool is_leased(const struct sim_job *j)
{
	return j->fence != 0;
}

static bool is_started(const struct sim_job *j)
{
	return j->fence && j->started;
}

static void begin(struct world *w)
{
	struct sim_job *j = model_pick(w, is_leased);
	if (!j)
		return;
	job_started(queues_find(w->qs, j->id), w->now_ms);
	start(w, j);
	sim_note(w, "start", j->id, 0);
}

static void release(struct world *w)
{
	struct sim_job *j = model_pick(w, is_leased);
	if (!j || j->started)
		return;
	model_unleased(w, j);
	sim_note(w, "release", j->id, 0);
	job_release(queues_find(w->qs, j->id), w->now_ms);
}

static void complete(struct world *w)
{
	struct sim_job *j = model_pick(w, is_started);
	if (!j)
		return;
	uint64_t fence = j->fence;
	model_unleased(w, j);
	model_ends(w, j, END_COMPLETED);
	enum errcode code = queue_complete(w->qs, j->id, fence, bytes_of("{\"ok\":true}"), w->now_ms, NULL, NULL, NULL);
	sim_note(w, "complete", j->id, code);
	SIM_CHECK(w, !code, "complete: %s", err_word(code));
	w->counts[DID_COMPLETE]++;
	w->waiting_batches++;
}

static void fail_job(struct world *w)
{
	struct job_error error = {"broken", "it did not work", sim_chance(w, 80)};
	struct sim_job *j = model_pick(w, is_started);
	if (!j)
		return;
	uint64_t fence = j->fence;
	model_failed(w, j, error.retryable, false);
	enum errcode code = queue_fail(w->qs, j->id, fence, &error, w->now_ms, NULL, NULL, NULL);
	sim_note(w, "fail", j->id, code);
	SIM_CHECK(w, !code, "fail: %s", err_word(code));
	w->counts[DID_FAIL]++;
	w->waiting_batches++;
}

static void crash_worker(struct world *w)
{
	struct job_error error = {"crashed", "ended by signal 11", 1};
	struct sim_job *j = model_pick(w, is_leased);
	if (!j)
		return;
	uint64_t fence = j->fence;
	if (j->started)
		model_failed(w, j, true, true);
	else
		model_unleased(w, j);
	enum errcode code = queue_crashed(w->qs, j->id, fence, &error, (struct bytes){0}, w->now_ms, NULL);
	sim_note(w, "crash", j->id, code);
	SIM_CHECK(w, !code, "crashed: %s", err_word(code));
	w->counts[DID_CRASH]++;
}

struct item_told {
	struct list link; /* in world.asked; first member */
	struct world *w;
	uint64_t id, key;
};

static void on_item_durable(void *context, enum errcode code)
{
	struct item_told *t = context;
	struct sim_job *j = idmap_get(&t->w->jobs, t->id);
	if (j && !code)
		j->items_durable |= 1u << t->key;
	forget(&t->link);
}

static void emit(struct world *w)
{
	struct sim_job *j = model_pick(w, is_started);
	if (!j)
		return;
	struct item_told *t = NEW(struct item_told);
	*t = (struct item_told){.w = w, .id = j->id, .key = sim_random(w, 32)};
	list_append(&w->asked, &t->link);
	enum errcode code =
		queue_item(w->qs, j->id, j->fence, t->key, bytes_of("an item"), w->now_ms, on_item_durable, t, NULL);
	sim_note(w, "item", j->id, t->key);
	SIM_CHECK(w, !code, "item: %s", err_word(code));
	j->items |= 1u << t->key;
	w->counts[DID_ITEM]++;
	if (sim_chance(w, 10))
		queue_checkpoint(w->qs, j->id, j->fence, bytes_of("here"), w->now_ms, NULL, NULL, NULL);
}

/* Someone whose lease was taken away speaks up. */
static void speak_stale(struct world *w)
{
	struct job_error error = {"late", "too late", 1};
	struct sim_fence *f = &w->stale[sim_random(w, SIM_STALE)];
	if (!f->id)
		return;
	enum errcode code;
	switch (sim_random(w, 4)) {
	case 0:
		code = queue_complete(w->qs, f->id, f->fence, bytes_of("1"), w->now_ms, NULL, NULL, NULL);
		break;
	case 1:
		code = queue_fail(w->qs, f->id, f->fence, &error, w->now_ms, NULL, NULL, NULL);
		break;
	case 2:
		code = queue_crashed(w->qs, f->id, f->fence, &error, (struct bytes){0}, w->now_ms, NULL);
		break;
	default:
		code = queue_item(w->qs, f->id, f->fence, 1, bytes_of("x"), w->now_ms, NULL, NULL, NULL);
	}
	sim_note(w, "stale", f->id, code);
	SIM_CHECK(w, code == E_FENCE || code == E_NOT_FOUND, "job %llu: stale fence %llu was accepted (%s)",
		(unsigned long long)f->id, (unsigned long long)f->fence, err_word(code));
	w->counts[DID_STALE]++;
}

/* A worker that outlived the engine says what it has. */
static void reclaim(struct world *w)
{
	struct sim_fence *slot = &w->stale[sim_random(w, SIM_STALE)], copy = *slot, *f = &copy; /* a revoke may reuse it */
	struct job *real;
	const struct sim_job *before = idmap_get(&w->jobs, f->id); /* or refused long ago */
	uint64_t held = before ? before->fence : 0;
	if (!f->id || queue_reclaim(w->qs, f->id, f->fence, w->now_ms, w, &real) != E_OK)
		return;
	struct sim_job *j = model_find(w, f->id);
	sim_note(w, "reclaim", j->id, f->fence);
	SIM_CHECK(w, f->fence > held, "job %llu: an older lease took it from a later one", (unsigned long long)j->id);
	SIM_CHECK(w, f->fence >> 32 < w->store->epoch, "job %llu: reclaimed by a fence of this engine",
		(unsigned long long)j->id);
	SIM_CHECK(w, f->fence > j->floor, "job %llu: reclaimed by a holder whose attempt was written off",
		(unsigned long long)j->id);
	SIM_CHECK(w, j->state == SIM_LIVE && !j->settling && !j->fence, "job %llu: reclaimed while it settles",
		(unsigned long long)j->id);
	j->fence = f->fence;
	if (slot->id == copy.id && slot->fence == copy.fence)
		slot->id = 0;
	w->processing_n++;
	w->counts[DID_RECLAIM]++;
}

const struct sim_action queue_actions[] = {
	{"flush", 30, flush},
	{"submit", 16, submit},
	{"submit with key", 1, submit_with_key},
	{"lease", 18, lease},
	{"begin", 2, begin},
	{"complete", 14, complete},
	{"fail", 4, fail_job},
	{"crash", 1, crash_worker},
	{"release", 1, release},
	{"item", 3, emit},
	{"cancel", 1, cancel},
	{"dead", 1, handle_dead},
	{"stale", 3, speak_stale},
	{"reclaim", 2, reclaim},
	{"tick", 12, tick},
	{NULL, 0, NULL},
};

const struct sim_action rare_actions[] = {
	{"crash the engine", 10, crash_engine},
	{"pause", 3, pause_one},
	{"fill the disk", 6, fill_disk},
	{NULL, 0, NULL},
};
