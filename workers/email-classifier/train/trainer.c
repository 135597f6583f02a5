/* trainer.c - from labelled lines to a model file and the figures that tell what it is worth.
 *
 *     trainer --labels spam,not_spam --out spam.model [--c 32] [--caution 1.25] [--errors FILE] corpus.ndjson +templates.ndjson
 *
 * 1. A quarter of the groups is put aside. On the rest, 5-fold cross-validation picks C by its log loss.
 * 2. A model of the rest is tested on the quarter: "hold-out", on mail that neither the weights, nor C, nor the calibration
 *    have seen.
 * 3. 10-fold cross-validation over all gives the calibration of the model that is written, which is trained on all. */
#include <err.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../model.h"
#include "fit.h"
#include "model_write.h"

struct trainer {
	struct dataset data;
	char *label[MODEL_LABELS];
	int labels_n, functions_n;
	double *value; /* [sample][function], of a fit that had not seen the sample */
	double a[MODEL_LABELS], b[MODEL_LABELS];
	double caution; /* odds of the first label are divided by it: a false alarm is worse than a miss */
	FILE *errors;
};

static void trainer_probability(const struct trainer *t, size_t i, double *p)
{
	double total = 0;
	for (int k = 0; k < t->functions_n; k++)
		total += p[k] = 1 / (1 + exp(t->a[k] * t->value[i * MODEL_LABELS + k] + t->b[k]));
	if (t->functions_n == 1)
		p[1] = 1 - p[0];
	else
		for (int k = 0; k < t->functions_n; k++)
			p[k] /= total;
}

static void trainer_values(struct trainer *t, const struct fit *f, const char *which)
{
	for (size_t i = 0; i < t->data.n; i++)
		for (int k = 0; which[i] && k < t->functions_n; k++)
			t->value[i * MODEL_LABELS + k] = fit_value(f, k, &t->data.sample[i]);
}

/* Out-of-fold values of every sample in `part`, and the calibration that fits those that count. */
static void trainer_cross(struct trainer *t, const char *part, unsigned folds, double c)
{
	size_t n = t->data.n, m = 0;
	char *in = malloc(n), *out = malloc(n), *yes = malloc(n);
	double *value = malloc(n * sizeof *value);
	for (unsigned fold = 0; fold < folds; fold++) {
		struct fit f = {0};
		for (size_t i = 0; i < n; i++) {
			out[i] = part[i] && t->data.sample[i].group / 7 % folds == fold;
			in[i] = part[i] && !out[i];
		}
		fit_train(&f, &t->data, in, t->labels_n, c);
		trainer_values(t, &f, out);
		fit_free(&f);
	}
	for (int k = 0; k < t->functions_n; k++, m = 0) {
		for (size_t i = 0; i < n; i++)
			if (part[i] && !t->data.sample[i].only_train) {
				value[m] = t->value[i * MODEL_LABELS + k];
				yes[m++] = t->data.sample[i].label == k;
			}
		fit_platt(value, yes, m, &t->a[k], &t->b[k]);
		t->b[k] += k == 0 && t->caution > 0 ? log(t->caution) : 0;
	}
	free(in);
	free(out);
	free(yes);
	free(value);
}

static int trainer_descending(const void *a, const void *b)
{
	return *(const double *)a > *(const double *)b ? -1 : *(const double *)a < *(const double *)b;
}

/* What share of the first label is found when so many of the others may be called it: the trade, for two labels. */
static void trainer_trade(const struct trainer *t, const char *part)
{
	static const double rates[] = {0.002, 0.004, 0.006, 0.008, 0.01};
	double *no = malloc(t->data.n * sizeof *no), p[MODEL_LABELS];
	size_t n = 0, yes = 0;
	for (size_t i = 0; i < t->data.n; i++)
		if (part[i] && !t->data.sample[i].only_train && t->data.sample[i].label != 0) {
			trainer_probability(t, i, p);
			no[n++] = p[0];
		}
	qsort(no, n, sizeof *no, trainer_descending);
	printf("  false alarms: found at p");
	for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
		double limit = no[(size_t)(rates[r] * n)];
		size_t found = yes = 0;
		for (size_t i = 0; i < t->data.n; i++)
			if (part[i] && !t->data.sample[i].only_train && t->data.sample[i].label == 0) {
				trainer_probability(t, i, p);
				yes++;
				found += p[0] > limit;
			}
		printf("  %.1f %%: %.2f %% at %.3f", 100 * rates[r], 100.0 * found / yes, limit);
	}
	printf("\n");
	free(no);
}

