/* keywords.h - which of the given words and phrases stand in a text, as whole words, whatever their case.
 *
 * "bill" is not in "billion"; "amount due" is in "Amount\n due". A keyword that begins or ends with a character that is no
 * letter or digit ("c++") needs no word boundary on that side.
 */
#pragma once

#include "buf.h"

#define KEYWORDS_MAX		256 /* keywords in a list */
#define KEYWORDS_LENGTH_MAX 200 /* bytes in a keyword */

struct keywords {
	char **given; /* as they were written: this is what is reported */
	struct buf *folded; /* lower case, white space as one blank */
	size_t n;
};

/* Copies n strings. False when one is empty, too long, or not UTF-8: *bad is its index, *k is then empty. */
bool keywords_init(struct keywords *k, const char *const *words, size_t n, size_t *bad);
void keywords_fini(struct keywords *k);

/* Sets found[i] for each keyword in the text (UTF-8) and returns how many. `scratch` is memory to fold the text in, kept
 * between calls; its content does not matter. */
size_t keywords_find(const struct keywords *k, const char *text, size_t n, bool *found, struct buf *scratch);
