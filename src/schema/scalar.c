/* scalar.c - the keywords of strings and numbers. */
#include "schema/internal.h"

#include "base/rfc3339.h"
#include "base/units.h"

#include <math.h>

bool scalar_matches(const struct schema *s, const char *pattern, const char *text, size_t size)
{
	struct pattern *p;
	HASH_FIND_STR(s->patterns, pattern, p);
	if (!p)
		return false;
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_set_match_limit(limits, 100000); /* patterns and texts are not ours: what backtracks longer does not match */
	int rc = pcre2_match(p->code, (PCRE2_SPTR)text, size, 0, 0, data, limits);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	return rc >= 0;
}

static bool format(struct check *c, const char *name, struct bytes text)
{
	int64_t ms;
	uint64_t size;
	if (strcmp(name, "duration") == 0)
		return units_duration(text, &ms, c->e) == E_OK;
	if (strcmp(name, "size") == 0)
		return units_size(text, &size, c->e) == E_OK;
	if (strcmp(name, "date-time") == 0)
		return rfc3339_parse(text, &ms, c->e) == E_OK;
	if (strcmp(name, "path") == 0 && (text.size == 0 || text.size > 4095 || memchr(text.data, 0, text.size)))
		return check_fails(c, "a path has 1 to 4095 characters and no NUL; this has %zu", text.size);
	return true;
}

static size_t characters(struct bytes t)
{
	size_t n = 0;
	for (size_t i = 0; i < t.size; i++)
		n += ((unsigned char)t.data[i] & 0xC0) != 0x80;
	return n;
}

static bool length(struct check *c, const json_t *schema, struct bytes t)
{
	const json_t *min = json_object_get(schema, "minLength"), *max = json_object_get(schema, "maxLength");
	if (!min && !max)
		return true;
	json_int_t n = (json_int_t)characters(t);
	if (min && n < json_integer_value(min))
		return check_fails(c, "the text has %lld characters; expected at least %lld", n, json_integer_value(min));
	if (max && n > json_integer_value(max))
		return check_fails(c, "the text has %lld characters; expected at most %lld", n, json_integer_value(max));
	return true;
}

static bool string(struct check *c, const json_t *schema, const json_t *value)
{
	struct bytes t = {json_string_value(value), json_string_length(value)};
	const json_t *pattern = json_object_get(schema, "pattern"), *f = json_object_get(schema, "format");
	char shown[80];
	if (!length(c, schema, t))
		return false;
	if (pattern && !scalar_matches(c->schema, json_string_value(pattern), t.data, t.size)) {
		check_shown(value, shown, sizeof shown);
		return check_fails(c, "%s does not have the form %s", shown, json_string_value(pattern));
	}
	return !f || format(c, json_string_value(f), t);
}

/* Integers are compared as integers: a double has not enough bits for them. */
static int compare(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b)) {
		json_int_t x = json_integer_value(a), y = json_integer_value(b);
		return x < y ? -1 : x > y;
	}
	double x = json_number_value(a), y = json_number_value(b);
	return x < y ? -1 : x > y;
}

static bool multiple(const json_t *value, const json_t *of)
{
	if (json_is_integer(value) && json_is_integer(of))
		return json_integer_value(value) % json_integer_value(of) == 0;
	double q = json_number_value(value) / json_number_value(of);
	return fabs(q - nearbyint(q)) < 1e-9;
}

static bool number(struct check *c, const json_t *schema, const json_t *value)
{
	static const struct {
		const char *keyword, *words;
		int wrong_if, or_equal; /* of compare(value, bound) */
	} bounds[] = {{"minimum", "at least", -1, 0}, {"maximum", "at most", 1, 0},
		{"exclusiveMinimum", "more than", -1, 1}, {"exclusiveMaximum", "less than", 1, 1}};
	char shown[40], bound[40];
	check_shown(value, shown, sizeof shown);
	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
		const json_t *b = json_object_get(schema, bounds[i].keyword);
		int order = b ? compare(value, b) : 0;
		if (b && (order == bounds[i].wrong_if || (order == 0 && bounds[i].or_equal))) {
			check_shown(b, bound, sizeof bound);
			return check_fails(c, "%s is out of range; expected %s %s", shown, bounds[i].words, bound);
		}
	}
	const json_t *of = json_object_get(schema, "multipleOf");
	if (of && !multiple(value, of)) {
		check_shown(of, bound, sizeof bound);
		return check_fails(c, "%s is not a multiple of %s", shown, bound);
	}
	return true;
}

bool scalar_check(struct check *c, const json_t *schema, const json_t *value)
{
	if (json_is_string(value))
		return string(c, schema, value);
	return !json_is_number(value) || number(c, schema, value);
}
