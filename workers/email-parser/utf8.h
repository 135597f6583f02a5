/* utf8.h - strict UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). Pure functions. */
#pragma once

#include "buf.h"

#include <stdint.h>

/* The character at s (n >= 1 bytes remain) and its length; -1 and length 1 where the bytes are not UTF-8. */
int32_t utf8_decode(const char *s, size_t n, size_t *length);

/* Adds one character. */
void utf8_encode(struct buf *out, uint32_t c);

/* Adds n bytes with everything that is not UTF-8, and every NUL, replaced by U+FFFD. Returns how many were replaced. */
size_t utf8_clean(struct buf *out, const char *s, size_t n);

/* Is all of it UTF-8? */
bool utf8_valid(const char *s, size_t n);

/* The largest length <= most that does not cut a character in two; s is UTF-8. */
size_t utf8_floor(const char *s, size_t n, size_t most);

/* Characters in UTF-8 text. */
size_t utf8_count(const char *s, size_t n);
