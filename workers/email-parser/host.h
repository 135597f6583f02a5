/* host.h - what a pass asks of whoever runs it. worker.c answers with Reeve; the tests answer with arrays: the parser is
 * complete without the platform.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every function gets `context`, is called on the thread of the pass, and may block. Results are those of <reeve/worker.h>;
 * a negative one ends the pass with it. */
struct host {
	void *context;
	int (*emit)(void *context, uint64_t key, const char *item, size_t n);
	int (*checkpoint)(void *context, const char *state, size_t n); /* durable with the items before it */
	int (*progress)(void *context, int percent);
	bool (*cancelled)(void *context);
	int (*blob)(void *context, int fd, char *name, size_t size); /* stores the file; "sha256:..." into name */
	const char *(*scratch)(void *context); /* a directory for temporary files */
};
