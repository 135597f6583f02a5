/* fuzz_submit.c - the body of POST /v1/jobs; an odd first byte makes it NDJSON. */
#include "api/api.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct submission *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct job_spec *spec = &s->specs[i];
		assert(spec->priority >= 0 && spec->priority <= JOB_PRIORITY_MAX);
		assert(spec->capability.size && spec->input.size);
		assert(!(spec->unique.states & ~(JOB_UNIQUE_WAITING_OR_RUNNING | JOB_UNIQUE_OVER)));
		assert(!(spec->unique.states & JOB_UNIQUE_OVER) || spec->unique.period_ms > 0);
		assert(!spec->deadline_ms || spec->deadline_ms > spec->due_at_ms);
		assert(!spec->traceparent.size || job_traceparent_check(spec->traceparent, NULL) == E_OK);
	}
}

static void refused(const struct submission *s)
{
	assert(s->error.code && s->error.text[0]);
}

/* A line that is refused leaves the others as they were. */
static void lines(struct submission *s, const char *at, const char *end)
{
	for (const char *stop; at < end; at = stop + 1) {
		size_t n = s->n;
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		if (submission_parse_line(s, (struct bytes){at, (size_t)(stop - at)}) == E_OK) {
			assert(s->n == n + 1);
		} else {
			assert(s->n == n);
			refused(s);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct submission s = {.now_ms = 1795319100000};
	if (!size)
		return 0;
	buf_add(&s.body, data + 1, size - 1);
	if (data[0] & 1)
		lines(&s, s.body.data, s.body.data + s.body.size);
	else if (submission_parse(&s) != E_OK)
		refused(&s);
	else
		assert(s.n >= 1 && s.n <= JOB_BATCH_MAX);
	check(&s);
	submission_fini(&s);
	return 0;
}
