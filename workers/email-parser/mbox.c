#include "mbox.h"

#include "envelope.h"

#include <reeve/worker.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_ENVELOPE 1024 /* an envelope line is within this, or it is none */

/* Moves the window so that it begins at `at`; what is there already is not read again. */
static int mbox_fill(struct mbox *m, uint64_t at, struct fault *f)
{
	uint64_t end = m->window_at + m->window_n;
	size_t kept = 0;

	if (at >= m->window_at && at < end) {
		kept = (size_t)(end - at);
		memmove(m->window, m->window + (at - m->window_at), kept);
	}
	m->window_at = at;
	m->window_n = kept;
	while (m->window_n < MBOX_WINDOW && at + m->window_n < m->size) {
		ssize_t n =
			pread(m->fd, m->window + m->window_n, MBOX_WINDOW - m->window_n, (off_t)(m->window_at + m->window_n));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(f, REEVE_E_INTERNAL, "PARSING_FAILED", true, "reading the mail at byte %llu: %s",
				(unsigned long long)(m->window_at + m->window_n), strerror(errno));
		if (!n) { /* it was cut while we read */
			m->size = m->window_at + m->window_n;
			break;
		}
		m->window_n += (size_t)n;
	}
	return 0;
}

static bool mbox_reaches_end(const struct mbox *m)
{
	return m->window_at + m->window_n >= m->size;
}

const char *mbox_bytes(const struct mbox *m, uint64_t start, uint64_t end)
{
	if (start < m->window_at || end > m->window_at + m->window_n || end < start)
		return NULL;
	return m->window + (start - m->window_at);
}

static int mbox_refuse(struct fault *f, const char *what)
{
	return fault_set(f, REEVE_E_INVALID, "INVALID_EMAIL", false,
		"the input is no e-mail: %s; wanted is an mbox (it begins with \"From sender date\") or a message with a "
		"header "
		"(From:, Date:, Subject:, ...)",
		what);
}

static int mbox_detect(struct mbox *m, enum mbox_format format, struct fault *f)
{
	enum envelope_start start = envelope_look(m->window, m->window_n);

	if (!m->size)
		return mbox_refuse(f, "it is empty");
	if (format == MBOX_MBOX && start != ENVELOPE_MBOX)
		return mbox_refuse(f, "format is \"mbox\", but there is no \"From sender date\" line at its start");
	if (start == ENVELOPE_NONE)
		return mbox_refuse(f, "it begins neither with a \"From sender date\" line nor with a header");
	m->format = format != MBOX_AUTO ? format : start == ENVELOPE_MBOX ? MBOX_MBOX : MBOX_EML;
	return 0;
}

