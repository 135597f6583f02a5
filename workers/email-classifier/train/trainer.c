/* trainer.c - from labelled lines to a model file and the figures that tell what it is worth.
 *
 *     trainer --labels spam,not_spam --out spam.model --blocks --c 8 --alarms 0.006 corpus.ndjson +templates.ndjson
 *
 * 1. A quarter of the groups is put aside. On the rest, 5-fold cross-validation picks C by its log loss.
 * 2. A model of the rest is tested on the quarter: "hold-out", on mail that neither the weights, nor C, nor the calibration
 *    have seen.
 *    With --bare the tests are of mail of which only subject, sender and text are known, judged by the same models.
 * 3. "10-fold": each tenth is judged by a model whose weights, calibration and caution were made of the other nine.
 * 4. The model that is written is trained on all, and calibrated by 10-fold cross-validation. */
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
	struct dataset judged; /* the same messages as they are judged in a test: data, or bare */
	char *label[MODEL_LABELS];
	int labels_n, functions_n;
	struct fit_how how;
	double *value; /* [sample][function], of a fit that had not seen the sample */
	double *p; /* [sample][label], by a calibration that had not seen it either */
	double a[MODEL_LABELS], b[MODEL_LABELS];
	double
		alarms; /* above 0: share of the second label that may be called the first; the odds are divided accordingly */
	FILE *errors;
};

/* Values into probabilities, of the samples that which[] names. */
static void trainer_say(struct trainer *t, const char *which)
{
	for (size_t i = 0; i < t->data.n; i++) {
		double *p = t->p + i * MODEL_LABELS, total = 0;
		for (int k = 0; which[i] && k < t->functions_n; k++)
			total += p[k] = 1 / (1 + exp(t->a[k] * t->value[i * MODEL_LABELS + k] + t->b[k]));
		if (which[i] && t->functions_n == 1)
			p[1] = 1 - p[0];
		for (int k = 0; which[i] && t->functions_n > 1 && k < t->functions_n; k++)
			p[k] /= total;
	}
}

static void trainer_values(struct trainer *t, const struct fit *f, const struct dataset *d, const char *which)
{
	for (size_t i = 0; i < t->data.n; i++)
		for (int k = 0; which[i] && k < t->functions_n; k++)
			t->value[i * MODEL_LABELS + k] = fit_value(f, k, &d->sample[i]);
}

static int trainer_descending(const void *a, const void *b)
{
	return *(const double *)a > *(const double *)b ? -1 : *(const double *)a < *(const double *)b;
}

/* A false alarm is worse than a miss: where more than `alarms` of the second label have a value that would be called the first,
 * the odds are divided until they are not. */
static void trainer_caution(struct trainer *t, const double *value, const char *yes, size_t n)
{
	double *no = malloc(n * sizeof *no);
	size_t no_n = 0;
	for (size_t i = 0; i < n; i++)
		if (!yes[i])
			no[no_n++] = value[i];
	qsort(no, no_n, sizeof *no, trainer_descending);
	size_t most = (size_t)(t->alarms * no_n + 0.5);
	if (t->alarms > 0 && most + 1 < no_n) {
		double limit = (no[most] + no[most + 1]) / 2, more = -(t->a[0] * limit + t->b[0]);
		t->b[0] += more > 0 ? more : 0;
	}
	free(no);
}

/* Values of every sample in `part` from a fit without its fold, and the calibration that fits those that count. */
static void trainer_cross(struct trainer *t, const char *part, unsigned folds)
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
		fit_train(&f, &t->data, in, t->labels_n, &t->how);
		trainer_values(t, &f, &t->data, out);
		fit_free(&f);
	}
	for (int k = 0; k < t->functions_n; k++, m = 0) {
		for (size_t i = 0; i < n; i++)
			if (part[i] && !t->data.sample[i].only_train) {
				value[m] = t->value[i * MODEL_LABELS + k];
				yes[m++] = t->data.sample[i].label == k;
			}
		fit_platt(value, yes, m, &t->a[k], &t->b[k]);
		if (k == 0)
			trainer_caution(t, value, yes, m);
	}
	free(in);
	free(out);
	free(yes);
	free(value);
}

/* Trains on `in` alone, weights, calibration and caution, and judges `out` by it. */
static void trainer_judge(struct trainer *t, const char *in, const char *out)
{
	struct fit f = {0};
	trainer_cross(t, in, 10);
	fit_train(&f, &t->data, in, t->labels_n, &t->how);
	trainer_values(t, &f, &t->judged, out);
	trainer_say(t, out);
	fit_free(&f);
}

