#include "worker/order.h"
#include "worker/parts.h"

#include <stdlib.h>
#include <string.h>

struct supervisor *supervisor_new(const struct supervisor_calls *calls, uint64_t seed)
{
	struct supervisor *s = NEW(struct supervisor);
	s->calls = *calls;
	s->chance = seed;
	list_init(&s->workers);
	return s;
}

void supervisor_free(struct supervisor *s)
{
	if (!s)
		return;
	list_each(&s->workers, at)
	{
		struct worker *w = container_of(at, struct worker, link);
		list_each(&w->instances, x) instance_free(container_of(x, struct instance, link));
		list_remove(&w->link);
		worker_free(w);
	}
	free(s);
}

struct instance_events supervisor_events(struct supervisor *s)
{
	return keep_events(s);
}

void supervisor_initialized(struct supervisor *s, struct instance *i, const struct err *error)
{
	keep_initialized(s, i, error);
}

void supervisor_answer(
	struct supervisor *s, struct instance *i, enum health_question q, enum health_answer answer, const char *why)
{
	keep_answer(s, i, q, answer, why);
}

/* ── workers ── */

static unsigned staying(const struct worker *w)
{
	unsigned n = 0;
	list_each(&w->instances, at) n += !container_of(at, struct instance, link)->leaving;
	return n;
}

/* The one to scale away: the last that is not running, else the one with the least to do. */
static struct instance *spare(const struct worker *w)
{
	struct instance *best = NULL;
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		if (i->leaving)
			continue;
		bool idle = i->state != INSTANCE_RUNNING;
		if (!best || idle || (best->state == INSTANCE_RUNNING && i->in_flight <= best->in_flight))
			best = i;
	}
	return best;
}

static void converge(struct supervisor *s, struct worker *w)
{
	if (s->held || s->ending || w->removing)
		return;
	if (w->wanted && !order_waits_for(&s->workers, w))
		for (unsigned n = staying(w); n < w->replicas; n++)
			keep_create(s, w);
	for (unsigned n = staying(w); n > w->replicas; n--) {
		struct instance *i = spare(w);
		i->leaving = true;
		keep_stop(s, i);
	}
}

enum errcode supervisor_add(struct supervisor *s, struct worker *w, struct err *e)
{
	if (supervisor_find(s, w->id))
		return err_set(e, E_CONFLICT, "there is a worker \"%s\" already", w->id);
	list_append(&s->workers, &w->link);
	converge(s, w);
	return E_OK;
}

static enum errcode known(struct supervisor *s, const char *id, struct worker **out, struct err *e)
{
	*out = supervisor_find(s, id);
	if (!*out)
		return err_set(e, E_NOT_FOUND, "there is no worker \"%s\"", id);
	if ((*out)->removing)
		return err_set(e, E_STATE, "worker \"%s\" is being removed", id);
	return E_OK;
}

enum errcode supervisor_remove(struct supervisor *s, const char *id, struct err *e)
{
	struct worker *w;
	enum errcode code = known(s, id, &w, e);
	if (code != E_OK)
		return code;
	w->wanted = false;
	if (list_empty(&w->instances)) {
		list_remove(&w->link);
		s->calls.worker_gone(s->calls.context, w);
		worker_free(w);
		return E_OK;
	}
	w->removing = true;
	struct list *at = w->instances.next;
	for (unsigned n = staying(w) + 1; n && at != &w->instances; n--) { /* w may go with its last instance */
		struct list *next = at->next;
		struct instance *i = container_of(at, struct instance, link);
		bool last = next == &w->instances;
		i->leaving = true;
		keep_stop(s, i);
		if (last)
			break;
		at = next;
	}
	return E_OK;
}

struct worker *supervisor_find(struct supervisor *s, const char *id)
{
	list_each(&s->workers, at) if (strcmp(container_of(at, struct worker, link)->id, id) == 0) return container_of(
		at, struct worker, link);
	return NULL;
}

struct instance *supervisor_find_instance(struct supervisor *s, const char *id)
{
	list_each(&s->workers, at) list_each(&container_of(at, struct worker, link)->instances,
		x) if (strcmp(container_of(x, struct instance, link)->id, id) == 0) return container_of(x, struct instance,
		link);
	return NULL;
}

struct list *supervisor_workers(struct supervisor *s)
{
	return &s->workers;
}

/* ── by hand ── */

static void want(struct supervisor *s, struct worker *w, bool wanted)
{
	w->wanted = wanted;
	if (s->calls.by_hand)
		s->calls.by_hand(s->calls.context, w);
	keep_look_again(s);
}

