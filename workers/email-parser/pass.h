/* pass.h - one pass over a mailbox: read, emit, count, checkpoint. email.parse and email.analyze are this with another kind.
 *
 *	open ── resume? ──► message ──► keywords ──► item ──► emit ──► summary ──► checkpoint? ──┐
 *	                        ▲                                                               │
 *	                        └──────────────────────── next ◄─────────────────────────────────┘
 */
#pragma once

#include "host.h"
#include "options.h"
#include "summary.h"

#define PASS_CHECKPOINT_MESSAGES 64
#define PASS_CHECKPOINT_BYTES	 (1u << 20)
#define PASS_CHECKPOINT_MAX		 1000000 /* bytes; Reeve takes 1 MiB. A larger one (very long names) is left out */
#define PASS_CHECKPOINT_SHARE	 64 /* input bytes for each byte of a checkpoint: what is written stays under 2 % */

struct pass {
	enum summary_kind kind;
	const struct options *options; /* borrowed */
	const struct host *host; /* borrowed; emit is not called for SUMMARY_ANALYZE */
	const char *resume; /* the last checkpoint, or NULL */
	size_t resume_n;
};

/* Reads fd (seekable; borrowed) and adds the result to `out`. Any result of <reeve/worker.h>; where `f` has a code, it says
 * why. Blocks until done. Call pass_prepare once before. */
int pass_run(const struct pass *p, int fd, struct buf *out, struct fault *f);

/* Prepares the MIME library; any number of times, from any thread. */
void pass_prepare(void);
