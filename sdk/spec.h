/* spec.h - what a client asks for, as it goes over the link. */
#pragma once
#include "wire/message.h"

#include <reeve/client.h>

struct span span_of(const char *text); /* NULL: empty */

/* The caller's spec, of whatever size, checked for what has no room on the wire. Borrowed. A code of worker.h; `why` says what
 * was wrong. */
int spec_read(const struct reeve_job_spec *given, struct message_spec *out, char *why, size_t why_size);
