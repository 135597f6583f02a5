/* pipeline.h - graphs of capability calls with fan-out and fan-in, and their durable runs.
 *
 *   steps:                                  run ──► parse ──item──► classify (one job per item, while parse still runs)
 *     - {id: parse, capability: email.parse}                            │
 *     - {id: classify, capability: email.classify, each: parse}         ▼ all ended
 *     - {id: insights, capability: email.insights, gather: classify}  insights ──► the run's result
 *
 * A step is one job, or with `each` one job per item of another step: an item IS the payload of the job it becomes, and
 * both are one store batch. A run writes nothing per item: how far it is follows from the items and the jobs that they
 * became, so a restarted engine counts them again. When every job of an `each` step has ended its items are gathered into
 * one blob, NDJSON sorted by key: {"key":N, ...members of the item, ...members of the result} or, for one that failed,
 * {"key":N, ...members of the item, "error":{"code","message"}}. The step that `gather`s gets {"blob":..., "items":n,
 * "items_failed":n, "<step>":result of the step that emitted}. A failed item does not fail the run: it is counted.
 *
 * INVARIANTS  A run is in the store before it is acknowledged. A step's job and the run's change are one batch. Each item
 * becomes one job. Loop thread only. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "blob/blob.h"
#include "queue/queue.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { PIPELINE_STEPS_MAX = 32, PIPELINE_NAME_MAX = 128, RUN_INPUT_MAX_BYTES = JOB_INPUT_MAX_BYTES };

/* ── definitions ── */

enum step_source { STEP_FROM_RUN, STEP_AFTER, STEP_EACH, STEP_GATHER };

struct step {
	char *id, *capability;
	enum step_source source;
	int of; /* index of the step that `after`, `each`, `gather` names; -1 for STEP_FROM_RUN */
	char *with; /* JSON object text: members that the input gets where it has none of that name; or NULL */
	unsigned in_flight; /* `each`: jobs alive at once before the emitter waits (default 256) */
	int64_t timeout_ms; /* 0: the capability's */
	int max_attempts; /* 0: the capability's */
};

struct pipeline {
	char *name, *description, *version;
	struct step steps[PIPELINE_STEPS_MAX]; /* in an order in which every source stands before its user */
	int step_n;
	int output; /* the step whose result is the run's */
};

extern const char pipeline_schema[]; /* JSON Schema of one definition, for the configuration and the API */

/* From JSON that is valid against pipeline_schema. E_INVALID names the step and what would be right (unknown step, cycle,
 * `gather` of a step that has no `each`, two with one id ...). */
enum errcode pipeline_parse(const json_t *definition, struct pipeline **out, struct err *e);
void pipeline_free(struct pipeline *p);
json_t *pipeline_json(const struct pipeline *p); /* as the API shows it; the caller's */

/* ── runs ── */

struct pipelines; /* all definitions and all live runs of this node */
struct loop;

struct pipelines *pipelines_new(struct store *store, struct queues *queues, struct blobs *blobs);
/* Reads runs back; after queues_load. Steps whose every job has ended meanwhile go on with the first tick. */
enum errcode pipelines_load(struct pipelines *ps, int64_t now_ms, struct err *e);
void pipelines_free(struct pipelines *ps);
void pipelines_define(
	struct pipelines *ps, struct pipeline *p); /* takes p; replaces one of that name; live runs keep theirs */
const struct pipeline *pipelines_find(const struct pipelines *ps, struct bytes name); /* or NULL */
const struct pipeline *pipelines_at(const struct pipelines *ps, size_t i); /* NULL past the end */

/* Called by the wiring from the hooks of the queue (queue.h). */
void pipelines_item(
	struct pipelines *ps, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes);
void pipelines_ending(struct pipelines *ps, struct job *j, const struct job_outcome *o, struct store_batch *b);
void pipelines_ended(struct pipelines *ps, struct job *j, const struct job_outcome *o);
void pipelines_progress(struct pipelines *ps, struct job *j, int percent, struct bytes message);
void pipelines_tick(struct pipelines *ps, int64_t now_ms);
/* Bounded fan-out: true while the items of j (not ended) must wait because `in_flight` of the jobs that they became are
 * alive. `resume` is called with its id when they need not any more. */
bool pipelines_emit_waits(struct pipelines *ps, const struct job *j);
void pipelines_set_resume(struct pipelines *ps, void (*resume)(void *context, uint64_t job_id), void *context);

struct run_spec {
	struct bytes namespace, pipeline, input; /* input: JSON object; empty: {} */
	struct bytes traceparent; /* of its jobs (job.h), or empty */
	int priority; /* of its jobs; JOB_PRIORITY_DEFAULT */
};
/* E_NOT_FOUND, E_INVALID; else `done` once, when the run and its first job are durable. */
enum errcode pipelines_start(struct pipelines *ps, const struct run_spec *spec, int64_t now_ms,
	void (*done)(void *context, enum errcode code, uint64_t run_id), void *context, struct err *e);
/* As a part of the caller's batch, as queues_submit_in. */
enum errcode pipelines_start_in(struct pipelines *ps, struct store_batch *b, const struct run_spec *spec,
	int64_t now_ms, uint64_t *run_id, struct err *e);
bool pipelines_lives(struct pipelines *ps, uint64_t run_id); /* it is not over */
enum errcode pipelines_cancel(struct pipelines *ps, uint64_t run_id, int64_t now_ms, struct err *e);

enum run_state { RUN_RUNNING, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED };
const char *run_state_word(enum run_state s);

/* A run as JSON: {"run_id","pipeline","namespace","status","submitted_at","finished_at","items","items_failed",
 * "items_blob":"sha256:..."|null,"steps":[{"id","capability","status","job_id","total","completed","failed","percent"}],
 * "result":...,"error":{...}}. Asynchronous since one that is over is read from the store. `json` is borrowed; E_NOT_FOUND. */
typedef void run_show_done(void *context, enum errcode code, struct bytes json);
void pipelines_show(struct pipelines *ps, uint64_t run_id, run_show_done *done, void *context);
/* {"runs":[...without results...],"cursor":"..."|null}; newest first; namespace and pipeline may be empty. */
void pipelines_list(struct pipelines *ps, struct bytes namespace, struct bytes pipeline, uint64_t before,
	unsigned limit, run_show_done *done, void *context);
/* Calls back once when the run is over or never heard of (E_NOT_FOUND), perhaps before it returns. The handle is freed with
 * run_wait_free, at any time. */
struct run_wait;
struct run_wait *pipelines_wait(
	struct pipelines *ps, uint64_t run_id, void (*over)(void *context, enum errcode code), void *context);
void run_wait_free(struct run_wait *w);
/* Called on every change of a live run that a person may want to see (for events); at most once a tick per run. */
void pipelines_set_watch(
	struct pipelines *ps, void (*changed)(void *context, uint64_t run_id, enum run_state state), void *context);
