/* dataset.c - NDJSON into samples. */
#include "dataset.h"

#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../traits.h"

static struct span dataset_text(json_t *line, const char *key)
{
	json_t *value = json_object_get(line, key);
	return (struct span){json_string_value(value), json_string_length(value)};
}

static uint32_t dataset_hash(const char *text)
{
	uint32_t h = 2166136261u;
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 13;
}

static int dataset_by_index(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

static void dataset_add(struct dataset *d, json_t *line, int label, int only_train, int bare, struct traits *f)
{
	struct mail m = {.subject = dataset_text(line, "subject"),
		.from = dataset_text(line, "from"),
		.text = dataset_text(line, "text")};
	if (!bare)
		m.message_id = dataset_text(line, "message_id");
	const char *group = json_string_value(json_object_get(line, "group")),
			   *id = json_string_value(json_object_get(line, "id"));
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 1024;
		d->sample = realloc(d->sample, d->room * sizeof *d->sample);
	}
	traits_read(f, &m);
	struct sample *s = memset(&d->sample[d->n++], 0, sizeof *s);
	s->n = f->n;
	s->index = malloc(f->n * sizeof *s->index);
	s->block = malloc(f->n);
	for (uint32_t i = 0, b = 0; i < s->n; i++) { /* the block rides in the low bits while they are sorted */
		while (i >= f->end[b])
			b++;
		s->index[i] = f->index[i] << 2 | b;
	}
	qsort(s->index, s->n, sizeof *s->index, dataset_by_index);
	for (uint32_t i = 0; i < s->n; i++) {
		s->block[i] = s->index[i] & 3;
		s->index[i] >>= 2;
	}
	s->group = dataset_hash(group ? group : "");
	s->label = label;
	s->only_train = only_train;
	snprintf(s->id, sizeof s->id, "%s", id ? id : "");
}

void dataset_read(struct dataset *d, const char *path, char *const *labels, int labels_n, int bare)
{
	int only_train = *path == '+';
	FILE *file = fopen(path + only_train, "re");
	struct traits *f = malloc(sizeof *f);
	char *text = NULL;
	size_t room = 0, number = 0;
	if (!file || !f)
		err(1, "%s", path);
	while (getline(&text, &room, file) > 0) {
		json_error_t e;
		json_t *line = json_loads(text, JSON_ALLOW_NUL, &e);
		number++;
		if (!line)
			errx(1, "%s:%zu: %s", path, number, e.text);
		const char *y = json_string_value(json_object_get(line, "y"));
		for (int i = 0; y && i < labels_n; i++)
			if (!strcmp(y, labels[i]))
				dataset_add(d, line, i, only_train, bare, f);
		json_decref(line);
	}
	free(text);
	free(f);
	fclose(file);
}
