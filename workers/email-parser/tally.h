/* tally.h - how often each name occurred, in bounded memory whatever the input: a mailbox of a million senders must not make
 * a checkpoint of a million lines.
 *
 * Exact while there are at most TALLY_MAX names. Beyond, the least frequent name gives its place, and its count, to the new
 * one ("space saving": Metwally, Agrawal, El Abbadi 2005): a count is then too high by at most the smallest count, a frequent
 * name is never missed, and `approximate` says so. The same names in the same order always give the same table, and the
 * table, written out and read back in the order of its entries, goes on exactly as it would have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_MAX	   4096
#define TALLY_NAME_MAX 128 /* longer names are cut */

struct tally_entry {
	char *name;
	uint64_t count;
};

struct tally {
	struct tally_entry *entries; /* in the order in which they came */
	size_t n;
	bool approximate;
	void *index; /* name to place */
};

void tally_init(struct tally *t);
void tally_fini(struct tally *t);
void tally_add(struct tally *t, const char *name, uint64_t count);

enum tally_order { TALLY_BY_COUNT /* largest first, then by name */, TALLY_BY_NAME };

/* Pointers to the first `most` entries in that order, NULL last; free() it. NULL: no memory. */
const struct tally_entry **tally_sorted(const struct tally *t, enum tally_order order, size_t most);
