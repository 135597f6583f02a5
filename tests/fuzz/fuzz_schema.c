/* fuzz_schema.c - the first line is a schema, the rest a value: checking ends, and changes nothing unless it may. */
#include "schema/schema.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
	struct schema *s = NULL;
	struct err e;
	if (!line || schema_open((struct bytes){text, (size_t)(line - text)}, &s, &e) != E_OK)
		return 0;
	json_t *value = json_loadb(line + 1, size - (size_t)(line + 1 - text), JSON_DECODE_ANY, NULL);
	if (value) {
		char pointer[SCHEMA_POINTER_SIZE];
		json_t *before = json_deep_copy(value);
		schema_check(s, value, false, pointer, &e);
		assert(json_equal(before, value));
		schema_check(s, value, true, pointer, &e);
		json_decref(before);
		json_decref(value);
	}
	schema_close(s);
	return 0;
}
