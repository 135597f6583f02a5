/* hello.h - the JSON of HELLO, checked and turned into structs. Every member is optional unless said; unknown ones are ignored.
 *
 *   {"token":"…" (worker: required),"name":"…","version":"…","platform":"…","sdk":"…","pid":n,"concurrency":n,"ready":bool,
 *    "capabilities":[{"name":"…" (required),"version":"…","summary":"…","mode":"…","flags":n,"tags":[…],
 *                     "input_schema":{…},"output_schema":{…},"item_schema":{…},"errors":[…]}],
 *    "held":[{"id":"n","fence":"n","started":bool}]}           id and fence in decimal, as strings: JSON numbers lose bits */
#pragma once
#include "link/session.h"

#include <jansson.h>

struct hello_held {
	uint64_t id, fence;
	bool started;
};

struct hello {
	json_t *root; /* everything else points into it */
	const char *token;
	struct link_hello say;
	struct capability *capabilities; /* own; say.capabilities */
	char *config_schema; /* own; say.config_schema */
	struct hello_held *held;
	size_t held_n;
};

/* False: `e` says what is wrong with it. hello_fini in either case. */
bool hello_parse(struct hello *h, const char *json, size_t size, struct err *e);
void hello_fini(struct hello *h);
