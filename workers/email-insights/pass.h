/* pass.h - one pass over the items file: a line in memory at a time, however many there are. */
#pragma once

#include <stdio.h>
#include "tally.h"

/* Told from time to time how many bytes have been read; non-zero ends the pass. */
struct pass_watch {
	int (*progress)(void *context, uint64_t bytes);
	void *context;
};

enum pass_end { PASS_DONE, PASS_BAD, PASS_STOPPED, PASS_NO_MEMORY };

/* Reads `file` to its end into *t. PASS_BAD: a line is no item; `why` names the line. */
enum pass_end pass_run(struct tally *t, FILE *file, const struct pass_watch *watch, char *why, size_t why_size);
