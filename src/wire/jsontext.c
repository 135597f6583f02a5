#include "wire/jsontext.h"

#include <string.h>

struct reader {
	const unsigned char *at, *end;
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

/* The length of the UTF-8 character at p, or 0: not one (RFC 3629). */
static size_t utf8_size(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first, last, from, to, size;
	} forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

	if (left && *p < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (!left || *p < forms[i].first || *p > forms[i].last)
			continue;
		if (left < forms[i].size || p[1] < forms[i].from || p[1] > forms[i].to)
			return 0;
		for (size_t k = 2; k < forms[i].size; k++)
			if (p[k] >> 6 != 2)
				return 0;
		return forms[i].size;
	}
	return 0;
}

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static long hex4(const unsigned char *p, const unsigned char *end)
{
	long value = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex(p[i]);
		if (d < 0)
			return -1;
		value = value << 4 | d;
	}
	return value;
}

/* After a backslash. A \u escape of half a surrogate pair is refused: it has no UTF-8. */
static bool check_escape(struct reader *r)
{
	long high, low;

	if (r->at >= r->end)
		return false;
	if (*r->at && strchr("\"\\/bfnrt", *r->at)) {
		r->at++;
		return true;
	}
	if (*r->at != 'u' || (high = hex4(r->at + 1, r->end)) < 0 || (high >= 0xdc00 && high <= 0xdfff))
		return false;
	r->at += 5;
	if (high < 0xd800 || high > 0xdbff)
		return true;
	if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u' || (low = hex4(r->at + 2, r->end)) < 0xdc00 ||
		low > 0xdfff)
		return false;
	r->at += 6;
	return true;
}

static bool check_string(struct reader *r)
{
	r->at++;
	while (r->at < r->end) {
		unsigned char c = *r->at;
		size_t n;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			r->at++;
		} else if (c == '"') {
			r->at++;
			return true;
		} else if (c == '\\') {
			r->at++;
			if (!check_escape(r))
				return false;
		} else if (c < 0x20 || !(n = utf8_size(r->at, (size_t)(r->end - r->at)))) {
			return false;
		} else {
			r->at += n;
		}
	}
	return false;
}

static bool digits(struct reader *r)
{
	const unsigned char *from = r->at;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > from;
}

static bool check_number(struct reader *r)
{
	if (*r->at == '-')
		r->at++;
	if (r->at < r->end && *r->at == '0')
		r->at++;
	else if (!digits(r))
		return false;
	if (r->at < r->end && *r->at == '.') {
		r->at++;
		if (!digits(r))
			return false;
	}
	if (r->at < r->end && (*r->at | 32) == 'e') {
		r->at++;
		if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
			r->at++;
		return digits(r);
	}
	return true;
}

static bool check_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

/* A string, number, true, false or null. */
static bool check_scalar(struct reader *r)
{
	switch (*r->at) {
	case '"':
		return check_string(r);
	case 't':
		return check_word(r, "true");
	case 'f':
		return check_word(r, "false");
	case 'n':
		return check_word(r, "null");
	default:
		return check_number(r);
	}
}

/* "key": and the white space after it. */
static bool check_key(struct reader *r)
{
	skip_space(r);
	if (r->at >= r->end || *r->at != '"' || !check_string(r))
		return false;
	skip_space(r);
	if (r->at >= r->end || *r->at != ':')
		return false;
	r->at++;
	skip_space(r);
	return true;
}

/* After a value: closes what ends here and steps to the next value. *done: the outermost value is complete. */
static bool check_after(struct reader *r, unsigned char *open, int *depth, bool *done)
{
	for (;;) {
		if (*depth == 0) {
			*done = true;
			return true;
		}
		skip_space(r);
		if (r->at >= r->end)
			return false;
		if (*r->at == ',') {
			r->at++;
			return open[*depth - 1] == '}' ? check_key(r) : true;
		}
		if (*r->at != open[*depth - 1])
			return false;
		r->at++;
		--*depth;
	}
}

/* One value at r->at, which moves behind it. Iterative: what others send must not use up our stack. */
static bool check_value(struct reader *r)
{
	unsigned char open[JSONTEXT_DEPTH];
	int depth = 0;

	for (bool done = false; !done;) {
		skip_space(r);
		if (r->at >= r->end)
			return false;
		if (*r->at == '{' || *r->at == '[') {
			unsigned char closing = *r->at == '{' ? '}' : ']';
			if (depth == JSONTEXT_DEPTH)
				return false;
			open[depth++] = closing;
			r->at++;
			skip_space(r);
			if (r->at >= r->end)
				return false;
			if (*r->at != closing) {
				if (closing == '}' && !check_key(r))
					return false;
				continue;
			}
		} else if (!check_scalar(r)) {
			return false;
		}
		if (!check_after(r, open, &depth, &done))
			return false;
	}
	return true;
}

bool jsontext_check(const char *data, size_t size, size_t *at)
{
	struct reader r = {(const unsigned char *)data, (const unsigned char *)data + size};
	bool good = size && check_value(&r);

	if (good) {
		skip_space(&r);
		good = r.at == r.end;
	}
	if (!good && at)
		*at = size ? (size_t)((const char *)r.at - data) : 0;
	return good;
}

bool jsontext_is_object(const char *data, size_t size)
{
	struct reader r = {(const unsigned char *)data, (const unsigned char *)data + size};
	skip_space(&r);
	return r.at < r.end && *r.at == '{' && jsontext_check(data, size, NULL);
}

