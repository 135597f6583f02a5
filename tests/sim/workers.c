/* What workers may do to the queue. */
#include "sim.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void start(struct world *w, struct sim_job *j)
{
	if (j->started)
		return;
	j->started = true;
	j->started_at_ms = queues_now(w->qs);
	j->attempts++;
}

static unsigned number_in(const char *text)
{
	return (unsigned)strtoul(text + strcspn(text, "0123456789"), NULL, 10);
}

/* It gets its own input, and of its checkpoints one that is not older than what was told to be kept. */
static void check_given(struct world *w, const struct sim_job *j, struct job *real)
{
	scoped(buf_fini) struct buf text = {0};
	if (sim_chance(w, 90) && !j->checkpoint)
		return;
	SIM_CHECK(w, job_read_input(w->qs, real, &text, NULL) == E_OK && number_in(text.data) == j->number,
		"job %llu: has the input of another", (unsigned long long)j->id);
	buf_clear(&text);
	SIM_CHECK(w, job_read_checkpoint(w->qs, real, &text, NULL) == E_OK, "job %llu: its checkpoint cannot be read",
		(unsigned long long)j->id);
	unsigned at = text.size ? number_in(text.data) : 0;
	SIM_CHECK(w, at >= j->checkpoint_durable && at <= j->checkpoint, "job %llu: has checkpoint %u, not %u to %u",
		(unsigned long long)j->id, at, j->checkpoint_durable, j->checkpoint);
}

static void lease(struct world *w)
{
	int q = (int)sim_random(w, SIM_QUEUES);
	queues_tick(w->qs, w->now_ms); /* so that what is due is pending */
	struct job *real = queue_lease(w->queues[q], w->now_ms, w);
	sim_note(w, "lease", real ? real->id : 0, (uint64_t)q);
	model_given(w, q, real ? real->id : 0);
	if (!real)
		return;
	w->counts[DID_LEASE]++;
	struct sim_job *j = model_find(w, real->id);
	model_leased(w, j, job_fence(w->qs, real));
	check_given(w, j, real);
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
	model_returned(w, j);
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
		model_returned(w, j);
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
	sim_forget(&t->link);
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
}

static void on_checkpoint_durable(void *context, enum errcode code)
{
	struct item_told *t = context;
	struct sim_job *j = idmap_get(&t->w->jobs, t->id);
	if (j && !code)
		j->checkpoint_durable = (unsigned)t->key;
	sim_forget(&t->link);
}

static void checkpoint(struct world *w)
{
	struct sim_job *j = model_pick(w, is_started);
	char text[32];
	if (!j)
		return;
	struct item_told *t = NEW(struct item_told);
	*t = (struct item_told){.w = w, .id = j->id, .key = ++j->checkpoint};
	list_append(&w->asked, &t->link);
	snprintf(text, sizeof text, "{\"at\":%u}", j->checkpoint);
	enum errcode code =
		queue_checkpoint(w->qs, j->id, j->fence, bytes_of(text), w->now_ms, on_checkpoint_durable, t, NULL);
	sim_note(w, "checkpoint", j->id, j->checkpoint);
	SIM_CHECK(w, !code, "checkpoint: %s", err_word(code));
}

static void progress(struct world *w)
{
	struct sim_job *j = model_pick(w, is_started);
	if (!j)
		return;
	enum errcode code =
		queue_progress(w->qs, j->id, j->fence, (int)sim_random(w, 101), bytes_of("on its way"), w->now_ms, NULL);
	SIM_CHECK(w, !code, "progress: %s", err_word(code));
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
	j->place = true;
	model_turns_forget(w, j->queue);
	if (slot->id == copy.id && slot->fence == copy.fence)
		slot->id = 0;
	w->processing_n++;
	w->counts[DID_RECLAIM]++;
}

const struct sim_action worker_actions[] = {
	{"lease", 18, lease},
	{"begin", 2, begin},
	{"complete", 14, complete},
	{"fail", 4, fail_job},
	{"crash", 1, crash_worker},
	{"release", 1, release},
	{"item", 3, emit},
	{"checkpoint", 1, checkpoint},
	{"progress", 1, progress},
	{"stale", 3, speak_stale},
	{"reclaim", 2, reclaim},
	{NULL, 0, NULL},
};
