/* jsontext.h - is this JSON? A strict check of RFC 8259 text, and a reader of single members; nothing is built.
 *
 * Used where bytes pass through and only their form counts (reeve_reply, log fields, control frames of the link). UTF-8 is
 * checked, too (no surrogates, no overlong forms). Nesting deeper than JSONTEXT_DEPTH is refused. Pure: no allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSONTEXT_DEPTH = 256 };

struct jsontext { /* a span of JSON text: one value, without white space around it */
	const char *data;
	size_t size;
};

/* True when `data` is exactly one JSON value with optional white space around it. Else *at (may be NULL) is the offset of
 * the first byte that cannot be right (size: it ends too early). */
bool jsontext_check(const char *data, size_t size, size_t *at);

/* True when it is one JSON object (checked as above). */
bool jsontext_is_object(const char *data, size_t size);

/* Walks the members of an object or the elements of an array that jsontext_check found good. Start with *cursor = 0.
 * Each call that returns true gives the next `key` (its text between the quotes, still escaped; empty in an array) and
 * `value`. False: there are no more, or it is no object or array. */
bool jsontext_next(struct jsontext container, size_t *cursor, struct jsontext *key, struct jsontext *value);

/* The value of the first member named `key` (compared as written, so use keys that need no escapes). */
bool jsontext_get(struct jsontext object, const char *key, struct jsontext *value);

/* A string's text, unescaped, into `text` with a NUL. Its length; or -1: not a string, longer than room - 1, or with a NUL. */
long jsontext_string(struct jsontext value, char *text, size_t room);

/* A whole number that fits. */
bool jsontext_int(struct jsontext value, int64_t *number);

/* Appends "text" quoted and escaped at *used of `out`; invalid UTF-8 becomes U+FFFD. False (nothing changed): no room. */
bool jsontext_quote(char *out, size_t room, size_t *used, const char *text, size_t size);
