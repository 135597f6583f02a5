/* types.h - the questions that can be asked of a mail, under the names that the original gave them. One table, types.c. */
#pragma once

#include <stddef.h>

enum type_id {
	TYPE_SPAM,
	TYPE_BILL,
	TYPE_RECEIPT,
	TYPE_CATEGORY,
	TYPE_SENTIMENT,
	TYPE_PRIORITY,
	TYPE_LANGUAGE,
	TYPES_N
};

struct type {
	const char *name;
	const char *model; /* file in model_dir, or NULL: judged by the lexicon or the language library */
	const char *answers; /* for messages and the README; "unknown" is always one more */
	int english_only; /* "unknown" on text in another language */
};

extern const struct type types[TYPES_N];
extern const enum type_id
	types_default[TYPES_N]; /* all, in the order in which they are answered when none are asked for */

/* The type called so, or -1. */
int types_find(const char *name, size_t size);
