/* words.c - the scanner. Speed matters here: every byte of every message passes through words_text. */
#include "words.h"

#include <string.h>

enum {
	SPACE = 0,
	LETTER = 1,
	CAPITAL = 2,
	DIGIT = 4,
	HIGH = 8,
	MARK = 16,
	RULE = 32,
	WORDLIKE = LETTER | CAPITAL | DIGIT | HIGH
};

struct words_class {
	uint8_t of[256];
};

#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

/* clang-format off: one row of the ASCII table a line */
static const struct words_class words_class = {{
	['a' ... 'z'] = LETTER,
	['A' ... 'Z'] = CAPITAL,
	['0' ... '9'] = DIGIT,
	[128 ... 255] = HIGH,
	['!'] = MARK,
	['$'] = MARK,
	['%'] = MARK,
	['?'] = MARK,
	['#'] = MARK,
	['*'] = MARK,
	['='] = RULE,
	['-'] = RULE,
	['_'] = RULE,
	['~'] = RULE,
	['+'] = RULE,
	['|'] = RULE,
	[':'] = RULE,
	['>'] = RULE,
}};
/* clang-format on */

static uint8_t words_class_at(const char *at)
{
	return words_class.of[(uint8_t)*at];
}

static void words_give(WORDS_SINK(sink), void *context, enum word_kind kind, uint32_t hash, const char *at, size_t size)
{
	struct word w = {.kind = kind, .hash = hash, .size = (uint32_t)size, .first = *at, .at = at};
	sink(context, &w);
}

static uint32_t words_hash(const char *at, size_t size)
{
	uint32_t h = FNV_START;
	for (size_t i = 0; i < size; i++)
		h = (h ^ (uint8_t)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 32 : at[i])) * FNV_PRIME;
	return h;
}

void words_host(const char *host, size_t size, WORDS_SINK(sink), void *context)
{
	size_t label = size, pair, letters = 0;
	for (size_t i = 0; i < size; i++)
		letters += (words_class_at(host + i) & (LETTER | CAPITAL)) != 0;
	if (!size)
		return;
	if (!letters) {
		words_give(sink, context, WORD_HOST, 1, host, size); /* a bare address in numbers */
		return;
	}
	while (label > 0 && host[label - 1] != '.')
		label--;
	for (pair = label ? label - 1 : 0; pair > 0 && host[pair - 1] != '.';)
		pair--;
	words_give(sink, context, WORD_HOST, words_hash(host + label, size - label), host, size);
	words_give(sink, context, WORD_HOST, words_hash(host + pair, size - pair) + 1, host, size);
}

uint32_t words_domain(const char *host, size_t size, uint32_t *name)
{
	size_t dot[3] = {0}, n = 0, letters = 0; /* where the last three labels begin */
	*name = 0;
	for (size_t i = size; i > 0; i--) {
		letters += (words_class_at(host + i - 1) & (LETTER | CAPITAL)) != 0;
		if (n < 3 && (i == 1 || host[i - 2] == '.'))
			dot[n++] = i - 1;
	}
	if (!letters || n < 2)
		return 0;
	int country = n == 3 && size - dot[0] == 2 && dot[0] - dot[1] <= 4; /* "co.uk" is nobody's */
	size_t from = dot[country ? 2 : 1], end = dot[country ? 1 : 0] - 1;
	*name = words_hash(host + from, end - from);
	return words_hash(host + from, size - from);
}

/* One word; returns its end. */
static const char *words_text(const char *at, const char *end, WORDS_SINK(sink), void *context)
{
	struct word w = {.kind = WORD_TEXT, .first = *at, .at = at};
	uint32_t h = FNV_START;
	uint8_t high = 0;
	const char *p = at;
	for (; p < end; p++) {
		uint8_t c = (uint8_t)*p, class = words_class.of[c];
		if (!(class & WORDLIKE)) {
			if (c != '\'' || p + 1 >= end || !(words_class_at(p + 1) & LETTER) || p == at)
				break;
			continue; /* don't is dont */
		}
		high |= class;
		w.capitals += class == CAPITAL;
		w.digits += class == DIGIT;
		h = (h ^ (class == DIGIT ? '0' : class == CAPITAL ? c | 32u : c)) * FNV_PRIME;
	}
	w.size = (uint32_t)(p - at);
	w.high = (high & HIGH) != 0;
	w.hash = w.size <= 24 ? h : FNV_START; /* a word that long is no word: encoded data, a chain of characters */
	sink(context, &w);
	return p;
}

