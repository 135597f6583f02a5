/* run.h - the test host: runs a handler with no daemon, for `worker --run CAPABILITY`.
 *
 * input     --input FILE: the blob that reeve_input_open opens; stdin, unless it is a terminal or empty, is then the JSON that
 *           reeve_input gives. Without --input stdin is the input: JSON (or anything, for REEVE_BINARY_INPUT) up to 1 MiB as
 *           it stands, everything else as a blob. Nothing at all is `{}`.
 * items     one line each, as emitted, to stdout or --items FILE; a key is kept once
 * result    last on stdout, or in --output FILE
 * logs      JSON lines on stderr; a failure is the last of them: {"code","message","retryable"}
 * calls     reeve_call finds the capabilities of the same worker only
 * blobs     are named, and kept when there is a --blobs DIR
 * --checkpoint FILE is read before (an attempt that goes on) and replaced by reeve_checkpoint. SIGINT cancels. */
#pragma once
#include "abi.h"

struct run_options {
	const char *capability;
	const char *input, *config, *output, *items, *checkpoint, *blobs; /* paths (config: JSON or @path), or NULL */
	long repeat; /* runs; items and result of the last one only */
};

/* 0: it went well; 1: the handler or the start failed; 2: the options cannot be followed. Speaks on stderr. */
int run_capability(const struct abi_worker *w, const struct run_options *options);
