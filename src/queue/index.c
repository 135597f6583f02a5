#include "queue/index.h"

#include "base/mem.h"
#include "queue/queue.h"

#include <stdlib.h>

static size_t home(const struct index *x, uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15ULL) >> 24) & (x->room - 1);
}

static struct job **find(const struct index *x, uint64_t id)
{
	size_t i = home(x, id);
	while (x->slots[i] && x->slots[i]->id != id)
		i = (i + 1) & (x->room - 1);
	return &x->slots[i];
}

static void resize(struct index *x, size_t room)
{
	struct index old = *x;
	x->slots = mem_new(room * sizeof *x->slots);
	x->room = room;
	for (size_t i = 0; i < old.room; i++) {
		if (old.slots[i])
			*find(x, old.slots[i]->id) = old.slots[i];
	}
	free(old.slots);
}

void index_put(struct index *x, struct job *j)
{
	if ((x->n + 1) * 4 > x->room * 3)
		resize(x, x->room ? x->room * 2 : 64);
	*find(x, j->id) = j;
	x->n++;
}

struct job *index_get(const struct index *x, uint64_t id)
{
	return x->room ? *find(x, id) : NULL;
}

/* Later members of the chain move up: no tombstones, however long the queue lives. */
void index_remove(struct index *x, const struct job *j)
{
	size_t mask = x->room - 1, gap = (size_t)(find(x, j->id) - x->slots);
	for (size_t i = (gap + 1) & mask; x->slots[i]; i = (i + 1) & mask) {
		if (((i - home(x, x->slots[i]->id)) & mask) >= ((i - gap) & mask)) {
			x->slots[gap] = x->slots[i];
			gap = i;
		}
	}
	x->slots[gap] = NULL;
	x->n--;
	if (x->room > 1024 && x->n * 8 < x->room)
		resize(x, x->room / 2);
}

void index_fini(struct index *x)
{
	free(x->slots);
	*x = (struct index){0};
}
