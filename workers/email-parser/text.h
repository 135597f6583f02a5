/* text.h - bytes in some character set become clean text: UTF-8, "\n" for line ends, no NUL. No state of its own; call
 * g_mime_init before, it knows the names of character sets.
 */
#pragma once

#include "buf.h"

struct text_trouble {
	bool unknown_charset; /* no such character set here; read as UTF-8 or windows-1252 */
	bool replaced; /* bytes that mean nothing in the character set became U+FFFD */
};

/* Adds n bytes in `charset` to out. NULL, "us-ascii" and unknown sets are UTF-8 if it is valid UTF-8, else windows-1252; so is
 * what is declared as UTF-8 and is not. ISO-8859-1 is read as windows-1252, as browsers do. */
void text_convert(struct buf *out, const char *s, size_t n, const char *charset, struct text_trouble *trouble);

/* The first `most` characters with white space as single blanks. When more follows: without a last partial word, and "...". */
void text_snippet(struct buf *out, const char *s, size_t n, size_t most);

/* Is there anything but white space? */
bool text_is_blank(const char *s, size_t n);
