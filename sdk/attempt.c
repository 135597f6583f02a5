#include "attempt.h"

#include "abi.h"
#include "files.h"
#include "wire/jsontext.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_KEPT = 64 << 10 }; /* a larger reply's memory is given back after the run */

static struct attempt *of(const struct reeve_job *job)
{
	return (struct attempt *)job;
}

void attempt_init(struct attempt *a)
{
	memset(a, 0, sizeof *a);
	pthread_mutex_init(&a->lock, NULL);
	a->blob_fd = a->reply_fd = -1;
	a->deadline_ms = INT64_MAX;
}

void attempt_drop_scratch(struct attempt *a)
{
	char *path;

	pthread_mutex_lock(&a->lock);
	path = a->scratch;
	a->scratch = NULL;
	pthread_mutex_unlock(&a->lock);
	if (path)
		files_remove_tree(path);
	free(path);
}

void attempt_reset(struct attempt *a)
{
	if (a->blob_fd >= 0)
		close(a->blob_fd);
	if (a->reply_fd >= 0)
		close(a->reply_fd);
	a->blob_fd = a->reply_fd = -1;
	attempt_drop_scratch(a);
	if (a->reply_room > REPLY_KEPT) {
		free(a->reply);
		a->reply = NULL;
		a->reply_room = 0;
	}
	a->reply_size = 0;
	a->input = a->checkpoint = (struct reeve_bytes){0};
	a->phase = ATTEMPT_RUNNING;
	a->replied = a->failed = a->finished = false;
	a->code[0] = a->message[0] = 0;
	atomic_store(&a->cancelled, false);
}

void attempt_fini(struct attempt *a)
{
	attempt_reset(a);
	free(a->reply);
	a->reply = NULL;
	pthread_mutex_destroy(&a->lock);
}

static int known_outcome(int result)
{
	return result > 0 || result < REEVE_E_NO_MEMORY ? REEVE_E_INTERNAL : result;
}

bool attempt_returned(struct attempt *a, int result, int *outcome)
{
	bool ended = true;

	pthread_mutex_lock(&a->lock);
	if (result == REEVE_PENDING && !a->finished) {
		a->phase = ATTEMPT_PENDING;
		ended = false;
	} else {
		a->phase = ATTEMPT_ENDED;
		*outcome = known_outcome(result == REEVE_PENDING ? a->finish_outcome : result);
	}
	pthread_mutex_unlock(&a->lock);
	return ended;
}

