/* nearest.h - "did you mean ...?": the known word that a mistyped one is closest to. Pure. */
#pragma once
#include "base/bytes.h"

struct nearest {
	struct bytes wrong;
	struct bytes best; /* borrowed from what was tried; {NULL,0}: nothing is near */
	unsigned distance;
};

/* Set `wrong`, zero the rest, and try every known word. Two edits are near; one for words of up to four letters. */
void nearest_try(struct nearest *n, struct bytes known);
