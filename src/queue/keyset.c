#include "queue/keyset.h"

#include "base/mem.h"

#include <stdlib.h>

static uint64_t *find(const struct keyset *s, uint64_t key)
{
	size_t i = (size_t)((key * 0x9E3779B97F4A7C15ULL) >> 24) & (s->room - 1);
	while (s->slots[i] && s->slots[i] != key)
		i = (i + 1) & (s->room - 1);
	return &s->slots[i];
}

static void grow(struct keyset *s)
{
	struct keyset old = *s;
	s->room = old.room ? old.room * 2 : 16;
	s->slots = mem_new(s->room * sizeof *s->slots);
	for (size_t i = 0; i < old.room; i++) {
		if (old.slots[i])
			*find(s, old.slots[i]) = old.slots[i];
	}
	free(old.slots);
}

bool keyset_add(struct keyset *s, uint64_t key)
{
	if (!key) {
		bool added = !s->has_zero;
		s->has_zero = true;
		s->n += added;
		return added;
	}
	if ((s->n + 1) * 4 > s->room * 3)
		grow(s);
	uint64_t *at = find(s, key);
	if (*at)
		return false;
	*at = key;
	s->n++;
	return true;
}

void keyset_fini(struct keyset *s)
{
	free(s->slots);
	*s = (struct keyset){0};
}
