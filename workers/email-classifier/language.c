/* language.c - small words first, n-gram statistics where they do not decide. */
#include "language.h"

#include <libexttextcat/textcat.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANGUAGE_HANDLES  8 /* threads beyond that wait */
#define LANGUAGE_LONG	  80 /* bytes */
#define LANGUAGE_SHORTEST 25 /* bytes: below, the library guesses */

struct language {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	char *conf, *directory;
	void *free[LANGUAGE_HANDLES];
	candidate_t *out[LANGUAGE_HANDLES]; /* of free[] with the same place */
	int free_n, open_n;
};

struct handle {
	void *textcat;
	candidate_t *out;
};

static int language_new_handle(struct language *l, struct handle *h)
{
	h->textcat = special_textcat_Init(l->conf, l->directory);
	h->out = h->textcat ? textcat_GetClassifyFullOutput(h->textcat) : NULL;
	return h->out ? 0 : -1;
}

static int language_take(struct language *l, struct handle *h)
{
	pthread_mutex_lock(&l->lock);
	while (!l->free_n && l->open_n == LANGUAGE_HANDLES)
		pthread_cond_wait(&l->freed, &l->lock);
	int ready = l->free_n > 0;
	if (ready) {
		l->free_n--;
		*h = (struct handle){l->free[l->free_n], l->out[l->free_n]};
	} else {
		l->open_n++;
	}
	pthread_mutex_unlock(&l->lock);
	if (ready || !language_new_handle(l, h))
		return 0;
	pthread_mutex_lock(&l->lock);
	l->open_n--;
	pthread_cond_signal(&l->freed);
	pthread_mutex_unlock(&l->lock);
	return -1;
}

static void language_give(struct language *l, struct handle h)
{
	pthread_mutex_lock(&l->lock);
	l->free[l->free_n] = h.textcat;
	l->out[l->free_n++] = h.out;
	pthread_cond_signal(&l->freed);
	pthread_mutex_unlock(&l->lock);
}

/* Looked for before the library is asked, which leaks and prints when one is missing. */
static int language_files(const char *conf, const char *directory, char *why, size_t why_size)
{
	FILE *file = fopen(conf, "re");
	char line[256], path[4096];
	int n = 0, missing = 0;
	while (file && !missing && fgets(line, sizeof line, file)) {
		line[strcspn(line, " \t\r\n#")] = 0;
		snprintf(path, sizeof path, "%s/%s", directory, line);
		missing = *line && access(path, R_OK);
		n += *line != 0;
	}
	if (file)
		fclose(file);
	if (missing)
		snprintf(why, why_size, "no language data: %s cannot be read (the package libexttextcat-data has it)", path);
	else if (!n)
		snprintf(why, why_size, "no language data: %s names no fingerprints", conf);
	return missing || !n ? -1 : 0;
}

struct language *language_open(const char *conf, const char *directory, char *why, size_t why_size)
{
	struct language *l = language_files(conf, directory, why, why_size) ? NULL : calloc(1, sizeof *l);
	struct handle h;
	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->freed, NULL);
	l->conf = strdup(conf);
	if (asprintf(&l->directory, "%s/", directory) < 0)
		l->directory = NULL;
	if (!l->conf || !l->directory || language_take(l, &h)) {
		snprintf(why, why_size, "no language data: libexttextcat cannot use %s with %s", conf, directory);
		language_close(l);
		return NULL;
	}
	language_give(l, h);
	return l;
}

void language_close(struct language *l)
{
	if (!l)
		return;
	for (int i = 0; i < l->free_n; i++) {
		textcat_ReleaseClassifyFullOutput(l->free[i], l->out[i]);
		textcat_Done(l->free[i]);
	}
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->freed);
	free(l->conf);
	free(l->directory);
	free(l);
}

static void language_say(struct tongue *t, const char *code, double confidence)
{
	size_t n = strcspn(code, "-");
	snprintf(t->code, sizeof t->code, "%.*s", (int)n, code);
	t->confidence = confidence;
}

