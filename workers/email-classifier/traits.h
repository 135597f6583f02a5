/* traits.h - one message as a set of numbers below 2^20: words, pairs of words, and what the text looks like.
 *
 * One pass, no allocation, and the same for every model, so that seven answers cost one reading. A number is the hash of the
 * thing and of where it stands (subject, body, sender). The set is not counted: a word said nine times is in it once.
 * Digits count as their shape ("2002" and "1999" are "0000"), so no year is learnt. The tag and the footer of a mailing list
 * are left out, so that a list is not mistaken for an honest sender. Trainer and worker link this file; TRAITS_VERSION is
 * written into each model and must agree. */
#pragma once

#include <stdint.h>
#include "mail.h"

#define TRAITS_VERSION 2u
#define TRAITS_BITS	   20
#define TRAITS_MAX	   4096u /* further ones are ignored */
#define TRAITS_TEXT	   16384u /* bytes of the body that are read */
#define TRAITS_SET	   8192u /* slots: a power of two, at least 2 * TRAITS_MAX */

#define TRAITS_LOOKS 48

/* Where the mail says it. Features of a block stand together, in this order. */
enum traits_block { TRAITS_SUBJECT, TRAITS_SENDER, TRAITS_BODY, TRAITS_LOOK, TRAITS_BLOCKS };

/* What each may say at most, in a model that judges them one by one (model.h). */
extern const double traits_block_share[TRAITS_BLOCKS];

struct traits {
	uint32_t n; /* how many in index[] */
	uint32_t end[TRAITS_BLOCKS]; /* where in index[] each block ends */
	uint32_t looks_n;
	uint32_t words_n; /* words read, of subject and body */
	uint32_t foreign_n; /* of these, how many hold a byte above 127 */
	uint32_t index[TRAITS_MAX];
	uint32_t look[TRAITS_LOOKS]; /* private: looks until the end */
	uint32_t set[TRAITS_SET]; /* private: what is there already: 48 KiB in all, so not for a small stack */
};

/* Fills *f; what was there before is forgotten. Safe on any bytes. */
void traits_read(struct traits *f, const struct mail *m);
