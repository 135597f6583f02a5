/* scalar.h - what a plain YAML scalar means: the core schema of YAML 1.2, less what people stumble over. Pure. */
#pragma once
#include "base/bytes.h"

#include <jansson.h>

/* null ~ true false (also capitalised), integers (0x and 0o, too), decimals; everything else is a string, and so is a number
 * with a leading zero (`0600`) or one beyond 64 bits. NULL only when memory runs out or the text is not UTF-8. */
json_t *scalar_plain(struct bytes text);
