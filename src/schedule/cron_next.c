/* The next match on a wall clock: days are walked (months at once), within a day bits are looked for. */
#include "schedule/cron.h"

#include "base/civil.h"

#define DAY_S	   86400
#define CYCLE_DAYS 146097 /* 400 years: after them dates and weekdays are the same again */

static int next_bit(uint64_t bits, int from) /* 64: none */
{
	bits = from < 64 ? bits >> from << from : 0;
	return bits ? __builtin_ctzll(bits) : 64;
}

/* Of a day, from that second on; -1: none. */
static int next_second(const struct cron *c, int from)
{
	int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
	for (int h = next_bit(c->hours, hour); h < 24; h = next_bit(c->hours, h + 1)) {
		bool same_hour = h == hour;
		for (int m = next_bit(c->minutes, same_hour ? minute : 0); m < 60; m = next_bit(c->minutes, m + 1)) {
			int s = next_bit(c->seconds, same_hour && m == minute ? second : 0);
			if (s < 60)
				return h * 3600 + m * 60 + s;
		}
	}
	return -1;
}

static bool is_day(const struct cron *c, int64_t days, int date, int days_in_month)
{
	unsigned weekday = 1U << civil_weekday(days);
	bool by_date = c->days >> date & 1 || (c->last_day && date == days_in_month);
	bool by_weekday =
		(c->weekdays | c->nth[(date - 1) / 7 + 1]) & weekday || (date + 7 > days_in_month && c->nth[0] & weekday);
	return c->either ? by_date || by_weekday : by_date && by_weekday;
}

int64_t cron_next(const struct cron *c, int64_t local)
{
	int64_t day = local / DAY_S - (local % DAY_S < 0);
	int second = (int)(local - day * DAY_S);
	for (int64_t end = day + CYCLE_DAYS; day <= end; second = 0) {
		int year, month, date;
		civil_date(day, &year, &month, &date);
		int days_in_month = civil_days_in(year, month);
		if (!(c->months >> month & 1)) {
			day += days_in_month - date + 1;
			continue;
		}
		int found = is_day(c, day, date, days_in_month) ? next_second(c, second) : -1;
		if (found >= 0)
			return day * DAY_S + found;
		day++;
	}
	return CRON_NEVER;
}
