/* tone.h - sentiment and priority of a gist. Pure functions.
 *
 * The evidence is a sum of word weights; the confidence is a logistic function of its distance from the border. Nobody has
 * labelled real mail with either, so unlike the models' these confidences are ordered, but not calibrated. */
#pragma once

#include "lexicon.h"

struct tone {
	const char *name;
	double confidence;
};

/* positive, negative, neutral. The sum is divided by the square root of the length: a long mail has some of both. */
struct tone tone_sentiment(const struct gist *g);

/* high, medium, low. `spam` is the probability that it is spam: what shouts "URGENT" for money is not urgent. */
struct tone tone_priority(const struct gist *g, double spam);
