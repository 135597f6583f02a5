/* config.h - a YAML file, read strictly, checked against a schema, and remembering where everything stood.
 *
 * The YAML (1.2 core schema) becomes JSON: `no` is a string, `012` too. Refused, always with `file:line:column`: aliases
 * (whoever writes a file here has no need of bombs), tags other than the standard ones, duplicate keys, keys that are not
 * plain text, a second document, bytes that are not UTF-8, more than CONFIG_MAX_BYTES or CONFIG_DEPTH_MAX. Errors of the
 * schema name the pointer, the value and what would be right; an unknown key also the nearest known one.
 * Not knowing any key, this folder serves the daemon's file, packages and pipelines alike. Blocks: not on the loop thread
 * except at start. A struct config does not change. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "schema/schema.h"

#include <jansson.h>

#define CONFIG_MAX_BYTES (1 << 20)
#define CONFIG_DEPTH_MAX 32

struct config;

/* `schema` may be NULL: then nothing is checked or filled in. An empty file is {}. E_NOT_FOUND, E_IO, E_TOO_LARGE, E_INVALID. */
enum errcode config_load(const char *path, const struct schema *schema, struct config **out, struct err *e);
/* `name` is what errors call it: "reeve.yaml", "standard input". JSON is YAML, too. */
enum errcode config_parse(
	const char *name, struct bytes text, const struct schema *schema, struct config **out, struct err *e);
void config_free(struct config *c); /* NULL is fine */

json_t *config_json(const struct config *c); /* borrowed, defaults filled in */

/* For checks that come later: sets e to "file:line:column: <sentence>" of the value at `pointer` (or of what holds it). */
enum errcode config_error(const struct config *c, const char *pointer, struct err *e, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