/* What share of the first label is found when so many of the others may be called it: the trade, for two labels. */
static void trainer_trade(const struct trainer *t, const char *part)
{
	static const double rates[] = {0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01};
	double *no = malloc(t->data.n * sizeof *no);
	size_t n = 0, yes = 0;
	for (size_t i = 0; i < t->data.n; i++)
		if (part[i] && !t->data.sample[i].only_train && t->data.sample[i].label != 0)
			no[n++] = t->p[i * MODEL_LABELS];
	qsort(no, n, sizeof *no, trainer_descending);
	printf("  false alarms: found at p");
	for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
		double limit = no[(size_t)(rates[r] * n)];
		size_t found = yes = 0;
		for (size_t i = 0; i < t->data.n; i++)
			if (part[i] && !t->data.sample[i].only_train && t->data.sample[i].label == 0) {
				yes++;
				found += t->p[i * MODEL_LABELS] > limit;
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
	double loss = 0, said[10] = {0};
	for (size_t i = 0; i < t->data.n; i++) {
		const struct sample *s = &t->data.sample[i];
		if (!part[i] || s->only_train)
			continue;
		int best = 0;
		const double *p = t->p + i * MODEL_LABELS;
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
	for (t->how.c = 0.5; t->how.c <= 200; t->how.c *= 4) {
		trainer_cross(t, part, 5);
		trainer_say(t, part);
		double loss = trainer_report(t, part, NULL);
		printf("C %6g: log loss %.4f\n", t->how.c, loss);
		if (loss < best) {
			best = loss;
			best_c = t->how.c;
		}
	}
	return best_c;
}

static void trainer_run(struct trainer *t, const char *path)
{
	char *in = calloc(t->data.n, 1), *out = calloc(t->data.n, 1), *all = malloc(t->data.n);
	struct fit f = {0};
	memset(all, 1, t->data.n);
	for (size_t i = 0; i < t->data.n; i++) {
		out[i] = !t->data.sample[i].only_train && t->data.sample[i].group % 4 == 0;
		in[i] = !out[i];
	}
	if (t->how.c == 0)
		t->how.c = trainer_pick(t, in);
	printf("C %g\n", t->how.c);
	trainer_judge(t, in, out);
	trainer_report(t, out, "hold-out");
	for (unsigned fold = 0; fold < 10; fold++) {
		for (size_t i = 0; i < t->data.n; i++) {
			out[i] = t->data.sample[i].group / 7 % 10 == fold;
			in[i] = !out[i];
		}
		trainer_judge(t, in, out);
	}
	trainer_report(t, all, "10-fold");
	trainer_cross(t, all, 10);
	fit_train(&f, &t->data, all, t->labels_n, &t->how);
	if (path)
		printf("%s: %zu bytes\n", path, model_write(path, &f, t->label, t->labels_n, t->a, t->b));
	fit_free(&f);
	free(in);
	free(out);
	free(all);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"labels", 1, NULL, 'l'}, {"out", 1, NULL, 'o'}, {"c", 1, NULL, 'c'},
		{"errors", 1, NULL, 'e'}, {"alarms", 1, NULL, 'a'}, {"blocks", 0, NULL, 'k'}, {"written", 1, NULL, 'w'},
		{"bare", 0, NULL, 'n'}, {0}};
	struct trainer t = {.how.written = 1};
	const char *path = NULL;
	int bare = 0;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'l')
			for (char *name = strtok(optarg, ","); name && t.labels_n < MODEL_LABELS; name = strtok(NULL, ","))
				t.label[t.labels_n++] = name;
		else if (o == 'o')
			path = optarg;
		else if (o == 'c')
			t.how.c = atof(optarg);
		else if (o == 'k')
			t.how.blocks = 1;
		else if (o == 'w')
			t.how.written = atof(optarg);
		else if (o == 'n')
			bare = 1;
		else if (o == 'a')
			t.alarms = atof(optarg);
		else if (o == 'e')
			t.errors = fopen(optarg, "we");
		else
			return 2;
	}
	if (t.labels_n < 2 || optind == argc || (t.how.blocks && t.labels_n > 2))
		errx(2, "usage: trainer --labels A,B[,C…] [--out FILE] [--c C] [--blocks (two labels)] [--written WEIGHT] "
				"[--alarms SHARE] [--bare] [--errors FILE] LINES.ndjson… (+FILE: for training only)");
	t.functions_n = t.labels_n == 2 ? 1 : t.labels_n;
	for (int i = optind; i < argc; i++)
		dataset_read(&t.data, argv[i], t.label, t.labels_n, 0);
	t.judged = t.data;
	if (bare)
		t.judged = (struct dataset){0};
	for (int i = optind; bare && i < argc; i++)
		dataset_read(&t.judged, argv[i], t.label, t.labels_n, 1);
	t.value = calloc(t.data.n * MODEL_LABELS, sizeof *t.value);
	t.p = calloc(t.data.n * MODEL_LABELS, sizeof *t.p);
	trainer_run(&t, path);
	return 0;
}
