/* config.h - the worker's configuration: {"model_dir", "language_dir", "confidence_threshold"}, all optional. */
#pragma once

#include <stddef.h>

struct config {
	char model_dir[4096]; /* default: models/ beside the program or module */
	char language_dir[4096];
	double threshold;
};

/* `json` may be empty. 0, or -1 with a sentence in `why`. */
int config_read(struct config *c, const char *json, size_t size, char *why, size_t why_size);
