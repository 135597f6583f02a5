/* open.c - reads a schema and refuses one that could not be checked with. */
#include "schema/internal.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum kind {
	TYPES,
	ANY,
	ARRAY,
	ARRAY_OF_TEXT,
	NUMBER,
	COUNT,
	TEXT,
	PATTERN,
	BOOLEAN,
	SCHEMA,
	SCHEMAS,
	MAP,
	MAP_PATTERNS,
	REF,
	UNKNOWN_ASSERTION
};

static const struct keyword {
	const char *name;
	enum kind kind;
} keywords[] = {
	{"type", TYPES},
	{"enum", ARRAY},
	{"const", ANY},
	{"default", ANY},
	{"minimum", NUMBER},
	{"maximum", NUMBER},
	{"exclusiveMinimum", NUMBER},
	{"exclusiveMaximum", NUMBER},
	{"multipleOf", NUMBER},
	{"minLength", COUNT},
	{"maxLength", COUNT},
	{"pattern", PATTERN},
	{"format", TEXT},
	{"items", SCHEMA},
	{"prefixItems", SCHEMAS},
	{"minItems", COUNT},
	{"maxItems", COUNT},
	{"uniqueItems", BOOLEAN},
	{"properties", MAP},
	{"required", ARRAY_OF_TEXT},
	{"additionalProperties", SCHEMA},
	{"patternProperties", MAP_PATTERNS},
	{"propertyNames", SCHEMA},
	{"minProperties", COUNT},
	{"maxProperties", COUNT},
	{"dependentRequired", ANY},
	{"allOf", SCHEMAS},
	{"anyOf", SCHEMAS},
	{"oneOf", SCHEMAS},
	{"not", SCHEMA},
	{"if", SCHEMA},
	{"then", SCHEMA},
	{"else", SCHEMA},
	{"$ref", REF},
	{"$defs", MAP},
	{"definitions", MAP},
	/* assertions of the draft that we do not check */
	{"contains", UNKNOWN_ASSERTION},
	{"minContains", UNKNOWN_ASSERTION},
	{"maxContains", UNKNOWN_ASSERTION},
	{"dependentSchemas", UNKNOWN_ASSERTION},
	{"unevaluatedProperties", UNKNOWN_ASSERTION},
	{"unevaluatedItems", UNKNOWN_ASSERTION},
	{"$dynamicRef", UNKNOWN_ASSERTION},
	{"$recursiveRef", UNKNOWN_ASSERTION},
	{"dependencies", UNKNOWN_ASSERTION},
	{"additionalItems", UNKNOWN_ASSERTION},
};

struct opening {
	struct schema *s;
	struct buf at;
	unsigned depth;
	struct err *e;
};

static bool open_schema(struct opening *o, const json_t *node);

__attribute__((format(printf, 2, 3))) static bool refuse(struct opening *o, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err_set(o->e, E_INVALID, "schema at \"%s\": %s", o->at.data ? o->at.data : "", text);
	return false;
}

static bool add_pattern(struct opening *o, const char *text)
{
	struct pattern *p;
	HASH_FIND_STR(o->s->patterns, text, p);
	if (p)
		return true;
	int code;
	size_t at;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!compiled) {
		char why[120];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
		return refuse(o, "the pattern \"%.80s\" is wrong at character %zu: %s", text, at + 1, why);
	}
	p = NEW(struct pattern);
	p->text = mem_text(text);
	p->code = compiled;
	HASH_ADD_KEYPTR(hh, o->s->patterns, p->text, strlen(p->text), p);
	return true;
}

static bool known_type(const json_t *type)
{
	static const char *const types[] = {"object", "array", "string", "number", "integer", "boolean", "null"};
	for (size_t i = 0; json_is_string(type) && i < ARRAY_SIZE(types); i++) {
		if (strcmp(json_string_value(type), types[i]) == 0)
			return true;
	}
	return false;
}

static bool open_types(struct opening *o, const json_t *value)
{
	size_t i;
	json_t *type;
	bool good = known_type(value) || json_array_size(value) > 0;
	json_array_foreach(value, i, type) good = good && known_type(type);
	return good ||
		   refuse(o, "a type is one of object, array, string, number, integer, boolean, null, or a list of these");
}

static bool open_list(struct opening *o, const json_t *value)
{
	size_t i, back = o->at.size;
	json_t *schema;
	if (json_array_size(value) == 0)
		return refuse(o, "must be a list of schemas that is not empty");
	json_array_foreach(value, i, schema)
	{
		buf_format(&o->at, "/%zu", i);
		if (!open_schema(o, schema))
			return false;
		o->at.data[o->at.size = back] = 0;
	}
	return true;
}

