#include "api/members.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/units.h"
#include "wire/id.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static int shown(struct bytes v) /* of a value in a sentence */
{
	return (int)(v.size < 64 ? v.size : 64);
}

static bool refuse_at(struct members *m, struct bytes name)
{
	size_t at = strlen(m->pointer);
	m->error.code = E_INVALID;
	snprintf(m->pointer + at, sizeof m->pointer - at, "/%.*s", shown(name), name.data);
	return false;
}

bool members_wrong(struct members *m, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(m->error.text, sizeof m->error.text, format, args);
	va_end(args);
	return refuse_at(m, bytes_of(name));
}

bool members_missing(struct members *m, const char *name)
{
	return members_wrong(m, name, "\"%s\" is missing", name);
}

static bool refuse_unknown(struct members *m, struct bytes key, const char *const *names)
{
	struct nearest n = {.wrong = key};
	scoped(buf_fini) struct buf all = {0};
	for (const char *const *name = names; *name; name++) {
		nearest_try(&n, bytes_of(*name));
		buf_format(&all, "%s%s", name == names ? "" : ", ", *name);
	}
	if (n.best.data)
		err_set(
			&m->error, E_INVALID, "unknown member \"%.*s\"; did you mean \"%s\"?", shown(key), key.data, n.best.data);
	else
		err_set(&m->error, E_INVALID, "unknown member \"%.*s\"; there are %s", shown(key), key.data, all.data);
	return refuse_at(m, key);
}

bool members_find(struct members *m, struct bytes object, const char *const *names, struct bytes *values)
{
	struct json_member found[MEMBERS_MAX];
	size_t n;
	if (json_span_members(object.data ? object : bytes_of(""), found, MEMBERS_MAX, &n, &m->error) != E_OK)
		return false;
	for (size_t i = 0; names[i]; i++)
		values[i] = (struct bytes){NULL, 0};
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;
		while (names[k] && !bytes_equal(found[i].key, bytes_of(names[k])))
			k++;
		if (!names[k])
			return refuse_unknown(m, found[i].key, names);
		values[k] = found[i].value;
	}
	return true;
}

bool members_integer(struct members *m, const char *name, struct bytes v, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;
	if (!v.data)
		return true;
	if (!json_span_integer(v, &n) || n < min || n > max)
		return members_wrong(
			m, name, "%.*s is not a whole number from %" PRId64 " to %" PRId64, shown(v), v.data, min, max);
	*out = n;
	return true;
}

bool members_text(struct members *m, const char *name, struct bytes v, struct buf *out)
{
	if (!v.data || json_span_string(v, out))
		return true;
	return members_wrong(m, name, "%.*s is not a string without NUL", shown(v), v.data);
}

bool members_duration(struct members *m, const char *name, struct bytes v, int64_t min_ms, int64_t max_ms, int64_t *out)
{
	scoped(buf_fini) struct buf text = {0};
	char least[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE];
	int64_t ms;
	if (!v.data)
		return true;
	if (!members_text(m, name, v, &text))
		return false;
	if (units_duration(buf_bytes(&text), &ms, &m->error) != E_OK)
		return refuse_at(m, bytes_of(name));
	units_format_duration(min_ms, least);
	units_format_duration(max_ms, most);
	if (ms < min_ms || ms > max_ms)
		return members_wrong(m, name, "%.*s is not from %s to %s", shown(v), v.data, least, most);
	*out = ms;
	return true;
}

bool members_flag(struct members *m, const char *name, struct bytes v, bool *out)
{
	if (!v.data)
		return true;
	char kind = json_span_kind(v);
	if (kind != 't' && kind != 'f')
		return members_wrong(m, name, "%.*s is neither true nor false", shown(v), v.data);
	*out = kind == 't';
	return true;
}

bool members_id(struct members *m, const char *name, struct bytes v, uint64_t *out)
{
	if (!v.data)
		return members_missing(m, name);
	if (json_span_kind(v) == '"' && id_parse(v.data + 1, v.size - 2, out) == 0)
		return true;
	return members_wrong(m, name, "%.*s: an id is a string of 13 letters and digits", shown(v), v.data);
}
