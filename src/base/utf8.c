#include "base/utf8.h"

static bool tail(const char *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (((unsigned char)at[i] & 0xC0) != 0x80)
			return false;
	}
	return true;
}

unsigned utf8_length(const char *at, const char *end)
{
	unsigned char c = (unsigned char)at[0];
	size_t left = (size_t)(end - at);
	if (c < 0x80)
		return 1;
	if (c < 0xC2 || c > 0xF4 || left < 2)
		return 0;
	unsigned char d = (unsigned char)at[1];
	if (c < 0xE0)
		return tail(at + 1, 1) ? 2 : 0;
	if (c < 0xF0) /* E0 would be overlong below A0; ED a surrogate above 9F */
		return left >= 3 && tail(at + 1, 2) && !(c == 0xE0 && d < 0xA0) && !(c == 0xED && d > 0x9F) ? 3 : 0;
	return left >= 4 && tail(at + 1, 3) && !(c == 0xF0 && d < 0x90) && !(c == 0xF4 && d > 0x8F) ? 4 : 0;
}

bool utf8_valid(struct bytes text)
{
	const char *at = text.data, *end = text.data + text.size;
	while (at < end) {
		unsigned n = utf8_length(at, end);
		if (!n)
			return false;
		at += n;
	}
	return true;
}

unsigned utf8_put(char out[4], unsigned c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	unsigned n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (unsigned i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3F));
	out[0] = (char)((0xF00 >> n) | c);
	return n;
}