static const char *words_host_end(const char *at, const char *end)
{
	while (at < end && ((words_class_at(at) & (LETTER | CAPITAL | DIGIT)) || *at == '.' || *at == '-' || *at == '_'))
		at++;
	return at;
}

/* "http://host:port/path": the host's words; the path is nobody's language. NULL if there is no link here. */
static const char *words_link(const char *at, const char *end, WORDS_SINK(sink), void *context)
{
	size_t left = (size_t)(end - at), skip = 0;
	if (left > 10 && (at[0] | 32) == 'h' && !memcmp(at + 4, "://", 3))
		skip = 7;
	else if (left > 10 && (at[0] | 32) == 'h' && !memcmp(at + 5, "://", 3))
		skip = 8;
	else if (left > 6 && (at[0] | 32) == 'w' && (at[1] | 32) == 'w' && (at[2] | 32) == 'w' && at[3] == '.')
		skip = 4;
	if (!skip)
		return NULL;
	const char *host = at + skip, *stop = words_host_end(host, end);
	while (stop > host && stop[-1] == '.')
		stop--;
	struct word link = {.kind = WORD_LINK, .size = (uint32_t)(stop - host), .first = *at, .at = host};
	uint32_t name;
	link.hash = words_domain(host, link.size, &name);
	sink(context, &link);
	words_host(host, link.size, sink, context);
	while (stop < end && (uint8_t)*stop > ' ' && *stop != '>' && *stop != '"' && *stop != ')')
		stop++;
	return stop;
}

/* The end of an HTML tag or comment that begins at `at`, or NULL: "<b>", "</p>", "<a href=…>", but not "<mail@host>". */
static const char *words_tag(const char *at, const char *end)
{
	const char *name = at + 1, *p;
	if (name < end && (*name == '/' || *name == '!'))
		name++;
	for (p = name; p < end && p - name < 11 && (words_class_at(p) & (LETTER | CAPITAL | DIGIT)); p++)
		;
	if ((p == name && (p >= end || *p != '-')) || p >= end || !strchr("> \t\r\n/-", *p))
		return NULL;
	const char *close = memchr(p, '>', (size_t)(end - p) < 2000 ? (size_t)(end - p) : 2000);
	return close ? close + 1 : NULL;
}

static const char *words_mark(const char *at, const char *end, WORDS_SINK(sink), void *context)
{
	const char *p = at + 1;
	while (p < end && *p == *at)
		p++;
	if (p - at > 2 || words_class_at(at) == MARK)
		words_give(sink, context, WORD_MARK, (uint32_t)(uint8_t)*at * 4 + (p - at < 3 ? (uint32_t)(p - at) : 3), at, 1);
	return p;
}

void words_read(const char *text, size_t size, WORDS_SINK(sink), void *context)
{
	const char *at = text, *end = text + size, *next;
	int begins = 1; /* a line */
	while (at < end) {
		uint8_t class = words_class_at(at);
		if (begins && (uint8_t)*at > ' ') {
			if (end - at > 5 &&
				!memcmp(at, "SPAM:", 5)) { /* a filter's opinion, written into the body: not the mail's words */
				next = memchr(at, '\n', (size_t)(end - at));
				at = next ? next : end;
				continue;
			}
			words_give(sink, context, WORD_LINE, 0, at, 1);
			begins = 0;
		}
		if (class & WORDLIKE) {
			next = (*at | 32) == 'h' || (*at | 32) == 'w' ? words_link(at, end, sink, context) : NULL;
			at = next ? next : words_text(at, end, sink, context);
		} else if (class & (MARK | RULE)) {
			at = words_mark(at, end, sink, context);
		} else if (*at == '@' && at > text && (words_class_at(at - 1) & WORDLIKE)) {
			next = words_host_end(at + 1, end);
			words_host(at + 1, (size_t)(next - at - 1), sink, context);
			at = next;
		} else if (*at == '<' && (next = words_tag(at, end))) {
			words_give(sink, context, WORD_TAG, 0, at, 1);
			at = next;
		} else {
			begins |= *at == '\n';
			at++;
		}
	}
}
