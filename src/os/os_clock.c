#include "os/os_clock.h"

#include <stdbool.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t os_clock_ms(void)
{
	static int64_t last;
	int64_t now = read_us(CLOCK_REALTIME) / 1000;
	int64_t seen = __atomic_load_n(&last, __ATOMIC_RELAXED);
	while (seen < now)
		if (__atomic_compare_exchange_n(&last, &seen, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return now;
	return seen;
}

int64_t os_clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}
