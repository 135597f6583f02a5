/* err.h - how a function says what went wrong: a code for programs, a sentence for people.
 *
 * A function that can fail returns `enum errcode` and takes `struct err *e` last. `e` may be NULL. Outputs are written
 * only on success. The sentence names the bad value, the place and what would be right. HTTP status and exit code come
 * from one table each (api/, cli/). No threads, no allocation. */
#pragma once
#include <stddef.h>

enum errcode {
	E_OK = 0,
	E_INVALID, /* the caller's input is wrong; the same call will fail again */
	E_NOT_FOUND, /* no such job, worker, capability, blob ... */
	E_CONFLICT, /* it exists already, or another one holds it */
	E_STATE, /* not in this state; the sentence names the state and what would be allowed */
	E_FENCE, /* the lease was taken away; the caller no longer speaks for this job */
	E_TOO_LARGE, /* above a limit that the sentence names */
	E_LIMIT, /* too many now; try again later (429) */
	E_NO_SPACE, /* the disk is full (507); nothing was kept */
	E_IO, /* reading or writing failed */
	E_TIMEOUT, /* the time given ran out */
	E_UNAVAILABLE, /* nobody is there to do it now (503) */
	E_DENIED, /* the caller may not */
	E_CANCELLED,
	E_NO_MEMORY,
	E_INTERNAL, /* a bug */
};

struct err {
	enum errcode code;
	char text[512]; /* one sentence, UTF-8, without a final newline; cut when longer */
};

/* Fills `e` when it is not NULL; returns `code`, so that `return err_set(e, E_INVALID, "...")` reads well. */
enum errcode err_set(struct err *e, enum errcode code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the sentence. Returns e's code (E_OK for NULL). */
enum errcode err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As err_set with strerror(errno_value) appended; ENOSPC, EDQUOT become E_NO_SPACE, ENOMEM E_NO_MEMORY, else E_IO. */
enum errcode err_errno(struct err *e, int errno_value, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "invalid", "not_found", ...: stable words of the API. Never NULL. */
const char *err_word(enum errcode code);
