#include "buf.h"

#include <stdint.h>
#include <stdlib.h>

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

static bool buf_reserve(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : 256;
	char *data;

	if (more >= SIZE_MAX / 4 || b->n >= SIZE_MAX / 4)
		return false;
	while (room <= b->n + more)
		room *= 2;
	if (room == b->room)
		return true;
	data = realloc(b->data, room);
	if (!data)
		return false;
	b->data = data;
	b->room = room;
	return true;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	if (b->failed || !buf_reserve(b, n)) {
		b->failed = true;
		return;
	}
	if (n)
		memcpy(b->data + b->n, data, n);
	b->n += n;
	b->data[b->n] = '\0';
}

void buf_cut(struct buf *b, size_t n)
{
	if (n < b->n)
		b->n = n;
	if (b->data)
		b->data[b->n] = '\0';
}
