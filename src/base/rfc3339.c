#include "base/rfc3339.h"

#include "base/civil.h"

#include <stdio.h>

#define DAY_MS	86400000LL
#define LAST_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */

static void format(int64_t ms, const char *zone, char out[RFC3339_SIZE])
{
	ms = ms < 0 ? 0 : ms > LAST_MS ? LAST_MS : ms;
	int y, m, d;
	civil_date(ms / DAY_MS, &y, &m, &d);
	unsigned rest = (unsigned)(ms % DAY_MS);
	/* The remainders change nothing: they let the compiler see that the text fits. */
	snprintf(out, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03u%s", (unsigned)y % 10000, (unsigned)m % 100,
		(unsigned)d % 100, rest / 3600000 % 24, rest / 60000 % 60, rest / 1000 % 60, rest % 1000, zone);
}

void rfc3339_format(int64_t ms, char out[RFC3339_SIZE])
{
	format(ms, "Z", out);
}

void rfc3339_format_at(int64_t ms, int offset_s, char out[RFC3339_SIZE])
{
	char zone[8];
	unsigned minutes = (unsigned)(offset_s < 0 ? -offset_s : offset_s) / 60;
	snprintf(zone, sizeof zone, "%c%02u:%02u", offset_s < 0 ? '-' : '+', minutes / 60 % 24, minutes % 60);
	format(ms + offset_s / 60 * 60000LL, zone, out);
}

/* As many digits as `pattern` has '0', other characters literally; 'T' also stands for 't' and a blank. */
static bool fields(struct bytes *t, const char *pattern, int *values)
{
	size_t n = strlen(pattern);
	if (t->size < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = t->data[i];
		if (pattern[i] == '0') {
			if (c < '0' || c > '9')
				return false;
			*values = (i && pattern[i - 1] == '0' ? *values * 10 : 0) + c - '0';
			values += pattern[i + 1] != '0';
		} else if (c != pattern[i] && !(pattern[i] == 'T' && (c == 't' || c == ' '))) {
			return false;
		}
	}
	t->data += n;
	t->size -= n;
	return true;
}

static int fraction_ms(struct bytes *t) /* -1: a point without digits */
{
	if (!t->size || t->data[0] != '.')
		return 0;
	size_t i = 1;
	int ms = 0;
	for (int scale = 100; i < t->size && t->data[i] >= '0' && t->data[i] <= '9'; i++, scale /= 10)
		ms += (t->data[i] - '0') * scale;
	t->data += i;
	t->size -= i;
	return i > 1 ? ms : -1;
}

static bool offset_minutes(struct bytes *t, int *minutes)
{
	int hm[2];
	*minutes = 0;
	if (t->size == 1 && (t->data[0] == 'Z' || t->data[0] == 'z'))
		return true;
	bool minus = t->size && t->data[0] == '-';
	if (!fields(t, minus ? "-00:00" : "+00:00", hm) || t->size || hm[0] > 23 || hm[1] > 59)
		return false;
	*minutes = (minus ? -1 : 1) * (hm[0] * 60 + hm[1]);
	return true;
}

enum errcode rfc3339_parse(struct bytes text, int64_t *ms, struct err *e)
{
	struct bytes t = text;
	int v[6], minutes, fraction = -1;
	bool good = fields(&t, "0000-00-00T00:00:00", v) && (fraction = fraction_ms(&t)) >= 0 &&
				offset_minutes(&t, &minutes) && v[0] >= 1970 && v[1] >= 1 && v[1] <= 12 && v[2] >= 1 &&
				v[2] <= civil_days_in(v[0], v[1]) && v[3] < 24 && v[4] < 60 && v[5] <= 60;
	if (!good)
		return err_set(e, E_INVALID, "\"%.*s\" is not a time: write it as in 2026-11-22T03:45:00Z (RFC 3339)",
			(int)(text.size < 64 ? text.size : 64), text.data);
	*ms = civil_days(v[0], v[1], v[2]) * DAY_MS + ((v[3] * 60 + v[4] - minutes) * 60LL + v[5]) * 1000 + fraction;
	return E_OK;
}
