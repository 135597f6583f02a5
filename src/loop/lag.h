/* lag.h - a small histogram of microseconds: eight buckets to a power of two, so a quantile is right to within an eighth. */
#pragma once
#include <stdint.h>

#define LAG_BUCKETS 256

struct lag {
	uint64_t counts[LAG_BUCKETS], n, max_us;
};

void lag_add(struct lag *l, uint64_t us);
uint64_t lag_quantile(
	const struct lag *l, double q); /* the upper end of its bucket, at most the greatest seen; 0 when empty */
