#include "base/json_span.h"

#include "base/utf8.h"

#include <stdlib.h>

struct scan {
	const char *begin, *at, *end;
	const char *wrong; /* what was expected where `at` stands */
	struct json_member *members;
	size_t max, n;
	bool too_many;
	uint64_t stack[JSON_SPAN_DEPTH_MAX / 64]; /* a bit for each open bracket: 1 is an object */
	unsigned depth;
};

static bool fail(struct scan *s, const char *expected)
{
	if (!s->wrong)
		s->wrong = expected;
	return false;
}

static char space(struct scan *s) /* skips it; the next character or NUL */
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
	return s->at < s->end ? *s->at : 0;
}

static int hex4(const char *at, const char *end) /* -1: not four hexadecimal digits */
{
	int value = 0;
	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* After "\u". The code point, surrogates joined; *size is what was read. -1: malformed or half of a pair. */
static int unicode_escape(const char *at, const char *end, unsigned *size)
{
	int c = hex4(at, end);
	*size = 4;
	if (c < 0xD800 || c > 0xDFFF)
		return c;
	if (c > 0xDBFF || end - at < 10 || at[4] != '\\' || at[5] != 'u')
		return -1;
	int low = hex4(at + 6, end);
	*size = 10;
	return low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : -1;
}

static bool escape(struct scan *s) /* at stands behind the backslash */
{
	unsigned size;
	if (s->at == s->end)
		return fail(s, "the rest of an escape");
	char c = *s->at++;
	if (c == 'u') {
		if (unicode_escape(s->at, s->end, &size) < 0)
			return fail(s, "four hexadecimal digits after \\u, and both halves of a surrogate pair");
		s->at += size;
		return true;
	}
	return strchr("\"\\/bfnrt", c) && c ? true : (s->at--, fail(s, "one of \" \\ / b f n r t u after a backslash"));
}

static bool string(struct scan *s) /* at stands on the quote */
{
	for (s->at++; s->at < s->end;) {
		unsigned char c = (unsigned char)*s->at;
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < 0x20)
			return fail(s, "no control character in a string (write \\n, \\t, \\u00XX)");
		unsigned n = 1;
		if (c >= 0x80 && !(n = utf8_length(s->at, s->end)))
			return fail(s, "valid UTF-8");
		s->at += n;
		if (c == '\\' && !escape(s))
			return false;
	}
	return fail(s, "the closing \" of a string");
}

static bool digits(struct scan *s)
{
	const char *from = s->at;
	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > from || fail(s, "a digit");
}

static bool number(struct scan *s)
{
	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0')
		s->at++;
	else if (!digits(s))
		return false;
	if (s->at < s->end && *s->at == '.' && (s->at++, !digits(s)))
		return false;
	if (s->at < s->end && (*s->at | 32) == 'e') {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		return digits(s);
	}
	return true;
}

static bool word(struct scan *s, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
		return fail(s, "a JSON value (true, false and null in lower case)");
	s->at += n;
	return true;
}

static bool scalar(struct scan *s)
{
	char c = space(s);
	switch (c) {
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return c == '-' || (c >= '0' && c <= '9') ? number(s) : fail(s, "a JSON value");
	}
}

static bool in_object(const struct scan *s)
{
	return s->stack[(s->depth - 1) / 64] >> ((s->depth - 1) % 64) & 1;
}

static bool push(struct scan *s, bool object)
{
	if (s->depth == JSON_SPAN_DEPTH_MAX)
		return fail(s, "at most 256 levels of nesting");
	uint64_t bit = 1ULL << (s->depth % 64);
	s->stack[s->depth / 64] = object ? s->stack[s->depth / 64] | bit : s->stack[s->depth / 64] & ~bit;
	s->depth++;
	s->at++;
	return true;
}

/* "key" : of an object; remembered at the top level. */
static bool key(struct scan *s)
{
	if (space(s) != '"')
		return fail(s, "a member's name in quotes");
	const char *from = s->at + 1;
	if (!string(s))
		return false;
	struct bytes name = {from, (size_t)(s->at - 1 - from)};
	if (space(s) != ':')
		return fail(s, "':' after a member's name");
	s->at++;
	space(s);
	if (s->depth != 1 || !s->members)
		return true;
	for (size_t i = 0; i < s->n; i++) {
		if (bytes_equal(s->members[i].key, name)) {
			s->at = from - 1;
			return fail(s, "every member only once");
		}
	}
	if (s->n == s->max) {
		s->too_many = true;
		return fail(s, "fewer members");
	}
	s->members[s->n++] = (struct json_member){name, {s->at, 0}};
	return true;
}

