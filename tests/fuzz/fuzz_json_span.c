/* fuzz_json_span.c - our strict scanner against jansson: the same texts are JSON to both. */
#include "base/json_span.h"

#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the two may differ: depth, huge numbers, and members given twice below the top level. */
static bool may_differ(const char *why)
{
	return strstr(why, "depth") || strstr(why, "too big") || strstr(why, "overflow") || strstr(why, "duplicate");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {(const char *)data, size};
	struct json_member members[16];
	size_t n = 0;
	struct err e = {0};
	json_error_t where;
	bool ours = json_span_check(text, &e) == E_OK;
	json_t *theirs = json_loadb(text.data ? text.data : "", size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
	if (size && memchr(data, 0, size)) { /* jansson takes a NUL for the end */
		json_decref(theirs);
		return 0;
	}
	assert(ours == (theirs != NULL) || may_differ(where.text) || strstr(e.text, "256 levels"));
	if (json_span_members(text, members, 16, &n, &e) == E_OK) {
		assert(json_is_object(theirs) || !theirs);
		for (size_t i = 0; i < n; i++) {
			assert(members[i].value.data >= text.data &&
				   members[i].value.data + members[i].value.size <= text.data + size);
			assert(json_span_check(members[i].value, NULL) == E_OK);
			struct bytes element;
			for (size_t at = 0;
				 json_span_kind(members[i].value) == '[' && json_span_next(members[i].value, &at, &element);)
				assert(json_span_check(element, NULL) == E_OK);
			struct buf decoded = {0};
			json_span_string(members[i].value, &decoded);
			buf_fini(&decoded);
		}
	}
	json_decref(theirs);
	return 0;
}
