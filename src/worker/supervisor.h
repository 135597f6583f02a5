/* supervisor.h - keeps the wanted number of instances of every worker running: desired state in, transitions out.
 *
 * Pure: the clock is a parameter, chance comes from a seed, and all effects go through runner_ops and struct supervisor_calls.
 * Loop thread only.
 *
 *  - whether and when a failed instance is started again: worker/restart.h; one whose breaker is open stays `failed` until
 *    someone starts or stops it
 *  - stop: drain, then the tree is ended after stop_timeout_ms; start limit: start_timeout_ms, "… startup timeout"
 *  - an instance that is scaled away or whose worker is removed goes when it has stopped */
#pragma once
#include "worker/instance.h"
#include "worker/worker.h"

struct supervisor;

struct supervisor_calls { /* set once by the wiring; none may be NULL but where said */
	void *context;
	/* Which runner a worker of this type has. */
	const struct runner_ops *(*runner)(void *context, const struct worker *w);
	/* Finds the code and checks it and the configuration ("initializing"). E_OK: done. It may set *later: then
	 * supervisor_initialized() follows. Otherwise the sentence becomes the instance's error. */
	enum errcode (*initialize)(void *context, struct instance *i, bool *later, struct err *e);
	/* The same for a start that does not follow `initializing` (a retry, a restart): the files may have changed. May be NULL. */
	enum errcode (*resolve)(void *context, struct instance *i, struct err *e);
	/* After every transition; capabilities are known when it is `running`. */
	void (*changed)(void *context, struct instance *i, enum instance_state from);
	void (*health)(void *context, struct instance *i); /* a status in i->health changed; may be NULL */
	/* What is to be asked of i may have changed: startup while it awaits that, readiness and liveness while it runs, else
	 * nothing. Answers come by supervisor_answer. May be NULL. */
	void (*probe)(void *context, struct instance *i);
	/* Before i is freed: last chance to forget it. */
	void (*gone)(void *context, struct instance *i);
	void (*worker_gone)(void *context, struct worker *w); /* removed, with all instances ended; freed afterwards */
	/* supervisor_tick should be called at this time (Unix ms) or earlier. */
	void (*wake)(void *context, int64_t at_ms);
	int64_t (*now_ms)(void *context);
	void (*essential_lost)(void *context, const struct instance *i); /* it was given up; may be NULL */
	void (*by_hand)(void *context, const struct worker *w); /* w->wanted was set by someone; may be NULL */
};

struct supervisor *supervisor_new(const struct supervisor_calls *calls, uint64_t seed);
void supervisor_free(
	struct supervisor *s); /* all workers are freed; their instances must have ended or are abandoned */
struct instance_events supervisor_events(struct supervisor *s); /* what runners must be given */

/* ── workers ── Takes w. E_CONFLICT: its id is known. Starts its instances when it is enabled. */
enum errcode supervisor_add(struct supervisor *s, struct worker *w, struct err *e);
/* Stops its instances; worker_gone follows. */
enum errcode supervisor_remove(struct supervisor *s, const char *id, struct err *e);
struct worker *supervisor_find(struct supervisor *s, const char *id); /* NULL: none */
struct instance *supervisor_find_instance(struct supervisor *s, const char *id);
struct list *supervisor_workers(struct supervisor *s); /* of struct worker.link */

/* ── by hand ── E_NOT_FOUND; E_STATE when the state does not allow it. They begin; supervisor_calls.changed tells how it ends. */
enum errcode supervisor_start(struct supervisor *s, const char *id, struct err *e);
enum errcode supervisor_stop(struct supervisor *s, const char *id, struct err *e);
/* Not forced: drains; refused (E_STATE) while a failed instance waits out its backoff or was given up. Forced: kills, and starts at once. */
enum errcode supervisor_restart(struct supervisor *s, const char *id, bool force, struct err *e);
enum errcode supervisor_scale(
	struct supervisor *s, const char *id, unsigned replicas, struct err *e); /* outside min..max: E_INVALID */
/* Ends one instance that no longer obeys (a stuck handler); counted as a failure. */
void supervisor_kill(struct supervisor *s, struct instance *i, const char *why);

/* An instance that was started by an earlier engine and lives: made under its old id, in state `starting`; the caller then lets
 * the runner adopt it. NULL: no such worker or it is not wanted. Before the worker's own instances are started:
 * call supervisor_add with `hold`, adopt, then supervisor_go. */
struct instance *supervisor_adopt(struct supervisor *s, const char *worker_id, const char *instance_id);
void supervisor_hold(
	struct supervisor *s, bool hold); /* while held, nothing is started; letting go starts what is missing */

/* The engine before crashed in a module of this worker, for the n-th time within its window: counted as a failure of an instance,
 * which waits out its backoff or is given up. While held. */
void supervisor_blame(struct supervisor *s, const char *worker_id, unsigned n, const char *evidence);

/* The worker runs as the other type from now on: what runs is drained, others are started at once. */
void supervisor_set_type(struct supervisor *s, struct worker *w, enum worker_type type);
/* It stays off, as a failed instance shows, until somebody starts it. */
void supervisor_quarantine(struct supervisor *s, struct worker *w, const char *why);

void supervisor_initialized(struct supervisor *s, struct instance *i, const struct err *error); /* error NULL: well */
void supervisor_answer(
	struct supervisor *s, struct instance *i, enum health_question q, enum health_answer answer, const char *why);
void supervisor_tick(struct supervisor *s, int64_t now_ms);
/* Stops everything, a worker before those it comes after: to be called again after each transition. True when nothing is left to
 * wait for. Nothing is started any more. */
bool supervisor_shutdown(struct supervisor *s);
