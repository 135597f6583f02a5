/* put.h - writes JSON into a buffer: members in the order of the calls, the same bytes on every run. (Reading is jansson's;
 * it is not used for writing because building a tree for each message costs more than parsing the message.)
 *
 *	put_open(b, '{');
 *	put_key(b, "size");
 *	put_unsigned(b, 7);
 *	put_close(b, '}');          {"size":7}
 *
 * Commas are put where they belong, by looking at the last byte.
 */
#pragma once

#include "buf.h"

#include <stdint.h>

void put_open(struct buf *b, char bracket); /* '{' or '[' */
void put_close(struct buf *b, char bracket); /* '}' or ']' */
void put_key(struct buf *b, const char *key); /* a literal that needs no escapes */
void put_bytes(struct buf *b, const char *s, size_t n); /* a string; what is not UTF-8, and NUL, becomes U+FFFD */
void put_string(struct buf *b, const char *s); /* the same up to the NUL; NULL is null */
void put_unsigned(struct buf *b, uint64_t value);
void put_integer(struct buf *b, int64_t value);
void put_hundredths(struct buf *b, uint64_t value); /* 1234 is 12.34: fractions without floating point */
void put_bool(struct buf *b, bool value);
void put_null(struct buf *b);
