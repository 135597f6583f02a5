#include "loop/lag.h"

static unsigned bucket_of(uint64_t us)
{
	if (us < 8)
		return (unsigned)us;
	unsigned power = 63u - (unsigned)__builtin_clzll(us); /* 3 or more */
	unsigned bucket = (power - 2) * 8 + (unsigned)(us >> (power - 3) & 7);
	return bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1;
}

static uint64_t upper_end(unsigned bucket)
{
	if (bucket < 8)
		return bucket;
	unsigned shift = bucket / 8 - 1;
	return ((8ULL + bucket % 8 + 1) << shift) - 1;
}

void lag_add(struct lag *l, uint64_t us)
{
	l->counts[bucket_of(us)]++;
	l->n++;
	if (us > l->max_us)
		l->max_us = us;
}

uint64_t lag_quantile(const struct lag *l, double q)
{
	uint64_t seen = 0, want = (uint64_t)(q * (double)l->n);
	for (unsigned i = 0; i < LAG_BUCKETS; i++) {
		seen += l->counts[i];
		if (seen > want)
			return upper_end(i) < l->max_us ? upper_end(i) : l->max_us;
	}
	return l->max_us;
}
