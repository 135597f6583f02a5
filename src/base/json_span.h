/* json_span.h - where the members of a JSON text are, without parsing what is in them. Strict RFC 8259, UTF-8 included.
 *
 * One pass over the bytes checks everything and remembers the top-level members only; no allocation, no copy. It replaces
 * jsmn, which the design names: that accepts malformed text and takes 16 bytes for every value of the payload. Content is
 * read with jansson. Depth is limited to JSON_SPAN_DEPTH_MAX. Pure. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define JSON_SPAN_DEPTH_MAX 256

struct json_member {
	struct bytes key; /* between its quotes, as written: a name with escapes is a name that nobody looks for */
	struct bytes value; /* as written, without the space around it */
};

/* One JSON value and nothing after it. E_INVALID: "line 3, column 17: expected ...". */
enum errcode json_span_check(struct bytes text, struct err *e);

/* The members of the object `text`, checked as above. E_INVALID also when it is no object or names one member twice;
 * E_TOO_LARGE when it has more than `max` members. */
enum errcode json_span_members(struct bytes text, struct json_member *members, size_t max, size_t *n, struct err *e);
const struct bytes *json_span_find(const struct json_member *members, size_t n, const char *key); /* NULL: not there */

/* The elements of an array that was checked before, one a call: start with *at = 0. False at the end. */
bool json_span_next(struct bytes array, size_t *at, struct bytes *element);

/* The first character says what a checked value is: { [ " t f n, else a number. */
char json_span_kind(struct bytes value);
/* Appends the string's characters, escapes decoded, to `out`. False: not a string, or it holds \u0000. */
bool json_span_string(struct bytes value, struct buf *out);
bool json_span_integer(struct bytes value, int64_t *out); /* false: no number, a fraction, or outside 64 bits */
