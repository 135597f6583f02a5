/* places.h - where in the file the value of each JSON pointer stands. Lines and columns count from 1. */
#pragma once
#include "base/bytes.h"

struct places;

struct place {
	unsigned line, column; /* of the value */
	unsigned key_line, key_column; /* of its key, or the same */
};

struct places *places_new(void);
void places_free(struct places *p);
void places_put(struct places *p, struct bytes pointer, struct place at);
struct place places_find(
	const struct places *p, const char *pointer); /* of the nearest parent when it is not there; line 0: of none */
