/* ballast.h - space that is taken before it is needed: what was acknowledged must have room in SQLite when the disk is full.
 *
 * A commit is durable in its log, whose space is there. Its rows reach SQLite later. If the disk is full then, the ballast goes
 * overboard, and there is room for them; but nothing new is taken until there is a ballast again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct ballast { /* zero-initialised is closed */
	char path[1040];
	uint64_t bytes;
	int fd; /* 0: closed */
	bool held;
};

void ballast_open(struct ballast *b, const char *path, uint64_t bytes); /* held, if there is room */
void ballast_close(struct ballast *b); /* the file stays: the space is ours over a restart, too */
bool ballast_drop(struct ballast *b); /* false: it was gone already */
bool ballast_take(struct ballast *b); /* is it held? */
