/* run_input.h - what `--run` gives to the handler: reads --input, stdin, --config and --checkpoint by the rules of run.h. */
#pragma once
#include "run.h"
#include "text.h"

struct run_input {
	struct text inline_bytes; /* of reeve_input; data NULL when it is only a blob */
	int blob_fd; /* -1: none */
	struct text config, checkpoint;
};

/* False: said why on stderr. */
bool run_input_read(struct run_input *in, const struct run_options *options, const struct reeve_capability *c);
void run_input_fini(struct run_input *in);
