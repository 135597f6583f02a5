#include "base/units.h"

#include "base/mem.h"

#include <stdio.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}, {NULL, 0}};

static const struct unit sizes[] = {{"B", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000},
	{"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}, {NULL, 0}};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number with decimals as whole and a fraction in billionths. False: no number, or too large. */
static bool number(struct bytes *t, uint64_t *whole, uint64_t *billionths)
{
	size_t i = 0;
	*whole = *billionths = 0;
	for (; i < t->size && is_digit(t->data[i]); i++) {
		if (__builtin_mul_overflow(*whole, 10, whole) || __builtin_add_overflow(*whole, t->data[i] - '0', whole))
			return false;
	}
	if (i == 0)
		return false;
	if (i + 1 < t->size && t->data[i] == '.' && is_digit(t->data[i + 1])) {
		uint64_t scale = 100000000;
		for (i++; i < t->size && is_digit(t->data[i]); i++, scale /= 10)
			*billionths += (uint64_t)(t->data[i] - '0') * scale;
	}
	t->data += i;
	t->size -= i;
	return true;
}

static const struct unit *unit(const struct unit *units, struct bytes *t, bool any_case)
{
	size_t n = 0;
	while (n < t->size && !is_digit(t->data[n]))
		n++;
	for (const struct unit *u = units; u->name; u++) {
		if (strlen(u->name) == n && (any_case ? strncasecmp : strncmp)(t->data, u->name, n) == 0) {
			t->data += n;
			t->size -= n;
			return u;
		}
	}
	return NULL;
}

/* number unit: *out += number * factor. False: no such thing, or not a whole number of the smallest unit. */
static bool term(const struct unit *units, struct bytes *t, bool any_case, uint64_t *out, const struct unit **used)
{
	uint64_t whole, billionths, product;
	if (!number(t, &whole, &billionths) || !(*used = unit(units, t, any_case)))
		return false;
	unsigned __int128 fraction = (unsigned __int128)billionths * (*used)->factor;
	if (fraction % 1000000000 || __builtin_mul_overflow(whole, (*used)->factor, &product))
		return false;
	return !__builtin_add_overflow(product + (uint64_t)(fraction / 1000000000), *out, out);
}

static int shown(struct bytes t) /* how much of a bad value an error quotes */
{
	return (int)(t.size < 64 ? t.size : 64);
}

enum errcode units_duration(struct bytes text, int64_t *ms, struct err *e)
{
	struct bytes t = text;
	uint64_t sum = 0, last = UINT64_MAX;
	if (bytes_equal(t, bytes_of("0"))) {
		*ms = 0;
		return E_OK;
	}
	do {
		const struct unit *u;
		if (!term(durations, &t, false, &sum, &u) || u->factor >= last)
			return err_set(e, E_INVALID,
				"\"%.*s\" is not a duration: write a number with a unit, such as 250ms, 5s, 2m, 1h30m or 3d",
				shown(text), text.data);
		last = u->factor;
	} while (t.size);
	if (sum > UNITS_DURATION_MAX_MS)
		return err_set(e, E_INVALID, "\"%.*s\" is too long: the longest duration is 100 years", shown(text), text.data);
	*ms = (int64_t)sum;
	return E_OK;
}

enum errcode units_size(struct bytes text, uint64_t *bytes, struct err *e)
{
	struct bytes t = text;
	uint64_t sum = 0;
	const struct unit *u;
	if (bytes_equal(t, bytes_of("0"))) {
		*bytes = 0;
		return E_OK;
	}
	if (!term(sizes, &t, true, &sum, &u) || t.size)
		return err_set(e, E_INVALID,
			"\"%.*s\" is not a size: write a number with a unit, such as 512B, 64KiB, 100MB or 2GiB", shown(text),
			text.data);
	*bytes = sum;
	return E_OK;
}

void units_format_duration(int64_t ms, char out[UNITS_TEXT_SIZE])
{
	uint64_t rest = ms < 0 ? 0 : (uint64_t)ms;
	size_t n = 0;
	for (size_t i = ARRAY_SIZE(durations) - 1; i-- > 0;) {
		uint64_t count = rest / durations[i].factor;
		rest %= durations[i].factor;
		if (count)
			n += (size_t)snprintf(out + n, UNITS_TEXT_SIZE - n, "%llu%s", (unsigned long long)count, durations[i].name);
	}
	if (n == 0)
		snprintf(out, UNITS_TEXT_SIZE, "0s");
}

void units_format_size(uint64_t bytes, char out[UNITS_TEXT_SIZE])
{
	const struct unit *best = &sizes[0];
	for (const struct unit *u = sizes; u->name && bytes; u++) {
		if (bytes % u->factor == 0 && u->factor > best->factor)
			best = u;
	}
	snprintf(out, UNITS_TEXT_SIZE, "%llu%s", (unsigned long long)(bytes / best->factor), best->name);
}
