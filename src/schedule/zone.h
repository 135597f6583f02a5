/* zone.h - a time zone as a table: which offset from UTC holds when. From the IANA data of the system, read by GLib.
 *
 * A zone is read once, on the first zone_find of its name (which blocks: not on the loop thread), and kept for the life of
 * the process; what changes in the system's data counts from the next start. Any thread. From 1970 to 2200; before and after,
 * the nearest offset goes on. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

struct zone;

/* "Europe/Berlin"; "UTC" is there without any data. E_NOT_FOUND: no such zone. */
enum errcode zone_find(struct bytes name, const struct zone **out, struct err *e);

struct zone_span { /* seconds */
	int64_t from, until; /* the offset holds from `from` to before `until` */
	int offset; /* east of UTC */
	int before; /* the offset that held before `from` */
};
void zone_span_at(const struct zone *z, int64_t at, struct zone_span *out);
