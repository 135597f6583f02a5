#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void random_fill(void *out, size_t size)
{
	for (char *at = out; size;) {
		ssize_t n = getrandom(at, size, 0);
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
}

void random_hex(char *out, size_t digits)
{
	random_fill(out, digits);
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789abcdef"[out[i] & 15];
	out[digits] = 0;
}
