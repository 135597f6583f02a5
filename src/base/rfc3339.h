/* rfc3339.h - points in time as text: "2026-11-22T03:45:00.125Z". Times are Unix milliseconds. Pure; years 1970-9999. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define RFC3339_SIZE 32

void rfc3339_format(
	int64_t ms, char out[RFC3339_SIZE]); /* UTC, always with milliseconds; outside the years: the nearest */
/* The same moment on a clock that far east of UTC: "2026-11-22T04:45:00.125+01:00". */
void rfc3339_format_at(int64_t ms, int offset_s, char out[RFC3339_SIZE]);
/* With any offset ("+02:00", "Z"), with or without a fraction (cut to milliseconds). A leap second is read as the next
 * second. E_INVALID quotes the value. */
enum errcode rfc3339_parse(struct bytes text, int64_t *ms, struct err *e);
