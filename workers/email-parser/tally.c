#include "tally.h"

#include "utf8.h"

#include <glib.h>
#include <stdlib.h>

void tally_init(struct tally *t)
{
	*t = (struct tally){.index = g_hash_table_new(g_str_hash, g_str_equal)};
}

void tally_fini(struct tally *t)
{
	if (t->index)
		g_hash_table_destroy(t->index);
	for (size_t i = 0; i < t->n; i++)
		g_free(t->entries[i].name);
	g_free(t->entries);
	*t = (struct tally){0};
}

/* The place for a new name: a fresh one, or that of the least frequent (the earliest of those). */
static struct tally_entry *tally_place(struct tally *t)
{
	size_t least = 0;

	if (t->n < TALLY_MAX) {
		if (!(t->n & (t->n - 1)))
			t->entries = g_renew(struct tally_entry, t->entries, t->n ? t->n * 2 : 1);
		t->entries[t->n] = (struct tally_entry){0};
		return &t->entries[t->n++];
	}
	t->approximate = true;
	for (size_t i = 1; i < t->n; i++)
		if (t->entries[i].count < t->entries[least].count)
			least = i;
	g_hash_table_remove(t->index, t->entries[least].name);
	g_free(t->entries[least].name);
	return &t->entries[least];
}

void tally_add(struct tally *t, const char *name, uint64_t count)
{
	char *cut = g_strndup(name, utf8_floor(name, strlen(name), TALLY_NAME_MAX));
	size_t place = (size_t)g_hash_table_lookup(t->index, cut);
	struct tally_entry *e;

	if (place) {
		t->entries[place - 1].count += count;
		g_free(cut);
		return;
	}
	e = tally_place(t);
	e->name = cut;
	e->count += count;
	g_hash_table_insert(t->index, cut, (void *)(size_t)(e - t->entries + 1));
}

static int tally_compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct tally_entry *const *)a)->name, (*(const struct tally_entry *const *)b)->name);
}

static int tally_compare_counts(const void *a, const void *b)
{
	uint64_t left = (*(const struct tally_entry *const *)a)->count,
			 right = (*(const struct tally_entry *const *)b)->count;

	return left != right ? (left < right ? 1 : -1) : tally_compare_names(a, b);
}

const struct tally_entry **tally_sorted(const struct tally *t, enum tally_order order, size_t most)
{
	const struct tally_entry **list = calloc(t->n + 1, sizeof *list);

	if (!list)
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		list[i] = &t->entries[i];
	qsort(list, t->n, sizeof *list, order == TALLY_BY_NAME ? tally_compare_names : tally_compare_counts);
	if (most < t->n)
		list[most] = NULL;
	return list;
}
