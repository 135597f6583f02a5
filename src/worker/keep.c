#include "worker/parts.h"

#include <stdio.h>
#include <string.h>

uint64_t keep_chance(struct supervisor *s)
{
	uint64_t z = s->chance += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

int64_t keep_now(struct supervisor *s)
{
	return s->calls.now_ms(s->calls.context);
}

/* What is asked of it changes with its state. */
static void probe(struct supervisor *s, struct instance *i)
{
	if (s->calls.probe)
		s->calls.probe(s->calls.context, i);
}

/* The table was looked at before: a refusal here is a bug of the supervisor or a late event of a runner; both are no reason to end. */
bool keep_move(struct supervisor *s, struct instance *i, enum instance_state to)
{
	enum instance_state from = i->state;
	if (instance_move(i, to, keep_now(s), NULL) != E_OK)
		return false;
	if (from == INSTANCE_RUNNING || from == INSTANCE_STARTING)
		probe(s, i);
	s->calls.changed(s->calls.context, i, from);
	return true;
}

/* ── one instance ── */

void keep_wake_at(struct supervisor *s, int64_t at_ms)
{
	s->calls.wake(s->calls.context, at_ms);
}

static void forget_health(struct instance *i)
{
	memset(i->health, 0, sizeof i->health);
	i->awaits_startup = false;
	i->ready = i->healthy = i->worker->health[HEALTH_READINESS].type == HEALTH_NONE;
}

static void dismiss(struct supervisor *s, struct instance *i)
{
	struct worker *w = i->worker;
	s->calls.gone(s->calls.context, i);
	instance_free(i);
	if (w->removing && list_empty(&w->instances)) {
		list_remove(&w->link);
		s->calls.worker_gone(s->calls.context, w);
		worker_free(w);
	}
}

void keep_look_again(struct supervisor *s)
{
	s->look_again = true;
	keep_wake_at(s, keep_now(s));
}

static int64_t ran_ms(struct supervisor *s, const struct instance *i)
{
	return i->started_at_ms ? keep_now(s) - i->started_at_ms : 0;
}

static void try_again(struct supervisor *s, struct instance *i, int64_t wait_ms)
{
	i->next_try_at_ms = keep_now(s) + wait_ms;
	keep_wake_at(s, i->next_try_at_ms);
}

/* The instance has failed and its failure is written down: decide what is next. */
static void after_failure(struct supervisor *s, struct instance *i)
{
	struct restart_cause cause = {.trigger = RESTART_EXIT,
		.severity = RESTART_CRITICAL,
		.ran_ms = ran_ms(s, i),
		.hopeless = !i->last_error.recoverable};
	i->next_try_at_ms = 0;
	if (i->leaving || s->ending || !i->worker->wanted) {
		keep_move(s, i, INSTANCE_STOPPED);
		if (i->leaving || s->ending)
			dismiss(s, i);
		return;
	}
	int64_t wait = i->restart_wanted
					   ? i->restart_wait_ms
					   : restart_decide(&i->worker->restart, &i->breaker, &cause, keep_now(s), keep_chance(s));
	i->restart_wanted = false;
	if (wait >= 0)
		try_again(s, i, wait);
	else if (i->worker->essential && s->calls.essential_lost)
		s->calls.essential_lost(s->calls.context, i);
	/* else it stays failed, for everyone to see, until somebody starts or stops it */
}

void keep_fail(struct supervisor *s, struct instance *i)
{
	i->pid = 0;
	if (i->state == INSTANCE_STOPPING) { /* it died while it was asked to stop: that is stopped, too */
		bool left_behind = i->worker->type == WORKER_MODULE && strcmp(i->last_error.phase, "stop") == 0;
		keep_move(s, i, left_behind ? INSTANCE_FAILED : INSTANCE_STOPPED);
		if (i->leaving || s->ending) {
			dismiss(s, i);
		} else if (i->restart_wanted) {
			try_again(s, i, i->restart_wait_ms);
		}
		return;
	}
	if (keep_move(s, i, INSTANCE_FAILED))
		after_failure(s, i);
}

void keep_start(struct supervisor *s, struct instance *i)
{
	struct err e;
	bool again = i->state != INSTANCE_INITIALIZED;
	i->next_try_at_ms = 0;
	i->restart_wanted = i->draining = false;
	i->restart_wait_ms = i->started_at_ms = 0;
	forget_health(i);
	if (i->history_n > 3)
		i->restarts++;
	if (!keep_move(s, i, INSTANCE_STARTING))
		return;
	keep_wake_at(s, keep_now(s) + i->worker->start_timeout_ms + 1);
	enum errcode code = again && s->calls.resolve ? s->calls.resolve(s->calls.context, i, &e) : E_OK;
	if (code == E_OK)
		code = i->runner->start(i, &e);
	if (code == E_OK)
		return;
	instance_set_error(i, "start", "start", e.code != E_INVALID && e.code != E_NOT_FOUND, keep_now(s), "%s", e.text);
	keep_fail(s, i);
}

void keep_initialized(struct supervisor *s, struct instance *i, const struct err *error)
{
	if (i->state != INSTANCE_INITIALIZING)
		return;
	if (error) {
		instance_set_error(i, "config", "initialize", false, keep_now(s), "%s", error->text);
		keep_fail(s, i);
		return;
	}
	keep_move(s, i, INSTANCE_INITIALIZED);
	keep_start(s, i); /* from `initialized` there is one way on; a stop that came meanwhile takes effect when it runs */
}

void keep_create(struct supervisor *s, struct worker *w)
{
	struct instance *i =
		instance_new(w, s->calls.runner(s->calls.context, w), NULL, (uint32_t)keep_chance(s), keep_now(s));
	struct err e;
	bool later = false;
	keep_move(s, i, INSTANCE_INITIALIZING);
	enum errcode code = s->calls.initialize(s->calls.context, i, &later, &e);
	if (code != E_OK)
		keep_initialized(s, i, &e);
	else if (!later)
		keep_initialized(s, i, NULL);
}

void keep_kill(struct supervisor *s, struct instance *i, const char *category, const char *why)
{
	struct instance_error error =
		instance_error_of(category, i->state == INSTANCE_STARTING ? "start" : "run", true, keep_now(s), "%s", why);
	i->runner->kill(i, &error);
}

void keep_stop(struct supervisor *s, struct instance *i)
{
	switch (i->state) {
	case INSTANCE_RUNNING:
		i->draining = true;
		if (keep_move(s, i, INSTANCE_STOPPING))
			i->runner->stop(i, i->worker->stop_timeout_ms);
		break;
	case INSTANCE_STARTING: /* no arrow to `stopping`: it is ended, which is a failed start, and then stopped */
		keep_kill(s, i, "stop", "stopped while it was starting");
		break;
	case INSTANCE_FAILED:
		i->next_try_at_ms = 0;
		keep_move(s, i, INSTANCE_STOPPED);
		/* fall through */
	case INSTANCE_STOPPED:
		i->next_try_at_ms = 0;
		if (i->leaving)
			dismiss(s, i);
		break;
	default:
		break; /* initializing: supervisor_initialized goes on; stopping: under way */
	}
}

/* ── events of the runners ── */

static void run(struct supervisor *s, struct instance *i)
{
	if (!keep_move(s, i, INSTANCE_RUNNING))
		return;
	i->started_at_ms = keep_now(s);
	if (i->leaving || s->ending || !i->worker->wanted) {
		keep_stop(s, i);
		return;
	}
	probe(s, i);
	keep_look_again(s);
}

static void on_running(void *context, struct instance *i)
{
	struct supervisor *s = context;
	i->awaits_startup = i->state == INSTANCE_STARTING && i->worker->health[HEALTH_STARTUP].type != HEALTH_NONE;
	if (i->awaits_startup)
		probe(s, i);
	else
		run(s, i);
}

static void on_credit(void *context, struct instance *i)
{
}

static void on_stopped(void *context, struct instance *i)
{
	struct supervisor *s = context;
	i->pid = 0;
	if (i->state == INSTANCE_RUNNING) { /* it ended well, by itself */
		i->draining = true;
		keep_move(s, i, INSTANCE_STOPPING);
		struct restart_cause cause = {
			.trigger = RESTART_EXIT, .severity = RESTART_WARNING, .ran_ms = ran_ms(s, i), .clean = true};
		i->restart_wait_ms = restart_decide(&i->worker->restart, &i->breaker, &cause, keep_now(s), keep_chance(s));
		i->restart_wanted = i->restart_wait_ms >= 0;
	}
	if (!keep_move(s, i, INSTANCE_STOPPED))
		return;
	if (i->leaving || s->ending) {
		dismiss(s, i);
	} else if (i->restart_wanted && i->worker->wanted) {
		try_again(s, i, i->restart_wait_ms);
	}
}

static void on_failed(void *context, struct instance *i, const struct instance_error *error)
{
	struct supervisor *s = context;
	if (error)
		i->last_error = *error;
	if (i->last_error.at_ms == 0)
		i->last_error.at_ms = keep_now(s);
	keep_fail(s, i);
}

/* ── health ── */

static void set_healthy(struct supervisor *s, struct instance *i, bool changed)
{
	i->healthy = i->ready && i->health[HEALTH_LIVENESS].status != HEALTH_UNHEALTHY;
	if (changed && s->calls.health)
		s->calls.health(s->calls.context, i);
}

static void fail_startup(struct supervisor *s, struct instance *i)
{
	const struct health_state *h = &i->health[HEALTH_STARTUP];
	i->awaits_startup = false;
	probe(s, i);
	struct instance_error error = instance_error_of(
		"health", "start", true, keep_now(s), "its startup probe failed %u times in a row: %s", h->failures, h->why);
	i->runner->kill(i, &error);
}

/* It lives no more: drained as far as it still can be, and started again, where its policy says so. */
static void restart_unhealthy(struct supervisor *s, struct instance *i)
{
	const struct health_state *h = &i->health[HEALTH_LIVENESS];
	struct restart_cause cause = {.trigger = RESTART_HEALTH, .severity = RESTART_CRITICAL, .ran_ms = ran_ms(s, i)};
	int64_t wait = restart_decide(&i->worker->restart, &i->breaker, &cause, keep_now(s), keep_chance(s));
	if (wait < 0)
		return;
	instance_set_error(i, "health", "run", true, keep_now(s),
		"unhealthy: its liveness probe failed %u times in a row: %s", h->failures, h->why);
	i->restart_wanted = true;
	i->restart_wait_ms = wait;
	keep_stop(s, i);
}

static void answer_startup(struct supervisor *s, struct instance *i)
{
	enum health_status status = i->health[HEALTH_STARTUP].status;
	if (!i->awaits_startup)
		return;
	if (status == HEALTH_UNHEALTHY)
		fail_startup(s, i);
	if (status != HEALTH_HEALTHY)
		return;
	i->awaits_startup = false;
	run(s, i);
}

static bool is_restarted(const struct instance *i)
{
	int restart = i->worker->health[HEALTH_LIVENESS].restart;
	return restart >= 0 ? restart : !instance_speaks_for_itself(i);
}

void keep_answer(
	struct supervisor *s, struct instance *i, enum health_question q, enum health_answer answer, const char *why)
{
	bool changed = health_count(&i->worker->health[q], &i->health[q], answer, why ? why : "", keep_now(s));
	enum health_status status = i->health[q].status;
	if (q == HEALTH_STARTUP) {
		answer_startup(s, i);
		return;
	}
	if (q == HEALTH_READINESS && status != HEALTH_DEGRADED) {
		i->ready = status == HEALTH_HEALTHY;
		keep_look_again(s);
	}
	set_healthy(s, i, changed);
	if (q == HEALTH_LIVENESS && status == HEALTH_UNHEALTHY && i->state == INSTANCE_RUNNING && is_restarted(i))
		restart_unhealthy(s, i);
}

static void on_health(void *context, struct instance *i, enum health_answer answer, const char *why)
{
	if (instance_speaks_for_itself(i) || answer == HEALTH_STUCK)
		keep_answer(context, i, HEALTH_LIVENESS, answer, why);
}

struct instance_events keep_events(struct supervisor *s)
{
	return (struct instance_events){.context = s,
		.running = on_running,
		.credit = on_credit,
		.stopped = on_stopped,
		.failed = on_failed,
		.health = on_health};
}
