#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int journal_open(const char *config)
{
	const char *p = config ? strstr(config, "\"journal\":") : NULL;
	char path[512];

	if (!p || !(p = strchr(p + strlen("\"journal\":"), '"')))
		return -1;
	snprintf(path, sizeof path, "%.*s", (int)strcspn(p + 1, "\""), p + 1);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

struct line { /* what is the same in both; the job is gone when a handler has ended */
	char job[32];
	unsigned long long fence;
	int attempt;
};

static void say(int journal, const char *verb, const struct line *l, const char *capability, const char *rest)
{
	char text[256];
	int n = snprintf(text, sizeof text, "%s %s %llu %d %d %s%s\n", verb, l->job, l->fence, l->attempt, (int)getpid(),
		capability, rest);
	if (write(journal, text, (size_t)n) != n)
		_exit(99); /* a journal with holes proves nothing */
}

int journal_run(int journal, const char *capability, int (*handle)(void *state, struct reeve_job *job), void *state,
	struct reeve_job *job)
{
	struct line l = {.fence = reeve_fence(job), .attempt = (int)reeve_attempt(job)};
	const char *id = reeve_job_id(job);
	char rest[16];
	int code;

	if (journal < 0)
		return handle(state, job);
	snprintf(l.job, sizeof l.job, "%s", id && *id ? id : "-");
	say(journal, "begin", &l, capability, "");
	code = handle(state, job);
	snprintf(rest, sizeof rest, " %d", code);
	say(journal, "end", &l, capability, rest);
	return code;
}
