/* commit_log.h - the file that commits are written to first: one write and one fsync each, wherever their rows belong.
 *
 *   block 0      "RVCOMMIT" | epoch (8)                 who may write; not needed to read
 *   the ring     records, each from the beginning of a block of 4 KiB, zeros after its end
 *   record       magic (8) | checksum (8) | sequence (8) | payload size (8) | payload
 *
 * Numbers are little-endian. The payload is the operations of the commit's batches (batch.h). Sequences grow by one. A position
 * is a number of bytes that only grows; the place in the ring is its remainder. A record lies in one piece: what does not fit
 * before the end of the ring begins at its start. The checksum covers sequence, size and payload, and begins with the log's id:
 * a file that belongs to other rows has no records here.
 *
 * The file has its size before it is used, so that an fsync writes no metadata, and a block is never written again while it is
 * needed: a torn write harms nothing that was acknowledged. Whoever keeps the rows (SQLite) remembers sequence and position up to
 * which it has them; commit_log_recover reads what comes after. The first record that is not whole is the end: the one before
 * was synced before it was begun. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_BLOCK = 4096 };

struct commit_log { /* zero-initialised is closed */
	sqlite3_file *file; /* through SQLite's layer of files: the tests' power cuts reach it there */
	uint64_t size; /* of the ring */
	uint64_t position, sequence; /* behind the last record; its number */
	uint64_t epoch, id;
	bool unsynced; /* for the test that must find losses then */
	struct buf record; /* what is gathered for the next one */
};

/* Makes the file when it is missing. E_IO. */
enum errcode commit_log_open(struct commit_log *l, const char *vfs, const char *path, struct err *e);
void commit_log_close(struct commit_log *l);

/* Reads what was written after `sequence`, which ended at `position`; the next record goes behind it. Stops at a visitor's
 * error. */
enum errcode commit_log_recover(struct commit_log *l, uint64_t id, uint64_t sequence, uint64_t position,
	enum errcode (*visit)(void *context, struct bytes payload), void *context);
/* From now on only this epoch may write. */
enum errcode commit_log_own(struct commit_log *l, uint64_t epoch);

void commit_log_add(struct commit_log *l, const void *data, size_t size); /* to the next record */
void commit_log_drop(struct commit_log *l); /* what was added */
/* Is there room, when everything before `released` may be overwritten? */
bool commit_log_fits(const struct commit_log *l, uint64_t released);
/* Where all that was written is released: makes the ring at least so large, or as the next record needs it. E_NO_SPACE: it stays
 * as it is. */
enum errcode commit_log_reserve(struct commit_log *l, uint64_t bytes);
enum errcode commit_log_grow(struct commit_log *l);
/* The record is on disk. E_NO_SPACE: nothing of it is kept; E_FENCE: of an older epoch; E_IO: nobody knows. */
enum errcode commit_log_write(struct commit_log *l);
