/* fuzz_submit.c - the body of POST /v1/jobs; an odd first byte makes it NDJSON. */
#include "api/api.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct submission s = {.now_ms = 1795319100000};
	if (!size)
		return 0;
	s.ndjson = data[0] & 1;
	buf_add(&s.body, data + 1, size - 1);
	if (submission_parse(&s) == E_OK) {
		assert(s.n >= 1 && s.n <= JOB_BATCH_MAX);
		for (size_t i = 0; i < s.n; i++) {
			assert(s.specs[i].priority >= 0 && s.specs[i].priority <= JOB_PRIORITY_MAX);
			assert(s.specs[i].capability.size && s.specs[i].input.size <= JOB_INPUT_MAX_BYTES);
		}
	} else {
		assert(s.error.code && s.error.text[0]);
	}
	submission_fini(&s);
	return 0;
}
