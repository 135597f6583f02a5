/* result.h - the answer of a job: a summary as JSON, in a fixed order of members, without times of ours. */
#pragma once

#include "summary.h"

/* Adds the result of email.parse or email.analyze, by s->kind. `bytes` is how much of the input was read. */
void result_write(
	struct buf *out, const struct summary *s, const struct keywords *k, enum mbox_format format, uint64_t bytes);
