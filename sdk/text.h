/* text.h - a buffer that grows and remembers when it could not: the SDK never aborts.
 *
 * After a failed allocation `failed` is set and every further addition is ignored, so callers check once at the end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct text { /* zero-initialised: empty */
	char *data; /* with a NUL after `size` once something was added */
	size_t size, room;
	bool failed;
};

void text_add(struct text *t, const void *data, size_t size);
void text_put(struct text *t, const char *string);
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_quote(struct text *t, const char *data, size_t size); /* as a JSON string */
bool text_reserve(struct text *t, size_t size); /* room for `size` more and a NUL */
void text_fini(struct text *t);
