#include "envelope.h"

#include <glib.h>
#include <string.h>
#include <strings.h>

#define TOKENS_MAX 24

struct token {
	const char *s;
	size_t n;
};

static bool envelope_is_one_of(struct token t, const char *names)
{
	if (t.n == 4 && t.s[3] == ',') /* "Thu," */
		t.n = 3;
	if (t.n != 3)
		return false;
	for (; *names; names += 3)
		if (!strncasecmp(t.s, names, 3))
			return true;
	return false;
}

static bool envelope_is_number(struct token t, size_t least, size_t most)
{
	if (t.n < least || t.n > most)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (!g_ascii_isdigit(t.s[i]))
			return false;
	return true;
}

/* 12:36, 12:36:23, 9:05 */
static bool envelope_is_time(struct token t)
{
	size_t colons = 0, digits = 0;

	for (size_t i = 0; i < t.n; i++) {
		if (t.s[i] == ':' && digits) {
			colons++;
			digits = 0;
		} else if (!g_ascii_isdigit(t.s[i]) || ++digits > 2) {
			return false;
		}
	}
	return digits && (colons == 1 || colons == 2);
}

bool envelope_is_plausible(const char *s, size_t n)
{
	const char *end = memchr(s, '\n', n);
	struct token token[TOKENS_MAX];
	size_t count = 0;

	if (!end)
		end = s + n;
	for (const char *p = s; p < end && count < TOKENS_MAX;) {
		while (p < end && g_ascii_isspace(*p))
			p++;
		const char *from = p;
		while (p < end && !g_ascii_isspace(*p))
			p++;
		if (p > from)
			token[count++] = (struct token){from, (size_t)(p - from)};
	}
	for (size_t i = 1; i + 4 < count; i++) {
		if (!envelope_is_one_of(token[i], "MonTueWedThuFriSatSun") ||
			!envelope_is_one_of(token[i + 1], "JanFebMarAprMayJunJulAugSepOctNovDec") ||
			!envelope_is_number(token[i + 2], 1, 2) || !envelope_is_time(token[i + 3]))
			continue;
		for (size_t j = i + 4; j < count; j++)
			if (envelope_is_number(token[j], 4, 4))
				return true;
	}
	return false;
}

size_t envelope_header_length(const char *s, size_t n)
{
	const char *p = s, *end = s + n;

	while (p < end) {
		if (*p == '\n')
			return (size_t)(p + 1 - s);
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			return (size_t)(p + 2 - s);
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			break;
		p++;
	}
	return 0;
}

/* The length of "Field-Name" in "Field-Name:", or 0. */
static size_t envelope_field(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && i < 128 && s[i] > 32 && s[i] < 127 && s[i] != ':')
		i++;
	size_t name = i;
	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	return i < n && s[i] == ':' ? name : 0;
}

static bool envelope_is_mail_field(const char *s, size_t n)
{
	static const char *const known[] = {"From", "To", "Subject", "Date", "Received", "Message-ID", "Return-Path",
		"Sender", "MIME-Version", "Content-Type", "Delivered-To", "Reply-To", "Cc", "Bcc", "In-Reply-To", "References",
		"X-Mailer"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i]) == n && !strncasecmp(s, known[i], n))
			return true;
	return false;
}

enum envelope_start envelope_look(const char *s, size_t n)
{
	bool first = true;

	if (n >= 5 && !memcmp(s, "From ", 5) && envelope_is_plausible(s, n))
		return ENVELOPE_MBOX;
	for (const char *p = s, *end = s + n; p < end; first = false) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t length = newline ? (size_t)(newline - p) : (size_t)(end - p), field = envelope_field(p, length);
		bool folded = !first && (*p == ' ' || *p == '\t'), envelope = first && length >= 5 && !memcmp(p, "From ", 5);
		if (field && envelope_is_mail_field(p, field))
			return ENVELOPE_HEADER;
		if ((!field && !folded && !envelope) || !newline)
			break;
		p = newline + 1;
	}
	return ENVELOPE_NONE;
}
