/* json.h - just enough of a JSON reader: walks an object once, decodes the strings that are wanted, steps over the rest.
 *
 * The host has already checked that a job's input is JSON; this reader still refuses what is not, and never reads outside
 * the text. It is here because a tree of everything (jansson, 11 MB/s) costs more than all seven answers. */
#pragma once

#include "mail.h"

struct json {
	const char *at, *end;
	const char *problem; /* a sentence once anything failed; all functions do nothing from then on */
};

#define JSON_DEPTH_MAX 64

/* Skips white space; the next byte, or 0 at the end. */
int json_peek(struct json *j);

/* The next byte must be `c`; it is consumed. */
int json_expect(struct json *j, char c);

/* A string. Decoded into buffer[0 … room-1], cut at a whole character when longer; *out points there. */
int json_string(struct json *j, char *buffer, size_t room, struct span *out);

/* A number. */
int json_number(struct json *j, double *out);

/* Any value, unread. */
int json_skip(struct json *j);
