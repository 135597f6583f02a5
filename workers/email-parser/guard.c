#include "guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#define GUARD_CHUNK (64u << 10)

void guard_init(struct guard *g)
{
	*g = (struct guard){.at_line_start = true, .in_header = true};
}

/* "Name:" or the continuation of one. Lines of base64 have no colon, so large attachments do not count. */
static bool guard_is_field(const struct guard *g, const char *s, size_t n)
{
	size_t i = 0;

	if (s[0] == ' ' || s[0] == '\t')
		return g->run > 0;
	while (i < n && i < 128 && s[i] > 32 && s[i] < 127 && s[i] != ':')
		i++;
	size_t name = i;
	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	return name > 0 && i < n && s[i] == ':';
}

static bool guard_is_addresses(const char *s, size_t n)
{
	static const char *const names[] = {
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-", "Disposition-Notification-To"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) < n && !strncasecmp(s, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Counts colons in fields of addresses and parameters in Content-... fields; s is a line, or a piece of one. */
static void guard_field(struct guard *g, const char *s, size_t n)
{
	if (g->at_line_start && s[0] != ' ' && s[0] != '\t') {
		g->addresses = g->in_field && guard_is_addresses(s, n);
		g->colons = 0;
		g->content = g->in_field && n > 8 && !strncasecmp(s, "Content-", 8);
	}
	for (size_t i = 0; i < n && g->content && g->in_field; i++)
		g->parameters += s[i] == ';';
	if (!g->addresses || !g->in_field)
		return;
	for (size_t i = 0; i < n; i++)
		g->colons += s[i] == ':';
	if (g->colons > GUARD_COLONS_MAX) {
		g->nested = true;
		g->nested_in_header |= g->in_header;
	}
}

static bool guard_speaks_of(const char *s, size_t n, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= n; i++)
		if (!strncasecmp(s + i, word, length))
			return true;
	return false;
}

static void guard_header(struct guard *g, const char *s, size_t n)
{
	if (g->at_line_start && (s[0] == '\n' || (n == 2 && s[0] == '\r')))
		g->in_header = false;
	else if (!g->at_line_start || s[n - 1] != '\n') /* in two pieces: the word may be, too */
		g->parts = true;
	else if (memchr("Cc \t", s[0], 4)) /* Content-Type, and what continues it */
		g->parts |= guard_speaks_of(s, n, "multipart/") || guard_speaks_of(s, n, "message/");
}

void guard_feed(struct guard *g, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *newline = memchr(s + i, '\n', n - i);
		size_t length = newline ? (size_t)(newline + 1 - (s + i)) : n - i;
		if (g->in_header)
			guard_header(g, s + i, length);
		else if (!g->parts)
			return;
		if (g->at_line_start) {
			g->boundaries += length > 2 && s[i] == '-' && s[i + 1] == '-';
			g->in_field = guard_is_field(g, s + i, length);
		}
		guard_field(g, s + i, length);
		g->run = g->in_field ? g->run + length : 0;
		if (g->run > g->longest)
			g->longest = g->run;
		g->at_line_start = newline != NULL;
		i += length;
	}
}

const char *guard_verdict(const struct guard *g)
{
	if (g->boundaries > GUARD_BOUNDARIES_MAX)
		return "more than 20000 lines that could be part boundaries: only the header was read";
	if (g->longest > GUARD_HEADER_RUN_MAX)
		return "more than 16 MiB of header fields in a row: only the header was read";
	if (g->parameters > GUARD_PARAMETERS_MAX)
		return "more than 10000 parameters of parts: only the header was read";
	if (g->nested_in_header)
		return "more than 500 groups in a field of addresses: the header was not read";
	if (g->nested)
		return "more than 500 groups in a field of addresses: only the header was read";
	return NULL;
}

int guard_read(struct guard *g, int fd, uint64_t start, uint64_t end)
{
	char *chunk = malloc(GUARD_CHUNK);

	while (chunk && start < end) {
		size_t want = end - start < GUARD_CHUNK ? (size_t)(end - start) : GUARD_CHUNK;
		ssize_t n = pread(fd, chunk, want, (off_t)start);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		/* Whole lines where possible: what a line is, is seen at its beginning. */
		const char *newline = start + (uint64_t)n < end ? memrchr(chunk, '\n', (size_t)n) : NULL;
		size_t whole = newline ? (size_t)(newline + 1 - chunk) : (size_t)n;
		guard_feed(g, chunk, whole);
		start += whole;
	}
	free(chunk);
	return chunk && start >= end ? 0 : -1;
}
