#include "schedule/timing.h"

#define LAST_MS	  253402300799000LL /* the end of the year 9999 */
#define SPANS_MAX 2000 /* more than any zone has changes */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t next_interval(const struct timing *t, int64_t after_ms)
{
	if (after_ms < t->start_ms)
		return t->start_ms;
	return t->start_ms + (floor_div(after_ms - t->start_ms, t->every_ms) + 1) * t->every_ms;
}

/* The next match from `local` on. A rare one is far away, over many changes of the clocks: it is looked for once. */
struct match {
	int64_t searched, found; /* nothing matches from the one to before the other */
};

static int64_t match_from(const struct cron *c, struct match *m, int64_t local)
{
	if (local < m->searched || local > m->found)
		*m = (struct match){local, cron_next(c, local)};
	return m->found;
}

/* Span by span; in each, the wall clock runs evenly. */
static int64_t next_second(const struct timing *t, int64_t from)
{
	struct match m = {INT64_MAX, INT64_MIN};
	struct zone_span s;
	for (int n = 0; n < SPANS_MAX; n++, from = s.until) {
		zone_span_at(t->zone, from, &s);
		int64_t local = from + s.offset, before = s.from + s.before; /* where the clocks were when they were changed */
		if (!t->cron.wild && from == s.from && before < local && match_from(&t->cron, &m, before) < local)
			return from; /* a time that was skipped */
		if (!t->cron.wild && s.before > s.offset && local < before)
			local = before; /* until there the times come again */
		int64_t found = match_from(&t->cron, &m, local);
		if (found == CRON_NEVER)
			break;
		if (found - s.offset < s.until)
			return found - s.offset;
	}
	return TIMING_NEVER;
}

int64_t timing_next(const struct timing *t, int64_t after_ms)
{
	int64_t next;
	if (after_ms >= LAST_MS)
		return TIMING_NEVER;
	if (t->start_ms > after_ms)
		after_ms = t->start_ms - 1;
	if (t->every_ms) {
		next = next_interval(t, after_ms);
	} else {
		next = next_second(t, floor_div(after_ms, 1000) + 1);
		if (next != TIMING_NEVER)
			next *= 1000;
	}
	return next > (t->end_ms ? t->end_ms : LAST_MS) ? TIMING_NEVER : next;
}

/* The next one after a moment never falls as the moment grows: so the last one can be looked for by halves. */
int64_t timing_last(const struct timing *t, int64_t after_ms, int64_t until_ms)
{
	int64_t first = timing_next(t, after_ms);
	if (first > until_ms)
		return TIMING_NEVER;
	if (timing_next(t, first) > until_ms) /* nearly always */
		return first;
	int64_t low = first, high = until_ms; /* something comes after low, nothing after high */
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (timing_next(t, middle) <= until_ms)
			low = middle;
		else
			high = middle;
	}
	return timing_next(t, low);
}

static size_t count_intervals(const struct timing *t, int64_t after_ms, int64_t until_ms)
{
	int64_t first = timing_next(t, after_ms);
	if (t->end_ms && until_ms > t->end_ms)
		until_ms = t->end_ms;
	return first > until_ms ? 0 : (size_t)((until_ms - first) / t->every_ms) + 1;
}

size_t timing_count(const struct timing *t, int64_t after_ms, int64_t until_ms, size_t max)
{
	size_t n = t->every_ms ? count_intervals(t, after_ms, until_ms) : 0;
	if (t->every_ms)
		return n < max ? n : max;
	for (int64_t at = after_ms; n < max && (at = timing_next(t, at)) <= until_ms; n++)
		;
	return n;
}

int64_t timing_newest(const struct timing *t, int64_t after_ms, int64_t until_ms, size_t max)
{
	if (timing_count(t, after_ms, until_ms, max + 1) <= max)
		return after_ms;
	int64_t low = after_ms, high = until_ms; /* too many after low, few enough after high */
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (timing_count(t, middle, until_ms, max + 1) > max)
			low = middle;
		else
			high = middle;
	}
	return high;
}

int timing_offset(const struct timing *t, int64_t at_ms)
{
	struct zone_span s;
	zone_span_at(t->zone, floor_div(at_ms, 1000), &s);
	return s.offset;
}
