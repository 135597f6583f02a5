/* timing.h - when a schedule's occurrences are: an interval, or a cron expression in a time zone. Pure arithmetic.
 *
 * EVERY      anchor + n * interval, in elapsed time: no drift, whatever the clocks of people do. The anchor is `start`, or
 *            1970-01-01T00:00Z: `every: 5m` is at :00, :05 ...
 * CRON       the moments at which the zone's wall clock matches. When the clocks change:
 *   - an expression that begins its second, minute or hour with * means "every ...": it goes by the wall clock as it is. An
 *     hour that is skipped has none of its occurrences, one that comes twice has them twice.
 *   - any other names times of the day, and each of them counts once a day: those that a change of the clocks skips become one
 *     occurrence at the first moment after it, those that come twice are meant the first time.
 *
 * Times are Unix milliseconds; occurrences of cron are whole seconds. */
#pragma once
#include "schedule/cron.h"
#include "schedule/zone.h"

#include <stddef.h>
#include <stdint.h>

#define TIMING_NEVER		INT64_MAX
#define TIMING_EVERY_MIN_MS 1000

struct timing {
	int64_t every_ms; /* 0: cron */
	struct cron cron;
	const struct zone *zone; /* not NULL */
	int64_t start_ms, end_ms; /* the first and the last moment that may be one; 0: open */
};

int64_t timing_next(const struct timing *t, int64_t after_ms); /* the first one after that moment, or TIMING_NEVER */
/* The last one in (after_ms, until_ms], or TIMING_NEVER. */
int64_t timing_last(const struct timing *t, int64_t after_ms, int64_t until_ms);
/* How many are in (after_ms, until_ms]; does not count beyond max. */
size_t timing_count(const struct timing *t, int64_t after_ms, int64_t until_ms, size_t max);
/* A moment such that not more than the newest `max` are in (it, until_ms]; not before after_ms. */
int64_t timing_newest(const struct timing *t, int64_t after_ms, int64_t until_ms, size_t max);
int timing_offset(const struct timing *t, int64_t at_ms); /* of the zone then, in seconds */