enum errcode supervisor_start(struct supervisor *s, const char *id, struct err *e)
{
	struct worker *w;
	enum errcode code = known(s, id, &w, e);
	if (code != E_OK)
		return code;
	unsigned begun = 0;
	want(s, w, true);
	if (w->replicas == 0)
		w->replicas = 1;
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		if (i->leaving || (i->state != INSTANCE_STOPPED && i->state != INSTANCE_FAILED))
			continue;
		restart_reset(&i->breaker);
		keep_start(s, i);
		begun++;
	}
	begun += staying(w) < w->replicas;
	converge(s, w);
	if (begun)
		return E_OK;
	return err_set(e, E_STATE, "worker \"%s\" is %s; only a stopped or failed one can be started", id,
		instance_state_word(container_of(w->instances.next, struct instance, link)->state));
}

enum errcode supervisor_stop(struct supervisor *s, const char *id, struct err *e)
{
	struct worker *w;
	enum errcode code = known(s, id, &w, e);
	if (code != E_OK)
		return code;
	unsigned begun = 0;
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		begun += i->state != INSTANCE_STOPPED && i->state != INSTANCE_STOPPING;
	}
	if (begun == 0)
		return err_set(e, E_STATE, "worker \"%s\" is not running; there is nothing to stop", id);
	want(s, w, false);
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		i->restart_wanted = false;
		restart_reset(&i->breaker);
		keep_stop(s, i);
	}
	return E_OK;
}

static enum errcode may_restart(struct worker *w, struct err *e)
{
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		if (i->state == INSTANCE_FAILED)
			return err_set(e, E_STATE, "instance %s is failed (%.300s) and %s; restart with force to start it at once",
				i->id, i->last_error.details, i->next_try_at_ms ? "waits before its next start" : "was given up");
		if (i->state == INSTANCE_INITIALIZING || i->state == INSTANCE_STARTING || i->state == INSTANCE_STOPPING)
			return err_set(e, E_STATE, "instance %s is %s; it can be restarted when it runs", i->id,
				instance_state_word(i->state));
	}
	return E_OK;
}

static void restart(struct supervisor *s, struct instance *i, bool force)
{
	switch (i->state) {
	case INSTANCE_RUNNING:
		i->restart_wanted = true;
		i->restart_wait_ms = 0;
		if (force)
			keep_kill(s, i, "stop", "restarted by force");
		else
			keep_stop(s, i);
		break;
	case INSTANCE_STARTING:
	case INSTANCE_STOPPING:
		i->restart_wanted = true;
		i->restart_wait_ms = 0;
		keep_kill(s, i, "stop", "restarted by force");
		break;
	case INSTANCE_FAILED:
	case INSTANCE_STOPPED:
		restart_reset(&i->breaker);
		keep_start(s, i);
		break;
	default:
		break;
	}
}

enum errcode supervisor_restart(struct supervisor *s, const char *id, bool force, struct err *e)
{
	struct worker *w;
	enum errcode code = known(s, id, &w, e);
	if (code == E_OK && !force)
		code = may_restart(w, e);
	if (code != E_OK)
		return code;
	want(s, w, true);
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		if (!i->leaving)
			restart(s, i, force);
	}
	converge(s, w);
	return E_OK;
}

enum errcode supervisor_scale(struct supervisor *s, const char *id, unsigned replicas, struct err *e)
{
	struct worker *w;
	enum errcode code = known(s, id, &w, e);
	if (code != E_OK)
		return code;
	if (replicas < w->replicas_min || replicas > w->replicas_max)
		return err_set(e, E_INVALID,
			"worker \"%s\" may have %u to %u replicas, not %u; change replicas in its configuration", id,
			w->replicas_min, w->replicas_max, replicas);
	w->replicas = replicas;
	converge(s, w);
	return E_OK;
}

void supervisor_kill(struct supervisor *s, struct instance *i, const char *why)
{
	if (i->state == INSTANCE_RUNNING || i->state == INSTANCE_STARTING || i->state == INSTANCE_STOPPING)
		keep_kill(s, i, "crash", why);
}

/* ── recovery, time, the end ── */

struct instance *supervisor_adopt(struct supervisor *s, const char *worker_id, const char *instance_id)
{
	struct worker *w = supervisor_find(s, worker_id);
	if (!w || !w->wanted || w->removing || w->type != WORKER_PROCESS || staying(w) >= w->replicas_max)
		return NULL;
	struct instance *i = instance_new(w, s->calls.runner(s->calls.context, w), instance_id, 0, keep_now(s));
	keep_move(s, i, INSTANCE_INITIALIZING);
	keep_move(s, i, INSTANCE_INITIALIZED);
	keep_move(s, i, INSTANCE_STARTING);
	keep_wake_at(s, keep_now(s) + w->start_timeout_ms + 1);
	if (staying(w) > w->replicas)
		w->replicas = staying(w); /* it was scaled up before the engine ended */
	return i;
}

