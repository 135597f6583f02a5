/* internal.h - what the files of schema/ share. */
#pragma once
#include "schema/schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <uthash.h>

enum { SCHEMA_DEPTH_MAX = 100, SCHEMA_STEPS_MAX = 1000000 };

struct pattern { /* compiled once, found by its text */
	char *text;
	pcre2_code *code;
	UT_hash_handle hh;
};

struct schema {
	json_t *root;
	struct pattern *patterns;
};

struct check { /* one schema_check under way */
	const struct schema *schema;
	bool fill;
	unsigned depth, *steps; /* steps: of the whole check; alternatives within alternatives multiply */
	struct buf pointer;
	struct err *e;
};

/* open.c */
const json_t *open_ref(const json_t *root, const char *ref); /* "#/$defs/a"; NULL: not there */
/* check.c: `schema` and everything under it */
bool check_value(struct check *c, const json_t *schema, json_t *value);
bool check_fails(struct check *c, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* false, and e is set */
size_t check_down(struct check *c, const char *key,
	size_t index); /* the pointer goes to a member (or element, key NULL); what to go back to */
void check_up(struct check *c, size_t to);
struct bytes check_shown(const json_t *value, char *text, size_t size); /* as an error quotes it */
/* object.c, combine.c, scalar.c: the keywords of each */
bool object_check(struct check *c, const json_t *schema, json_t *value);
bool combine_check(struct check *c, const json_t *schema, json_t *value);
bool scalar_check(struct check *c, const json_t *schema, const json_t *value);
bool scalar_matches(const struct schema *s, const char *pattern, const char *text, size_t size);
