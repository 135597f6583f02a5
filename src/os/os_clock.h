/* os_clock.h - what time it is: Unix milliseconds that never go back, and microseconds since boot. Any thread. */
#pragma once
#include <stdint.h>

/* Unix time in milliseconds. Within one process it never goes back: when the system's clock is set back, it stands still until
 * that clock has caught up (job ids and deadlines are made of it). */
int64_t os_clock_ms(void);

/* Microseconds of CLOCK_MONOTONIC: for durations, never for dates. */
int64_t os_clock_monotonic_us(void);
