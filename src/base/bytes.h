/* bytes.h - a borrowed span, and a buffer that grows. Not NUL-terminated unless said. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
	const char *data; /* borrowed; may be NULL when size is 0 */
	size_t size;
};

static inline struct bytes bytes_of(const char *text) /* a C string's span; NULL gives an empty one */
{
	return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* A growing buffer of ours (aborts when memory runs out: callers meet their limit first). Zero-initialised is empty.
 * `data` always has a NUL after `size` once anything was added. */
struct buf {
	char *data;
	size_t size, room;
};

void buf_add(struct buf *b, const void *data, size_t size);
void buf_text(struct buf *b, const char *text);
void buf_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_json_string(struct buf *b, struct bytes text); /* quoted and escaped (RFC 8259); input must be UTF-8 */
void buf_json_utf8(struct buf *b, struct bytes text); /* the same for any bytes: what is not UTF-8 becomes U+FFFD */
char *buf_reserve(struct buf *b, size_t size); /* room for `size` more; the caller then adds to b->size */
bool buf_try_reserve(struct buf *b, size_t size); /* the same for a size that others chose: false, no memory for it */
char *buf_take(struct buf *b); /* the NUL-terminated bytes, now the caller's; b is empty */
void buf_clear(struct buf *b); /* keeps the memory */
void buf_fini(struct buf *b);

static inline struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){b->data, b->size};
}
