/* scan.c - the reader. */
#include "scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int scan_fail(struct scan *j, const char *problem)
{
	if (!j->problem)
		j->problem = problem;
	return -1;
}

int scan_peek(struct scan *j)
{
	while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r'))
		j->at++;
	return !j->problem && j->at < j->end ? (unsigned char)*j->at : 0;
}

int scan_expect(struct scan *j, char c)
{
	if (scan_peek(j) != (unsigned char)c)
		return scan_fail(j, "this is not JSON");
	j->at++;
	return 0;
}

static int scan_hex4(struct scan *j, uint32_t *out)
{
	if (j->end - j->at < 4)
		return scan_fail(j, "a string ends within \\u");
	*out = 0;
	for (int i = 0; i < 4; i++, j->at++) {
		int c = *j->at | 32, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0)
			return scan_fail(j, "\\u is not followed by four hexadecimal digits");
		*out = *out << 4 | (uint32_t)digit;
	}
	return 0;
}

/* The code point of \uXXXX, of two where they are a surrogate pair; U+FFFD for half a pair. */
static int scan_unicode(struct scan *j, uint32_t *code)
{
	uint32_t low = 0;
	if (scan_hex4(j, code))
		return -1;
	if (*code >= 0xd800 && *code < 0xdc00 && j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u') {
		const char *back = j->at;
		j->at += 2;
		if (scan_hex4(j, &low))
			return -1;
		if (low >= 0xdc00 && low < 0xe000)
			*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
		else
			j->at = back;
	}
	if (*code >= 0xd800 && *code < 0xe000)
		*code = 0xfffd;
	return 0;
}

static size_t scan_utf8(uint32_t c, char out[4])
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800)
		return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)),
			   3;
	out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)), out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static int scan_escape(struct scan *j, char out[4], size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	if (j->at >= j->end)
		return scan_fail(j, "a string does not end");
	char c = *j->at++;
	const char *known = c ? strchr(from, c) : NULL;
	uint32_t code;
	if (known) {
		out[0] = to[known - from];
		*n = 1;
		return 0;
	}
	if (c != 'u')
		return scan_fail(j, "a string has an unknown escape");
	if (scan_unicode(j, &code))
		return -1;
	*n = scan_utf8(code, out);
	return 0;
}

int scan_string(struct scan *j, char *buffer, size_t room, struct span *out)
{
	size_t n = 0;
	if (scan_expect(j, '"'))
		return -1;
	for (;;) {
		const char *run = j->at;
		while (j->at < j->end && *j->at != '"' && *j->at != '\\')
			j->at++;
		size_t length = (size_t)(j->at - run), take = length < room - n ? length : room - n;
		memcpy(buffer + n, run, take);
		n += take;
		if (j->at >= j->end)
			return scan_fail(j, "a string does not end");
		if (*j->at++ == '"')
			break;
		char bytes[4];
		size_t size = 0;
		if (scan_escape(j, bytes, &size))
			return -1;
		if (size <= room - n) {
			memcpy(buffer + n, bytes, size);
			n += size;
		} else {
			room = n; /* full: nothing shorter may slip in behind what did not fit */
		}
	}
	if (n == room) { /* perhaps cut: without the last character, which may not be whole */
		while (n && ((uint8_t)buffer[n - 1] & 0xc0) == 0x80)
			n--;
		n -= n && (uint8_t)buffer[n - 1] >= 0xc0;
	}
	*out = (struct span){buffer, n};
	return 0;
}

int scan_number(struct scan *j, double *out)
{
	char text[40];
	size_t n = 0;
	scan_peek(j);
	while (n < sizeof text - 1 && j->at < j->end && strchr("+-.0123456789eE", *j->at) && *j->at)
		text[n++] = *j->at++;
	text[n] = 0;
	char *stop;
	*out = strtod(text, &stop);
	return n && !*stop ? 0 : scan_fail(j, "a number cannot be read");
}

static int scan_skip_string(struct scan *j)
{
	j->at++;
	while (j->at < j->end && *j->at != '"')
		j->at += *j->at == '\\' && j->end - j->at > 1 ? 2 : 1;
	if (j->at >= j->end)
		return scan_fail(j, "a string does not end");
	j->at++;
	return 0;
}

int scan_skip(struct scan *j)
{
	int depth = 0;
	do {
		int c = scan_peek(j);
		if (!c)
			return scan_fail(j, "the JSON text ends too early");
		if (c == '"') {
			if (scan_skip_string(j))
				return -1;
			continue;
		}
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (depth > SCAN_DEPTH_MAX)
			return scan_fail(j, "nested too deeply");
		if (depth < 0 || (!depth && (c == ',' || c == ':')))
			return scan_fail(j, "this is not JSON");
		j->at++;
		while (!depth && j->at < j->end && !strchr(",:]} \t\r\n\"", *j->at) && c != '}' && c != ']')
			j->at++; /* the rest of a number or a word */
	} while (depth);
	return 0;
}
