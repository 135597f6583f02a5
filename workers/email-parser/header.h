/* header.h - the header fields of a parsed message, decoded to UTF-8 (RFC 2047, RFC 2231, raw 8-bit), into struct message. */
#pragma once

#include "message.h"

/* Fills in id, from, from_address, subject, to, cc, date and instant; leaves the rest. */
void header_read(GMimeMessage *message, struct message *out);
