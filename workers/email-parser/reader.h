/* reader.h - what the three files that read a message share: message.c drives, header.c and body.c fill in. Private to them. */
#pragma once

#include "html_text.h"
#include "message.h"

struct reader {
	struct message_limits limits;
	const struct host *host;
	GMimeParser *parser;
	GMimeParserOptions *options;
	struct html_text *html;
	struct message message;
	struct buf raw, converted, reduced; /* of the part that is being read */
	bool unquote;
	bool headers_only;
	int rc; /* why the job cannot go on */
};

/* Says what is wrong with the message; the same sentence only once. */
void reader_damage(struct reader *r, const char *what);

/* body.c: text and attachments of the parts below `root`, in their order, into r->message. r->rc is set when the job cannot go
 * on. Of alternatives the plain text counts; text parts with a file name are attachments; enclosed messages are gone into. */
void body_read(struct reader *r, GMimeObject *root);
