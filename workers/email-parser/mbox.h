/* mbox.h - finds the messages of a mailbox (mboxrd, and so mboxo), or the one message of an .eml file.
 *
 *	From alice@example.org Thu Aug 22 12:36:23 2002     <- at; the envelope line
 *	Subject: hello                                      <- start; the message itself
 *	                                                    <- header_end: after the empty line
 *	text
 *	                                                    <- end; an empty line belongs to the mailbox
 *	From bob@example.org ...                            <- next
 *
 * A message begins where a line "From SENDER DATE" stands at the very start or after an empty line. Both the empty line and a
 * plausible date are asked for, so that a sentence that begins with "From" does not cut a message in two. Quoting
 * (">From ", ">>From ") is undone where the content is read: decode.h.
 *
 * Memory: one window of MBOX_WINDOW bytes, whatever the size of the file or of a message. The descriptor is read with pread;
 * its position is not used. One thread at a time.
 */
#pragma once

#include "fault.h"

#include <stddef.h>
#include <stdint.h>

#define MBOX_WINDOW		(512u << 10)
#define MBOX_SMALL		(MBOX_WINDOW / 2) /* a message of up to about this size is whole in the window */
#define MBOX_HEADER_MAX (MBOX_WINDOW / 2) /* a larger header is cut there, and the message reported as damaged */

enum mbox_format { MBOX_AUTO, MBOX_MBOX, MBOX_EML };

struct mbox_span {
	uint64_t at; /* the message's name: where its envelope line begins (eml: 0) */
	uint64_t start, end; /* the message without envelope line and closing empty line */
	uint64_t header_end; /* start <= header_end <= end */
	uint64_t next; /* where the next message begins, or the size of the input */
	bool header_cut; /* the header was longer than MBOX_HEADER_MAX */
};

struct mbox {
	int fd; /* borrowed */
	uint64_t size; /* of the input in bytes */
	uint64_t next; /* where mbox_next goes on; set it to resume */
	enum mbox_format format; /* what it turned out to be: never MBOX_AUTO */
	char *window;
	uint64_t window_at;
	size_t window_n;
};

/* Looks at the beginning of fd. REEVE_E_INVALID with INVALID_EMAIL when it is not the format, or no mail at all; an I/O error
 * is REEVE_E_INTERNAL, to be retried. *m is to be closed after success only. */
int mbox_open(struct mbox *m, int fd, enum mbox_format format, struct fault *f);
void mbox_close(struct mbox *m); /* accepts a zeroed one; leaves the descriptor open */

/* 1: *s is the next message. 0: there is none. Negative: as above. */
int mbox_next(struct mbox *m, struct mbox_span *s, struct fault *f);

/* The bytes of a range, if all of it is in the window, until the next call of mbox_next; or NULL: read the descriptor. */
const char *mbox_bytes(const struct mbox *m, uint64_t start, uint64_t end);