void supervisor_blame(struct supervisor *s, const char *worker_id, unsigned n, const char *evidence)
{
	struct worker *w = supervisor_find(s, worker_id);
	if (!w || !w->wanted || w->removing)
		return;
	struct instance *i =
		instance_new(w, s->calls.runner(s->calls.context, w), NULL, (uint32_t)keep_chance(s), keep_now(s));
	keep_move(s, i, INSTANCE_INITIALIZING);
	instance_set_error(i, "crash", "run", true, keep_now(s), "%s", evidence);
	i->breaker.attempts = n ? n - 1 : 0;
	keep_fail(s, i);
}

/* Every instance goes and others come: they are of the other type. */
void supervisor_set_type(struct supervisor *s, struct worker *w, enum worker_type type)
{
	w->type = type;
	for (struct list *at = w->instances.next, *next; at != &w->instances; at = next) {
		struct instance *i = container_of(at, struct instance, link);
		next = at->next;
		i->leaving = true;
		keep_stop(s, i);
	}
	converge(s, w);
}

void supervisor_quarantine(struct supervisor *s, struct worker *w, const char *why)
{
	if (!w->wanted)
		return;
	w->wanted = false;
	struct instance *i =
		instance_new(w, s->calls.runner(s->calls.context, w), NULL, (uint32_t)keep_chance(s), keep_now(s));
	keep_move(s, i, INSTANCE_INITIALIZING);
	instance_set_error(i, "crash", "run", false, keep_now(s), "quarantined after %s; start it to try again", why);
	keep_move(s, i, INSTANCE_FAILED);
}

static void converge_all(struct supervisor *s)
{
	s->look_again = false;
	list_each(&s->workers, at) converge(s, container_of(at, struct worker, link));
}

void supervisor_hold(struct supervisor *s, bool hold)
{
	s->held = hold;
	if (!hold)
		converge_all(s);
}

static void tick(struct supervisor *s, struct instance *i, int64_t now_ms)
{
	const struct worker *w = i->worker;
	if (i->awaits_startup) {
		; /* its probe has a limit of its own */
	} else if (i->state == INSTANCE_STARTING && now_ms > i->state_since_ms + w->start_timeout_ms) {
		struct instance_error error = instance_error_of("timeout", "start", true, now_ms,
			"%s startup timeout: not ready after %lld ms", worker_type_word(w->type), (long long)w->start_timeout_ms);
		i->runner->kill(i, &error);
	} else if (i->state == INSTANCE_STARTING) {
		keep_wake_at(s, i->state_since_ms + w->start_timeout_ms + 1);
	} else if (i->next_try_at_ms && now_ms >= i->next_try_at_ms && !s->ending && w->wanted && !i->leaving) {
		keep_start(s, i);
	} else if (i->next_try_at_ms > now_ms) {
		keep_wake_at(s, i->next_try_at_ms);
	}
}

void supervisor_tick(struct supervisor *s, int64_t now_ms)
{
	if (s->look_again)
		converge_all(s);
	list_each(&s->workers, at)
	{
		struct worker *w = container_of(at, struct worker, link);
		list_each(&w->instances, x) tick(s, container_of(x, struct instance, link), now_ms);
	}
}

static bool has_ended(const struct instance *i)
{
	return i->state == INSTANCE_STOPPED || i->state == INSTANCE_FAILED;
}

static void stop_all(struct supervisor *s, struct worker *w)
{
	list_each(&w->instances, x)
	{
		struct instance *i = container_of(x, struct instance, link);
		if (i->state == INSTANCE_FAILED)
			i->next_try_at_ms = 0;
		else if (i->state != INSTANCE_STOPPED && i->state != INSTANCE_STOPPING)
			keep_stop(s, i);
	}
}

/* True: at least one is on its way out, so there is something to wait for. */
static bool stop_those_nobody_needs(struct supervisor *s, bool even_needed)
{
	bool under_way = false;
	list_each(&s->workers, at)
	{
		struct worker *w = container_of(at, struct worker, link);
		if (!even_needed && order_is_needed(&s->workers, w))
			continue;
		stop_all(s, w);
		list_each(&w->instances, x) under_way |= !has_ended(container_of(x, struct instance, link));
	}
	return under_way;
}

bool supervisor_shutdown(struct supervisor *s)
{
	s->ending = true;
	list_each(&s->workers, at) container_of(at, struct worker, link)->wanted = false;
	/* A circle can be made over the API, by removing and adding: then nobody is first, and all go. */
	return !stop_those_nobody_needs(s, false) && !stop_those_nobody_needs(s, true);
}
