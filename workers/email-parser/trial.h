/* trial.h - runs a pass over a text without Reeve, for the tests: items and checkpoints are kept in arrays. */
#pragma once

#include "pass.h"

#include <jansson.h>

#define TRIAL_ITEMS 512

struct trial {
	/* what the test sets before */
	const char *options; /* JSON, or NULL */
	enum summary_kind kind;
	const char *resume; /* a checkpoint, or NULL */
	size_t stop_after; /* the emit after so many items fails, as if the worker had died; 0: never */
	/* what came out */
	int rc;
	struct fault fault;
	char *result;
	char *items[TRIAL_ITEMS];
	uint64_t keys[TRIAL_ITEMS];
	size_t n;
	char *checkpoint; /* the last one */
	size_t checkpoints;
	char *blob; /* content of the last stored attachment */
	size_t blob_n;
	json_t *parsed[TRIAL_ITEMS];
};

/* Replaces what came out. */
void trial_run(struct trial *t, const char *mail, size_t n);
void trial_fini(struct trial *t);

/* A member of an item, or of the result with i = SIZE_MAX, by path: "attachments.0.name". NULL when there is none. */
const char *trial_string(struct trial *t, size_t i, const char *path);
long long trial_integer(struct trial *t, size_t i, const char *path); /* -1: none; a list gives its length */
