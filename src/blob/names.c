/* Blobs' names in bytes of any kind. */
#include "blob/parts.h"

#include <string.h>

bool blob_name_valid(const char *name, size_t size)
{
	if (size != BLOB_FULL_SIZE || memcmp(name, BLOB_PREFIX, BLOB_PREFIX_SIZE) != 0)
		return false;
	for (size_t i = BLOB_PREFIX_SIZE; i < size; i++)
		if (!((name[i] >= '0' && name[i] <= '9') || (name[i] >= 'a' && name[i] <= 'f')))
			return false;
	return true;
}

/* Of those that begin before `starts`. */
static void each_name(struct bytes data, size_t starts, void (*found)(void *context, const char *name), void *context)
{
	char name[BLOB_NAME_SIZE] = {0};
	const char *end = data.data + data.size;
	for (const char *at = data.data; data.size && at < end;) {
		at = memmem(at, (size_t)(end - at), BLOB_PREFIX, BLOB_PREFIX_SIZE);
		if (!at || (size_t)(at - data.data) >= starts || (size_t)(end - at) < BLOB_FULL_SIZE)
			return;
		if (!blob_name_valid(at, BLOB_FULL_SIZE)) {
			at += BLOB_PREFIX_SIZE;
			continue;
		}
		memcpy(name, at, BLOB_FULL_SIZE);
		found(context, name);
		at += BLOB_FULL_SIZE;
	}
}

void blob_each_name(struct bytes data, void (*found)(void *context, const char *name), void *context)
{
	each_name(data, data.size, found, context);
}

void name_scan(struct name_scan *s, struct bytes piece, void (*found)(void *context, const char *name), void *context)
{
	char joined[2 * sizeof s->tail];
	size_t more = piece.size < sizeof s->tail ? piece.size : sizeof s->tail, n = s->n + more;
	if (!piece.size)
		return;
	memcpy(joined, s->tail, s->n);
	memcpy(joined + s->n, piece.data, more);
	each_name((struct bytes){joined, n}, s->n, found, context);
	each_name(piece, piece.size, found, context);
	struct bytes end = piece.size < sizeof s->tail ? (struct bytes){joined, n} : piece;
	s->n = end.size < sizeof s->tail ? end.size : sizeof s->tail;
	memcpy(s->tail, end.data + end.size - s->n, s->n);
}
