/* lexicon.h - words that mean something by themselves: small words of seven languages, good and bad words, urgent ones.
 *
 * One table from the hash of a word, or of two words in a row, to what it says. Built once, then read by any thread.
 * Sentiment and priority are judged by it, because nobody labelled real mail for them; language uses it where a text is too
 * short for statistics, or so plainly English that they are not needed. */
#pragma once

#include <stdint.h>
#include "mail.h"
#include "words.h"

enum { LEXICON_EN, LEXICON_FR, LEXICON_DE, LEXICON_ES, LEXICON_IT, LEXICON_PT, LEXICON_NL, LEXICON_LANGUAGES };

extern const char *const lexicon_language[LEXICON_LANGUAGES]; /* "en", "fr", … */

struct lexicon_entry {
	uint32_t hash;
	uint8_t languages; /* bit n: a common word of language n */
	uint8_t negates; /* "not", "never": turns the next three words round */
	uint8_t amplifies; /* "very" */
	int8_t sentiment; /* -3 … 3 */
	int8_t urgency; /* -3 … 4 */
};

#define LEXICON_SLOTS 4096u

struct lexicon {
	struct lexicon_entry slot[LEXICON_SLOTS];
};

void lexicon_init(struct lexicon *l);

/* NULL when the word says nothing. */
const struct lexicon_entry *lexicon_find(const struct lexicon *l, uint32_t hash);
uint32_t lexicon_pair(uint32_t first, uint32_t second); /* the hash of two words in a row */

/* What the lexicon finds in a mail: its subject and the first GIST_TEXT bytes of the body, without quoted lines. */
#define GIST_TEXT 4096u

struct gist {
	uint32_t words_n, letters_n;
	uint32_t votes[LEXICON_LANGUAGES]; /* words that are common in the language */
	double sentiment; /* sum of weights, turned round by negation */
	uint32_t feelings_n; /* words that had one */
	double urgency; /* sum of weights; those of the subject count half as much again */
	double hints; /* the same of words of weight 1, which many letters have */
	uint32_t known_n; /* words that are in the lexicon at all */
	uint32_t bangs_n; /* exclamation marks, in runs */
};

void gist_read(struct gist *g, const struct lexicon *l, const struct mail *m);
