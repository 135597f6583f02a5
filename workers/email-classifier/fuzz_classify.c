/* fuzz_classify.c - any bytes as the input of email.classify: no crash, and an answer that fits. meson setup -Dfuzz=true, clang. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include "answer.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct request request;
	static struct traits traits;
	char why[600];
	if (request_read(&request, (const char *)data, size, why, sizeof why)) {
		assert(*why);
		return 0;
	}
	assert(request.asked_n > 0 && request.asked_n <= TYPES_N);
	traits_read(&traits, &request.mail);
	assert(traits.n <= TRAITS_MAX);
	return 0;
}
