/* language.h - which language a mail is written in: libexttextcat, and the lexicon where that is too short or not needed.
 *
 * Text that is plainly English by its small words is not given to the library (60-110 µs a call, by far the dearest thing
 * here); neither is text under 25 bytes, on which its statistics say nothing. */
#pragma once

#include "lexicon.h"

#define LANGUAGE_TEXT 400u /* bytes of the body that the library is given */

struct language; /* a pool of library handles: one works for one thread at a time */

/* `conf` is our list of fingerprints, `directory` where the library's data is. NULL with a sentence in `why`. */
struct language *language_open(const char *conf, const char *directory, char *why, size_t why_size);
void language_close(struct language *l);

struct tongue {
	char code[8]; /* ISO 639-1, or "unknown" */
	double confidence;
};

/* Any thread. */
void language_read(struct tongue *t, struct language *l, const struct mail *m, const struct gist *g);
