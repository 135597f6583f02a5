/* reeve/client.h - use a daemon of this host from C: submit jobs, wait for them, show and change them, invoke capabilities.
 *
 * It speaks the link to the daemon's own socket: many requests at once over one connection, no HTTP, no JSON per job.
 *
 *     struct reeve_client *c;
 *     if (reeve_client_open(NULL, &c) != REEVE_OK) ...
 *     struct reeve_job_spec spec = {.size = sizeof spec, .capability = "email.parse", .input = json, .input_size = n};
 *     char id[REEVE_ID_SIZE];
 *     if (reeve_client_submit(c, &spec, 1, &id) == REEVE_OK) ...      // it is on disk
 *
 * THREADS  One thread at a time per client; several clients may live in one process.
 * ENDING   After an error of the connection (REEVE_E_AGAIN from every function) close the client and open another. What was
 *          submitted without an answer may or may not be there: use idempotency keys, then submitting again is harmless.
 * RESULTS  Codes as in worker.h. reeve_client_error gives the sentence of the last failure. */
#ifndef REEVE_CLIENT_H
#define REEVE_CLIENT_H
#include <reeve/worker.h>
#ifdef __cplusplus
extern "C" {
#endif

#define REEVE_ID_SIZE 14 /* 13 characters and a NUL */

struct reeve_client;

struct reeve_job_spec { /* zero-initialise, then set `size` and what you need; appended to only */
	uint32_t size;
	const char *capability; /* required */
	const char *namespace_; /* NULL: "default" */
	const void *input; /* JSON text, at most 1 MiB; NULL: {} */
	size_t input_size;
	const char *idempotency_key; /* NULL: none */
	const char *tags; /* a JSON array of strings, or NULL */
	const char *traceparent; /* or NULL */
	int priority; /* 0-9, 9 first; -1: the default, 5 */
	int max_attempts; /* 0: the default */
	int64_t due_at_ms; /* Unix time; 0: now */
	int64_t expires_at_ms; /* 0: never */
	int64_t timeout_ms; /* of one attempt; 0: the default */
	const char *key; /* whose job it is within its queue (a tenant): keys take turns, and have limits. NULL: none */
	int64_t deadline_ms; /* Unix time; 0: none. It must have ended by then: no attempt runs longer, none begins later */
	int64_t retry_delay_ms, retry_cap_ms; /* the wait after the first failure, and the longest; 0: the capability's */
	unsigned
		unique; /* 0: no. Else REEVE_IN_...: while an earlier job of its key is in one of these states, it is given */
	const char *unique_key; /* NULL: the input stands for it */
	int64_t unique_period_ms; /* the earlier job holds the key so long at most; 0: as long as the states hold */
	const char *callback; /* who is told of its end: {"url":"https://...","headers":{...}}; or NULL */
	const char *batch; /* the id of an open batch that it joins; one for all jobs of a submit; or NULL */
};
enum { /* reeve_job_spec.unique */
	REEVE_IN_SCHEDULED = 1,
	REEVE_IN_PENDING = 2,
	REEVE_IN_PROCESSING = 4,
	REEVE_IN_COMPLETED = 16, /* these three need a period */
	REEVE_IN_FAILED = 32,
	REEVE_IN_CANCELLED = 64,
	REEVE_NOT_OVER = REEVE_IN_SCHEDULED | REEVE_IN_PENDING | REEVE_IN_PROCESSING
};
#define REEVE_JOB_SPEC_INIT                                                                                            \
	{                                                                                                                  \
		.size = sizeof(struct reeve_job_spec), .priority = -1                                                          \
	}

struct reeve_outcome { /* set `size` before the call */
	uint32_t size;
	char id[REEVE_ID_SIZE];
	char state[16]; /* "completed", "failed", "cancelled"; else the time ran out, and it is in this state */
	struct reeve_bytes result; /* of a completed job */
	struct reeve_bytes code, message; /* of the error */
	int retryable;
};

/* path: the daemon's link socket; NULL: $REEVE_SOCKET with ".link" after it, else /run/reeve/reeve.sock.link. On failure
 * *out is a client, too, that has only an error text; close it. NULL only without memory. */
REEVE_PUBLIC int reeve_client_open(const char *path, struct reeve_client **out);
REEVE_PUBLIC void reeve_client_close(struct reeve_client *c);
REEVE_PUBLIC const char *reeve_client_error(const struct reeve_client *c); /* "" when nothing failed */

/* Submits n jobs (1 to 10000), all or none; returns when they are on disk. ids has room for n. */
REEVE_PUBLIC int reeve_client_submit(
	struct reeve_client *c, const struct reeve_job_spec *specs, size_t n, char (*ids)[REEVE_ID_SIZE]);

/* Of the last submit: is ids[i] an earlier job, whose idempotency key or unique key this one had? Of reeve_client_next: i is 0. */
REEVE_PUBLIC int reeve_client_existing(const struct reeve_client *c, size_t i);

/* Until the job is over, at most timeout_ms (< 0: no limit). What is in *outcome stays until the next call for c. */
REEVE_PUBLIC int reeve_client_wait(
	struct reeve_client *c, const char *id, int64_t timeout_ms, struct reeve_outcome *outcome);

/* The job as JSON, as GET /v1/jobs/{id} shows it. */
REEVE_PUBLIC int reeve_client_show(struct reeve_client *c, const char *id, struct reeve_bytes *json);

/* ── changes: of one job, dead letter or queue ── as the routes of the HTTP API have them. Each returns when the change is on disk.
 * REEVE_E_INVALID: no such id can be, or a name or priority is wrong. REEVE_E_NOT_FOUND, REEVE_E_STATE: see each.
 * REEVE_E_AGAIN with the connection still there: a limit, or the disk. A daemon that is older than these calls ends the
 * connection. */

/* A job that waits or runs. A handler that runs is told; the job is cancelled in any case. REEVE_E_NOT_FOUND: there is no such
 * job; REEVE_E_STATE: it is over, or just being cancelled. */
REEVE_PUBLIC int reeve_client_cancel(struct reeve_client *c, const char *id);
/* A waiting job to another queue or priority; capability or namespace_ NULL, priority -1: as it is. It keeps its time of waiting.
 * REEVE_E_NOT_FOUND: there is no such job; REEVE_E_STATE: it does not wait any more, or its pipeline run waits for it there. */
REEVE_PUBLIC int reeve_client_move(
	struct reeve_client *c, const char *id, const char *capability, const char *namespace_, int priority);
/* A dead letter: tried again from the beginning under the same id, or removed for ever. REEVE_E_NOT_FOUND: there is no such dead
 * letter; REEVE_E_STATE: it is being replayed or purged already. */
REEVE_PUBLIC int reeve_client_replay(struct reeve_client *c, const char *id);
REEVE_PUBLIC int reeve_client_purge(struct reeve_client *c, const char *id);
/* A paused queue gives out no jobs; what runs goes on, and jobs can be submitted. It need not have had a job yet, and doing it twice
 * is harmless. namespace_ NULL: "default". */
REEVE_PUBLIC int reeve_client_pause(struct reeve_client *c, const char *capability, const char *namespace_);
REEVE_PUBLIC int reeve_client_resume(struct reeve_client *c, const char *capability, const char *namespace_);

/* ── batches: jobs with one progress and one end ── *json is the batch as GET /v1/batches/{id} shows it; it stays until the next
 * call for c. Open one, submit jobs with spec.batch = id, close it; then it is over when its jobs are. `json`: members as of
 * POST /v1/batches without jobs (name, namespace, max_failures, callback, then); NULL: none. */
REEVE_PUBLIC int reeve_client_batch_open(struct reeve_client *c, const char *json, char id[REEVE_ID_SIZE]);
REEVE_PUBLIC int reeve_client_batch_close(struct reeve_client *c, const char *id, struct reeve_bytes *json);
REEVE_PUBLIC int reeve_client_batch_cancel(struct reeve_client *c, const char *id, struct reeve_bytes *json);
/* Until it is over, at most timeout_ms (< 0: no limit); "finished_at" is null when it is not. */
REEVE_PUBLIC int reeve_client_batch_wait(
	struct reeve_client *c, const char *id, int64_t timeout_ms, struct reeve_bytes *json);

/* Calls a capability and waits: REEVE_OK, or REEVE_E_REMOTE with outcome->code and message. timeout_ms 0: the default. */
REEVE_PUBLIC int reeve_client_invoke(struct reeve_client *c, const char *capability, const char *namespace_,
	const void *input, size_t size, int64_t timeout_ms, struct reeve_outcome *outcome);

/* ── many at once ──
 * reeve_client_send queues one job without waiting and gives its ticket; reeve_client_next waits for the next answer to any
 * ticket. Keep as many outstanding as you like (at most 16384); what was queued goes out with the next reeve_client_next or
 * reeve_client_flush, gathered. */
enum { REEVE_SEND_WAIT = 1 }; /* also tell its outcome: two answers come for it, "submitted" and the outcome */

struct reeve_answer { /* set `size` before the call; outcome stays the last member */
	uint32_t size;
	uint64_t ticket;
	int code; /* REEVE_OK, or why it was refused (the text: reeve_client_error) */
	int over; /* 0: it was submitted; 1: `outcome` is its end */
	struct reeve_outcome outcome; /* id is set in either case */
};
REEVE_PUBLIC int reeve_client_send(
	struct reeve_client *c, const struct reeve_job_spec *spec, int flags, uint64_t *ticket);
REEVE_PUBLIC int reeve_client_flush(struct reeve_client *c);
/* REEVE_OK: *answer, whose bytes stay until the next call for c; REEVE_E_STATE: nothing is outstanding; REEVE_PENDING: nothing
 * came within timeout_ms (< 0: no limit). */
REEVE_PUBLIC int reeve_client_next(struct reeve_client *c, int64_t timeout_ms, struct reeve_answer *answer);

#ifdef __cplusplus
}
#endif
#endif