/* Jumps over one good value; brackets inside strings do not count. */
static void skip_value(struct reader *r)
{
	int depth = 0;
	do {
		if (*r->at == '"') {
			for (r->at++; r->at < r->end && *r->at != '"'; r->at++)
				if (*r->at == '\\')
					r->at++;
			r->at++;
		} else if (*r->at == '{' || *r->at == '[') {
			depth++;
			r->at++;
		} else if (*r->at == '}' || *r->at == ']') {
			depth--;
			r->at++;
		} else if (depth) {
			r->at++;
		} else {
			while (r->at < r->end && !strchr(",]} \t\r\n", *r->at))
				r->at++;
		}
	} while (depth && r->at < r->end);
	if (r->at > r->end)
		r->at = r->end;
}

bool jsontext_next(struct jsontext container, size_t *cursor, struct jsontext *key, struct jsontext *value)
{
	struct reader r = {
		(const unsigned char *)container.data + *cursor, (const unsigned char *)container.data + container.size};
	const unsigned char *from;
	bool object;

	if (!container.size || (container.data[0] != '{' && container.data[0] != '['))
		return false;
	object = container.data[0] == '{';
	skip_space(&r);
	if (r.at >= r.end || *r.at == '}' || *r.at == ']')
		return false;
	r.at++; /* the opening bracket, or the comma */
	skip_space(&r);
	if (r.at >= r.end || *r.at == '}' || *r.at == ']')
		return false;
	*key = (struct jsontext){0};
	if (object) {
		from = r.at + 1;
		skip_value(&r);
		*key = (struct jsontext){(const char *)from, (size_t)(r.at - from - 1)};
		skip_space(&r);
		if (r.at < r.end)
			r.at++; /* ':' */
		skip_space(&r);
		if (r.at >= r.end)
			return false;
	}
	from = r.at;
	skip_value(&r);
	*value = (struct jsontext){(const char *)from, (size_t)(r.at - from)};
	*cursor = (size_t)((const char *)r.at - container.data);
	return true;
}

bool jsontext_get(struct jsontext object, const char *key, struct jsontext *value)
{
	size_t cursor = 0, n = strlen(key);
	struct jsontext k, v;

	if (!object.size || object.data[0] != '{')
		return false;
	while (jsontext_next(object, &cursor, &k, &v)) {
		if (k.size == n && memcmp(k.data, key, n) == 0) {
			*value = v;
			return true;
		}
	}
	return false;
}

static size_t put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* The character of the good escape whose backslash is at *p; *p moves behind it. */
static unsigned long unescape(const unsigned char **p, const unsigned char *end)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	unsigned char c = (*p)[1];
	const char *found = strchr(from, c);
	unsigned long value;

	*p += 2;
	if (c != 'u')
		return found ? (unsigned long)to[found - from] : c;
	value = (unsigned long)hex4(*p, end);
	*p += 4;
	if (value >= 0xd800 && value <= 0xdbff) {
		value = 0x10000 + ((value - 0xd800) << 10) + (unsigned long)hex4(*p + 2, end) - 0xdc00;
		*p += 6;
	}
	return value;
}

long jsontext_string(struct jsontext value, char *text, size_t room)
{
	const unsigned char *p, *end;
	size_t n = 0;

	if (value.size < 2 || value.data[0] != '"')
		return -1;
	p = (const unsigned char *)value.data + 1;
	end = (const unsigned char *)value.data + value.size - 1;
	while (p < end) {
		char bytes[4];
		size_t size = 1;
		bytes[0] = (char)*p;
		if (*p == '\\')
			size = put_utf8(bytes, unescape(&p, end));
		else
			p++;
		if (n + size >= room || (size == 1 && bytes[0] == 0))
			return -1;
		memcpy(text + n, bytes, size);
		n += size;
	}
	if (!room)
		return -1;
	text[n] = 0;
	return (long)n;
}

bool jsontext_int(struct jsontext value, int64_t *number)
{
	uint64_t n = 0;
	size_t i = value.size && value.data[0] == '-';
	bool negative = i;

	if (i == value.size)
		return false;
	for (; i < value.size; i++) {
		unsigned d = (unsigned)(value.data[i] - '0');
		if (d > 9 || n > (UINT64_MAX - d) / 10)
			return false;
		n = n * 10 + d;
	}
	if (n > (uint64_t)INT64_MAX + negative)
		return false;
	*number = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

bool jsontext_quote(char *out, size_t room, size_t *used, const char *text, size_t size)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text, *end = p + size;
	size_t n = *used;

	if (room < n + 2)
		return false;
	out[n++] = '"';
	while (p < end) {
		size_t step = utf8_size(p, (size_t)(end - p));
		if (room - n < 8) /* the longest escape and the quote */
			return false;
		if (!step) {
			memcpy(out + n, "\xef\xbf\xbd", 3);
			n += 3;
			p++;
		} else if (*p == '"' || *p == '\\') {
			out[n++] = '\\';
			out[n++] = (char)*p++;
		} else if (*p < 0x20) {
			memcpy(out + n, "\\u00", 4);
			out[n + 4] = digit[*p >> 4];
			out[n + 5] = digit[*p++ & 15];
			n += 6;
		} else {
			memcpy(out + n, p, step);
			n += step;
			p += step;
		}
	}
	if (n >= room)
		return false;
	out[n++] = '"';
	*used = n;
	return true;
}
