/* message.h - how the payload of each binary message is laid out: one struct, one put and one get per type.
 *
 * put fills `head` (fixed numbers) and `parts`, ready for stream_out_put: nothing of the body is copied. get checks every
 * length against the message and points into it; false: it is malformed. Numbers are little-endian in the order of the
 * tables in docs/reference/link-protocol.md. Pure. */
#pragma once
#include "wire/stream.h"

struct span { /* borrowed bytes */
	const char *data;
	size_t size;
};

enum { MESSAGE_HEAD = 64, MESSAGE_PARTS = 8 };

struct message_out {
	char head[MESSAGE_HEAD];
	struct stream_part parts[MESSAGE_PARTS];
	int n;
};

/* Where a body is. */
enum message_form {
	MESSAGE_NONE,
	MESSAGE_INLINE, /* in the message */
	MESSAGE_BODY_FILE, /* its bytes are the content of the message's (first) descriptor */
	MESSAGE_RESULT_FILE /* the descriptor is a file that becomes a blob */
};

struct message_job {
	uint64_t fence;
	int64_t deadline_ms; /* Unix; INT64_MAX: none */
	uint32_t attempt;
	uint16_t capability; /* index into HELLO's list */
	uint16_t window; /* items that may be unanswered */
	uint8_t form; /* of the input: NONE, INLINE, BODY_FILE */
	uint32_t input_size;
	struct span input, checkpoint, traceparent;
	struct span blob; /* its name; not empty: the last descriptor is its file */
};
void message_put_job(struct message_out *out, const struct message_job *job);
bool message_get_job(const struct wire_message *m, struct message_job *job);

struct message_result {
	uint64_t fence;
	int32_t outcome; /* REEVE_OK or REEVE_E_... */
	uint8_t retryable, form;
	uint32_t result_size;
	struct span code, text, result;
};
void message_put_result(struct message_out *out, const struct message_result *r);
bool message_get_result(const struct wire_message *m, struct message_result *r);

/* STARTED, SETTLED, GIVEN_BACK, CANCEL, FORGET: a fence. ITEM: fence, key, data. CHECKPOINT: fence, data. PROGRESS: fence,
 * number = percent, data. ITEM_DONE: fence, number = outcome. PING, PONG: fence = 0, number = healthy, data = why.
 * DRAIN: number = grace_ms. BLOB_PUT: fence, number = request. BLOB_NAME: fence = request, number = outcome, data = the name or a
 * sentence. WAIT: fence = job, number = timeout_ms. SHOW: fence = job. CONTROLLED: zero. REFUSED: number = outcome, data = sentence. */
struct message_simple {
	uint64_t fence;
	int64_t number;
	struct span data;
};
void message_put_simple(struct message_out *out, const struct message_simple *s);
bool message_get_simple(const struct wire_message *m, struct message_simple *s);

struct message_log {
	uint64_t fence; /* 0: of the instance; else of the job in the frame's id */
	uint32_t severity;
	struct span event, fields;
};
void message_put_log(struct message_out *out, const struct message_log *l);
bool message_get_log(const struct wire_message *m, struct message_log *l);

struct message_call {
	uint64_t fence, call; /* call: the worker's number for it */
	int64_t timeout_ms; /* 0: the default, or what the caller's job has left */
	struct span capability, namespace, input;
};
void message_put_call(struct message_out *out, const struct message_call *c);
bool message_get_call(const struct wire_message *m, struct message_call *c);

/* CALL_RESULT (subject: the call's number) and OUTCOME (subject: the job). */
struct message_answer {
	uint64_t subject;
	uint8_t state; /* OUTCOME: enum job_state; CALL_RESULT: 0 it went well, 1 it failed */
	uint8_t retryable;
	struct span code, text, result;
};
void message_put_answer(struct message_out *out, const struct message_answer *a);
bool message_get_answer(const struct wire_message *m, struct message_answer *a);

/* CONTROL. An operation or a priority that is not known is for the receiver to refuse: the message is well-formed. */
enum message_operation {
	MESSAGE_CANCEL = 1,
	MESSAGE_MOVE, /* a waiting job: to what is named */
	MESSAGE_REPLAY, /* a dead letter, as the next */
	MESSAGE_PURGE,
	MESSAGE_PAUSE, /* a queue, as the next */
	MESSAGE_RESUME,
};
struct message_control {
	uint64_t job; /* 0: of a queue */
	uint8_t operation;
	int8_t priority; /* MOVE; -1: as it is */
	struct span namespace, capability; /* empty: "default", or as it is; the capability of a queue is needed */
};
void message_put_control(struct message_out *out, const struct message_control *c);
bool message_get_control(const struct wire_message *m, struct message_control *c);

struct message_spec { /* one job of a SUBMIT */
	struct span capability, namespace, input, key, tags, traceparent, fair_key; /* key: the idempotency key */
	uint8_t priority;
	int64_t due_at_ms, expires_at_ms, timeout_ms;
	uint32_t max_attempts;
	/* what few jobs have stands at the end, or not at all */
	int64_t deadline_ms, retry_delay_ms, retry_cap_ms, unique_period_ms;
	uint16_t unique_states;
	struct span unique_key, callback;
	uint64_t batch; /* that it joins, or 0 */
};
enum {
	MESSAGE_SPEC_HEAD = 48,
	MESSAGE_SPEC_RARE = 36,
	MESSAGE_SPEC_RARE_2 = 10,
	MESSAGE_SUBMIT_HEAD = 8,
	MESSAGE_SUBMIT_WAIT = 1
};
/* SUBMIT is a head {u32 number of jobs, u32 flags} and the specs after each other. */
size_t message_spec_size(const struct message_spec *s);
char *message_put_spec(char *out, const struct message_spec *s); /* the place behind */
/* Reads the spec at *at of the message; false: malformed. */
bool message_get_spec(const struct wire_message *m, size_t *at, struct message_spec *s);
