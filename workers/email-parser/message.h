/* message.h - one message: from bytes in a file to fields in UTF-8.
 *
 * gmime parses; the content of parts stays in the file (or in the mailbox's window) until it is read piece by piece, so the
 * size of a message does not matter. Whatever is wrong with a message is said in `damaged`, and the rest is read all the same.
 */
#pragma once

#include "attachment.h"
#include "buf.h"
#include "fault.h"
#include "mbox.h"

#define MESSAGE_FIELD_MAX		1000 /* bytes of a subject, name, address ...; the rest is cut */
#define MESSAGE_ADDRESSES_MAX	500 /* in To, and in Cc */
#define MESSAGE_ATTACHMENTS_MAX 256
#define MESSAGE_DAMAGED_MAX		16
#define MESSAGE_DEPTH_MAX		64 /* parts within parts */

struct message {
	char *id; /* "<...>", or NULL */
	char *from; /* "Name <address>", decoded; what the header says when that is no address; NULL without one */
	char *from_address; /* or NULL */
	char *subject; /* or NULL */
	GPtrArray *to, *cc; /* of char * like `from` */
	char date[48]; /* RFC 3339 with the message's own offset; empty when there is none that can be read */
	int64_t instant; /* of the date, in seconds since 1970 */
	struct buf text; /* UTF-8, at most max_text bytes */
	bool text_truncated;
	uint64_t characters; /* of the text before it was cut; where a part is above READ_MAX (body.c), of what was read */
	uint64_t size; /* raw bytes */
	GArray *attachments; /* of struct attachment */
	GPtrArray *damaged; /* of sentences, char *; each once */
};

struct message_limits {
	size_t max_text;
	uint64_t max_message_bytes;
	enum attachment_mode attachments;
};

/* What reading needs and keeps from message to message. One per pass; one thread at a time. */
struct reader;

struct reader *reader_new(const struct message_limits *limits, const struct host *host);
void reader_free(struct reader *r); /* accepts NULL */

/* Reads the message at `span`. It belongs to the reader and is valid until the next call. Negative only when the job cannot go
 * on: cancelled, no memory, or an attachment could not be stored. */
int reader_read(
	struct reader *r, const struct mbox *m, const struct mbox_span *span, const struct message **out, struct fault *f);