static bool open_map(struct opening *o, const json_t *value, bool patterns)
{
	const char *key;
	json_t *schema;
	size_t back = o->at.size;
	if (!json_is_object(value))
		return refuse(o, "must be an object whose members are schemas");
	json_object_foreach((json_t *)value, key, schema)
	{
		buf_format(&o->at, "/%s", key);
		if ((patterns && !add_pattern(o, key)) || !open_schema(o, schema))
			return false;
		o->at.data[o->at.size = back] = 0;
	}
	return true;
}

static bool all_text(const json_t *list)
{
	size_t i;
	json_t *text;
	bool good = json_is_array(list);
	json_array_foreach(list, i, text) good = good && json_is_string(text);
	return good;
}

static bool open_keyword(struct opening *o, const struct keyword *k, const json_t *v)
{
	switch (k->kind) {
	case TYPES:
		return open_types(o, v);
	case ARRAY:
		return json_array_size(v) > 0 || refuse(o, "must be a list that is not empty");
	case ARRAY_OF_TEXT:
		return all_text(v) || refuse(o, "must be a list of strings");
	case NUMBER:
		return (json_is_number(v) && (strcmp(k->name, "multipleOf") != 0 || json_number_value(v) > 0)) ||
			   refuse(o, "must be a number");
	case COUNT:
		return (json_is_integer(v) && json_integer_value(v) >= 0) || refuse(o, "must be a whole number, 0 or more");
	case TEXT:
		return json_is_string(v) || refuse(o, "must be a string");
	case PATTERN:
		return json_is_string(v) ? add_pattern(o, json_string_value(v))
								 : refuse(o, "must be a string: a regular expression");
	case BOOLEAN:
		return json_is_boolean(v) || refuse(o, "must be true or false");
	case SCHEMA:
		return open_schema(o, v);
	case SCHEMAS:
		return open_list(o, v);
	case MAP:
	case MAP_PATTERNS:
		return open_map(o, v, k->kind == MAP_PATTERNS);
	case REF:
		return (json_is_string(v) && open_ref(o->s->root, json_string_value(v))) ||
			   refuse(o, "must name a schema of this document, such as \"#/$defs/name\"");
	case UNKNOWN_ASSERTION:
		return refuse(o, "is not supported, and would not be checked");
	case ANY:
		break;
	}
	return true;
}

static bool open_schema(struct opening *o, const json_t *node)
{
	const char *key;
	json_t *value;
	size_t back = o->at.size;
	if (json_is_boolean(node))
		return true;
	if (!json_is_object(node))
		return refuse(o, "a schema is an object, true or false");
	if (++o->depth > SCHEMA_DEPTH_MAX)
		return refuse(o, "more than %d levels of schemas", SCHEMA_DEPTH_MAX);
	json_object_foreach((json_t *)node, key, value)
	{
		for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
			if (strcmp(keywords[i].name, key) != 0)
				continue;
			buf_format(&o->at, "/%s", key);
			if (!open_keyword(o, &keywords[i], value))
				return false;
			o->at.data[o->at.size = back] = 0;
		}
	}
	o->depth--;
	return true;
}

/* RFC 6901 within the document. */
const json_t *open_ref(const json_t *root, const char *ref)
{
	const json_t *at = root;
	if (*ref++ != '#')
		return NULL;
	while (*ref == '/' && at) {
		char part[128];
		size_t n = 0;
		for (ref++; *ref && *ref != '/' && n < sizeof part - 1; ref++) {
			bool escape = ref[0] == '~' && (ref[1] == '0' || ref[1] == '1');
			part[n++] = escape ? "~/"[*++ref - '0'] : *ref;
		}
		part[n] = 0;
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10)) : json_object_get(at, part);
	}
	return *ref ? NULL : at;
}

enum errcode schema_open(struct bytes text, struct schema **out, struct err *e)
{
	json_error_t where;
	if (text.size > SCHEMA_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "the schema has %zu bytes; at most %d are taken", text.size, SCHEMA_MAX_BYTES);
	json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!root)
		return err_set(
			e, E_INVALID, "the schema is not JSON: line %d, column %d: %s", where.line, where.column, where.text);
	struct schema *s = NEW(struct schema);
	s->root = root;
	struct opening o = {.s = s, .e = e};
	bool good = open_schema(&o, root);
	buf_fini(&o.at);
	if (!good) {
		schema_close(s);
		return E_INVALID;
	}
	*out = s;
	return E_OK;
}

void schema_close(struct schema *s)
{
	struct pattern *p, *next;
	if (!s)
		return;
	HASH_ITER(hh, s->patterns, p, next)
	{
		HASH_DEL(s->patterns, p);
		pcre2_code_free(p->code);
		free(p->text);
		free(p);
	}
	json_decref(s->root);
	free(s);
}
