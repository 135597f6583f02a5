#include "utf8.h"

int32_t utf8_decode(const char *s, size_t n, size_t *length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	size_t want = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
	uint32_t c;

	*length = 1;
	if (want == 1)
		return u[0];
	if (!want || want > n)
		return -1;
	c = u[0] & (0x7fu >> want);
	for (size_t i = 1; i < want; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*length = want;
	return (int32_t)c;
}

void utf8_encode(struct buf *out, uint32_t c)
{
	char s[4];

	if (c < 0x80) {
		buf_char(out, (char)c);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		buf_add(out, s, 4);
	}
}

/* The first byte from i on that needs a closer look: eight at a time, because nearly all mail is ASCII. */
static size_t utf8_plain(const char *s, size_t n, size_t i)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;
		memcpy(&w, s + i, 8);
		if ((w & tops) || ((w - ones) & ~w & tops))
			break;
	}
	while (i < n && (unsigned char)s[i] < 0x80 && s[i])
		i++;
	return i;
}

size_t utf8_clean(struct buf *out, const char *s, size_t n)
{
	size_t replaced = 0;

	for (size_t i = 0; i < n;) {
		size_t run = utf8_plain(s, n, i), length;
		buf_add(out, s + i, run - i);
		i = run;
		if (i == n)
			break;
		if (utf8_decode(s + i, n - i, &length) > 0) {
			buf_add(out, s + i, length);
		} else {
			buf_add(out, "\xef\xbf\xbd", 3);
			replaced++;
		}
		i += length;
	}
	return replaced;
}

bool utf8_valid(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t length;
		i = utf8_plain(s, n, i);
		if (i == n)
			break;
		if (utf8_decode(s + i, n - i, &length) < 0)
			return false;
		i += length;
	}
	return true;
}

size_t utf8_floor(const char *s, size_t n, size_t most)
{
	if (n <= most)
		return n;
	while (most && ((unsigned char)s[most] & 0xc0) == 0x80)
		most--;
	return most;
}

size_t utf8_count(const char *s, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}