/* Prints the table of truth by answer; returns the log loss. */
static double trainer_report(struct trainer *t, const char *part, const char *title)
{
	size_t table[MODEL_LABELS][MODEL_LABELS] = {0}, n = 0, sure[10] = {0}, right[10] = {0};
	double loss = 0, p[MODEL_LABELS], said[10] = {0};
	for (size_t i = 0; i < t->data.n; i++) {
		const struct sample *s = &t->data.sample[i];
		if (!part[i] || s->only_train)
			continue;
		int best = 0;
		trainer_probability(t, i, p);
		for (int k = 1; k < t->labels_n; k++)
			best = p[k] > p[best] ? k : best;
		table[s->label][best]++;
		loss -= log(p[s->label] > 1e-9 ? p[s->label] : 1e-9);
		int bin = p[best] >= 1 ? 9 : (int)(p[best] * 10);
		sure[bin]++;
		said[bin] += p[best];
		right[bin] += best == s->label;
		n++;
		if (title && t->errors && best != s->label)
			fprintf(t->errors, "%s\t%s\t%s\t%s\t%.4f\n", title, s->id, t->label[s->label], t->label[best], p[best]);
	}
	if (!title)
		return loss / n;
	printf("%s: %zu messages, log loss %.4f\n", title, n, loss / n);
	for (int k = 0; k < t->labels_n; k++) {
		size_t truth = 0, answers = 0;
		for (int j = 0; j < t->labels_n; j++) {
			truth += table[k][j];
			answers += table[j][k];
		}
		printf("  %-12s n %5zu  recall %6.2f %%  precision %6.2f %%  called so wrongly %5.2f %% (%zu)\n", t->label[k],
			truth, truth ? 100.0 * table[k][k] / truth : 0, answers ? 100.0 * table[k][k] / answers : 0,
			n > truth ? 100.0 * (answers - table[k][k]) / (n - truth) : 0, answers - table[k][k]);
	}
	printf("  confidence said/true:");
	for (int bin = 0; bin < 10; bin++)
		if (sure[bin])
			printf("  %.3f/%.3f (%zu)", said[bin] / sure[bin], (double)right[bin] / sure[bin], sure[bin]);
	printf("\n");
	if (t->labels_n == 2)
		trainer_trade(t, part);
	return loss / n;
}

static double trainer_pick(struct trainer *t, const char *part)
{
	double best = 1e9, best_c = 1;
	for (double c = 0.5; c <= 200; c *= 4) {
		trainer_cross(t, part, 5, c);
		double loss = trainer_report(t, part, NULL);
		printf("C %6g: log loss %.4f\n", c, loss);
		if (loss < best) {
			best = loss;
			best_c = c;
		}
	}
	return best_c;
}

static void trainer_run(struct trainer *t, const char *path, double c)
{
	char *train = calloc(t->data.n, 1), *test = calloc(t->data.n, 1), *all = malloc(t->data.n);
	struct fit f = {0};
	memset(all, 1, t->data.n);
	for (size_t i = 0; i < t->data.n; i++) {
		test[i] = !t->data.sample[i].only_train && t->data.sample[i].group % 4 == 0;
		train[i] = !test[i];
	}
	if (c == 0)
		c = trainer_pick(t, train);
	printf("C %g\n", c);
	trainer_cross(t, train, 5, c); /* the calibration */
	fit_train(&f, &t->data, train, t->labels_n, c);
	trainer_values(t, &f, test);
	trainer_report(t, test, "hold-out");
	fit_free(&f);
	trainer_cross(t, all, 10, c);
	trainer_report(t, all, "10-fold");
	fit_train(&f, &t->data, all, t->labels_n, c);
	if (path)
		printf("%s: %zu bytes\n", path, model_write(path, &f, t->label, t->labels_n, t->a, t->b));
	fit_free(&f);
	free(train);
	free(test);
	free(all);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"labels", 1, NULL, 'l'}, {"out", 1, NULL, 'o'}, {"c", 1, NULL, 'c'},
		{"errors", 1, NULL, 'e'}, {"caution", 1, NULL, 'a'}, {0}};
	struct trainer t = {0};
	const char *path = NULL;
	double c = 0;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'l')
			for (char *name = strtok(optarg, ","); name && t.labels_n < MODEL_LABELS; name = strtok(NULL, ","))
				t.label[t.labels_n++] = name;
		else if (o == 'o')
			path = optarg;
		else if (o == 'c')
			c = atof(optarg);
		else if (o == 'a')
			t.caution = atof(optarg);
		else if (o == 'e')
			t.errors = fopen(optarg, "we");
		else
			return 2;
	}
	if (t.labels_n < 2 || optind == argc)
		errx(2, "usage: trainer --labels A,B[,C…] [--out FILE] [--c C] [--caution X] [--errors FILE] LINES.ndjson… "
				"(+FILE: for training only)");
	t.functions_n = t.labels_n == 2 ? 1 : t.labels_n;
	for (; optind < argc; optind++)
		dataset_read(&t.data, argv[optind], t.label, t.labels_n);
	t.value = calloc(t.data.n * MODEL_LABELS, sizeof *t.value);
	trainer_run(&t, path, c);
	return 0;
}
