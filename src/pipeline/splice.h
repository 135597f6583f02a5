/* splice.h - joins JSON objects as text, without parsing what is inside. Pure. */
#pragma once
#include "base/bytes.h"

#include <stdbool.h>

/* Appends the members of `a` and `b`, two JSON objects, without the braces; a name in both has b's value, at b's place.
 * False when one of them is no object, or has more than SPLICE_MEMBERS_MAX members: then nothing was added. */
enum { SPLICE_MEMBERS_MAX = 256 };

bool splice_members(struct buf *out, struct bytes a, struct bytes b);
/* Adds a result or an item as one JSON value: itself, `null` for nothing, a string for what is no JSON (a capability with
 * REEVE_BINARY_OUTPUT). */
void splice_value(struct buf *out, struct bytes text);