int attempt_finish(struct attempt *a, int result, int *outcome)
{
	int rc = 0;

	pthread_mutex_lock(&a->lock);
	if (a->phase == ATTEMPT_ENDED || a->finished) {
		rc = REEVE_E_STATE;
	} else if (a->phase == ATTEMPT_RUNNING) {
		a->finished = true;
		a->finish_outcome = result;
	} else {
		a->phase = ATTEMPT_ENDED;
		*outcome = known_outcome(result);
		rc = 1;
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void attempt_explain(struct attempt *a, int outcome)
{
	if (a->failed)
		return;
	a->retryable = abi_outcome_retryable(outcome);
	snprintf(a->code, sizeof a->code, "%s", abi_outcome_word(outcome));
	snprintf(a->message, sizeof a->message, "the handler of \"%s\" returned %d (%s) without a message",
		a->capability ? a->capability->name : "?", outcome, a->code);
}

const char *attempt_job_id(const struct reeve_job *job)
{
	return of(job)->id;
}

uint64_t attempt_fence(const struct reeve_job *job)
{
	return of(job)->fence;
}

int attempt_count(const struct reeve_job *job)
{
	return of(job)->count;
}

void attempt_set_trace(struct attempt *a, const char *text, size_t size)
{
	if (size >= sizeof a->traceparent)
		size = 0;
	if (size)
		memcpy(a->traceparent, text, size);
	a->traceparent[size] = 0;
}

const char *attempt_traceparent(const struct reeve_job *job)
{
	return of(job)->traceparent;
}

int64_t attempt_remaining_ms(const struct reeve_job *job)
{
	struct timespec now;
	int64_t left;

	if (of(job)->deadline_ms == INT64_MAX)
		return INT64_MAX;
	clock_gettime(CLOCK_REALTIME, &now);
	left = of(job)->deadline_ms - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	return left > 0 ? left : 0;
}

int attempt_cancelled(const struct reeve_job *job)
{
	return atomic_load_explicit(&of(job)->cancelled, memory_order_relaxed) || attempt_remaining_ms(job) == 0;
}

struct reeve_bytes attempt_input(const struct reeve_job *job)
{
	return of(job)->input;
}

struct reeve_bytes attempt_resume(const struct reeve_job *job)
{
	return of(job)->checkpoint;
}

int attempt_input_open(struct reeve_job *job)
{
	struct attempt *a = of(job);
	int fd = a->blob_fd >= 0 ? files_again(a->blob_fd) : files_memory("reeve-input", a->input.data, a->input.size);
	return fd >= 0 ? fd : REEVE_E_INTERNAL;
}

/* The reply and, copied, a NUL. */
static int keep_reply(struct attempt *a, const void *data, size_t size)
{
	if (size >= a->reply_room) {
		size_t room = size < 256 ? 256 : size + 1;
		char *grown = realloc(a->reply, room);
		if (!grown)
			return REEVE_E_NO_MEMORY;
		a->reply = grown;
		a->reply_room = room;
	}
	if (size)
		memcpy(a->reply, data, size);
	a->reply[size] = 0;
	a->reply_size = size;
	a->replied = true;
	return REEVE_OK;
}

int attempt_reply(struct reeve_job *job, const void *data, size_t size)
{
	struct attempt *a = of(job);
	int rc = REEVE_E_STATE;

	if (size > HOST_REPLY_MAX)
		return REEVE_E_TOO_LARGE;
	if (!(a->capability->flags & REEVE_BINARY_OUTPUT) && !jsontext_check(data, size, NULL))
		return REEVE_E_INVALID;
	pthread_mutex_lock(&a->lock);
	if (!a->replied && a->phase != ATTEMPT_ENDED)
		rc = keep_reply(a, data, size);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

int attempt_reply_file(struct reeve_job *job, int fd)
{
	struct attempt *a = of(job);
	struct stat st;
	int rc = REEVE_E_STATE, own;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return REEVE_E_INVALID;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return REEVE_E_INTERNAL;
	pthread_mutex_lock(&a->lock);
	if (!a->replied && a->phase != ATTEMPT_ENDED) {
		a->replied = true;
		a->reply_fd = own;
		rc = REEVE_OK;
	}
	pthread_mutex_unlock(&a->lock);
	if (rc != REEVE_OK)
		close(own);
	return rc;
}

/* Cut at the end of a character, so that it stays UTF-8. */
static void copy_cut(char *out, size_t room, const char *text)
{
	size_t n = strnlen(text, room);
	if (n == room) {
		n = room - 1;
		while (n && ((unsigned char)text[n] >> 6) == 2)
			n--;
	}
	memcpy(out, text, n);
	out[n] = 0;
}

int attempt_fail(struct reeve_job *job, const char *code, int retryable, const char *message)
{
	struct attempt *a = of(job);
	int rc = REEVE_OK;

	pthread_mutex_lock(&a->lock);
	if (a->phase == ATTEMPT_ENDED) {
		rc = REEVE_E_STATE;
	} else {
		a->failed = true;
		a->retryable = retryable != 0;
		copy_cut(a->code, sizeof a->code, code);
		copy_cut(a->message, sizeof a->message, message);
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

const char *attempt_scratch(struct reeve_job *job)
{
	struct attempt *a = of(job);
	const char *path;

	pthread_mutex_lock(&a->lock);
	if (!a->scratch)
		a->scratch = files_scratch(a->id);
	path = a->scratch;
	pthread_mutex_unlock(&a->lock);
	return path;
}
