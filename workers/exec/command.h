/* command.h - one command for one job: input on stdin, result on stdout, its whole tree ended when the job ends.
 *
 * Exit 0: stdout is the result. 75 (EX_TEMPFAIL): try again. Anything else: failed, with the last lines of stderr as the message;
 * not tried again, for it said so itself. A command that was ended by a signal crashed: that is tried again. */
#pragma once
#include <reeve/worker.h>

#include <stdbool.h>

struct command {
	char *capability;
	char **argv; /* NULL last; argv[0] is looked for in PATH */
	bool binary; /* the result is stdout as it is; else JSON, or text that becomes a JSON string */
};

enum {
	COMMAND_OUTPUT_MAX = 1 << 20, /* bytes of stdout; more fails the job */
	COMMAND_MESSAGE_MAX = 400, /* bytes of stderr that become the error's message: the last ones */
};

int command_run(const struct command *c, struct reeve_job *job); /* what `handle` returns */
void command_cancel(struct reeve_job *job); /* wakes it: another thread */
