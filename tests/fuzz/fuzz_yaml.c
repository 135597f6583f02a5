/* fuzz_yaml.c - YAML to JSON: an error names a place, and what is accepted can be written as JSON. */
#include "config/config.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL;
	struct err e = {0};
	if (config_parse("f", (struct bytes){(const char *)data, size}, NULL, &c, &e) != E_OK) {
		assert(c == NULL && (strncmp(e.text, "f:", 2) == 0 || e.code == E_TOO_LARGE));
		return 0;
	}
	char *text = json_dumps(config_json(c), JSON_ENCODE_ANY);
	assert(text);
	free(text);
	config_free(c);
	return 0;
}
