/* schedule.h - schedules: rules that make jobs (or start runs) at times.
 *
 *   daemon ── tick(now) ──► due? ── missed, overlap ──► one batch: the jobs made + how far the schedule is
 *
 * An OCCURRENCE is a moment that the rule names (timing.h). Each is decided once: made, or left out because it was missed, or
 * because the job before still lives. How far a schedule is (`decided`: every occurrence up to it has its answer) is written in
 * the batch that makes the jobs. So whenever the engine dies, each occurrence makes what it makes exactly once; and a clock that
 * goes back finds them decided already.
 *
 * MISSED   (nobody was there: the daemon was down, the schedule paused, the disk full, the clock jumped) When several
 *          occurrences are due at once, `once` makes the newest of them, `skip` that one only if it is not older than `grace`,
 *          `all` makes each, but not more than the newest SCHEDULE_CATCH_UP_MAX.
 * OVERLAP  (what an earlier occurrence made has not ended) `skip` leaves the new one out, `allow` makes it all the same,
 *          `cancel_previous` cancels the old, `queue_one` lets one occurrence wait for the end of the old, and leaves others out.
 *
 * Loop thread only, except schedule_parse. The clock is a parameter: the wall clock as people see it, not one that goes on from
 * where it was when somebody sets it back. No I/O of its own: batches go to queues_commit. What a
 * schedule makes is not its business: struct schedule_maker is filled by the wiring. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "queue/queue.h"
#include "schedule/timing.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	SCHEDULES_MAX = 10000,
	SCHEDULE_CATCH_UP_MAX = 1000,
	SCHEDULE_LAST_MAX = 10, /* occurrences made that a schedule remembers */
};
#define SCHEDULE_GRACE_MS	   60000
#define SCHEDULE_JITTER_MAX_MS (24LL * 3600 * 1000)

/* ── definitions ── */

enum schedule_missed { SCHEDULE_MISSED_ONCE, SCHEDULE_MISSED_SKIP, SCHEDULE_MISSED_ALL };
enum schedule_overlap {
	SCHEDULE_OVERLAP_SKIP,
	SCHEDULE_OVERLAP_ALLOW,
	SCHEDULE_OVERLAP_QUEUE_ONE,
	SCHEDULE_OVERLAP_CANCEL_PREVIOUS
};

struct schedule_definition {
	char *name, *namespace;
	struct timing timing;
	enum schedule_missed missed;
	enum schedule_overlap overlap;
	int64_t grace_ms, jitter_ms;
	bool enabled;
	bool makes_job; /* as POST /v1/jobs takes it; else a run: */
	char *pipeline;
	int priority; /* of the run */
	json_t *json; /* all of it, as it was given */
};

extern const char *const schedule_schema; /* JSON Schema of one definition, for the configuration and the API */

/* From JSON that is valid against schedule_schema. E_INVALID, E_NOT_FOUND (timezone): `pointer` gets the member's name with a
 * slash before it. Reads zones: blocks. Any thread. */
enum errcode schedule_parse(const json_t *json, struct schedule_definition **out, char pointer[64], struct err *e);
/* Only what says when: every or cron, timezone, start, end. */
enum errcode schedule_parse_timing(const json_t *json, struct timing *out, char pointer[64], struct err *e);
/* JSON text, the caller's: the job, or the run's input, of the occurrence at_ms. */
char *schedule_job(const struct schedule_definition *d, int64_t at_ms);
char *schedule_run_input(const struct schedule_definition *d, int64_t at_ms);
void schedule_definition_free(struct schedule_definition *d);

/* ── the set ── */

struct schedule_maker { /* what an occurrence becomes; filled by the wiring */
	void *context;
	/* Adds what the occurrence at_ms makes to the batch; its id (of the job, or of the run) goes to *id. It is not to be started
	 * before delay_ms have passed. */
	enum errcode (*make)(void *context, const struct schedule_definition *d, int64_t at_ms, int64_t delay_ms,
		struct store_batch *b, uint64_t *id, struct err *e);
	bool (*lives)(void *context, const struct schedule_definition *d, uint64_t id);
	void (*cancel)(void *context, const struct schedule_definition *d, uint64_t id);
};

struct schedules;
struct schedule;
struct events;

/* events: schedule.fired, schedule.missed, schedule.skipped, schedule.failed; may be NULL. */
struct schedules *schedules_new(struct queues *queues, struct events *events, const struct schedule_maker *maker);
/* Reads them back; after queues_load and pipelines_load. One that cannot be read (its zone is gone) is left out, and stays in
 * the store; `refused` (may be NULL) hears of it. */
enum errcode schedules_load(struct schedules *ss, struct store *store, int64_t now_ms,
	void (*refused)(struct bytes key, const struct err *why), struct err *e);
void schedules_free(struct schedules *ss); /* before queues_free */

enum schedule_origin { SCHEDULE_FROM_CONFIG, SCHEDULE_FROM_API };

struct schedule_last { /* an occurrence that was made */
	int64_t at_ms; /* the occurrence; of one made by hand: when */
	int64_t made_at_ms;
	uint64_t id; /* of the job or run */
};

struct schedule_info {
	const struct schedule_definition *definition;
	enum schedule_origin origin;
	bool paused;
	int64_t created_at_ms;
	int64_t next_ms; /* or TIMING_NEVER; also of a paused one */
	int64_t waiting_ms; /* the occurrence that waits for the end of the job before; 0: none */
	uint64_t made, missed, skipped, failed; /* occurrences, ever */
	const struct schedule_last *last; /* newest first */
	size_t last_n;
	const char *error; /* why the last one that failed did, or "" */
};

struct schedule *schedules_find(struct schedules *ss, struct bytes namespace, struct bytes name); /* or NULL */
struct schedule *schedules_at(
	struct schedules *ss, size_t i); /* in the order of namespace and name; NULL past the end */
void schedule_get_info(const struct schedule *s, struct schedule_info *out);

/* Each change is in force at once and durable when `done` is called (NULL: nobody asks). */
typedef void schedule_done(void *context, enum errcode code);
/* Takes d. A new one begins with the occurrences after now; one that is there goes on, unless what says when it happens changed:
 * then it begins anew, too. E_CONFLICT: the configuration's, which only the configuration changes. E_LIMIT. */
enum errcode schedules_put(struct schedules *ss, struct schedule_definition *d, enum schedule_origin origin,
	int64_t now_ms, schedule_done *done, void *context, struct err *e);
enum errcode schedules_remove(struct schedules *ss, struct schedule *s, schedule_done *done, void *context,
	struct err *e); /* E_CONFLICT as above */
void schedules_pause(
	struct schedules *ss, struct schedule *s, bool paused, int64_t now_ms, schedule_done *done, void *context);
/* One more, now, whatever its rule says. */
enum errcode schedules_run(struct schedules *ss, struct schedule *s, int64_t now_ms, uint64_t *id, schedule_done *done,
	void *context, struct err *e);
/* The configuration's, as they are from now on: takes the definitions; those that are no longer among them go. E_LIMIT: not all. */
enum errcode schedules_declare(
	struct schedules *ss, struct schedule_definition **definitions, size_t n, int64_t now_ms, struct err *e);

/* What is due is made. Returns when to be called next. */
int64_t schedules_tick(struct schedules *ss, int64_t now_ms);
void schedules_ended(
	struct schedules *ss, uint64_t id, int64_t now_ms); /* a job or run is over: somebody may wait for that */
