#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *mem_new(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		abort();
	return p;
}

void *mem_resize(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (!p)
		abort();
	return p;
}

char *mem_text(const char *text)
{
	return text ? mem_copy(text, strlen(text)) : NULL;
}

void *mem_copy(const void *data, size_t size)
{
	char *p = mem_resize(NULL, size + 1);
	if (size)
		memcpy(p, data, size);
	p[size] = 0;
	return p;
}

void mem_free_at(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void mem_close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
