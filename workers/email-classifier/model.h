/* model.h - the trained weights of one answer, read from a file that proves itself.
 *
 * A model is one linear function per label (one in all when there are two labels), each with the two numbers of its Platt
 * calibration: p = 1 / (1 + exp(a * value + b)). Weights are 16-bit integers under a common scale, so a value is an exact
 * integer sum and the same on every machine.
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

/* Probabilities of the labels, which add up to one, from the integer sums of a mail's weights (models.h makes them).
 * `n` is how many features were summed. */
void model_probability(const struct model *m, const int32_t *sum, uint32_t n, double p[MODEL_LABELS]);
