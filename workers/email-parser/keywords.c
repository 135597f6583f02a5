#include "keywords.h"

#include "utf8.h"

#include <glib.h>
#include <stdlib.h>

/* Lower case and single blanks. ASCII is done by table-free arithmetic; the rest by GLib, which needs no locale. */
static void keywords_fold(struct buf *out, const char *s, size_t n)
{
	char run[256];
	size_t filled = 0;
	bool blank = false;

	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		if (filled + 4 > sizeof run) {
			buf_add(out, run, filled);
			filled = 0;
		}
		if (c < 0x80) {
			bool white = c == ' ' || (c >= '\t' && c <= '\r');
			if (!white)
				run[filled++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
			else if (!blank)
				run[filled++] = ' ';
			blank = white;
			i++;
			continue;
		}
		size_t length;
		int32_t wide = utf8_decode(s + i, n - i, &length);
		buf_add(out, run, filled);
		filled = 0;
		i += length;
		if (wide == 0xa0) {
			if (!blank)
				buf_char(out, ' ');
			blank = true;
			continue;
		}
		blank = false;
		utf8_encode(out, wide < 0 ? 0xfffd : g_unichar_tolower((gunichar)wide));
	}
	buf_add(out, run, filled);
}

/* The character that ends before s[at], or that begins there; 0 at the edges of the text. */
static uint32_t keywords_before(const char *s, size_t at)
{
	size_t from = at, length;

	while (from && from + 4 > at && ((unsigned char)s[--from] & 0xc0) == 0x80)
		;
	return at ? (uint32_t)utf8_decode(s + from, at - from, &length) : 0;
}

static uint32_t keywords_at(const char *s, size_t n, size_t at)
{
	size_t length;

	return at < n ? (uint32_t)utf8_decode(s + at, n - at, &length) : 0;
}

static bool keywords_is_word(uint32_t c)
{
	if (c < 0x80)
		return g_ascii_isalnum((char)c) || c == '_';
	return c != (uint32_t)-1 && (g_unichar_isalnum(c) || g_unichar_ismark(c));
}

static bool keywords_stands_alone(const char *s, size_t n, size_t at, size_t length)
{
	size_t end = at + length;

	if (keywords_is_word(keywords_at(s, n, at)) && keywords_is_word(keywords_before(s, at)))
		return false;
	return !(keywords_is_word(keywords_before(s, end)) && keywords_is_word(keywords_at(s, n, end)));
}

static bool keywords_has(const struct buf *text, const struct buf *word)
{
	const char *p = text->data, *end = text->data + text->n;

	while ((p = memmem(p, (size_t)(end - p), word->data, word->n))) {
		if (keywords_stands_alone(text->data, text->n, (size_t)(p - text->data), word->n))
			return true;
		p++;
	}
	return false;
}

static bool keywords_take(struct keywords *k, const char *word)
{
	struct buf *folded = &k->folded[k->n];
	size_t n = strlen(word);

	if (!n || n > KEYWORDS_LENGTH_MAX || !utf8_valid(word, n))
		return false;
	keywords_fold(folded, word, n);
	while (folded->n && folded->data[folded->n - 1] == ' ')
		buf_cut(folded, folded->n - 1);
	if (folded->n && folded->data[0] == ' ') {
		memmove(folded->data, folded->data + 1, folded->n - 1);
		buf_cut(folded, folded->n - 1);
	}
	k->given[k->n] = strdup(word);
	if (!folded->n || folded->failed || !k->given[k->n]) {
		buf_fini(folded);
		free(k->given[k->n]);
		return false;
	}
	k->n++;
	return true;
}

bool keywords_init(struct keywords *k, const char *const *words, size_t n, size_t *bad)
{
	*k = (struct keywords){.given = calloc(n + 1, sizeof *k->given), .folded = calloc(n + 1, sizeof *k->folded)};
	for (size_t i = 0; i < n; i++) {
		if (k->given && k->folded && keywords_take(k, words[i]))
			continue;
		keywords_fini(k);
		*bad = i;
		return false;
	}
	return true;
}

void keywords_fini(struct keywords *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->given[i]);
		buf_fini(&k->folded[i]);
	}
	free(k->given);
	free(k->folded);
	*k = (struct keywords){0};
}

size_t keywords_find(const struct keywords *k, const char *text, size_t n, bool *found, struct buf *scratch)
{
	size_t count = 0;

	if (!k->n)
		return 0;
	buf_cut(scratch, 0);
	keywords_fold(scratch, text, n);
	for (size_t i = 0; i < k->n; i++) {
		found[i] = scratch->n && !scratch->failed && keywords_has(scratch, &k->folded[i]);
		count += found[i];
	}
	return count;
}
