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

/* Which features occur in at least two groups: what was seen once only is noise and half of the file. */
static char *fit_known(const struct dataset *d, const char *in)
{
	uint32_t *first = calloc(FIT_BUCKETS, sizeof *first);
	char *known = calloc(FIT_BUCKETS, 1);
	for (size_t i = 0; i < d->n; i++)
		for (uint32_t k = 0; in[i] && k < d->sample[i].n; k++) {
			uint32_t x = d->sample[i].index[k], group = d->sample[i].group | 1;
			known[x] |= first[x] && first[x] != group;
			first[x] = first[x] ? first[x] : group;
		}
	free(first);
	return known;
}

static struct feature_node *fit_row(const struct sample *s, const char *known)
{
	struct feature_node *row = malloc((s->n + 2) * sizeof *row);
	double value = 1 / sqrt(s->n ? s->n : 1);
	int at = 0;
	for (uint32_t k = 0; k < s->n; k++)
		if (known[s->index[k]])
			row[at++] = (struct feature_node){(int)s->index[k] + 1, value};
	row[at++] = (struct feature_node){FIT_BUCKETS + 1, 1};
	row[at] = (struct feature_node){-1, 0};
	return row;
}

static void fit_function(struct fit *f, const struct dataset *d, const char *in, const char *known, int k, double c)
{
	struct parameter how = {.solver_type = L2R_L2LOSS_SVC, .C = c, .eps = 0.001};
	struct problem p = {.n = FIT_BUCKETS + 1, .bias = 1};
	p.x = malloc(d->n * sizeof *p.x);
	p.y = malloc(d->n * sizeof *p.y);
	for (size_t i = 0; i < d->n; i++)
		if (in[i]) {
			p.y[p.l] = d->sample[i].label == k ? 1 : -1;
			p.x[p.l++] = fit_row(&d->sample[i], known);
		}
	struct model *m = train(&p, &how);
	double sign = m->label[0] == 1 ? 1 : -1; /* liblinear speaks for the label that it met first */
	f->weight[k] = calloc(FIT_BUCKETS, sizeof(double));
	for (uint32_t i = 0; i < FIT_BUCKETS; i++)
		f->weight[k][i] = sign * m->w[i];
	f->bias[k] = sign * m->w[FIT_BUCKETS];
	free_and_destroy_model(&m);
	for (int i = 0; i < p.l; i++)
		free(p.x[i]);
	free(p.x);
	free(p.y);
}

void fit_train(struct fit *f, const struct dataset *d, const char *in, int labels_n, double c)
{
	char *known = fit_known(d, in);
	set_print_string_function(fit_quiet);
	f->functions_n = labels_n == 2 ? 1 : labels_n;
	for (int k = 0; k < f->functions_n; k++)
		fit_function(f, d, in, known, k, c);
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
	double sum = 0;
	for (uint32_t k = 0; k < s->n; k++)
		sum += f->weight[function][s->index[k]];
	return sum / sqrt(s->n ? s->n : 1) + f->bias[function];
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
