/* Cron expressions from arbitrary bytes: refused with a sentence or taken, never a crash; what was taken has a next time, which
 * is not before the time that was asked for and is its own next time. Durations beside them, since `every` is one. */
#include "base/units.h"
#include "schedule/timing.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_cron(struct bytes text)
{
	static const int64_t from[] = {0, 1774746000, 1792893600, 4102444800}; /* near changes of the clocks in Berlin */
	struct timing t = {0};
	struct err e = {0};
	if (cron_parse(text, &t.cron, &e) != E_OK) {
		if (e.code != E_INVALID || !e.text[0])
			abort();
		return;
	}
	if (zone_find(bytes_of("Europe/Berlin"), &t.zone, NULL))
		abort();
	for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
		int64_t local = cron_next(&t.cron, from[i]), at = timing_next(&t, from[i] * 1000);
		if (local < from[i] || local == CRON_NEVER || cron_next(&t.cron, local) != local)
			abort();
		if (at <= from[i] * 1000 || (at != TIMING_NEVER && timing_next(&t, at - 1) != at))
			abort();
	}
}

static void check_duration(struct bytes text)
{
	char again[UNITS_TEXT_SIZE];
	int64_t ms, twice;
	if (units_duration(text, &ms, NULL) != E_OK)
		return;
	units_format_duration(ms, again);
	if (ms < 0 || ms > UNITS_DURATION_MAX_MS || units_duration(bytes_of(again), &twice, NULL) || twice != ms)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes text = {(const char *)data, size};
	check_cron(text);
	check_duration(text);
	return 0;
}
