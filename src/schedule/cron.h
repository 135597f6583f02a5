/* cron.h - a cron expression: which seconds of a wall clock match. Pure: knows no time zone (timing.h does).
 *
 *   [second] minute hour day-of-month month day-of-week        five fields, or six with seconds first
 *     0-59    0-59   0-23    1-31      1-12      0-7           7 and 0 are Sunday; jan-dec and sun-sat in any case
 *
 *   *   any    a-b   a range    a,b   a list    *\/n a-b/n   every n-th    L   (day) the last day of the month
 *   fri#2  the second Friday of the month    friL  the last one    @yearly @monthly @weekly @daily @hourly
 *
 * When both the day of month and the day of week are restricted (neither begins with *) a day matches that is in either, as
 * in every cron since 1987; otherwise it must be in both. What can never happen (30 February) is refused. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

enum { CRON_TEXT_MAX = 256 };
#define CRON_NEVER INT64_MAX

struct cron {
	uint64_t seconds, minutes; /* bit n: n matches */
	uint32_t hours, days, months;
	uint8_t weekdays; /* bit 0: Sunday */
	uint8_t nth[6]; /* of weekdays: [n] the n-th of the month, [0] the last */
	bool last_day; /* of the month */
	bool either; /* days or weekdays will do */
	bool wild; /* second, minute or hour begins with *: it is meant as "every", see timing.h */
};

/* E_INVALID: the sentence names the field, the value, its position (from 1) and what would be right. */
enum errcode cron_parse(struct bytes text, struct cron *out, struct err *e);

/* The first match that is not before `local` (seconds since 1970 on the wall clock); CRON_NEVER when 400 years have none. */
int64_t cron_next(const struct cron *c, int64_t local);
