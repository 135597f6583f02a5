/* attachment.h - the parts of a message that are files: named, measured, hashed and, if asked for, stored, all while their
 * content streams by.
 */
#pragma once

#include "decode.h"
#include "host.h"

#define ATTACHMENT_HASH 65 /* SHA-256 as hexadecimal digits, and a NUL */
#define ATTACHMENT_BLOB 96 /* "sha256:..." and a NUL */

enum attachment_mode { ATTACHMENT_NONE, ATTACHMENT_METADATA, ATTACHMENT_BLOBS };

struct attachment {
	char *name; /* g_free; "" when it has none */
	char *type; /* g_free; "application/pdf", lower case */
	uint64_t size; /* decoded bytes */
	char sha256[ATTACHMENT_HASH];
	char blob[ATTACHMENT_BLOB]; /* empty unless stored */
};

/* Reads `part` through. d->unquote is the caller's, the rest of *d says how the content was. Negative when it could not be
 * stored, or the job was cancelled meanwhile. On success *a is to be ended with attachment_fini. */
int attachment_read(
	struct attachment *a, GMimePart *part, enum attachment_mode mode, const struct host *host, struct decode *d);
void attachment_fini(struct attachment *a);
