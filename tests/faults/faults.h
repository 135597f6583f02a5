/* faults.h - what a test orders of faults.so, in a file that both have mapped. All are 64 bit, so that any language can.
 *
 * The counts go on over the death of a process: they are of all processes of that program. An order is done once, at the
 * operation that its number names, and 0 is none. */
#pragma once
#include <stdint.h>

enum fault_program { FAULTS_ENGINE, FAULTS_WORKER, FAULT_PROGRAMS };

struct faults {
	/* counted */
	uint64_t writes; /* to files and sockets, truncations, fsyncs: whatever somebody outside can see */
	uint64_t file_writes; /* of them those that may find the disk full */
	uint64_t syncs; /* fsync, fdatasync */
	uint64_t allocations;
	uint64_t hits; /* orders that were done; a full disk: refused writes */
	uint64_t killed; /* the process that died last by an order */
	/* ordered */
	uint64_t kill_at; /* SIGKILL instead of this write */
	uint64_t kill_after; /* SIGKILL when this write is done */
	uint64_t full_from, full_until; /* ENOSPC for file writes of these numbers; until: not included */
	uint64_t sync_fails_at; /* EIO */
	uint64_t no_memory_from, no_memory_until; /* NULL for allocations of these numbers */
};
