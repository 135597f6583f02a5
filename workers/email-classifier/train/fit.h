/* fit.h - liblinear on a part of the samples: L2-regularised, squared hinge loss (on this mail it ranks
 * better than logistic regression, and Platt makes probabilities of either), one function per label against the rest
 * (one in all for two labels), and Platt's calibration on values of samples that the fit had not seen. */
#pragma once

#include "dataset.h"

struct fit_how {
	double c;
	int blocks; /* as model.h tells: two labels only */
	double written; /* weight of a sample that is for training only, beside 1 of the others */
};

struct fit {
	int functions_n; /* that are written; of a model in blocks, [1] is a feature's length above `floor` */
	int blocks;
	double *weight[8]; /* [1 << TRAITS_BITS] */
	double bias[8];
};

/* Trains on the samples of which in[i] is set. A feature must occur in two different groups. */
void fit_train(struct fit *f, const struct dataset *d, const char *in, int labels_n, const struct fit_how *how);
void fit_free(struct fit *f);

double fit_value(const struct fit *f, int function, const struct sample *s);

/* p = 1 / (1 + exp(a * value + b)) that best explains positive[i] by value[i] (Newton, Lin-Lin-Weng 2007). */
void fit_platt(const double *value, const char *positive, size_t n, double *a, double *b);
