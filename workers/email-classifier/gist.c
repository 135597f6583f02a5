/* gist.c - one walk over a mail with the lexicon in hand. */
#include "lexicon.h"

#include <string.h>

struct walk {
	struct gist *g;
	const struct lexicon *l;
	double weight; /* of urgency here */
	uint32_t last; /* hash of the word before */
	int negated, louder; /* how many more words they hold for */
	int skip; /* within a quoted line */
};

static void gist_meaning(struct walk *w, const struct lexicon_entry *e)
{
	double feeling = e->sentiment;
	if (feeling != 0) {
		feeling *= w->louder > 0 ? 1.5 : 1;
		if (w->negated > 0) /* "not happy" is bad, "not bad" is half good; one word is turned round, not the sentence */
			feeling *= feeling > 0 ? -1 : -0.5;
		w->negated = 0;
		w->g->sentiment += feeling;
		w->g->feelings_n++;
	}
	double urgency = w->weight * (w->negated > 0 && e->urgency > 0 ? -0.5 * e->urgency : e->urgency);
	if (e->urgency == 1)
		w->g->hints += urgency;
	else
		w->g->urgency += urgency;
	if (e->negates)
		w->negated = 4;
	if (e->amplifies)
		w->louder = 2;
}

static void gist_word(void *context, const struct word *word)
{
	struct walk *w = context;
	if (word->kind == WORD_LINE) {
		w->skip = word->first == '>';
		return;
	}
	if (word->kind == WORD_MARK)
		w->g->bangs_n += word->first == '!';
	if (word->kind != WORD_TEXT || w->skip)
		return;
	w->g->letters_n += word->size - word->digits;
	w->g->words_n += word->size > word->digits;
	w->negated--;
	w->louder--;
	const struct lexicon_entry *pair = w->last ? lexicon_find(w->l, lexicon_pair(w->last, word->hash)) : NULL;
	const struct lexicon_entry *e = lexicon_find(w->l, word->hash);
	w->last = word->hash;
	w->g->known_n += e != NULL;
	for (int i = 0; e && e->languages && i < LEXICON_LANGUAGES; i++)
		w->g->votes[i] += e->languages >> i & 1;
	if (pair)
		gist_meaning(w, pair);
	if (e)
		gist_meaning(w, e);
}

void gist_read(struct gist *g, const struct lexicon *l, const struct mail *m)
{
	struct walk w = {.g = g, .l = l, .weight = 1.5};
	memset(g, 0, sizeof *g);
	words_read(m->subject.at, m->subject.size < 1000 ? m->subject.size : 1000, gist_word, &w);
	w = (struct walk){.g = g, .l = l, .weight = 1};
	words_read(m->text.at, m->text.size < GIST_TEXT ? m->text.size : GIST_TEXT, gist_word, &w);
}
