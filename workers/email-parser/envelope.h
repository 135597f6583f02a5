/* envelope.h - what the first lines of mail look like: the "From " line of a mailbox, and a header. Pure functions on bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum envelope_start {
	ENVELOPE_NONE, /* no mail */
	ENVELOPE_MBOX, /* a plausible "From " line */
	ENVELOPE_HEADER, /* a header: a field that mail has, in a block of fields */
};

/* What do these first bytes of a file look like? Give it 64 KiB or so, or all there is. */
enum envelope_start envelope_look(const char *s, size_t n);

/* "From SENDER Thu Aug 22 12:36:23 2002", with or without seconds and zone. s begins with "From ". */
bool envelope_is_plausible(const char *s, size_t n);

/* Bytes up to and with the first empty line; 0 when there is none in n bytes. */
size_t envelope_header_length(const char *s, size_t n);
