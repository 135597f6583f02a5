/* api.h - the HTTP API: one file per resource, each with its const route table at the top. Loop thread only.
 *
 * It knows the parts of the engine by their headers and gets them in struct api from the wiring. What changes how the engine
 * is put together (adding a worker) goes back up through struct api_calls. Shapes: docs/reference/http-api.md. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "batch/batches.h"
#include "blob/blob.h"
#include "blob/collect.h"
#include "claim/claim.h"
#include "callback/callback.h"
#include "dispatch/dispatch.h"
#include "http/http.h"
#include "loop/loop.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "queue/wait.h"
#include "registry/registry.h"
#include "schedule/schedule.h"
#include "worker/supervisor.h"

#include <jansson.h>

#define API_INVOKE_TIMEOUT_MS 30000
#define API_WAIT_MAX_MS		  (5 * 60 * 1000) /* of ?wait= */
#define API_LIST_DEFAULT	  100
#define API_LIST_MAX		  1000

struct api;
struct schema; /* schema/schema.h */
struct events; /* event/event.h */
struct metrics; /* metrics/metrics.h */
struct outputs; /* log/output.h */

struct api_calls { /* what the wiring does for the API */
	void *context;
	enum errcode (*add_worker)(void *context, const json_t *declaration, struct err *e);
	enum errcode (*remove_worker)(void *context, const char *id, struct err *e);
	enum errcode (*promote_worker)(void *context, const char *id, struct err *e);
};

struct api {
	struct loop *loop;
	struct store *store;
	struct queues *queues;
	struct waits *waits;
	struct blobs *blobs;
	struct blob_collector *collector;
	int64_t keep_unused_ms; /* of blobs */
	struct callbacks *callbacks;
	struct batches *batches;
	const struct allow *allow; /* whom a callback may reach */
	struct pipelines *pipelines;
	struct schedules *schedules;
	struct registry *registry;
	struct supervisor *supervisor;
	struct dispatch *dispatch;
	struct claims *claims;
	struct events *events;
	struct metrics *metrics;
	struct outputs *outputs;
	struct api_calls calls;
	const char *node, *data_dir, *socket;
	int64_t started_at_ms;
	int keeper_pid; /* 0: none */
	const bool *recovering, *stopping; /* the daemon's */
	bool backing_up; /* the API's own, too: see collect.h */
	bool collects; /* the API's own: `metrics` knows what to ask it */
};

extern const struct http_route *const api_routes[]; /* tables, NULL last: struct http_options.routes */

extern const struct http_route backup_routes[], batch_routes[], blob_routes[], callback_routes[], capability_routes[],
	claim_routes[], dead_routes[], event_routes[], health_routes[], invoke_routes[], job_routes[], log_routes[],
	metric_routes[], namespace_routes[], openapi_routes[], pipeline_routes[], queue_routes[], run_routes[],
	schedule_routes[], status_routes[], worker_routes[];

/* A job, live or over, as the API shows it; E_NOT_FOUND. job_json.c */
enum errcode api_job_json(struct api *a, uint64_t id, struct buf *out, struct err *e);

const char *api_status_of(struct api *a, uint64_t id); /* its word, or NULL: unknown. job_json.c */

/* As queue_cancel and queue_move; of a job that is over, E_STATE says so. For clients of the link, too. job_change.c */
enum errcode job_change_cancel(struct api *a, uint64_t id, queue_done *done, void *context, struct err *e);
enum errcode job_change_move(
	struct api *a, uint64_t id, const struct job_move *to, queue_done *done, void *context, struct err *e);

void api_add_job(struct buf *out, const struct job_view *v, struct bytes result); /* result empty: null */
void api_add_error(struct buf *out, const struct job_error *error);
void api_add_time(struct buf *out, const char *name, int64_t at_ms); /* ,"name":"..."; 0: null */
void api_submit(void *context, struct http_request *r); /* POST /v1/jobs; submit.c */
void api_submit_lines(void *context, struct http_request *r); /* the same, NDJSON; submit_stream.c */
bool api_submit_piece(void *context, struct http_request *r, struct bytes piece);
/* Which jobs a request means, by its query; what is not asked for is NULL. job_filter.c */
struct job_filter {
	char *namespace, *capability, *key, *tag, *code;
	int64_t finished_before_ms; /* INT64_MAX: all; else only jobs that are over */
};
bool job_filter_read(struct http_request *r, int64_t now_ms, struct job_filter *out); /* false: it is answered */
bool job_filter_fits(const struct job_filter *f, const struct job_view *v); /* any thread */
void job_filter_fini(struct job_filter *f);
void api_queue_stats(void *context, struct http_request *r); /* GET /queue-stats; queue_stats.c */
void api_create_batch(void *context, struct http_request *r); /* POST /v1/batches; submit.c */
void api_add_to_batch(void *context, struct http_request *r); /* POST /v1/batches/{batch_id}/jobs; submit.c */
void api_batch_jobs(void *context, struct http_request *r); /* GET /v1/batches/{batch_id}/jobs; batch_jobs.c */
void api_batch_results(void *context, struct http_request *r); /* GET /v1/batches/{batch_id}/results; batch_jobs.c */
void api_list_jobs(void *context, struct http_request *r); /* GET /v1/jobs; job_list.c */
void api_move_job(void *context, struct http_request *r); /* PATCH /v1/jobs/{job_id}; job_move.c */
void api_list_dead(void *context, struct http_request *r); /* GET /v1/dead; job_list.c */
void api_replay_dead(void *context, struct http_request *r); /* POST /v1/dead/replay; dead_all.c */
void api_purge_dead(void *context, struct http_request *r); /* DELETE /v1/dead; dead_all.c */
/* /v1/blobs/...; blob_list.c */
void api_list_blobs(void *context, struct http_request *r);
void api_get_blob(void *context, struct http_request *r);
void api_verify_blob(void *context, struct http_request *r);
void api_collect_blobs(void *context, struct http_request *r);
/* Jobs as a client asks for them. submission_parse runs on any thread and touches nothing else. submit_parse.c */
struct submission {
	struct buf body; /* what the specs point into */
	int64_t now_ms;
	struct bytes namespace, idempotency_key, traceparent; /* of the request: for jobs that do not say */
	const struct allow *allow; /* whom a callback may reach; NULL: anybody */
	bool many; /* set by what the body is */
	struct batch_spec batch; /* of submission_parse_batch */
	struct job_spec *specs;
	size_t n, room;
	char **texts; /* decoded strings */
	size_t text_n;
	struct err error;
	int status; /* of the answer to the error; 0: by its code */
	char pointer[300]; /* of what is wrong in the body, or "" */
};
enum errcode submission_parse(struct submission *s); /* fills error and pointer when it fails */
/* Adds the job of one line, which the caller keeps; after a failure the others are as before. */
enum errcode submission_parse_line(struct submission *s, struct bytes line);
enum errcode submission_parse_batch(
	struct submission *s); /* as submission_parse; a batch may have no jobs. batch_parse.c */
