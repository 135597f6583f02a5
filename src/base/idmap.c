#include "base/idmap.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* Ids are time-ordered with a counter in the low bits: multiplying spreads both over the high bits, which we take. */
static size_t home(const struct idmap *m, uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15ULL) >> 32) & (m->room - 1);
}

static struct idmap_slot *find(const struct idmap *m, uint64_t id)
{
	size_t i = home(m, id);
	while (m->slots[i].value && m->slots[i].id != id)
		i = (i + 1) & (m->room - 1);
	return &m->slots[i];
}

static void resize(struct idmap *m, size_t room)
{
	struct idmap old = *m;
	m->slots = mem_new(room * sizeof *m->slots);
	m->room = room;
	for (size_t i = 0; i < old.room; i++) {
		if (old.slots[i].value)
			*find(m, old.slots[i].id) = old.slots[i];
	}
	free(old.slots);
}

void idmap_put(struct idmap *m, uint64_t id, void *value)
{
	assert(id && value);
	if ((m->n + 1) * 4 > m->room * 3)
		resize(m, m->room ? m->room * 2 : 16);
	struct idmap_slot *s = find(m, id);
	m->n += !s->value;
	*s = (struct idmap_slot){id, value};
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
	return m->room ? find(m, id)->value : NULL;
}

/* Later members of the chain move up, so that no tombstones gather under a queue's constant coming and going. */
static void close_gap(struct idmap *m, size_t gap)
{
	size_t mask = m->room - 1;
	for (size_t i = (gap + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t from_home = (i - home(m, m->slots[i].id)) & mask;
		if (from_home >= ((i - gap) & mask)) {
			m->slots[gap] = m->slots[i];
			gap = i;
		}
	}
	m->slots[gap] = (struct idmap_slot){0};
}

void *idmap_remove(struct idmap *m, uint64_t id)
{
	if (!m->room)
		return NULL;
	struct idmap_slot *s = find(m, id);
	void *value = s->value;
	if (!value)
		return NULL;
	close_gap(m, (size_t)(s - m->slots));
	m->n--;
	if (m->room > 64 && m->n * 8 < m->room) /* a burst of a million jobs must not keep its memory for ever */
		resize(m, m->room / 2);
	return value;
}

void *idmap_next(const struct idmap *m, size_t *at)
{
	while (*at < m->room) {
		void *value = m->slots[(*at)++].value;
		if (value)
			return value;
	}
	return NULL;
}

void idmap_fini(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){0};
}
