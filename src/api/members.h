/* members.h - reads the members of a JSON object that a client sent, without parsing what it does not ask for. Any thread.
 *
 *     static const char *const names[] = {"fence", "result", NULL};
 *     struct bytes v[2];
 *     if (!members_find(m, body, names, v) || !members_integer(m, "fence", v[0], 1, INT64_MAX, &fence))
 *         the error and its place are in m
 *
 * A member that is not there is {NULL,0}, and the readers leave *out as it was. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

enum { MEMBERS_MAX = 16, MEMBERS_POINTER_SIZE = 300 };

struct members {
	struct err error;
	char pointer[MEMBERS_POINTER_SIZE]; /* of the object; after an error of what is wrong */
};

/* Names end with NULL, at most MEMBERS_MAX. A member that has another name is refused: "did you mean ...?" */
bool members_find(struct members *m, struct bytes object, const char *const *names, struct bytes *values);
bool members_integer(struct members *m, const char *name, struct bytes v, int64_t min, int64_t max, int64_t *out);
bool members_duration(
	struct members *m, const char *name, struct bytes v, int64_t min_ms, int64_t max_ms, int64_t *out);
bool members_flag(struct members *m, const char *name, struct bytes v, bool *out);
bool members_text(struct members *m, const char *name, struct bytes v, struct buf *out); /* appended, decoded */
bool members_id(struct members *m, const char *name, struct bytes v, uint64_t *out); /* of a job */
bool members_missing(struct members *m, const char *name); /* refuses; false */
bool members_wrong(struct members *m, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
