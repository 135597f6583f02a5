/* guard.h - finds the messages whose structure would cost far more memory than their size: millions of parts of a few bytes,
 * or headers of parts without end. The MIME parser keeps an object for each part and all header lines in memory; the content
 * of parts it leaves in the file. Such a message is reported as damaged and read as far as its own header only. And it
 * calls itself for each group within a group of addresses ("a:b:c:"), without limit: a header that does that is not read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_BOUNDARIES_MAX 20000 /* lines that begin with "--" in a message that has parts */
#define GUARD_HEADER_RUN_MAX (16u << 20) /* bytes of lines that look like header fields, one after the other */

#define GUARD_COLONS_MAX 500 /* in a field of addresses; each may begin a group within the one before */

#define GUARD_PARAMETERS_MAX 10000 /* ";" in all Content-... fields of a message that has parts */

struct guard {
	uint64_t boundaries; /* lines that begin with "--" */
	uint64_t run; /* bytes of header-like lines up to here */
	uint64_t longest;
	bool at_line_start;
	bool in_header; /* before the first empty line */
	bool parts; /* the header speaks of multipart/ or message/: without that there is only one part */
	bool addresses; /* is that field one of addresses? */
	uint64_t colons; /* in it */
	bool content; /* ... or a Content-... field? */
	uint64_t parameters; /* in all of those */
	bool nested_in_header, nested; /* there were too many: in the message's own header, anywhere */
	bool in_field; /* is the line that is being read part of a run? */
};

void guard_init(struct guard *g);
void guard_feed(struct guard *g, const char *s, size_t n);

/* What is wrong with it, as a literal, or NULL. */
const char *guard_verdict(const struct guard *g);

/* The same for a range of a file, read with pread. -1 with errno when reading fails. */
int guard_read(struct guard *g, int fd, uint64_t start, uint64_t end);
