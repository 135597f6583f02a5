/* judge.c - reads a mail once, asks every model in one walk over its features, and then whoever else is needed. */
#include "judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "language.h"
#include "lexicon.h"
#include "model.h"
#include "tone.h"

#define JUDGE_STRIDE  MODEL_COLUMNS /* 16-bit weights of one feature, all models: 16 bytes, within one cache line */
#define JUDGE_FOREIGN 0.55 /* sure enough that it is another language */
#define JUDGE_FEW	  3

struct judge {
	struct lexicon lexicon;
	struct language *language;
	struct model model[TYPES_N];
	int16_t *weight;
};

/* What has been found out about one mail. */
struct hearing {
	const struct judge *j;
	const struct traits *f;
	struct gist gist;
	struct tongue tongue;
	struct model_sums sums;
	uint32_t known; /* features of words that the spam model has a weight for */
	int foreign;
};

static int judge_models(struct judge *j, const char *model_dir, char *why, size_t why_size)
{
	uint32_t column = 0;
	for (int i = 0; i < TYPES_N; i++) {
		char path[4096];
		if (!types[i].model)
			continue;
		snprintf(path, sizeof path, "%s/%s", model_dir, types[i].model);
		if (model_load(&j->model[i], path, j->weight, column, JUDGE_STRIDE, why, why_size))
			return -1;
		column += j->model[i].functions_n;
	}
	return 0;
}

struct judge *judge_open(const char *model_dir, const char *language_dir, char *why, size_t why_size)
{
	struct judge *j = calloc(1, sizeof *j);
	char conf[4096];
	snprintf(why, why_size, "out of memory");
	if (j)
		j->weight = aligned_alloc(64, sizeof(int16_t) * JUDGE_STRIDE << TRAITS_BITS);
	if (!j || !j->weight) {
		judge_close(j);
		return NULL;
	}
	memset(j->weight, 0, sizeof(int16_t) * JUDGE_STRIDE << TRAITS_BITS);
	snprintf(conf, sizeof conf, "%s/languages.conf", model_dir);
	lexicon_init(&j->lexicon);
	if (judge_models(j, model_dir, why, why_size) ||
		!(j->language = language_open(conf, language_dir, why, why_size))) {
		judge_close(j);
		return NULL;
	}
	return j;
}

void judge_close(struct judge *j)
{
	if (!j)
		return;
	language_close(j->language);
	free(j->weight);
	free(j);
}

static void judge_sums(struct hearing *h)
{
	uint32_t i = 0;
	for (int b = 0; b < TRAITS_BLOCKS; b++) {
		int32_t *sum = h->sums.sum[b];
		h->sums.n[b] = h->f->end[b] - i;
		for (; i < h->f->end[b]; i++) {
			const int16_t *w = h->j->weight + (size_t)h->f->index[i] * JUDGE_STRIDE;
			for (int k = 0; k < JUDGE_STRIDE; k++)
				sum[k] += w[k];
			h->known += b != TRAITS_LOOK && w[0] != 0;
		}
	}
}

static void judge_say(struct verdict *v, const char *prediction, double confidence)
{
	snprintf(v->prediction, sizeof v->prediction, "%s", prediction);
	v->confidence = round(confidence * 10000) / 10000;
}

static int judge_by_model(const struct hearing *h, const struct model *m, double p[MODEL_LABELS])
{
	int best = 0;
	model_probability(m, &h->sums, p);
	for (uint32_t i = 1; i < m->labels_n; i++)
		best = p[i] > p[best] ? (int)i : best;
	return best;
}

static void judge_type(const struct hearing *h, enum type_id type, struct verdict *v)
{
	double p[MODEL_LABELS];
	uint32_t words = h->f->n - h->f->looks_n;
	judge_say(v, JUDGE_UNKNOWN, 0);
	if (!h->gist.letters_n)
		return;
	if (type == TYPE_LANGUAGE) {
		judge_say(v, h->tongue.code, h->tongue.confidence);
		return;
	}
	/* Hashes collide, so of any letters some "are known": of three words and no common one that says nothing. */
	int strange = !h->gist.known_n && !strcmp(h->tongue.code, JUDGE_UNKNOWN);
	if (!h->known || (strange && (types[type].english_only || h->f->words_n <= JUDGE_FEW)) ||
		(h->foreign && types[type].english_only))
		return;
	if (type == TYPE_SENTIMENT || type == TYPE_PRIORITY) {
		model_probability(&h->j->model[TYPE_SPAM], &h->sums, p);
		struct tone t = type == TYPE_SENTIMENT ? tone_sentiment(&h->gist) : tone_priority(&h->gist, p[0]);
		judge_say(v, t.name, t.confidence);
		return;
	}
	int best = judge_by_model(h, &h->j->model[type], p);
	/* Of a foreign text the model knows some hosts, marks and looks, and guesses the rest: no more sure than that. */
	judge_say(v, h->j->model[type].label[best], h->foreign ? 0.5 + (p[best] - 0.5) * h->known / words : p[best]);
}

void judge_mail(const struct judge *j, struct traits *f, const struct mail *m, const enum type_id *asked, int asked_n,
	struct verdict *out)
{
	struct hearing h = {.j = j, .f = f};
	traits_read(f, m);
	gist_read(&h.gist, &j->lexicon, m);
	language_read(&h.tongue, j->language, m, &h.gist);
	h.foreign = strcmp(h.tongue.code, "en") && strcmp(h.tongue.code, "unknown") && h.tongue.confidence >= JUDGE_FOREIGN;
	judge_sums(&h);
	for (int i = 0; i < asked_n; i++)
		judge_type(&h, asked[i], &out[i]);
}
