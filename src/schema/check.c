/* check.c - a value against a schema: where the keywords come together. */
#include "schema/internal.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool check_fails(struct check *c, const char *format, ...)
{
	if (c->e) {
		va_list args;
		va_start(args, format);
		c->e->code = E_INVALID;
		vsnprintf(c->e->text, sizeof c->e->text, format, args);
		va_end(args);
	}
	return false;
}

size_t check_down(struct check *c, const char *key, size_t index)
{
	size_t back = c->pointer.size;
	if (!key) {
		buf_format(&c->pointer, "/%zu", index);
		return back;
	}
	buf_add(&c->pointer, "/", 1);
	for (; *key; key++) {
		if (*key == '~' || *key == '/')
			buf_text(&c->pointer, *key == '~' ? "~0" : "~1");
		else
			buf_add(&c->pointer, key, 1);
	}
	return back;
}

void check_up(struct check *c, size_t to)
{
	if (c->pointer.data)
		c->pointer.data[c->pointer.size = to] = 0;
}

struct bytes check_shown(const json_t *value, char *text, size_t size)
{
	size_t n =
		json_dumpb(value, text, size - 1, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	if (n > size - 1) { /* what was written so far, and that it was cut */
		n = size - 1;
		memcpy(text + n - 3, "...", 3);
	}
	text[n] = 0;
	return (struct bytes){text, n};
}

static const char *type_of(const json_t *v)
{
	static const char *const words[] = {"object", "array", "string", "integer", "number", "boolean", "boolean", "null"};
	return words[json_typeof(v)];
}

static bool is_type(const json_t *v, const char *type)
{
	if (strcmp(type, "number") == 0)
		return json_is_number(v);
	if (strcmp(type, "integer") == 0 && json_is_real(v)) /* 1.0 is an integer in this draft */
		return json_real_value(v) == (double)(long long)json_real_value(v);
	return strcmp(type_of(v), type) == 0;
}

static bool type(struct check *c, const json_t *want, const json_t *value)
{
	size_t i;
	json_t *one;
	char shown[80], types[128] = "";
	if (!want || (json_is_string(want) && is_type(value, json_string_value(want))))
		return true;
	json_array_foreach(want, i, one)
	{
		if (is_type(value, json_string_value(one)))
			return true;
		size_t n = strlen(types);
		snprintf(types + n, sizeof types - n, "%s%s", i ? " or " : "", json_string_value(one));
	}
	check_shown(value, shown, sizeof shown);
	return check_fails(c, "%s is of type %s; expected %s", shown, type_of(value),
		json_is_string(want) ? json_string_value(want) : types);
}

static bool enumerated(struct check *c, const json_t *list, const json_t *value)
{
	size_t i;
	json_t *one;
	char shown[80], text[64];
	scoped(buf_fini) struct buf known = {0};
	json_array_foreach(list, i, one)
	{
		if (json_equal(one, value))
			return true;
		struct bytes t = check_shown(one, text, sizeof text);
		buf_text(&known, i ? ", " : "");
		buf_add(&known, t.data, t.size);
	}
	check_shown(value, shown, sizeof shown);
	return check_fails(c, "%s is not known here; expected one of %s", shown, known.data);
}

static bool constant(struct check *c, const json_t *want, const json_t *value)
{
	char shown[80], text[80];
	if (json_equal(want, value))
		return true;
	check_shown(value, shown, sizeof shown);
	check_shown(want, text, sizeof text);
	return check_fails(c, "%s is not what is allowed here; expected %s", shown, text);
}

static bool keywords(struct check *c, const json_t *schema, json_t *value)
{
	const json_t *ref = json_object_get(schema, "$ref"), *list = json_object_get(schema, "enum"),
				 *one = json_object_get(schema, "const");
	if (ref && !check_value(c, open_ref(c->schema->root, json_string_value(ref)), value))
		return false;
	return type(c, json_object_get(schema, "type"), value) && (!list || enumerated(c, list, value)) &&
		   (!one || constant(c, one, value)) && scalar_check(c, schema, value) && object_check(c, schema, value) &&
		   combine_check(c, schema, value);
}

bool check_value(struct check *c, const json_t *schema, json_t *value)
{
	if (++*c->steps > SCHEMA_STEPS_MAX)
		return check_fails(c, "it takes more than %d steps to check this", SCHEMA_STEPS_MAX);
	if (json_is_true(schema))
		return true;
	if (!json_is_object(schema))
		return check_fails(c, "nothing is allowed here");
	if (c->depth == SCHEMA_DEPTH_MAX * 3) /* a schema that refers to itself, or a value nested as deeply */
		return check_fails(c, "more than %d schemas apply within each other here", SCHEMA_DEPTH_MAX * 3);
	c->depth++;
	bool good = keywords(c, schema, value);
	c->depth--;
	return good;
}

enum errcode schema_check(
	const struct schema *s, json_t *value, bool fill, char pointer[SCHEMA_POINTER_SIZE], struct err *e)
{
	struct err own;
	unsigned steps = 0;
	struct check c = {.schema = s, .fill = fill, .steps = &steps, .e = e ? e : &own};
	bool good = check_value(&c, s->root, value);
	if (!good && pointer)
		snprintf(pointer, SCHEMA_POINTER_SIZE, "%s", c.pointer.data ? c.pointer.data : "");
	buf_fini(&c.pointer);
	return good ? E_OK : E_INVALID;
}

enum errcode schema_check_text(
	const struct schema *s, struct bytes text, char pointer[SCHEMA_POINTER_SIZE], struct err *e)
{
	json_error_t where;
	json_t *value = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	if (!value) {
		if (pointer)
			*pointer = 0;
		return err_set(e, E_INVALID, "not JSON: line %d, column %d: %s", where.line, where.column, where.text);
	}
	enum errcode code = schema_check(s, value, false, pointer, e);
	json_decref(value);
	return code;
}
