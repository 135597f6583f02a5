/* fit.c - the problem in liblinear's form, and Platt's two numbers. */
#include "fit.h"

#include <linear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../traits.h"

#define FIT_BUCKETS (1u << TRAITS_BITS)

static void fit_quiet(const char *text)
{
}

/* The features that occur in at least two groups, numbered from 1: what was seen once only is noise and half of the file. The
 * number of features is in the element behind the last. */
static uint32_t *fit_known(const struct dataset *d, const char *in)
{
	uint32_t *first = calloc(FIT_BUCKETS, sizeof *first), *known = calloc(FIT_BUCKETS + 1, sizeof *known);
	for (size_t i = 0; i < d->n; i++)
		for (uint32_t k = 0; in[i] && k < d->sample[i].n; k++) {
			uint32_t x = d->sample[i].index[k], group = d->sample[i].group | 1;
			known[x] |= first[x] && first[x] != group;
			first[x] = first[x] ? first[x] : group;
		}
	for (uint32_t i = 0; i < FIT_BUCKETS; i++)
		known[i] = known[i] ? ++known[FIT_BUCKETS] : 0;
	free(first);
	return known;
}

/* The length that a feature adds to its block: the size of its log odds, with one occurrence on either side to begin with. So
 * words that say nothing do not thin out those that do ("NB-SVM", Wang and Manning 2012, with the square root of the ratio).
 * What was never seen has the length `*floor`: of a text of unknown words we are less sure. */
static double *fit_lengths(
	const struct dataset *d, const char *in, const uint32_t *known, double written, double *floor)
{
	double *yes = calloc(FIT_BUCKETS, sizeof *yes), *no = calloc(FIT_BUCKETS, sizeof *no), yes_n = 0, no_n = 0;
	for (size_t i = 0; i < d->n; i++) {
		const struct sample *s = &d->sample[i];
		double w = s->only_train ? written : 1;
		if (!in[i])
			continue;
		*(s->label == 0 ? &yes_n : &no_n) += w;
		for (uint32_t k = 0; k < s->n; k++)
			(s->label == 0 ? yes : no)[s->index[k]] += w;
	}
	*floor = fabs(log(no_n / yes_n));
	for (uint32_t i = 0; i < FIT_BUCKETS; i++)
		yes[i] = known[i] ? fabs(log((yes[i] + 1) / yes_n * no_n / (no[i] + 1))) : *floor;
	free(no);
	return yes;
}

/* One over the length of each block, times its share. */
static void fit_blocks(const struct sample *s, const double *length, double by[TRAITS_BLOCKS])
{
	memset(by, 0, TRAITS_BLOCKS * sizeof *by);
	for (uint32_t k = 0; k < s->n; k++)
		by[s->block[k]] += length[s->index[k]];
	for (int b = 0; b < TRAITS_BLOCKS; b++)
		by[b] = by[b] > 0 ? traits_block_share[b] / sqrt(by[b]) : 0;
}

static struct feature_node *fit_row(const struct sample *s, const uint32_t *known, const double *length)
{
	struct feature_node *row = malloc((s->n + 2) * sizeof *row);
	double value = 1 / sqrt(s->n ? s->n : 1), by[TRAITS_BLOCKS];
	int at = 0;
	if (length)
		fit_blocks(s, length, by);
	for (uint32_t k = 0; k < s->n; k++)
		if (known[s->index[k]])
			row[at++] = (struct feature_node){
				(int)known[s->index[k]], length ? sqrt(length[s->index[k]]) * by[s->block[k]] : value};
	row[at++] = (struct feature_node){(int)known[FIT_BUCKETS] + 1, 1};
	row[at] = (struct feature_node){-1, 0};
	return row;
}