/* The part that has the language: the text, or the subject of an empty one; whole characters only. */
static struct span language_sample(const struct mail *m)
{
	struct span s = m->text.size >= LANGUAGE_SHORTEST || m->text.size >= m->subject.size ? m->text : m->subject;
	while (s.size && (uint8_t)*s.at <= ' ')
		s.at++, s.size--;
	if (s.size <= LANGUAGE_TEXT)
		return s;
	s.size = LANGUAGE_TEXT;
	while (s.size && ((uint8_t)s.at[s.size] & 0xc0) == 0x80)
		s.size--;
	return s;
}

static int language_most_votes(const struct gist *g, int *second)
{
	int best = 0;
	*second = -1;
	for (int i = 1; i < LEXICON_LANGUAGES; i++)
		best = g->votes[i] > g->votes[best] ? i : best;
	for (int i = 0; i < LEXICON_LANGUAGES; i++)
		if (i != best && (*second < 0 || g->votes[i] > g->votes[*second]))
			*second = i;
	return best;
}

static double language_votes_for(const struct gist *g, const char *name)
{
	for (int k = 0; k < LEXICON_LANGUAGES; k++)
		if (!strncmp(name, lexicon_language[k], 2))
			return g->votes[k];
	return g->votes[LEXICON_EN] ? 0 : 1;
}

static void language_statistics(struct tongue *t, struct language *l, struct span s, const struct gist *g)
{
	struct handle h;
	if (language_take(l, &h))
		return;
	int ascii = s.size < 120; /* short, and nothing in it that English has not */
	for (size_t i = 0; ascii && i < s.size; i++)
		ascii &= (uint8_t)s.at[i] < 128;
	/* The library takes the size for a number of characters and reads on behind the text: what stands there must not count. */
	char alone[4 * LANGUAGE_TEXT + 16] = {0};
	memcpy(alone, s.at, s.size);
	int n = textcat_ClassifyFull(h.textcat, alone, s.size, h.out), pick = 0;
	for (int i = 1; i < n; i++) /* near candidates: the one whose small words are there */
		for (int k = 0; k < LEXICON_LANGUAGES; k++)
			if (!strncmp(h.out[i].name, lexicon_language[k], 2) && g->votes[k] * 4 >= g->words_n && g->votes[k] > 1)
				pick = i;
	if (n > 0 && g->votes[LEXICON_EN] > 1 && language_votes_for(g, h.out[pick].name) < g->votes[LEXICON_EN] / 2.0 &&
		ascii)
		n = 0; /* its small words are English: let these decide */
	int clear = n == 1 || pick; /* of several candidates for a short text the first is right one time in three */
	if (n > 0 && n <= 3 && (clear || s.size >= LANGUAGE_LONG))
		language_say(t, h.out[pick].name, (n == 1 ? 0.95 : pick ? 0.8 : 0.6) * (s.size < LANGUAGE_LONG ? 0.85 : 1));
	language_give(l, h);
}

void language_read(struct tongue *t, struct language *l, const struct mail *m, const struct gist *g)
{
	int second, best = language_most_votes(g, &second);
	double share = g->words_n ? (double)g->votes[best] / g->words_n : 0, gap = g->votes[best] - 1.5 * g->votes[second];
	struct span s = language_sample(m);
	language_say(t, "unknown", 0);
	if (!g->letters_n)
		return;
	if (best == LEXICON_EN && g->words_n >= 8 && share >= 0.2 && gap > 3) {
		language_say(t, "en", share > 0.35 ? 0.99 : 0.97);
		return;
	}
	if (s.size >= LANGUAGE_SHORTEST)
		language_statistics(t, l, s, g);
	if (!strcmp(t->code, lexicon_language[best]))
		t->confidence = t->confidence > 0.5 + share / 2 ? t->confidence : 0.5 + share / 2;
	else if (g->words_n <= 20 && g->votes[best] >= 2 && share >= 0.4 && g->votes[best] > g->votes[second])
		language_say(t, lexicon_language[best], 0.5 + share * 0.4);
	if (t->confidence > 0.99)
		t->confidence = 0.99;
}