static void value_ends(struct scan *s)
{
	if (s->depth == 1 && s->members && s->n && in_object(s)) {
		struct bytes *v = &s->members[s->n - 1].value;
		v->size = (size_t)(s->at - v->data);
	}
}

/* After a value: closes brackets and goes to the place of the next value. False at the end of all, or when it fails. */
static bool next_value(struct scan *s)
{
	while (s->depth) {
		value_ends(s);
		bool object = in_object(s);
		char c = space(s);
		if (c == ',') {
			s->at++;
			return object ? key(s) : (space(s) == ']' ? fail(s, "a value after the comma") : true);
		}
		if (c != (object ? '}' : ']'))
			return fail(s, object ? "',' or '}'" : "',' or ']'");
		s->at++;
		s->depth--;
	}
	return false;
}

/* One value, without recursion: what is nested deeply takes a bit, not a stack frame. */
static bool value(struct scan *s)
{
	do {
		char c = space(s);
		bool object = c == '{';
		if (!object && c != '[') {
			if (!scalar(s))
				return false;
			continue;
		}
		for (;;) { /* opening brackets */
			if (!push(s, object))
				return false;
			if (space(s) == (object ? '}' : ']')) {
				s->at++;
				s->depth--;
				break;
			}
			if (object && !key(s))
				return false;
			c = space(s);
			if (c != '{' && c != '[') {
				if (!scalar(s))
					return false;
				break;
			}
			object = c == '{';
		}
	} while (next_value(s));
	return !s->wrong;
}

static enum errcode complain(const struct scan *s, struct err *e)
{
	unsigned line = 1;
	const char *from = s->begin;
	for (const char *p = s->begin; p < s->at; p++) {
		if (*p == '\n') {
			line++;
			from = p + 1;
		}
	}
	return err_set(e, s->too_many ? E_TOO_LARGE : E_INVALID, "not valid JSON at line %u, column %u: expected %s%s",
		line, (unsigned)(s->at - from + 1), s->wrong, s->at == s->end ? ", but the text ends there" : "");
}

static enum errcode whole(struct scan *s, struct err *e)
{
	if (value(s) && (space(s), s->at < s->end))
		fail(s, "nothing after the value");
	return s->wrong ? complain(s, e) : E_OK;
}

enum errcode json_span_check(struct bytes text, struct err *e)
{
	struct scan s = {.begin = text.data, .at = text.data, .end = text.data + text.size};
	return whole(&s, e);
}

enum errcode json_span_members(struct bytes text, struct json_member *members, size_t max, size_t *n, struct err *e)
{
	struct scan s = {.begin = text.data, .at = text.data, .end = text.data + text.size, .members = members, .max = max};
	if (space(&s) != '{') {
		s.wrong = "an object: {";
		return complain(&s, e);
	}
	enum errcode code = whole(&s, e);
	if (code == E_OK)
		*n = s.n;
	return code;
}

const struct bytes *json_span_find(const struct json_member *members, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes_equal(members[i].key, bytes_of(name)))
			return &members[i].value;
	}
	return NULL;
}

bool json_span_next(struct bytes array, size_t *at, struct bytes *element)
{
	struct scan s = {.begin = array.data, .at = array.data + *at, .end = array.data + array.size};
	char c = space(&s);
	if (c != (*at ? ',' : '['))
		return false;
	s.at++;
	if (space(&s) == ']')
		return false;
	const char *from = s.at;
	if (!value(&s))
		return false;
	*element = (struct bytes){from, (size_t)(s.at - from)};
	*at = (size_t)(s.at - array.data);
	return true;
}

char json_span_kind(struct bytes v)
{
	return v.size ? v.data[0] : 0;
}

bool json_span_string(struct bytes v, struct buf *out)
{
	if (v.size < 2 || v.data[0] != '"')
		return false;
	const char *end = v.data + v.size - 1;
	for (const char *at = v.data + 1; at < end; at++) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		buf_add(out, at, (size_t)((slash ? slash : end) - at));
		if (!slash)
			return true;
		at = slash + 1;
		static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
		const char *known = strchr(from, *at);
		if (known) {
			buf_add(out, &to[known - from], 1);
			continue;
		}
		char utf8[4];
		unsigned size;
		int c = unicode_escape(at + 1, end, &size);
		if (c <= 0)
			return false;
		buf_add(out, utf8, utf8_put(utf8, (unsigned)c));
		at += size;
	}
	return true;
}

bool json_span_integer(struct bytes v, int64_t *out)
{
	bool minus = v.size && v.data[0] == '-';
	int64_t n = 0;
	if (v.size == minus)
		return false;
	for (size_t i = minus; i < v.size; i++) {
		int digit = v.data[i] - '0';
		if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n))
			return false;
	}
	if (!minus && n == INT64_MIN)
		return false;
	*out = minus ? n : -n;
	return true;
}
