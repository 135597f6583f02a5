#include "decode.h"

#include <string.h>

#define DECODE_CHUNK (64u << 10)
#define DECODE_HELD	 512 /* a line of '>' longer than this is not mailbox quoting */

struct decode_run {
	struct decode *d;
	GMimeFilter *filter; /* NULL: as it is */
	int (*sink)(void *, const char *, size_t);
	void *context;
	uint64_t letters; /* base64 characters */
	bool ended; /* by '=' */
	char *chunk;
	size_t held; /* bytes at the start of the chunk that wait for the rest of their line */
	bool line_start; /* does the chunk begin a line? */
};

static void decode_check_base64(struct decode_run *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (g_ascii_isalnum(s[i]) || s[i] == '+' || s[i] == '/') {
			r->letters++;
			r->d->garbage |= r->ended;
		} else if (s[i] == '=') {
			r->ended = true;
			r->letters++;
		} else if (!g_ascii_isspace(s[i])) {
			r->d->garbage = true;
		}
	}
}

static int decode_give(struct decode_run *r, char *s, size_t n, bool last)
{
	char *out = s;
	size_t length = n, prespace;

	if (r->filter && last)
		g_mime_filter_complete(r->filter, s, n, 0, &out, &length, &prespace);
	else if (r->filter)
		g_mime_filter_filter(r->filter, s, n, 0, &out, &length, &prespace);
	r->d->bytes += length;
	return length ? r->sink(r->context, out, length) : 0;
}

/* Is this the beginning of a line that could still become ">From "? */
static bool decode_is_half_quote(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] == '>')
		i++;
	return n && i && n - i < 5 && !memcmp("From ", s + i, n - i);
}

/* Takes one '>' off each ">From " in s and returns the new length. */
static size_t decode_unquote(char *s, size_t n, bool line_start)
{
	char *from = s, *end = s + n, *to = s, *hit;

	while ((hit = memmem(from, (size_t)(end - from), ">From ", 6))) {
		char *line = hit;
		while (line > s && line[-1] == '>')
			line--;
		bool quoted = line == s ? line_start : line[-1] == '\n';
		size_t length = (size_t)(hit + 6 - from);
		if (quoted) {
			memmove(to, from, length - 6);
			memcpy(to + length - 6, "From ", 5);
			to += length - 1;
		} else {
			memmove(to, from, length);
			to += length;
		}
		from = hit + 6;
	}
	if (to != from)
		memmove(to, from, (size_t)(end - from));
	return n - (size_t)(from - to);
}

/* `n` bytes are in the chunk. Gives them on, but for a tail that may be half of a quoted line. */
static int decode_piece(struct decode_run *r, size_t n, bool last)
{
	char *line = n ? memrchr(r->chunk, '\n', n) : NULL;
	size_t tail = line ? n - (size_t)(line + 1 - r->chunk) : n;
	bool begins = line || r->line_start, ends;
	size_t give = n;
	char kept[DECODE_HELD];

	if (!r->d->unquote)
		return decode_give(r, r->chunk, n, last);
	if (!last && begins && tail < DECODE_HELD && decode_is_half_quote(r->chunk + n - tail, tail))
		give = n - tail;
	memcpy(kept, r->chunk + give, n - give);
	ends = give ? r->chunk[give - 1] == '\n' : r->line_start;
	int rc = decode_give(r, r->chunk, decode_unquote(r->chunk, give, r->line_start), last);
	memcpy(r->chunk, kept, n - give);
	r->held = n - give;
	r->line_start = ends;
	return rc;
}

static int decode_read(struct decode_run *r, GMimeStream *stream, bool base64)
{
	for (;;) {
		ssize_t n = g_mime_stream_read(stream, r->chunk + r->held, DECODE_CHUNK - r->held);
		if (n < 0 && !g_mime_stream_eos(stream)) /* a file's stream says -1 at its end, too */
			r->d->failed = true;
		if (n <= 0)
			return decode_piece(r, r->held, true);
		if (base64)
			decode_check_base64(r, r->chunk + r->held, (size_t)n);
		size_t have = r->held + (size_t)n;
		r->held = 0;
		int rc = decode_piece(r, have, false);
		if (rc)
			return rc;
	}
}

int decode_part(
	GMimePart *part, struct decode *d, int (*sink)(void *context, const char *data, size_t n), void *context)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeContentEncoding encoding =
		content ? g_mime_data_wrapper_get_encoding(content) : GMIME_CONTENT_ENCODING_DEFAULT;
	GMimeStream *stream = content ? g_mime_data_wrapper_get_stream(content) : NULL;
	struct decode_run run = {.d = d, .sink = sink, .context = context, .line_start = true};
	bool base64 = encoding == GMIME_CONTENT_ENCODING_BASE64;
	int rc = 0;

	*d = (struct decode){.unquote = d->unquote && !base64};
	if (!stream || g_mime_stream_reset(stream) < 0) {
		d->failed = content != NULL;
		return 0;
	}
	if (base64 || encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE || encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		run.filter = g_mime_filter_basic_new(encoding, FALSE);
	run.chunk = g_malloc(DECODE_CHUNK);
	rc = decode_read(&run, stream, base64);
	d->truncated = base64 && !rc && run.letters % 4;
	g_free(run.chunk);
	if (run.filter)
		g_object_unref(run.filter);
	return rc;
}
