#include "base/rfc3339.h"

#include <stdio.h>

#define DAY_MS	86400000LL
#define LAST_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back: Howard Hinnant, "chrono-compatible low-level date
 * algorithms", days_from_civil and civil_from_days, for years after 0. */
static int64_t days_of(int y, int m, int d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int *y, int *m, int *d)
{
	days += 719468;
	int64_t era = days / 146097, doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

static int days_in(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

void rfc3339_format(int64_t ms, char out[RFC3339_SIZE])
{
	ms = ms < 0 ? 0 : ms > LAST_MS ? LAST_MS : ms;
	int y, m, d;
	date_of(ms / DAY_MS, &y, &m, &d);
	unsigned rest = (unsigned)(ms % DAY_MS);
	/* The remainders change nothing: they let the compiler see that the text fits. */
	snprintf(out, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)y % 10000, (unsigned)m % 100,
		(unsigned)d % 100, rest / 3600000 % 24, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
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
				v[2] <= days_in(v[0], v[1]) && v[3] < 24 && v[4] < 60 && v[5] <= 60;
	if (!good)
		return err_set(e, E_INVALID, "\"%.*s\" is not a time: write it as in 2026-11-22T03:45:00Z (RFC 3339)",
			(int)(text.size < 64 ? text.size : 64), text.data);
	*ms = days_of(v[0], v[1], v[2]) * DAY_MS + ((v[3] * 60 + v[4] - minutes) * 60LL + v[5]) * 1000 + fraction;
	return E_OK;
}
