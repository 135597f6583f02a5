/* id.h - ids of jobs and runs: 63 bits, time-ordered, shown as 13 characters of Crockford's base32 in lower case.
 *
 *   41 bits milliseconds since 2020-01-01 | 10 bits node | 12 bits counter
 *
 * They are SQLite's rowid and PostgreSQL's bigint. An id_source never goes back when the clock does. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ID_TEXT_SIZE 14 /* with the NUL */

struct id_source {
	uint64_t last; /* greatest id given; set it from the store when opening */
	uint32_t node; /* 0-1023 */
};

uint64_t id_next(struct id_source *source, int64_t now_ms);
int64_t id_time_ms(uint64_t id); /* Unix milliseconds of its making */
void id_format(uint64_t id, char text[ID_TEXT_SIZE]);
int id_parse(
	const char *text, size_t size, uint64_t *id); /* 0, or -1: not an id (upper case and I L O are understood) */
