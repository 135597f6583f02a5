/* decode.h - the content of a MIME part as bytes, piece by piece: mailbox quoting undone, then base64, quoted-printable or
 * uuencode. Nothing is held but one piece, so a part may be larger than memory.
 */
#pragma once

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdint.h>

struct decode {
	bool unquote; /* in: it comes from a mailbox, ">From " means "From " */
	uint64_t bytes; /* out: decoded bytes */
	bool truncated; /* out: base64 that ends in the middle of a group */
	bool garbage; /* out: base64 with other characters in it */
	bool failed; /* out: the content could not be read */
};

/* Gives all of the content to `sink`, which may end it by returning non-zero; that is then returned. Else 0. */
int decode_part(
	GMimePart *part, struct decode *d, int (*sink)(void *context, const char *data, size_t n), void *context);
