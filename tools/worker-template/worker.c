/* @NAME@: a worker for Reeve. The same source is a program (make @NAME@) and a module (make @NAME@.so). */
#include <reeve/worker.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state { /* one per instance; up to `concurrency` handlers use it at the same time */
	const struct reeve_instance *self;
};

/* Counts the words of its input. A handler answers with reeve_reply, or explains with reeve_fail and returns < 0. */
static int count_words(void *state, struct reeve_job *job)
{
	struct reeve_bytes in = reeve_input(job);
	char reply[64];
	long words = 0;
	int inside = 0;

	if (!in.data) {
		reeve_fail(job, "TOO_LARGE", 0, "the input is a blob; this worker reads only what stands in the job");
		return REEVE_E_INVALID;
	}
	for (size_t i = 0; i < in.size; i++) {
		int letter = isalnum((unsigned char)in.data[i]) != 0;
		words += letter && !inside;
		inside = letter;
	}
	snprintf(reply, sizeof reply, "{\"words\":%ld}", words);
	return reeve_reply(job, reply, strlen(reply));
}

static int start(struct reeve_instance *self, void **out)
{
	struct state *s = calloc(1, sizeof *s);

	if (!s)
		return REEVE_E_NO_MEMORY;
	s->self = self;
	*out = s;
	reeve_log(self, REEVE_LOG_INFO, "started", NULL);
	return REEVE_OK;
}

static void stop(void *state)
{
	free(state);
}

static const struct reeve_capability words = {
	.size = sizeof words,
	.flags = REEVE_IDEMPOTENT,
	.name = "@NAME@.words",
	.version = "1.0.0",
	.summary = "Counts words.",
	.mode = "transactional",
	.output_schema = "{\"type\":\"object\",\"required\":[\"words\"]}",
	.handle = count_words,
};
static const struct reeve_capability *const capabilities[] = {&words, NULL};

const struct reeve_worker reeve_export = {
	.size = sizeof reeve_export,
	.abi = REEVE_ABI,
	.name = "@NAME@",
	.version = "1.0.0",
	.capabilities = capabilities,
	.start = start,
	.stop = stop,
};
