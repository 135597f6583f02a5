/* attempt.h - one run of a handler, as the hosts of the SDK (link, test) share it: what it was given and how it ended.
 *
 * A host's own struct begins with this one. Its life:
 *
 *   init ─► handle() ──returns REEVE_OK or < 0──────────────► ended
 *                 └──returns REEVE_PENDING ─► reeve_finish ──┘     (reeve_finish may come first, from another thread)
 *
 * Functions may be called from any thread. Nothing here blocks or speaks to anyone. */
#pragma once
#include "wire/host.h"
#include "wire/id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum attempt_phase { ATTEMPT_RUNNING, ATTEMPT_PENDING, ATTEMPT_ENDED };

struct attempt {
	struct reeve_job base;
	pthread_mutex_t lock; /* of what stands below `guarded` */
	const struct reeve_capability *capability;
	char id[ID_TEXT_SIZE];
	uint64_t number, fence; /* number: the id */
	int count; /* attempts so far, this one included */
	int64_t deadline_ms; /* Unix; INT64_MAX: none */
	char traceparent[HOST_TRACE_MAX + 1];
	struct reeve_bytes input, checkpoint; /* the host's memory */
	int blob_fd; /* the blob that the input names, or -1; closed by fini */
	atomic_bool cancelled;

	/* guarded */
	enum attempt_phase phase;
	bool replied, failed, finished; /* finished: reeve_finish came before the handler returned */
	int finish_outcome;
	char *reply; /* kept from run to run: reply_room */
	size_t reply_size, reply_room;
	int reply_fd; /* the result is this file; -1: none */
	char code[HOST_ERROR_CODE_MAX + 1], message[HOST_MESSAGE_MAX + 1];
	int retryable;
	char *scratch;
};

void attempt_init(struct attempt *a); /* once; zeroes all */
void attempt_reset(struct attempt *a); /* between two runs: closes, forgets, removes the scratch directory */
void attempt_drop_scratch(struct attempt *a); /* it has ended: removes the directory (which may take time) */
void attempt_fini(struct attempt *a);

void attempt_set_trace(struct attempt *a, const char *text, size_t size); /* one that is too long is left out */

/* The handler returned `result`, or somebody called finish: true when the attempt has ended now; *outcome is then REEVE_OK
 * or a known negative code. Exactly one of all calls for an attempt returns true. */
bool attempt_returned(struct attempt *a, int result, int *outcome);
/* 1: ended now; 0: taken, the handler has still to return; REEVE_E_STATE. */
int attempt_finish(struct attempt *a, int result, int *outcome);
/* After it ended with outcome < 0: fills code, message and retryable where the handler did not. */
void attempt_explain(struct attempt *a, int outcome);

/* What worker.h promises, for the hosts' tables. */
const char *attempt_job_id(const struct reeve_job *job);
uint64_t attempt_fence(const struct reeve_job *job);
int attempt_count(const struct reeve_job *job);
const char *attempt_traceparent(const struct reeve_job *job);
int64_t attempt_remaining_ms(const struct reeve_job *job);
int attempt_cancelled(const struct reeve_job *job);
struct reeve_bytes attempt_input(const struct reeve_job *job);
struct reeve_bytes attempt_resume(const struct reeve_job *job);
int attempt_input_open(struct reeve_job *job);
int attempt_reply(struct reeve_job *job, const void *data, size_t size);
int attempt_reply_file(struct reeve_job *job, int fd); /* keeps a descriptor of its own */
int attempt_fail(struct reeve_job *job, const char *code, int retryable, const char *message);
const char *attempt_scratch(struct reeve_job *job);
