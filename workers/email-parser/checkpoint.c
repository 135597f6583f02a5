#include "checkpoint.h"

#include "put.h"

#include <jansson.h>

/* The plain numbers of a summary, in the order of "n". */
#define NUMBERS 10

static void checkpoint_numbers(struct summary *s, uint64_t *number[NUMBERS])
{
	uint64_t *all[NUMBERS] = {&s->messages, &s->damaged, &s->receipts, &s->characters, &s->size_min, &s->size_max,
		&s->size_total, &s->attachments, &s->attachment_bytes, &s->with_attachments};

	memcpy(number, all, sizeof all);
}

static void checkpoint_put_tally(struct buf *out, const char *key, const struct tally *t)
{
	put_key(out, key);
	put_open(out, '[');
	put_bool(out, t->approximate);
	for (size_t i = 0; i < t->n; i++) {
		put_string(out, t->entries[i].name);
		put_unsigned(out, t->entries[i].count);
	}
	put_close(out, ']');
}

void checkpoint_write(struct buf *out, uint64_t next, const struct summary *s, const struct keywords *k)
{
	struct summary copy = *s;
	uint64_t *number[NUMBERS];

	checkpoint_numbers(&copy, number);
	put_open(out, '{');
	put_key(out, "v");
	put_unsigned(out, 1);
	put_key(out, "kind");
	put_unsigned(out, s->kind);
	put_key(out, "next");
	put_unsigned(out, next);
	put_key(out, "n");
	put_open(out, '[');
	for (size_t i = 0; i < NUMBERS; i++)
		put_unsigned(out, *number[i]);
	put_close(out, ']');
	put_key(out, "dates");
	put_open(out, '[');
	put_unsigned(out, s->dated);
	put_integer(out, s->earliest);
	put_integer(out, s->latest);
	put_string(out, s->earliest_text);
	put_string(out, s->latest_text);
	put_close(out, ']');
	put_key(out, "keywords");
	put_open(out, '[');
	for (size_t i = 0; i < k->n; i++)
		put_unsigned(out, s->keyword_counts[i]);
	put_close(out, ']');
	checkpoint_put_tally(out, "senders", &s->senders);
	checkpoint_put_tally(out, "words", &s->words);
	checkpoint_put_tally(out, "months", &s->months);
	checkpoint_put_tally(out, "types", &s->types);
	put_close(out, '}');
}

static bool checkpoint_get_tally(const json_t *root, const char *key, struct tally *t)
{
	json_t *list = json_object_get(root, key);

	for (size_t i = 1; i + 1 < json_array_size(list); i += 2) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name)
			return false;
		tally_add(t, name, (uint64_t)json_integer_value(json_array_get(list, i + 1)));
	}
	t->approximate = json_is_true(json_array_get(list, 0));
	return json_is_array(list);
}

static bool checkpoint_get_dates(const json_t *root, struct summary *s)
{
	const char *earliest, *latest;
	json_int_t dated, first, last;

	if (json_unpack((json_t *)root, "{s:[I,I,I,s,s]}", "dates", &dated, &first, &last, &earliest, &latest))
		return false;
	s->dated = (uint64_t)dated;
	s->earliest = first;
	s->latest = last;
	snprintf(s->earliest_text, sizeof s->earliest_text, "%s", earliest);
	snprintf(s->latest_text, sizeof s->latest_text, "%s", latest);
	return true;
}

static bool checkpoint_get(const json_t *root, uint64_t *next, struct summary *s, const struct keywords *k)
{
	json_t *n = json_object_get(root, "n"), *counts = json_object_get(root, "keywords");
	uint64_t *number[NUMBERS];

	if (json_integer_value(json_object_get(root, "v")) != 1 || json_array_size(n) < NUMBERS ||
		json_array_size(counts) != k->n || json_integer_value(json_object_get(root, "kind")) != (json_int_t)s->kind)
		return false;
	checkpoint_numbers(s, number);
	for (size_t i = 0; i < NUMBERS; i++)
		*number[i] = (uint64_t)json_integer_value(json_array_get(n, i));
	for (size_t i = 0; i < k->n; i++)
		s->keyword_counts[i] = (uint64_t)json_integer_value(json_array_get(counts, i));
	*next = (uint64_t)json_integer_value(json_object_get(root, "next"));
	return checkpoint_get_dates(root, s) && checkpoint_get_tally(root, "senders", &s->senders) &&
		   checkpoint_get_tally(root, "words", &s->words) && checkpoint_get_tally(root, "months", &s->months) &&
		   checkpoint_get_tally(root, "types", &s->types);
}

bool checkpoint_read(const char *json, size_t n, uint64_t *next, struct summary *s, const struct keywords *k)
{
	json_t *root = json_loadb(json, n, 0, NULL);
	bool ours = json_is_object(root) && checkpoint_get(root, next, s, k);

	json_decref(root);
	return ours;
}
