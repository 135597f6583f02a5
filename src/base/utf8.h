/* utf8.h - is it UTF-8? (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.) Pure. */
#pragma once
#include "base/bytes.h"

bool utf8_valid(struct bytes text);
/* The length of the character that begins at `at`, 1-4; 0: it is not one. at < end. */
unsigned utf8_length(const char *at, const char *end);
unsigned utf8_put(char out[4], unsigned code_point); /* its length; at most U+10FFFF, no surrogate */
