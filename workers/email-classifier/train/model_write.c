/* model_write.c - weights to 16 bits, entries to differences, a checksum under it. */
#include "model_write.h"

#include <err.h>
#include <gnutls/crypto.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../model.h"

struct out {
	uint8_t data[MODEL_BYTES_MAX];
	size_t n;
};

static void model_write_bytes(struct out *o, const void *data, size_t n)
{
	if (o->n + n > sizeof o->data)
		errx(1, "the model is larger than %zu bytes", sizeof o->data);
	memcpy(o->data + o->n, data, n);
	o->n += n;
}

static void model_write_u32(struct out *o, uint32_t v)
{
	uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	model_write_bytes(o, bytes, 4);
}

static void model_write_f32(struct out *o, double v)
{
	float f = (float)v;
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	model_write_u32(o, bits);
}

static double model_write_scale(const double *weight)
{
	double most = 1e-9;
	for (uint32_t i = 0; i < 1u << TRAITS_BITS; i++)
		most = fabs(weight[i]) > most ? fabs(weight[i]) : most;
	return most / 32767;
}

static uint32_t model_write_entries(struct out *o, const struct fit *f, const double *scale)
{
	uint32_t entries = 0, last = 0;
	for (uint32_t i = 0; i < 1u << TRAITS_BITS; i++) {
		int16_t w[MODEL_LABELS], any = 0;
		for (int k = 0; k < f->functions_n; k++)
			any |= w[k] = (int16_t)lrint(f->weight[k][i] / scale[k]);
		if (!any)
			continue;
		uint32_t step = i - last;
		for (; step > 127; step >>= 7)
			model_write_bytes(o, &(uint8_t){(uint8_t)(step | 128)}, 1);
		model_write_bytes(o, &(uint8_t){(uint8_t)step}, 1);
		for (int k = 0; k < f->functions_n; k++)
			model_write_bytes(o, (uint8_t[]){(uint8_t)w[k], (uint8_t)(w[k] >> 8)}, 2);
		last = i;
		entries++;
	}
	return entries;
}

size_t model_write(
	const char *path, const struct fit *f, char *const *labels, int labels_n, const double *a, const double *b)
{
	struct out *o = calloc(1, sizeof *o);
	double scale[MODEL_LABELS];
	model_write_bytes(o, MODEL_MAGIC, 8);
	model_write_u32(o, TRAITS_VERSION);
	model_write_u32(o, TRAITS_BITS);
	model_write_u32(o, (uint32_t)labels_n);
	model_write_u32(o, (uint32_t)f->functions_n);
	size_t count_at = o->n;
	model_write_u32(o, 0);
	for (int i = 0; i < labels_n; i++) {
		char name[MODEL_LABEL_SIZE] = {0};
		snprintf(name, sizeof name, "%s", labels[i]);
		model_write_bytes(o, name, sizeof name);
	}
	for (int k = 0; k < f->functions_n; k++) {
		scale[k] = model_write_scale(f->weight[k]);
		model_write_f32(o, scale[k]);
		model_write_f32(o, f->bias[k]);
		model_write_f32(o, a[k]);
		model_write_f32(o, b[k]);
	}
	uint32_t entries = model_write_entries(o, f, scale);
	size_t end = o->n;
	o->n = count_at;
	model_write_u32(o, entries);
	o->n = end;
	uint8_t digest[32];
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, o->data, o->n, digest) < 0)
		errx(1, "SHA-256 failed");
	model_write_bytes(o, digest, sizeof digest);
	FILE *file = fopen(path, "wbe");
	if (!file || fwrite(o->data, 1, o->n, file) != o->n || fclose(file))
		err(1, "%s", path);
	end = o->n;
	free(o);
	return end;
}
