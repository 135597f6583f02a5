#include "package/semver.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number without leading zero, at most 9 digits so that it cannot overflow. */
static bool number(const char **at, unsigned *out)
{
	const char *start = *at;
	unsigned value = 0;
	while (isdigit((unsigned char)**at) && *at - start < 9)
		value = value * 10 + (unsigned)(*(*at)++ - '0');
	size_t digits = (size_t)(*at - start);
	if (digits == 0 || isdigit((unsigned char)**at) || (digits > 1 && *start == '0'))
		return false;
	*out = value;
	return true;
}

/* Dot-separated identifiers of [0-9A-Za-z-], none empty; numeric ones without leading zero when `strict`. */
static bool identifiers(const char *text, size_t size, bool strict)
{
	size_t start = 0;
	for (size_t k = 0; k <= size; k++) {
		if (k < size && text[k] != '.') {
			if (!isalnum((unsigned char)text[k]) && text[k] != '-')
				return false;
			continue;
		}
		size_t n = k - start;
		if (n == 0)
			return false;
		bool numeric = strspn(text + start, "0123456789") >= n;
		if (strict && numeric && n > 1 && text[start] == '0')
			return false;
		start = k + 1;
	}
	return true;
}

/* `partial`: minor and patch may be left out. Reads up to a space or the end. */
static bool parse(const char *text, size_t size, bool partial, struct semver *out)
{
	char copy[192];
	if (size >= sizeof copy)
		return false;
	memcpy(copy, text, size);
	copy[size] = 0;
	struct semver v = {0};
	const char *at = copy;
	if (!number(&at, &v.major))
		return false;
	if (*at == '.' ? (at++, !number(&at, &v.minor)) : !partial)
		return false;
	if (*at == '.' ? (at++, !number(&at, &v.patch)) : !partial)
		return false;
	if (*at == '-') {
		size_t n = strcspn(++at, "+");
		if (n >= sizeof v.prerelease || !identifiers(at, n, true))
			return false;
		memcpy(v.prerelease, at, n);
		at += n;
	}
	if (*at == '+') {
		at++;
		if (!identifiers(at, strlen(at), false))
			return false;
		at += strlen(at);
	}
	if (*at)
		return false;
	*out = v;
	return true;
}

bool semver_parse(const char *text, struct semver *out)
{
	return text && parse(text, strlen(text), false, out);
}

/* Numeric identifiers are less than others and compare as numbers; more identifiers win over fewer (semver.org, 11.4). */
static int compare_identifier(const char *a, size_t an, const char *b, size_t bn)
{
	bool a_number = strspn(a, "0123456789") >= an, b_number = strspn(b, "0123456789") >= bn;
	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && an != bn)
		return an < bn ? -1 : 1;
	int order = memcmp(a, b, an < bn ? an : bn);
	return order ? order : (an > bn) - (an < bn);
}

static int compare_prerelease(const char *a, const char *b)
{
	if (!*a || !*b)
		return (*b != 0) - (*a != 0); /* a release is greater than its prereleases */
	for (;;) {
		size_t an = strcspn(a, "."), bn = strcspn(b, ".");
		int order = compare_identifier(a, an, b, bn);
		if (order)
			return order;
		a += an;
		b += bn;
		if (!*a || !*b)
			return (*a != 0) - (*b != 0);
		a++, b++;
	}
}

static int compare_number(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

int semver_compare(const struct semver *a, const struct semver *b)
{
	int order = compare_number(a->major, b->major);
	if (!order)
		order = compare_number(a->minor, b->minor);
	if (!order)
		order = compare_number(a->patch, b->patch);
	return order ? order : compare_prerelease(a->prerelease, b->prerelease);
}

/* Visits comparators; false: malformed. With v NULL only the form is looked at. */
static bool range_holds(const char *range, const struct semver *v, bool *valid)
{
	bool holds = true;
	*valid = true;
	for (const char *at = range; *(at += strspn(at, " ,"));) {
		size_t sign_n = strspn(at, "<>=");
		const char *sign = at;
		at += sign_n;
		at += strspn(at, " ");
		size_t n = strcspn(at, " ,");
		struct semver bound;
		if (sign_n == 0 && n == 1 && *at == '*') {
			at++;
			continue;
		}
		if (!parse(at, n, true, &bound)) {
			*valid = false;
			return false;
		}
		at += n;
		int order = v ? semver_compare(v, &bound) : 0;
		if (sign_n == 0 || (sign_n == 1 && *sign == '='))
			holds &= order == 0;
		else if (sign_n == 1)
			holds &= *sign == '<' ? order < 0 : order > 0;
		else if (sign_n == 2 && sign[1] == '=' && sign[0] != '=')
			holds &= *sign == '<' ? order <= 0 : order >= 0;
		else
			*valid = false;
	}
	return holds && *valid;
}

bool semver_range_valid(const char *range)
{
	bool valid = true;
	if (range)
		range_holds(range, NULL, &valid);
	return valid;
}

bool semver_in_range(const struct semver *v, const char *range)
{
	bool valid;
	return !range || range_holds(range, v, &valid);
}
