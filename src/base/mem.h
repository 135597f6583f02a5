/* mem.h - memory whose size we choose: running out aborts (the queue is durable), so nobody checks.
 * Memory whose size others choose meets a limit first, then plain malloc with a check and a clear error.
 * Freed by free(). Also: cleanup by scope. */
#pragma once
#include <stddef.h>

void *mem_new(size_t size); /* zeroed */
void *mem_resize(void *old, size_t size);
char *mem_text(const char *text); /* a copy; NULL gives NULL */
void *mem_copy(const void *data, size_t size); /* a copy with a NUL after it */

#define NEW(type) ((type *)mem_new(sizeof(type)))

/* scoped(buf_fini) struct buf b = {0};   the function is called with &b when the scope ends. */
#define scoped(destroy) __attribute__((cleanup(destroy)))

void mem_free_at(void *pointer_to_pointer); /* for scoped(mem_free_at) char *text = ...; */
void mem_close_at(int *fd); /* for scoped(mem_close_at) int fd = ...; closes when >= 0 */

/* Moves a pointer out of a scoped variable: `*out = take(p);` */
#define take(pointer)                                                                                                  \
	({                                                                                                                 \
		__auto_type taken = (pointer);                                                                                 \
		(pointer) = NULL;                                                                                              \
		taken;                                                                                                         \
	})

#define ARRAY_SIZE(array)					(sizeof(array) / sizeof *(array))
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
