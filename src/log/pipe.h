/* pipe.h - one of a child's two log FIFOs, read on the loop and cut into lines.
 *
 * Always drained: a child that prints 10 MB, or a line without an end, never waits for us longer than a turn of the loop. A
 * line above OUTPUT_LINE_MAX is shown cut; its rest is thrown away. The FIFO is opened read-write: the last writer's end is
 * not ours, and what was written while no engine ran is still in it. */
#pragma once
#include "log/output.h"

struct log_pipe;

/* Makes the FIFO when it is missing. Names are copied. */
enum errcode log_pipe_open(struct outputs *o, const char *worker, const char *instance, enum output_stream stream,
	const char *path, struct log_pipe **out, struct err *e);
void log_pipe_drain(
	struct log_pipe *p); /* reads what is there now: after a child's end. An unended line ends with it */
void log_pipe_close(struct log_pipe *p); /* the FIFO's file stays; NULL is fine */
