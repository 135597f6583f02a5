#include "keyset.h"

#include <stdlib.h>

static size_t slot_of(const struct keyset *s, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (s->room - 1);
	while (s->slots[i] && s->slots[i] != key + 1)
		i = (i + 1) & (s->room - 1);
	return i;
}

static bool grow(struct keyset *s)
{
	struct keyset bigger = {.room = s->room ? 2 * s->room : 256, .used = s->used, .last = s->last};

	bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i])
			bigger.slots[slot_of(&bigger, s->slots[i] - 1)] = s->slots[i];
	free(s->slots);
	*s = bigger;
	return true;
}

int keyset_add(struct keyset *s, uint64_t key)
{
	size_t i;

	if (key == UINT64_MAX) {
		int fresh = !s->last;
		s->last = true;
		return fresh;
	}
	if (4 * s->used >= 3 * s->room && !grow(s))
		return -1;
	i = slot_of(s, key);
	if (s->slots[i])
		return 0;
	s->slots[i] = key + 1;
	s->used++;
	return 1;
}

void keyset_fini(struct keyset *s)
{
	free(s->slots);
	*s = (struct keyset){0};
}
