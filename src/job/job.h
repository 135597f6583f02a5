/* job.h - what a job is: its identity, its states, what a client asked for. Pure: no I/O, no clock.
 *
 *                     delay / retry wait
 *   submit ──► scheduled ──due──► pending ──lease──► processing ──► settling ──► completed
 *                  ▲                 ▲                  │  │           └──► cancelled
 *                  │                 └── worker died ───┘  │
 *                  └──────────── retry with backoff ───────┴──► failed (dead letter: replay or purge)
 *
 * `settling` is "ended, the commit is under way": to clients it still shows as processing; cancel, timeout and a lost lease
 * meet it and leave it alone. Memory per waiting job counts (targets: 150 bytes): bodies stay in the store. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

enum job_state { JOB_SCHEDULED, JOB_PENDING, JOB_PROCESSING, JOB_SETTLING, JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED };

const char *job_state_word(enum job_state state); /* "pending"; settling shows as "processing" */
int job_state_parse(struct bytes word); /* the state, or -1 */

enum { /* limits of what others choose */
	JOB_PRIORITY_MAX = 9,
	JOB_PRIORITY_DEFAULT = 5,
	JOB_INPUT_MAX_BYTES = 1 << 20, /* inline; above that a blob */
	JOB_RESULT_MAX_BYTES = 1 << 20, /* inline; above that a blob */
	JOB_ITEM_MAX_BYTES = 1 << 20,
	JOB_TAGS_MAX = 16,
	JOB_NAME_MAX = 128, /* capability, namespace, tag, keys: bytes */
	JOB_ATTEMPTS_MAX = 1000,
	JOB_BATCH_MAX = 10000, /* jobs in one submit */
	JOB_CALLBACK_MAX_BYTES = 8 << 10,
};
#define JOB_TIMEOUT_DEFAULT_MS (15 * 60 * 1000)
#define JOB_TIMEOUT_MAX_MS	   (7LL * 24 * 3600 * 1000)
#define JOB_RETRY_MAX_MS	   (7LL * 24 * 3600 * 1000)
#define JOB_UNIQUE_MAX_MS	   (366LL * 24 * 3600 * 1000)
#define JOB_TIME_MAX_MS		   253402300799000LL /* the end of the year 9999 */

/* A job that holds its key: while it is in one of `states`, and no longer than `period_ms` after its submit, another unique
 * job of that key is not made; the submit then gives this one. */
struct job_unique {
	unsigned states; /* bit 1 << enum job_state; 0: the job is not unique */
	int64_t period_ms; /* 0: as long as the states hold */
	struct bytes key; /* empty: the input stands for it */
};
#define JOB_UNIQUE_WAITING_OR_RUNNING (1u << JOB_SCHEDULED | 1u << JOB_PENDING | 1u << JOB_PROCESSING)
#define JOB_UNIQUE_OVER				  (1u << JOB_COMPLETED | 1u << JOB_FAILED | 1u << JOB_CANCELLED)

/* What a client asks for. Everything is borrowed for the call. job_spec_check() says whether it may be. */
struct job_spec {
	struct bytes namespace; /* empty: "default" */
	struct bytes capability; /* required */
	struct bytes input; /* JSON text (or anything for a REEVE_BINARY_INPUT capability), never parsed on the hot path */
	struct bytes idempotency_key;
	struct bytes key; /* whose turn it takes, a tenant's name say: limits and fair shares count by it. Or empty: none */
	struct bytes tags; /* JSON array text, or empty */
	struct bytes traceparent; /* W3C Trace Context, or empty */
	int priority; /* 0-9; 9 first */
	int64_t due_at_ms; /* Unix time; 0: now */
	int64_t expires_at_ms; /* Unix time; 0: never. A job not started by then fails as "expired" */
	int64_t deadline_ms; /* Unix time; 0: none. It must have ended by then: no attempt runs longer, none begins later */
	int64_t timeout_ms; /* of one attempt; 0: the default */
	int64_t retry_delay_ms, retry_cap_ms; /* the wait after the first failure, and the longest; 0: the capability's */
	struct job_unique unique;
	int max_attempts; /* 0: the capability's default (3) */
	uint64_t run_id; /* of a pipeline's run, or 0 */
	uint64_t parent_id; /* the job whose item this one's input is, or 0: then `input` is not stored again */
	uint64_t item_key; /* with parent_id */
	uint32_t step; /* of the run */
	struct bytes callback; /* JSON text {"url", "headers"}: who is told of its end (callback/callback.h); or empty */
	uint64_t batch_id; /* of the batch that it belongs to (batch/batches.h), or 0; one for all jobs of a submit */
};

void job_spec_init(struct job_spec *spec); /* defaults */
enum errcode job_spec_check(const struct job_spec *spec, struct err *e);
/* Capabilities, namespaces: 1 to JOB_NAME_MAX of [A-Za-z0-9._-]. `what` begins the sentence. */
enum errcode job_name_check(const char *what, struct bytes name, struct err *e);
/* https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, parent and flags in small hexadecimal digits. */
enum errcode job_traceparent_check(struct bytes traceparent, struct err *e);

/* How an attempt ended, or the job as a whole. Borrowed bytes. */
struct job_error {
	char code[64]; /* "INVALID_EMAIL", "timeout", "crashed" ... */
	char message[512]; /* one sentence */
	int retryable;
};
