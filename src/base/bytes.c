#include "base/bytes.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* 0: there is room already. */
static size_t room_for(const struct buf *b, size_t size)
{
	size_t need = b->size + size + 1, room = b->room ? b->room * 2 : 64;
	if (need <= b->room)
		return 0;
	while (room < need)
		room *= 2;
	return room;
}

char *buf_reserve(struct buf *b, size_t size)
{
	size_t room = room_for(b, size);
	if (room) {
		b->data = mem_resize(b->data, room);
		b->room = room;
	}
	return b->data + b->size;
}

bool buf_try_reserve(struct buf *b, size_t size)
{
	size_t room = room_for(b, size);
	char *data = room ? realloc(b->data, room) : NULL;
	if (data) {
		b->data = data;
		b->room = room;
	}
	return data || !room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	char *at = buf_reserve(b, size);
	if (size)
		memcpy(at, data, size);
	b->size += size;
	b->data[b->size] = 0;
}

void buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_format(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, format, again);
	va_end(again);
	b->size += (size_t)n;
}

void buf_json_string(struct buf *b, struct bytes text)
{
	buf_add(b, "\"", 1);
	size_t from = 0;
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, text.data + from, i - from);
		from = i + 1;
		switch (c) {
		case '"':
			buf_add(b, "\\\"", 2);
			break;
		case '\\':
			buf_add(b, "\\\\", 2);
			break;
		case '\n':
			buf_add(b, "\\n", 2);
			break;
		case '\t':
			buf_add(b, "\\t", 2);
			break;
		case '\r':
			buf_add(b, "\\r", 2);
			break;
		default:
			buf_format(b, "\\u%04x", c);
		}
	}
	if (from < text.size)
		buf_add(b, text.data + from, text.size - from);
	buf_add(b, "\"", 1);
}

void buf_json_utf8(struct buf *b, struct bytes text)
{
	scoped(buf_fini) struct buf clean = {0};
	if (!utf8_valid(text)) {
		for (const char *at = text.data, *end = at + text.size; at < end;) {
			unsigned n = utf8_length(at, end);
			buf_add(&clean, n ? at : "\xef\xbf\xbd", n ? n : 3);
			at += n ? n : 1;
		}
		text = buf_bytes(&clean);
	}
	buf_json_string(b, text);
}

char *buf_take(struct buf *b)
{
	char *data = buf_reserve(b, 0) - b->size;
	data[b->size] = 0;
	*b = (struct buf){0};
	return data;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	if (b->data)
		b->data[0] = 0;
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
