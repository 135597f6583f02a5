/* tally.c - counting. */
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tally_init(struct tally *t, size_t list_max)
{
	memset(t, 0, sizeof *t);
	t->list_max = list_max;
}

static void tally_fini_list(struct tally_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->entry[i].message_id);
		free(l->entry[i].subject);
		free(l->entry[i].from);
	}
	free(l->entry);
}

void tally_fini(struct tally *t)
{
	tally_fini_list(&t->bills);
	tally_fini_list(&t->urgent);
	tally_fini_list(&t->suspicious);
}

static int tally_is(struct span s, const char *text)
{
	return s.size == strlen(text) && !memcmp(s.at, text, s.size);
}

static void tally_name(char *name, struct span s)
{
	size_t n = s.size < TALLY_NAME - 1 ? s.size : TALLY_NAME - 1;
	memcpy(name, s.at ? s.at : "", n);
	name[n] = 0;
}

/* The counter called so; a new one while there is room, else the last, which becomes "other". */
static struct tally_count *tally_counter(struct tally_count *counts, int *n, int most, struct span name)
{
	for (int i = 0; i < *n; i++)
		if (tally_is(name, counts[i].name))
			return &counts[i];
	if (*n == most)
		return &counts[most - 1];
	struct tally_count *c = &counts[(*n)++];
	tally_name(c->name, *n < most ? name : (struct span){"other", 5});
	return c;
}

static struct tally_type *tally_type(struct tally *t, struct span name)
{
	for (int i = 0; i < t->types_n; i++)
		if (tally_is(name, t->type[i].all.name))
			return &t->type[i];
	if (t->types_n == TALLY_TYPES)
		return NULL;
	tally_name(t->type[t->types_n].all.name, name);
	return &t->type[t->types_n++];
}

static int tally_copy(char **out, struct span s)
{
	*out = s.at ? strndup(s.at, s.size) : NULL;
	return s.at && !*out ? -1 : 0;
}

static int tally_list(struct tally *t, struct tally_list *list, const struct line *l, int64_t points)
{
	list->count++;
	if (list->n == t->list_max)
		return 0;
	struct tally_entry *more = realloc(list->entry, (list->n + 1) * sizeof *more);
	if (!more)
		return -1;
	list->entry = more;
	struct tally_entry *e = &more[list->n++];
	*e = (struct tally_entry){.key = l->key, .points = points};
	return tally_copy(&e->message_id, l->message_id) || tally_copy(&e->subject, l->subject) ||
				   tally_copy(&e->from, l->from)
			   ? -1
			   : 0;
}

static int tally_answer(struct tally *t, const struct line *l, const struct answer *a)
{
	struct tally_type *type = tally_type(t, a->type);
	if (!type)
		return 0;
	struct tally_count *c = tally_counter(type->prediction, &type->predictions_n, TALLY_PREDICTIONS, a->prediction);
	c->count++;
	c->points += a->points;
	type->all.count++;
	type->all.points += a->points;
	if (tally_is(a->type, "bill_detection") && tally_is(a->prediction, "bill") && a->points > TALLY_BILL)
		return tally_list(t, &t->bills, l, a->points);
	if (tally_is(a->type, "priority") && tally_is(a->prediction, "high") && a->points > TALLY_URGENT)
		return tally_list(t, &t->urgent, l, a->points);
	if (tally_is(a->type, "spam_detection") && tally_is(a->prediction, "spam") && a->points > TALLY_SUSPICIOUS)
		return tally_list(t, &t->suspicious, l, a->points);
	return 0;
}

int tally_add(struct tally *t, const struct line *l)
{
	t->messages++;
	if (l->failed) {
		t->failed++;
		tally_counter(t->code, &t->codes_n, TALLY_CODES, l->code.size ? l->code : (struct span){"other", 5})->count++;
		return 0;
	}
	for (int i = 0; i < l->answers_n; i++)
		if (tally_answer(t, l, &l->answer[i]))
			return -1;
	return 0;
}

uint64_t tally_of(const struct tally *t, const char *type, const char *prediction, uint64_t *all)
{
	*all = 0;
	for (int i = 0; i < t->types_n; i++) {
		const struct tally_type *y = &t->type[i];
		if (strcmp(y->all.name, type))
			continue;
		*all = y->all.count;
		for (int k = 0; k < y->predictions_n; k++)
			if (!strcmp(y->prediction[k].name, prediction))
				return y->prediction[k].count;
	}
	return 0;
}
