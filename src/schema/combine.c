/* combine.c - the keywords that combine schemas. */
#include "schema/internal.h"

#include "base/mem.h"

#include <stdlib.h>

/* Tries without changing the value, and without its error counting. */
static bool fits(struct check *c, const json_t *schema, json_t *value, struct err *e)
{
	struct check try = {.schema = c->schema, .depth = c->depth, .steps = c->steps, .e = e};
	buf_add(&try.pointer, c->pointer.data, c->pointer.size);
	bool good = check_value(&try, schema, value);
	if (!good && try.pointer.size > c->pointer.size) /* deeper: it was nearly this one */
		e->code = E_CONFLICT;
	buf_fini(&try.pointer);
	return good;
}

/* The error of the alternative that came furthest: told with its own place. */
static bool none_fits(struct check *c, const json_t *list, json_t *value)
{
	struct err e = {0};
	size_t i, best = 0, n = json_array_size(list);
	json_t *one;
	json_array_foreach(list, i, one)
	{
		fits(c, one, value, &e);
		if (e.code == E_CONFLICT) {
			best = i;
			break;
		}
	}
	check_value(c, json_array_get(list, best), value);
	char own[300];
	strncpy(own, c->e->text, sizeof own - 1);
	own[sizeof own - 1] = 0;
	return n == 1 ? false : check_fails(c, "none of the %zu forms that are allowed here fits; the nearest: %s", n, own);
}

static bool any_of(struct check *c, const json_t *list, json_t *value, bool only_one)
{
	size_t i, n = 0;
	json_t *one, *found = NULL;
	struct err e;
	json_array_foreach(list, i, one)
	{
		if (fits(c, one, value, &e)) {
			found = found ? found : one;
			n++;
		}
	}
	if (n == 0)
		return none_fits(c, list, value);
	if (only_one && n > 1)
		return check_fails(c, "%zu of the forms that are allowed here fit; expected exactly one", n);
	return check_value(c, found, value); /* once more: fills defaults */
}

static bool all_of(struct check *c, const json_t *list, json_t *value)
{
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one)
	{
		if (!check_value(c, one, value))
			return false;
	}
	return true;
}

bool combine_check(struct check *c, const json_t *schema, json_t *value)
{
	const json_t *all = json_object_get(schema, "allOf"), *any = json_object_get(schema, "anyOf"),
				 *one = json_object_get(schema, "oneOf");
	const json_t *not = json_object_get(schema, "not"), *condition = json_object_get(schema, "if");
	struct err e;
	if ((all && !all_of(c, all, value)) || (any && !any_of(c, any, value, false)) ||
		(one && !any_of(c, one, value, true)))
		return false;
	if (not &&fits(c, not, value, &e)) {
		char shown[80];
		check_shown(value, shown, sizeof shown);
		return check_fails(c, "%s is excluded here", shown);
	}
	if (condition) {
		const json_t *then = json_object_get(schema, fits(c, condition, value, &e) ? "then" : "else");
		return !then || check_value(c, then, value);
	}
	return true;
}
