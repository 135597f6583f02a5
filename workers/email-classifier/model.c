/* model.c - a model file checked and unpacked, and its sums turned into probabilities. */
#include "model.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_HEAD	 28u
#define MODEL_DIGEST 32u

static uint32_t model_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static float model_f32(const uint8_t *at)
{
	uint32_t bits = model_u32(at);
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

static uint8_t *model_read(const char *path, size_t *size, char *why, size_t why_size)
{
	FILE *file = fopen(path, "rbe");
	if (!file) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		return NULL;
	}
	uint8_t *data = malloc(MODEL_BYTES_MAX + 1);
	*size = data ? fread(data, 1, MODEL_BYTES_MAX + 1, file) : 0;
	fclose(file);
	if (*size < MODEL_HEAD + MODEL_DIGEST || *size > MODEL_BYTES_MAX) {
		snprintf(why, why_size, "%s: %zu bytes are no model (%u to %u)", path, *size, MODEL_HEAD + MODEL_DIGEST,
			MODEL_BYTES_MAX);
		free(data);
		return NULL;
	}
	return data;
}

static int model_head(struct model *m, const uint8_t *data, size_t size, uint32_t *entries, char *why, size_t why_size)
{
	uint8_t digest[MODEL_DIGEST];
	if (memcmp(data, MODEL_MAGIC, 8)) {
		snprintf(why, why_size, "not a model: it does not begin with " MODEL_MAGIC);
		return -1;
	}
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size - MODEL_DIGEST, digest) < 0 ||
		memcmp(digest, data + size - MODEL_DIGEST, MODEL_DIGEST)) {
		snprintf(why, why_size, "the SHA-256 at its end is not that of its content: the file is damaged");
		return -1;
	}
	if (model_u32(data + 8) != TRAITS_VERSION || model_u32(data + 12) != TRAITS_BITS) {
		snprintf(why, why_size, "made for features version %u with %u bits, this worker has %u with %u: train it again",
			model_u32(data + 8), model_u32(data + 12), TRAITS_VERSION, TRAITS_BITS);
		return -1;
	}
	m->labels_n = model_u32(data + 16);
	m->functions_n = model_u32(data + 20);
	*entries = model_u32(data + 24);
	if (m->labels_n < 2 || m->labels_n > MODEL_LABELS ||
		(m->labels_n == 2 ? m->functions_n != 1 && m->functions_n != 2 : m->functions_n != m->labels_n)) {
		snprintf(why, why_size, "%u labels with %u functions: 2 to %d labels are possible", m->labels_n, m->functions_n,
			MODEL_LABELS);
		return -1;
	}
	return 0;
}

/* Names and calibration; returns where the entries begin, or 0 when the file is too short for them. */
static size_t model_labels(struct model *m, const uint8_t *data, size_t end)
{
	size_t at = MODEL_HEAD;
	if (at + m->labels_n * MODEL_LABEL_SIZE + m->functions_n * 16 > end)
		return 0;
	for (uint32_t i = 0; i < m->labels_n; i++, at += MODEL_LABEL_SIZE) {
		memcpy(m->label[i], data + at, MODEL_LABEL_SIZE);
		m->label[i][MODEL_LABEL_SIZE - 1] = 0;
	}
	for (uint32_t i = 0; i < m->functions_n; i++, at += 16) {
		m->function[i].scale = model_f32(data + at);
		m->function[i].bias = model_f32(data + at + 4);
		m->function[i].a = model_f32(data + at + 8);
		m->function[i].b = model_f32(data + at + 12);
	}
	return at;
}

static int model_entries(struct model *m, const uint8_t *data, size_t at, size_t end, uint32_t entries)
{
	uint32_t index = 0;
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t step = 0;
		for (int shift = 0;; shift += 7) {
			if (at >= end || shift > 21)
				return -1;
			step |= (uint32_t)(data[at] & 127) << shift;
			if (!(data[at++] & 128))
				break;
		}
		index += step;
		if (index >= 1u << TRAITS_BITS || end - at < 2 * m->functions_n)
			return -1;
		for (uint32_t f = 0; f < m->functions_n; f++, at += 2)
			m->weight[(size_t)index * m->stride + m->column + f] = (int16_t)(data[at] | data[at + 1] << 8);
	}
	return at == end ? 0 : -1;
}

int model_load(
	struct model *m, const char *path, int16_t *weight, uint32_t column, uint32_t stride, char *why, size_t why_size)
{
	size_t size = 0, at = 0;
	uint32_t entries = 0;
	char reason[200] = "its entries are cut short";
	uint8_t *data = model_read(path, &size, why, why_size);
	if (!data)
		return -1;
	memset(m, 0, sizeof *m);
	m->weight = weight;
	m->column = column;
	m->stride = stride;
	int bad = model_head(m, data, size, &entries, reason, sizeof reason);
	if (!bad && column + m->functions_n > stride) {
		snprintf(reason, sizeof reason, "%u functions do not fit at column %u of %u", m->functions_n, column, stride);
		bad = -1;
	}
	if (!bad)
		bad = (at = model_labels(m, data, size - MODEL_DIGEST))
				  ? model_entries(m, data, at, size - MODEL_DIGEST, entries)
				  : -1;
	free(data);
	if (bad)
		snprintf(why, why_size, "%s: %s", path, reason);
	return bad ? -1 : 0;
}

static double model_value(const struct model *m, uint32_t function, const struct model_sums *s)
{
	double sum = 0, n = 0;
	for (int b = 0; b < TRAITS_BLOCKS; b++) {
		sum += s->sum[b][m->column + function];
		n += s->n[b];
	}
	return sum * (double)m->function[function].scale / sqrt(n > 0 ? n : 1) + m->function[function].bias;
}

static double model_value_in_blocks(const struct model *m, const struct model_sums *s)
{
	double value = m->function[0].bias;
	for (int b = 0; b < TRAITS_BLOCKS; b++) {
		double length = (double)m->function[1].scale * s->sum[b][m->column + 1] + (double)m->function[1].bias * s->n[b];
		if (length > 0)
			value += traits_block_share[b] * m->function[0].scale * s->sum[b][m->column] / sqrt(length);
	}
	return value;
}

void model_probability(const struct model *m, const struct model_sums *s, double p[MODEL_LABELS])
{
	double total = 0;
	if (m->labels_n == 2) {
		double value = m->functions_n == 2 ? model_value_in_blocks(m, s) : model_value(m, 0, s);
		p[0] = 1 / (1 + exp(m->function[0].a * value + m->function[0].b));
		p[1] = 1 - p[0];
		return;
	}
	for (uint32_t i = 0; i < m->functions_n; i++) {
		p[i] = 1 / (1 + exp(m->function[i].a * model_value(m, i, s) + m->function[i].b));
		total += p[i];
	}
	for (uint32_t i = 0; i < m->functions_n; i++)
		p[i] = total > 0 ? p[i] / total : 1.0 / m->functions_n;
}