static void fit_function(struct fit *f, const struct dataset *d, const char *in, const uint32_t *known,
	const double *length, int k, double c)
{
	struct parameter how = {.solver_type = L2R_L2LOSS_SVC, .C = c, .eps = 0.001};
	struct problem p = {.n = (int)known[FIT_BUCKETS] + 1, .bias = 1};
	p.x = malloc(d->n * sizeof *p.x);
	p.y = malloc(d->n * sizeof *p.y);
	for (size_t i = 0; i < d->n; i++)
		if (in[i]) {
			p.y[p.l] = d->sample[i].label == k ? 1 : -1;
			p.x[p.l++] = fit_row(&d->sample[i], known, length);
		}
	struct model *m = train(&p, &how);
	double sign = m->label[0] == 1 ? 1 : -1; /* liblinear speaks for the label that it met first */
	f->weight[k] = calloc(FIT_BUCKETS, sizeof(double));
	for (uint32_t i = 0; i < FIT_BUCKETS; i++)
		if (known[i])
			f->weight[k][i] = sign * m->w[known[i] - 1] * (length ? sqrt(length[i]) : 1);
	f->bias[k] = sign * m->w[known[FIT_BUCKETS]];
	free_and_destroy_model(&m);
	for (int i = 0; i < p.l; i++)
		free(p.x[i]);
	free(p.x);
	free(p.y);
}

void fit_train(struct fit *f, const struct dataset *d, const char *in, int labels_n, const struct fit_how *how)
{
	uint32_t *known = fit_known(d, in);
	set_print_string_function(fit_quiet);
	f->functions_n = labels_n == 2 ? 1 : labels_n;
	f->blocks = how->blocks;
	double *length = how->blocks ? fit_lengths(d, in, known, how->written, &f->bias[1]) : NULL;
	for (int k = 0; k < f->functions_n; k++)
		fit_function(f, d, in, known, length, k, how->c);
	if (length) {
		for (uint32_t i = 0; i < FIT_BUCKETS; i++)
			length[i] -= f->bias[1];
		f->weight[1] = length;
		f->functions_n = 2;
	}
	free(known);
}

void fit_free(struct fit *f)
{
	for (int k = 0; k < f->functions_n; k++)
		free(f->weight[k]);
	memset(f, 0, sizeof *f);
}

double fit_value(const struct fit *f, int function, const struct sample *s)
{
	double sum[TRAITS_BLOCKS] = {0}, length[TRAITS_BLOCKS] = {0}, value = 0;
	for (uint32_t k = 0; k < s->n; k++) {
		sum[s->block[k]] += f->weight[function][s->index[k]];
		length[s->block[k]] += f->blocks ? f->weight[1][s->index[k]] + f->bias[1] : 0;
	}
	for (int b = 0; b < TRAITS_BLOCKS; b++)
		value += !f->blocks		 ? sum[b] / sqrt(s->n)
				 : length[b] > 0 ? traits_block_share[b] * sum[b] / sqrt(length[b])
								 : 0;
	return (s->n ? value : 0) + f->bias[function];
}

void fit_platt(const double *value, const char *positive, size_t n, double *a, double *b)
{
	double yes = 0;
	for (size_t i = 0; i < n; i++)
		yes += positive[i];
	double high = (yes + 1) / (yes + 2), low = 1 / (n - yes + 2);
	*a = -1;
	*b = 0;
	for (int round = 0; round < 200; round++) {
		double h11 = 1e-12, h22 = 1e-12, h21 = 0, g1 = 0, g2 = 0;
		for (size_t i = 0; i < n; i++) {
			double p = 1 / (1 + exp(*a * value[i] + *b)), t = positive[i] ? high : low, q = p * (1 - p);
			h11 += value[i] * value[i] * q;
			h22 += q;
			h21 += value[i] * q;
			g1 += value[i] * (t - p);
			g2 += t - p;
		}
		double det = h11 * h22 - h21 * h21, da = -(h22 * g1 - h21 * g2) / det, db = -(h11 * g2 - h21 * g1) / det;
		double step = fabs(da) > 1 ? 1 / fabs(da) : 1; /* far from the goal Newton's steps are too long */
		*a += step * da;
		*b += step * db;
		if (fabs(da) + fabs(db) < 1e-9)
			break;
	}
}
