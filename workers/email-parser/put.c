#include "put.h"

#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>

static void put_comma(struct buf *b)
{
	if (b->n && !memchr("{[:,", b->data[b->n - 1], 4))
		buf_char(b, ',');
}

void put_open(struct buf *b, char bracket)
{
	put_comma(b);
	buf_char(b, bracket);
}

void put_close(struct buf *b, char bracket)
{
	buf_char(b, bracket);
}

void put_key(struct buf *b, const char *key)
{
	put_comma(b);
	buf_char(b, '"');
	buf_text(b, key);
	buf_add(b, "\":", 2);
}

static void put_escape(struct buf *b, unsigned char c)
{
	char code[8];

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
	default:
		buf_add(b, code, (size_t)snprintf(code, sizeof code, "\\u%04x", c));
	}
}

static bool put_is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void put_bytes(struct buf *b, const char *s, size_t n)
{
	put_comma(b);
	buf_char(b, '"');
	for (size_t i = 0; i < n;) {
		size_t from = i, length;
		while (i < n && put_is_plain((unsigned char)s[i]))
			i++;
		buf_add(b, s + from, i - from);
		if (i == n)
			break;
		if ((unsigned char)s[i] < 0x80 && s[i]) {
			put_escape(b, (unsigned char)s[i++]);
			continue;
		}
		if (utf8_decode(s + i, n - i, &length) > 0)
			buf_add(b, s + i, length);
		else
			buf_add(b, "\xef\xbf\xbd", 3);
		i += length;
	}
	buf_char(b, '"');
}

void put_string(struct buf *b, const char *s)
{
	if (s)
		put_bytes(b, s, strlen(s));
	else
		put_null(b);
}

void put_unsigned(struct buf *b, uint64_t value)
{
	char digits[24];

	put_comma(b);
	buf_add(b, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, value));
}

void put_integer(struct buf *b, int64_t value)
{
	char digits[24];

	put_comma(b);
	buf_add(b, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value));
}

void put_hundredths(struct buf *b, uint64_t value)
{
	char digits[28];

	put_comma(b);
	buf_add(
		b, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64 ".%02u", value / 100, (unsigned)(value % 100)));
}

void put_bool(struct buf *b, bool value)
{
	put_comma(b);
	buf_text(b, value ? "true" : "false");
}

void put_null(struct buf *b)
{
	put_comma(b);
	buf_text(b, "null");
}
