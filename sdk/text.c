#include "text.h"

#include "wire/jsontext.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_reserve(struct text *t, size_t size)
{
	size_t room = t->room ? t->room : 256;
	char *data;

	if (t->failed || size >= SIZE_MAX / 4 - t->size) {
		t->failed = true;
		return false;
	}
	if (t->size + size < t->room)
		return true;
	while (room <= t->size + size)
		room *= 2;
	data = realloc(t->data, room);
	if (!data) {
		t->failed = true;
		return false;
	}
	t->data = data;
	t->room = room;
	return true;
}

void text_add(struct text *t, const void *data, size_t size)
{
	if (!text_reserve(t, size))
		return;
	if (size)
		memcpy(t->data + t->size, data, size);
	t->size += size;
	t->data[t->size] = 0;
}

void text_put(struct text *t, const char *string)
{
	text_add(t, string, strlen(string));
}

void text_format(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || !text_reserve(t, (size_t)n)) {
		t->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(t->data + t->size, (size_t)n + 1, format, args);
	va_end(args);
	t->size += (size_t)n;
}

void text_quote(struct text *t, const char *data, size_t size)
{
	if (size > SIZE_MAX / 8) {
		t->failed = true;
		return;
	}
	if (!text_reserve(t, 6 * size + 10))
		return;
	jsontext_quote(t->data, t->room, &t->size, data, size);
	t->data[t->size] = 0;
}

void text_fini(struct text *t)
{
	free(t->data);
	*t = (struct text){0};
}
