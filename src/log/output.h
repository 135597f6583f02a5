/* output.h - what workers print and log, line by line: kept in memory for a while, appended to files, followed by readers.
 *
 * Every worker has a ring of its last lines (OUTPUT_LINES, OUTPUT_BYTES, whichever is less) and a file
 * `<directory>/<worker>.log` that is rotated by size (.1 is the last one before). Lines come from a child's FIFOs (log/pipe.h)
 * or by output_line: what a worker logs by reeve_log. Memory is bounded whatever is printed; when the disk is slower than the
 * workers, lines are left out of the file, never held back, and the file says how many.
 * Loop thread only; files are written on the pool. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct outputs;

enum {
	OUTPUT_LINES = 1000, /* per worker in memory */
	OUTPUT_BYTES = 1 << 20,
	OUTPUT_LINE_MAX = 64 << 10, /* a longer one is cut, and ends with OUTPUT_CUT */
	OUTPUT_FILE_BYTES = 16 << 20, /* then it is rotated */
	OUTPUT_FILES = 3, /* .1 to .3 are kept */
	OUTPUT_LAST_LINES = 20,
	OUTPUT_LAST_BYTES = 4 << 10,
	OUTPUT_BEHIND_BYTES = 4 << 20, /* waiting for the disk, per worker */
};
#define OUTPUT_CUT " ...[cut]"

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR, OUTPUT_LOG }; /* log: by reeve_log */
const char *output_stream_word(enum output_stream s);

struct output_line { /* borrowed for the call that shows it */
	int64_t at_ms;
	const char *worker, *instance;
	enum output_stream stream;
	struct bytes text; /* without its line end; any bytes */
};

struct output_follower { /* the follower's memory */
	struct list link;
	const char *worker; /* NULL: all of them; lives as long as the follower */
	void (*line)(void *context, const struct output_line *line); /* must not unfollow or print */
	void *context;
};

/* directory: where the files go, made when missing; NULL: none are written. */
enum errcode outputs_new(struct loop *l, const char *directory, struct outputs **out, struct err *e);
void outputs_free(struct outputs *o); /* writes what waits (blocks). Pipes are closed, followers gone */

/* One line. `text` may have a line end; more than one line becomes several. */
void output_line(
	struct outputs *o, const char *worker, const char *instance, enum output_stream stream, struct bytes text);

/* The last `lines` of a worker (NULL: of all, by time), oldest first. */
void output_tail(struct outputs *o, const char *worker, unsigned lines,
	void (*visit)(void *context, const struct output_line *line), void *context);

/* The last lines that one instance wrote to stderr (when it wrote none there: to stdout), joined by " | ", at most `size`-1
 * bytes, UTF-8: for error messages. "" when there are none. */
void output_last(struct outputs *o, const char *worker, const char *instance, unsigned lines, char *into, size_t size);

/* The last lines of one instance, all streams, as "stream text\n"; at most OUTPUT_LAST_LINES of them and OUTPUT_LAST_BYTES. */
void output_last_lines(struct outputs *o, const char *worker, const char *instance, struct buf *out);

void output_follow(struct outputs *o, struct output_follower *f);
void output_unfollow(struct output_follower *f); /* fine when it does not follow */
void output_forget(
	struct outputs *o, const char *worker); /* a worker that was removed: its ring goes, its file stays */

/* "2026-11-22T03:45:00.125Z email-parser-3fa2c1 stderr text\n": a line of the file and of the API. */
void output_format(const struct output_line *line, struct buf *out);