enum errcode submission_parse_list(struct submission *s, struct bytes list); /* "jobs" */
void submission_fini(struct submission *s);
/* Does the input fit? schema NULL: it does. *status: of the answer; pointer: within the job. Any thread. submit_check.c */
enum errcode api_check_input(
	const struct schema *schema, const struct job_spec *spec, int *status, char pointer[300], struct err *e);
/* "pending", or how it ended: perhaps it was quicker than we. */
const char *api_submitted_status(struct api *a, uint64_t id);

/* payload.c: do inputs name blobs, or are they too large for a row? Then this uses the ones and makes blobs of the others; it blocks.
 * Fills error, status and pointer when it fails: 422 for a blob that is not there. */
bool api_has_blobs(const struct submission *s);
enum errcode api_use_blobs(struct blobs *b, struct submission *s);
enum errcode api_use_blob(struct blobs *b, struct submission *s, struct job_spec *spec); /* of one; no pointer */

/* One job that is kept to be made later; as submission_parse, and submission_fini follows in any case. job_template.c */
enum errcode job_template_parse(
	struct submission *s, struct bytes namespace, const struct allow *allow, const char *text, int64_t now_ms);

/* ,"limits":{...},"limits_from":"api"; queues.c */
void api_add_limits(struct buf *out, const struct flow_limits *l, bool set);
/* What is set of queues and namespaces: give the two as `done` and its context; `answer` follows when it is on disk. setting.c */
struct api_setting *api_setting_new(
	struct api *a, struct http_request *r, void (*answer)(struct api *a, struct http_request *r));
void api_setting_done(void *setting, enum errcode code);
/* As those of request.c. `old` is changed by what the body names (PATCH, RFC 7396); NULL: replaced. */
bool api_limits_body(struct http_request *r, const struct flow_limits *old, struct flow_limits *out);

/* The input schema of a capability that is served now, or NULL. Stays valid for the life of the process. input.c */
const struct schema *api_input_schema(struct api *a, struct bytes namespace, struct bytes capability);

/* A schedule; `alone`: with its next times and what it made last. schedule_json.c */
json_t *api_schedule_json(struct api *a, const struct schedule *s, bool alone);
json_t *api_times_json(const struct timing *t, int64_t after_ms, size_t n); /* [{"at","local"}] */

/* For http_options.answered (context: struct api): counts requests. metrics.c */
void api_answered(void *api, const struct http_route *route, int status, uint64_t took_us);

/* What happened, told by the wiring: becomes events. happened.c */
void api_job_ended(struct api *a, const struct job *j, const struct job_outcome *o);
void api_job_pending(struct api *a, const struct job *j);
void api_job_started(struct api *a, const struct job *j);
void api_job_progress(struct api *a, const struct job *j, int percent, struct bytes message);
void api_claim_expired(struct api *a, const struct claim_view *v, struct bytes why);
void api_instance_changed(struct api *a, const struct instance *i);
void api_run_changed(struct api *a, uint64_t run_id, enum run_state state);
void api_batch_changed(struct api *a, uint64_t id, struct bytes namespace, const char *status, int percent);
void api_callback_told(struct api *a, const struct callback_view *v, enum callback_news news);

/* ── for all resources: request.c ── each answers the request itself and gives false when what it reads is wrong */
bool api_json_body(struct http_request *r, json_t **out); /* an object; the caller's */
bool api_id(struct http_request *r, const char *parameter, uint64_t *id);
bool api_duration(struct http_request *r, const char *query, int64_t default_ms, int64_t max_ms, int64_t *ms);
bool api_limit(struct http_request *r, unsigned *limit); /* ?limit= */
bool api_cursor(struct http_request *r, uint64_t *before); /* ?cursor=: an id, 0: none */
void api_fail(struct http_request *r, enum errcode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void api_reply_buf(struct http_request *r, int status, struct buf *json); /* and frees it */
void api_reply_json(struct http_request *r, int status, json_t *json); /* and frees it */
/* The header, or empty when there is none that is valid: a receiver ignores a broken one (W3C Trace Context 3.2.2). */
struct bytes api_traceparent(struct http_request *r);
/* The same when all that was committed before is durable; takes the answer's bytes. */
void api_reply_saved(struct api *a, struct http_request *r, int status, struct buf *answer);
char *api_text(struct bytes b); /* a NUL-terminated copy; the caller's */
