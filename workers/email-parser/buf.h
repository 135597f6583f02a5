/* buf.h - bytes that grow. Allocation is checked: after a failure `failed` stays set, what is added is lost, and the caller
 * asks once, at the end. `data` always ends in a NUL that `n` does not count (NULL while nothing was ever added).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data;
	size_t n; /* bytes used */
	size_t room; /* bytes allocated */
	bool failed; /* an allocation failed; the content is not to be trusted */
};

void buf_fini(struct buf *b); /* accepts a zeroed one */
void buf_add(struct buf *b, const void *data, size_t n);
void buf_cut(struct buf *b, size_t n); /* keeps the first n bytes; the memory stays for the next use */

static inline void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline void buf_text(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}
