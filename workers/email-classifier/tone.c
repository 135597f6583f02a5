/* tone.c - the borders between the answers. */
#include "tone.h"

#include <math.h>

#define TONE_HINTS 1.6 /* "tomorrow", "meeting", "due": however many, they do not make a letter urgent */

static double tone_logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static struct tone tone_largest(const char *const name[3], double a, double b)
{
	double c = 1 - a - b;
	c = c < 0.02 ? 0.02 : c;
	double total = a + b + c;
	int best = a >= b && a >= c ? 0 : b >= c ? 1 : 2;
	return (struct tone){name[best], (best == 0 ? a : best == 1 ? b : c) / total};
}

struct tone tone_sentiment(const struct gist *g)
{
	static const char *const name[3] = {"positive", "negative", "neutral"};
	double z = g->sentiment / sqrt(g->words_n + 8);
	if (!g->feelings_n)
		z = 0;
	return tone_largest(name, tone_logistic(6 * (z - 0.45)), tone_logistic(6 * (-z - 0.45)));
}

struct tone tone_priority(const struct gist *g, double spam)
{
	static const char *const name[3] = {"high", "low", "medium"};
	double hints = g->hints < TONE_HINTS ? g->hints : TONE_HINTS,
		   u = (g->urgency + hints) / (1 + log1p(g->words_n / 120.0)); /* a long mail has some such words by chance */
	if (spam > 0.5)
		u *= 2 * (1 - spam);
	return tone_largest(name, tone_logistic(1.8 * (u - 2.3)), tone_logistic(2.2 * (0.8 - u)));
}
