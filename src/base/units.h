/* units.h - durations and sizes as people write them: `250ms 5s 2m 1h30m 3d`, `64KiB 100MB 2GiB`. Pure.
 *
 * A unit is required (`30` may be meant as anything), except for 0. Decimals are allowed (`1.5s`); what is finer than a
 * millisecond or a byte is refused. KB, MB, GB, TB are powers of 1000, KiB ... of 1024; k and K are the same. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define UNITS_TEXT_SIZE		  32
#define UNITS_DURATION_MAX_MS (100LL * 365 * 24 * 3600 * 1000)

/* E_INVALID: the sentence quotes the value and says what would be right. */
enum errcode units_duration(struct bytes text, int64_t *ms, struct err *e);
enum errcode units_size(struct bytes text, uint64_t *bytes, struct err *e);

/* Such that the parser gives the same number back: "1h30m", "250ms", "0s"; "64KiB", "100MB", "17B". */
void units_format_duration(int64_t ms, char out[UNITS_TEXT_SIZE]);
void units_format_size(uint64_t bytes, char out[UNITS_TEXT_SIZE]);
