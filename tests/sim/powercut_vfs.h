/* powercut_vfs.h - a SQLite VFS named "powercut" over the default one that knows what of each file would survive a power cut.
 *
 * It keeps, per file, the content as of its last fsync and every write and truncation since. A cut leaves the former, and of
 * the latter whatever the drive had come to: nothing, all, the first few with the last one torn, or any of them. It also fails
 * the n-th write, fsync or truncation on demand, and reads. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum cut { CUT_DROP_ALL, CUT_KEEP_ALL, CUT_TEAR, CUT_REORDER, CUTS };
enum fault { FAULT_NONE, FAULT_NO_SPACE, FAULT_IO };

void powercut_register(void); /* and forgets all files */
void powercut_forget(void);
/* Called before each write and each fsync. */
void powercut_watch(void (*changing)(void *context), void *context);
uint64_t powercut_operations(void); /* writes, fsyncs, truncations so far */
void powercut_fail(
	uint64_t operation, unsigned times, enum fault fault); /* the operation of that number, and those after it */
void powercut_fail_reads(bool fail); /* from now on */
/* Writes what each file would hold after a cut now into `directory`, by the files' base names. `seed`: of TEAR and REORDER. */
void powercut_leave(const char *directory, enum cut cut, uint64_t seed);
