#include "config/scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool is_word(struct bytes t, const char *lower) /* lower, Lower, LOWER */
{
	size_t n = strlen(lower), upper = 0;
	if (t.size != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (t.data[i] == lower[i] - 32)
			upper++;
		else if (t.data[i] != lower[i])
			return false;
	}
	return upper == 0 || upper == n || (upper == 1 && t.data[0] != lower[0]);
}

static size_t count_digits(const char *at, const char *digits)
{
	return strspn(at, digits);
}

static json_t *integer(const char *text, size_t size)
{
	const char *at = text + (*text == '-' || *text == '+');
	int base = 10;
	if (at == text && at[0] == '0' && (at[1] == 'x' || at[1] == 'o')) {
		base = at[1] == 'x' ? 16 : 8;
		at += 2;
	} else if (at[0] == '0' && at[1]) {
		return NULL;
	}
	size_t n = count_digits(at, base == 16 ? "0123456789abcdefABCDEF" : base == 8 ? "01234567" : "0123456789");
	if (n == 0 || at + n != text + size)
		return NULL;
	errno = 0;
	long long value = strtoll(base == 10 ? text : at, NULL, base);
	return errno ? NULL : json_integer(value);
}

static json_t *decimal(const char *text, size_t size)
{
	const char *at = text + (*text == '-' || *text == '+');
	size_t before = count_digits(at, "0123456789"), after = 0;
	bool zero_first = before > 1 && *at == '0';
	at += before;
	if (*at == '.') {
		after = count_digits(at + 1, "0123456789");
		at += 1 + after;
	}
	if (before + after == 0 || zero_first)
		return NULL;
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '-' || at[1] == '+');
		size_t n = count_digits(at, "0123456789");
		if (n == 0)
			return NULL;
		at += n;
	}
	double value = at == text + size ? strtod(text, NULL) : NAN;
	return isfinite(value) ? json_real(value) : NULL;
}

json_t *scalar_plain(struct bytes t)
{
	char text[64];
	if (t.size == 0 || bytes_equal(t, bytes_of("~")) || is_word(t, "null"))
		return json_null();
	if (is_word(t, "true"))
		return json_true();
	if (is_word(t, "false"))
		return json_false();
	if (t.size < sizeof text && strchr("0123456789+-.", t.data[0])) {
		memcpy(text, t.data, t.size);
		text[t.size] = 0;
		json_t *number = integer(text, t.size);
		number = number ? number : decimal(text, t.size);
		if (number)
			return number;
	}
	return json_stringn(t.data, t.size);
}
