#include "config/places.h"

#include "base/mem.h"

#include <stdlib.h>
#include <uthash.h>

struct entry {
	char *pointer;
	struct place at;
	UT_hash_handle hh;
};

struct places {
	struct entry *entries;
};

struct places *places_new(void)
{
	return NEW(struct places);
}

void places_free(struct places *p)
{
	struct entry *e, *next;
	if (!p)
		return;
	HASH_ITER(hh, p->entries, e, next)
	{
		HASH_DEL(p->entries, e);
		free(e->pointer);
		free(e);
	}
	free(p);
}

void places_put(struct places *p, struct bytes pointer, struct place at)
{
	struct entry *e = NEW(struct entry);
	e->pointer = mem_copy(pointer.data, pointer.size);
	e->at = at;
	HASH_ADD_KEYPTR(hh, p->entries, e->pointer, pointer.size, e);
}

struct place places_find(const struct places *p, const char *pointer)
{
	for (size_t size = strlen(pointer);; size--) {
		struct entry *e;
		HASH_FIND(hh, p->entries, pointer, size, e);
		if (e)
			return e->at;
		while (size && pointer[size - 1] != '/')
			size--;
		if (size == 0)
			return (struct place){0};
	}
}
