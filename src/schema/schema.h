/* schema.h - JSON Schema (draft 2020-12, a sensible part of it): checks a value and fills in defaults.
 *
 * KEYWORDS  type enum const, minimum maximum exclusiveMinimum exclusiveMaximum multipleOf, minLength maxLength pattern format,
 *           items prefixItems minItems maxItems uniqueItems, properties required additionalProperties patternProperties
 *           propertyNames minProperties maxProperties dependentRequired, allOf anyOf oneOf not if/then/else,
 *           $ref (within the document: "#/...") $defs, default.
 * Other assertions are refused when the schema is opened, never passed over; annotations (title, description ...) are kept.
 * Formats that are checked: "duration" (5s, 1h30m: not ISO 8601), "size" (64KiB), "path", "date-time"; others say nothing.
 * Limits: a schema of 256 KiB, 100 levels of schemas within schemas, a pattern that backtracks for long counts as no match.
 *
 * A schema does not change once it is opened: several threads may check with it. Those limits meet schemas and values that
 * others wrote; json_t itself belongs to one thread at a time. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

#define SCHEMA_MAX_BYTES	(256 << 10)
#define SCHEMA_POINTER_SIZE 256

struct schema;

/* E_INVALID: not JSON (line, column), or no schema: the pointer of what is wrong in it and what would be right. */
enum errcode schema_open(struct bytes text, struct schema **out, struct err *e);
void schema_close(struct schema *s); /* NULL is fine */

/* E_INVALID: e names the value and what would be right; `pointer` (RFC 6901, "" for the whole) where. With `fill`, members
 * that are missing and have a default are added to `value`, which must then be the caller's own. `pointer` may be NULL. */
enum errcode schema_check(
	const struct schema *s, json_t *value, bool fill, char pointer[SCHEMA_POINTER_SIZE], struct err *e);

/* As schema_check for JSON text: E_INVALID also when it is not JSON (pointer ""). Depth and size are the caller's to limit. */
enum errcode schema_check_text(
	const struct schema *s, struct bytes text, char pointer[SCHEMA_POINTER_SIZE], struct err *e);
