#include "text.h"

#include "utf8.h"

#include <errno.h>
#include <glib.h>
#include <gmime/gmime.h>
#include <iconv.h>

static bool text_means_utf8(const char *charset)
{
	static const char *const names[] = {
		"utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown", "x-unknown", "unknown-8bit"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!g_ascii_strcasecmp(charset, names[i]))
			return true;
	return !*charset;
}

/* Adds UTF-8 with "\r\n" and "\r" as "\n". */
static size_t text_add(struct buf *out, const char *s, size_t n)
{
	size_t replaced = 0;

	for (size_t i = 0; i < n;) {
		const char *cr = memchr(s + i, '\r', n - i);
		size_t run = cr ? (size_t)(cr - s) : n;
		replaced += utf8_clean(out, s + i, run - i);
		i = run;
		if (!cr)
			break;
		i++;
		if (i == n || s[i] != '\n')
			buf_char(out, '\n');
	}
	return replaced;
}

static bool text_recode(struct buf *out, const char *s, size_t n, const char *charset, struct text_trouble *trouble)
{
	iconv_t cd = iconv_open("UTF-8", charset);
	struct buf raw = {0};
	char piece[4096], *in = (char *)s;
	size_t left = n;

	if (cd == (iconv_t)-1)
		return false;
	while (left) {
		char *to = piece;
		size_t room = sizeof piece;
		size_t rc = iconv(cd, &in, &left, &to, &room);
		buf_add(&raw, piece, sizeof piece - room);
		if (rc != (size_t)-1 || errno == E2BIG)
			continue;
		buf_add(
			&raw, "\xef\xbf\xbd", 3); /* EILSEQ, EINVAL: a byte that means nothing, or half a character at the end */
		trouble->replaced = true;
		in++;
		left--;
	}
	iconv_close(cd);
	out->failed |= raw.failed;
	text_add(out, raw.data ? raw.data : "", raw.n);
	buf_fini(&raw);
	return true;
}

void text_convert(struct buf *out, const char *s, size_t n, const char *charset, struct text_trouble *trouble)
{
	const char *name = charset && !text_means_utf8(charset) ? g_mime_charset_iconv_name(charset) : NULL;

	if (name && (!g_ascii_strcasecmp(name, "iso-8859-1") || !g_ascii_strcasecmp(name, "iso8859-1")))
		name = "WINDOWS-1252";
	if (name && !memchr(name, '/', strlen(name)) && text_recode(out, s, n, name, trouble))
		return;
	trouble->unknown_charset |= name != NULL;
	if (utf8_valid(s, n)) {
		trouble->replaced |= text_add(out, s, n) > 0;
	} else {
		trouble->replaced |= charset && !g_ascii_strcasecmp(charset, "utf-8");
		text_recode(out, s, n, "WINDOWS-1252", trouble);
	}
}

static bool text_is_space(const char *s, size_t n, size_t *length)
{
	int32_t c = utf8_decode(s, n, length);

	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

bool text_is_blank(const char *s, size_t n)
{
	for (size_t i = 0, length; i < n; i += length)
		if (!text_is_space(s + i, n - i, &length))
			return false;
	return true;
}

void text_snippet(struct buf *out, const char *s, size_t n, size_t most)
{
	size_t from = out->n, word = from, characters = 0, length;
	bool space = false;

	for (size_t i = 0; i < n; i += length) {
		if (text_is_space(s + i, n - i, &length)) {
			space = out->n > from;
			continue;
		}
		if (characters + space >= most) {
			if (!space && word > from) /* in the middle of a word */
				buf_cut(out, word);
			buf_add(out, "...", 3);
			return;
		}
		if (space) {
			word = out->n;
			buf_char(out, ' ');
			characters++;
		}
		space = false;
		buf_add(out, s + i, length);
		characters++;
	}
}
