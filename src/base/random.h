/* random.h - bytes that nobody can guess (getrandom): tokens, instance suffixes, seeds. Any thread. Never fails: the kernel's
 * pool is ready long before we start; what else could go wrong is a bug and aborts. */
#pragma once
#include <stddef.h>

void random_fill(void *out, size_t size);
void random_hex(char *out, size_t digits); /* lower case, with a NUL: room for digits + 1 */