int mbox_open(struct mbox *m, int fd, enum mbox_format format, struct fault *f)
{
	struct mbox fresh = {.fd = fd};
	struct stat status;
	int rc;

	if (fstat(fd, &status))
		return fault_set(f, REEVE_E_INTERNAL, "PARSING_FAILED", true, "looking at the input: %s", strerror(errno));
	fresh.size = (uint64_t)status.st_size;
	fresh.window = malloc(MBOX_WINDOW);
	if (!fresh.window)
		return fault_set(
			f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for a window of %u bytes", MBOX_WINDOW);
	rc = mbox_fill(&fresh, 0, f);
	if (!rc)
		rc = mbox_detect(&fresh, format, f);
	if (rc)
		mbox_close(&fresh);
	else
		*m = fresh;
	return rc;
}

void mbox_close(struct mbox *m)
{
	free(m->window);
	m->window = NULL;
}

/* Is the "From " at window[i] after an empty line, with a plausible envelope? */
static bool mbox_separates(const struct mbox *m, size_t i)
{
	const char *w = m->window;
	bool empty_line =
		i >= 2 && w[i - 1] == '\n' && (w[i - 2] == '\n' || (i >= 3 && w[i - 2] == '\r' && w[i - 3] == '\n'));

	return empty_line && envelope_is_plausible(w + i, m->window_n - i);
}

/* Where the next message begins, at or after `pos`; the size when there is none. Keeps `keep` in the window if it can. */
static int mbox_search(struct mbox *m, uint64_t keep, uint64_t pos, uint64_t *found, struct fault *f)
{
	for (;;) {
		size_t from = (size_t)(pos - m->window_at);
		const char *hit = memmem(m->window + from, m->window_n - from, "\nFrom ", 6);
		size_t i = hit ? (size_t)(hit - m->window) + 1 : m->window_n;
		bool whole = hit && (m->window_n - i >= LINE_MAX_ENVELOPE || mbox_reaches_end(m));

		if (whole && mbox_separates(m, i)) {
			*found = m->window_at + i;
			return 0;
		}
		if (whole) {
			pos = m->window_at + i;
			continue;
		}
		if (mbox_reaches_end(m)) {
			*found = m->size;
			return 0;
		}
		/* The rest of the line, or the next piece. Three bytes before it decide whether its line before is empty. */
		pos = m->window_at + (hit ? i - 1 : m->window_n - 6);
		uint64_t at = m->window_at + m->window_n - keep <= MBOX_SMALL ? keep : pos - 3;
		int rc = mbox_fill(m, at > m->window_at ? at : pos - 3, f);
		if (rc)
			return rc;
	}
}

/* After the first empty line, which may be the very first one. */
static int mbox_find_header_end(struct mbox *m, struct mbox_span *s, struct fault *f)
{
	uint64_t limit = s->start + MBOX_HEADER_MAX < m->size ? s->start + MBOX_HEADER_MAX : m->size;

	for (;;) {
		uint64_t have = m->window_at + m->window_n;
		const char *text = m->window + (s->start - m->window_at);
		size_t n = (size_t)((have < limit ? have : limit) - s->start);
		size_t length = envelope_header_length(text, n);
		if (length) {
			s->header_end = s->start + length;
			return 0;
		}
		if (have >= limit) {
			s->header_end = limit;
			s->header_cut = limit < m->size;
			return 0;
		}
		int rc = mbox_fill(m, s->start ? s->start - 1 : 0, f);
		if (rc)
			return rc;
	}
}

/* Takes the empty line that the mailbox adds off the end. */
static void mbox_trim(const struct mbox *m, struct mbox_span *s)
{
	const char *tail = s->end >= s->start + 3 ? mbox_bytes(m, s->end - 3, s->end) : NULL;

	if (tail && tail[1] == '\n' && tail[2] == '\n')
		s->end -= 1;
	else if (tail && tail[0] == '\n' && tail[1] == '\r' && tail[2] == '\n')
		s->end -= 2;
}

static int mbox_skip_envelope(struct mbox *m, struct mbox_span *s, struct fault *f)
{
	size_t offset = (size_t)(s->at - m->window_at);
	int rc;

	if (m->window_at > s->at || offset > m->window_n || m->window_n - offset < LINE_MAX_ENVELOPE) {
		rc = mbox_fill(m, s->at, f);
		if (rc)
			return rc;
		offset = 0;
	}
	const char *line = m->window + offset;
	size_t n = m->window_n - offset;
	const char *newline = n >= 5 && !memcmp(line, "From ", 5) ? memchr(line, '\n', n) : line - 1;
	s->start = newline ? s->at + (uint64_t)(newline + 1 - line) : s->at + n;
	return 0;
}

int mbox_next(struct mbox *m, struct mbox_span *s, struct fault *f)
{
	struct mbox_span next = {.at = m->next, .next = m->size};
	int rc;

	if (m->next >= m->size)
		return 0;
	rc = mbox_skip_envelope(m, &next, f);
	if (!rc)
		rc = mbox_find_header_end(m, &next, f);
	if (!rc && m->format == MBOX_MBOX)
		rc = mbox_search(m, next.start - 1, next.start - 1, &next.next, f);
	if (!rc && m->format == MBOX_EML && m->window_at != 0)
		rc = mbox_fill(m, 0, f);
	if (rc)
		return rc;
	next.end = next.next;
	if (m->format == MBOX_MBOX)
		mbox_trim(m, &next);
	if (next.header_end > next.end)
		next.header_end = next.end;
	m->next = next.next;
	*s = next;
	return 1;
}
