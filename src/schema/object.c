/* object.c - the keywords of objects and arrays. */
#include "schema/internal.h"

#include "base/mem.h"
#include "base/nearest.h"

static bool unknown_key(struct check *c, const json_t *properties, const char *key)
{
	const char *known;
	json_t *ignored;
	struct nearest n = {.wrong = bytes_of(key)};
	scoped(buf_fini) struct buf all = {0};
	json_object_foreach((json_t *)properties, known, ignored)
	{
		nearest_try(&n, bytes_of(known));
		buf_format(&all, "%s%s", all.size ? ", " : "", known);
	}
	if (n.best.data)
		return check_fails(c, "unknown key \"%.64s\"; did you mean \"%s\"?", key, n.best.data);
	return check_fails(c, "unknown key \"%.64s\"; known here: %s", key, all.size ? all.data : "none");
}

static bool member(struct check *c, const json_t *schema, const char *key, json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties"), *own = json_object_get(properties, key);
	const json_t *patterns = json_object_get(schema, "patternProperties"),
				 *rest = json_object_get(schema, "additionalProperties");
	const json_t *names = json_object_get(schema, "propertyNames");
	const char *pattern;
	json_t *one;
	bool known = own != NULL;
	if (own && !check_value(c, own, value))
		return false;
	json_object_foreach((json_t *)patterns, pattern, one)
	{
		if (scalar_matches(c->schema, pattern, key, strlen(key))) {
			known = true;
			if (!check_value(c, one, value))
				return false;
		}
	}
	if (names) {
		json_t *name = json_string(key);
		bool good = check_value(c, names, name);
		json_decref(name);
		if (!good)
			return false;
	}
	if (known || !rest)
		return true;
	return json_is_false(rest) ? unknown_key(c, properties, key) : check_value(c, rest, value);
}

static bool required(struct check *c, const json_t *names, const json_t *value, const char *because)
{
	size_t i;
	json_t *name;
	json_array_foreach(names, i, name)
	{
		if (json_object_get(value, json_string_value(name)))
			continue;
		if (because)
			return check_fails(c, "\"%s\" is missing; it is required with \"%s\"", json_string_value(name), because);
		return check_fails(c, "\"%s\" is missing; it is required here", json_string_value(name));
	}
	return true;
}

static void fill_defaults(struct check *c, const json_t *schema, json_t *value)
{
	const char *key;
	json_t *one;
	json_object_foreach(json_object_get(schema, "properties"), key, one)
	{
		const json_t *ref = json_object_get(one, "$ref");
		const json_t *is = json_object_get(one, "default");
		if (!is && ref)
			is = json_object_get(open_ref(c->schema->root, json_string_value(ref)), "default");
		if (is && !json_object_get(value, key))
			json_object_set_new(value, key, json_deep_copy(is));
	}
}

static bool count(struct check *c, const json_t *schema, const char *least, const char *most, size_t n, const char *of)
{
	const json_t *min = json_object_get(schema, least), *max = json_object_get(schema, most);
	if (min && (json_int_t)n < json_integer_value(min))
		return check_fails(c, "there are %zu %s; expected at least %lld", n, of, json_integer_value(min));
	if (max && (json_int_t)n > json_integer_value(max))
		return check_fails(c, "there are %zu %s; expected at most %lld", n, of, json_integer_value(max));
	return true;
}

static bool object(struct check *c, const json_t *schema, json_t *value)
{
	const char *key;
	json_t *one;
	if (c->fill)
		fill_defaults(c, schema, value);
	/* Unknown keys first: a mistyped name is better told as such than as the absence of the right one. */
	json_object_foreach(value, key, one)
	{
		size_t back = check_down(c, key, 0);
		if (!member(c, schema, key, one))
			return false;
		check_up(c, back);
	}
	if (!required(c, json_object_get(schema, "required"), value, NULL))
		return false;
	json_object_foreach(json_object_get(schema, "dependentRequired"), key, one)
	{
		if (json_object_get(value, key) && !required(c, one, value, key))
			return false;
	}
	return count(c, schema, "minProperties", "maxProperties", json_object_size(value), "members");
}

static bool unique(struct check *c, const json_t *value)
{
	size_t n = json_array_size(value);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n && n <= 4096; j++) { /* quadratic: longer lists are too long to be checked */
			if (json_equal(json_array_get(value, i), json_array_get(value, j)))
				return check_fails(c, "elements %zu and %zu are the same; expected each only once", i, j);
		}
	}
	return n <= 4096 || check_fails(c, "there are %zu elements; at most 4096 can be checked for being unique", n);
}

static bool array(struct check *c, const json_t *schema, json_t *value)
{
	const json_t *items = json_object_get(schema, "items"), *prefix = json_object_get(schema, "prefixItems");
	size_t i;
	json_t *one;
	json_array_foreach(value, i, one)
	{
		const json_t *s = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;
		size_t back = check_down(c, NULL, i);
		if (s && !check_value(c, s, one))
			return false;
		check_up(c, back);
	}
	return count(c, schema, "minItems", "maxItems", json_array_size(value), "elements") &&
		   (!json_is_true(json_object_get(schema, "uniqueItems")) || unique(c, value));
}

bool object_check(struct check *c, const json_t *schema, json_t *value)
{
	if (json_is_object(value))
		return object(c, schema, value);
	return !json_is_array(value) || array(c, schema, value);
}
