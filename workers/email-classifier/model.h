/* model.h - the trained weights of one answer, read from a file that proves itself.
 *
 * A model is one linear function per label (one in all when there are two labels), each with the two numbers of its Platt
 * calibration: p = 1 / (1 + exp(a * value + b)). Weights are 16-bit integers under a common scale, so a value is an exact
 * integer sum and the same on every machine.
 *
 * A plain model: value = scale * sum of weights / sqrt(number of features) + bias.
 * A model in blocks (two labels, two functions): features say more or less (their log odds), and a subject is not to drown in
 * a long text. So each block b of the traits is brought to length traits_block_share[b] of its own:
 *   value = bias + sum over b of traits_block_share[b] * scale * (sum of weights in b) / sqrt(length of b),
 * where the second function holds what the features of b add to its length: scale2 * (sum in b) + bias2 * (number in b).
 *
 * The file, little-endian: "RVMODEL1", then u32 each: TRAITS_VERSION, TRAITS_BITS, labels, functions, entries; per label
 * 24 bytes of name; per function four floats: scale, bias, a, b; the entries in ascending order: index as the difference to
 * the one before (LEB128), then an i16 per function; at the end the SHA-256 of all that stands before it.
 * train/model_write.c writes it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "traits.h"

#define MODEL_MAGIC		 "RVMODEL1"
#define MODEL_LABELS	 6
#define MODEL_COLUMNS	 8 /* functions of all models together */
#define MODEL_LABEL_SIZE 24
#define MODEL_BYTES_MAX	 (8u << 20)

struct model {
	uint32_t labels_n, functions_n;
	char label[MODEL_LABELS][MODEL_LABEL_SIZE]; /* of two, the first is the one that the function speaks for */
	struct {
		float scale, bias, a, b;
	} function[MODEL_LABELS];
	int16_t *weight; /* [1 << TRAITS_BITS][stride], this model's functions from `column` on; borrowed */
	uint32_t column, stride;
};

/* Reads the file into *m and its weights into `weight` at `column`; `stride` columns stand side by side, so that models share
 * cache lines. 0, or -1 with a sentence in `why` (bad path, size, checksum, version): *m is then not to be used. */
int model_load(
	struct model *m, const char *path, int16_t *weight, uint32_t column, uint32_t stride, char *why, size_t why_size);

/* What the weights of a mail's features add up to. */
struct model_sums {
	uint32_t n[TRAITS_BLOCKS]; /* features of the block */
	int32_t sum[TRAITS_BLOCKS][MODEL_COLUMNS];
};

/* Probabilities of the labels, which add up to one. */
void model_probability(const struct model *m, const struct model_sums *s, double p[MODEL_LABELS]);
