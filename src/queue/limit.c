#include "queue/limit.h"

#define NS_PER_MS 1000000LL

/* Rounded up: never more than the rate. At most 10^12 (rate_milli is 1 or more), so a full bucket is at most 10^18 ahead. */
static int64_t interval_ns(const struct limit *l)
{
	return (1000 * 1000 * NS_PER_MS + l->rate_milli - 1) / l->rate_milli;
}

/* Between now (the bucket is full) and now + all of it (it is empty), whatever the limits were before. */
static int64_t full_at(const struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms)
{
	int64_t now = now_ms * NS_PER_MS, all = l->burst * interval_ns(l), at = g->full_at_ns;
	if (drained_at_ms && drained_at_ms * NS_PER_MS + all > at)
		at = drained_at_ms * NS_PER_MS + all;
	return at < now ? now : at > now + all ? now + all : at;
}

enum gate_state gate_look(
	struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms, int64_t *opens_at_ms)
{
	if (l->concurrency && g->places >= l->concurrency)
		return GATE_CONCURRENCY;
	if (!l->rate_milli)
		return GATE_OPEN;
	g->full_at_ns = full_at(g, l, now_ms, drained_at_ms);
	int64_t token_at = g->full_at_ns - (l->burst - 1) * interval_ns(l);
	if (token_at <= now_ms * NS_PER_MS)
		return GATE_OPEN;
	*opens_at_ms = (token_at + NS_PER_MS - 1) / NS_PER_MS;
	return GATE_RATE;
}

void gate_spend(struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms)
{
	if (l->rate_milli)
		g->full_at_ns = full_at(g, l, now_ms, drained_at_ms) + interval_ns(l);
}

int64_t gate_full_at_ms(const struct gate *g)
{
	return (g->full_at_ns + NS_PER_MS - 1) / NS_PER_MS;
}
