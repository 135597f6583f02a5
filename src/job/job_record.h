/* job_record.h - the heads of stored rows: what of a job is read back when the engine starts. Pure, no allocation.
 *
 *   byte 0       version of the format (1)
 *   then fields  tag | value        tag = number << 1 | kind
 *                kind 0: a varint (7 bits a byte, low first, at most 10 bytes)
 *                kind 1: a varint length, and that many bytes
 *
 * A field that is 0 or empty is left out; unknown numbers are skipped, so a field may be added without a new version.
 * HOW TO CHANGE IT: give a new field the next free number and never use a number again. Only when an old reader would
 * misunderstand a row raise JOB_RECORD_VERSION and teach decode the old one.
 *
 * One struct serves STORE_JOB, STORE_DONE and STORE_DEAD: a job that is over has the fields of the last group, too. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "job/job.h"

#include <stdbool.h>
#include <stdint.h>

enum { JOB_RECORD_VERSION = 1 };

struct job_record {
	struct bytes namespace, capability; /* namespace empty: "default" */
	struct bytes tags, traceparent;
	int64_t submitted_at_ms, due_at_ms, expires_at_ms;
	uint64_t run_id, parent_id, item_key, step;
	uint64_t timeout_ms, max_attempts; /* 0: the capability's */
	uint64_t attempts, crashes; /* that failed; of a job that is over: that were started */
	uint64_t priority;
	int64_t deadline_ms;
	uint64_t retry_delay_ms, retry_cap_ms; /* 0: the capability's */
	struct bytes unique_name; /* 16 bytes (queue/key.h), or empty */
	uint64_t unique_states;
	uint64_t fence_floor; /* no fence up to this one is ever valid again */
	bool streams; /* has rows in STORE_ITEM or STORE_CHECKPOINT */
	bool retryable; /* of the error */
	struct bytes error_code, error_message; /* of the last failed attempt */
	struct bytes callback; /* JSON text */
	uint64_t batch_id;
	struct bytes key; /* whose turn it takes */
	/* over */
	uint64_t state; /* enum job_state */
	int64_t started_at_ms, finished_at_ms, keep_until_ms;
};

/* Appends. */
void job_record_encode(const struct job_record *r, struct buf *out);
/* Bytes in *out point into head. E_INVALID: truncated or not of this format. */
enum errcode job_record_decode(struct bytes head, struct job_record *out, struct err *e);

/* Heads of STORE_ATTEMPT: one attempt that did not succeed. */
struct attempt_record {
	int64_t started_at_ms, ended_at_ms;
	bool retryable;
	struct bytes code, message;
};
void attempt_record_encode(const struct attempt_record *r, struct buf *out);
enum errcode attempt_record_decode(struct bytes head, struct attempt_record *out, struct err *e);

/* Heads of STORE_KEY: a key in use (queue/key.h). */
struct key_record {
	uint64_t job_id, detail;
	int64_t expires_at_ms;
};
void key_record_encode(const struct key_record *r, struct buf *out);
enum errcode key_record_decode(struct bytes head, struct key_record *out, struct err *e);

/* Heads of STORE_BATCH: how far a batch is. Written with the end of each of its jobs. */
struct batch_record {
	struct bytes namespace, name; /* namespace empty: "default" */
	struct bytes failed_ids; /* of some failed jobs: 8 bytes each, low first */
	int64_t created_at_ms, finished_at_ms; /* finished: 0 until it is over */
	uint64_t completed, failed, cancelled; /* of its jobs */
	uint64_t max_failures, total; /* total: once it is over */
	uint64_t then_id; /* the job that it was followed by, or 0 */
	uint64_t state; /* of batch/ */
};
void batch_record_encode(const struct batch_record *r, struct buf *out);
enum errcode batch_record_decode(struct bytes head, struct batch_record *out, struct err *e);

/* Bodies of STORE_BATCH: what it was asked to do at its end. */
struct batch_definition {
	struct bytes callback, then; /* JSON texts, or empty */
};
void batch_definition_encode(const struct batch_definition *d, struct buf *out);
enum errcode batch_definition_decode(struct bytes body, struct batch_definition *out, struct err *e);

/* Heads of STORE_MEMBER under (batch id, 0): written when jobs join it, and when it is closed. */
struct member_record {
	uint64_t total; /* jobs */
	bool closed; /* no more will join */
};
void member_record_encode(const struct member_record *r, struct buf *out);
enum errcode member_record_decode(struct bytes head, struct member_record *out, struct err *e);

/* Heads of STORE_CALLBACK: how far a delivery is. */
struct callback_record {
	struct bytes target; /* JSON text {"url", "headers"} */
	struct bytes namespace, type, error; /* empty: "default"; what it tells; of the last attempt */
	uint64_t job_id, batch_id; /* what it tells of */
	int64_t created_at_ms, since_ms, next_at_ms, last_at_ms; /* since: its age counts from then */
	uint64_t attempts, status; /* that failed; of the last answer */
	bool failed; /* given up */
};
void callback_record_encode(const struct callback_record *r, struct buf *out);
enum errcode callback_record_decode(struct bytes head, struct callback_record *out, struct err *e);

/* Heads of STORE_ITEM: the job that the item became, or 0. */
void item_record_encode(uint64_t becomes, struct buf *out);
enum errcode item_record_decode(struct bytes head, uint64_t *becomes, struct err *e);
