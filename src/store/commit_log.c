#include "store/commit_log.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct header {
	uint64_t magic, checksum, sequence, size;
};

struct owner { /* block 0 */
	uint64_t magic, epoch;
};

#define MAGIC 0x54494d4d4f435652ULL /* "RVCOMMIT" */

enum { CHUNK = 64 << 10 }; /* SQLite's files take less than 128 KiB at a time */

/* ── bytes ── */

/* 64 bits, eight bytes at a step: every bit of a word reaches every later one. */
static uint64_t checksum(uint64_t id, uint64_t sequence, struct bytes payload)
{
	uint64_t h = (id ^ sequence) * 0x9e3779b97f4a7c15ULL ^ payload.size, word;
	size_t at = 0;
	for (; at + sizeof word <= payload.size; at += sizeof word) {
		memcpy(&word, payload.data + at, sizeof word);
		h = (h ^ word) * 0xd6e8feb86659fd93ULL;
		h ^= h >> 32;
	}
	word = 0;
	if (at < payload.size)
		memcpy(&word, payload.data + at, payload.size - at);
	h = (h ^ word) * 0xd6e8feb86659fd93ULL;
	return h ^ h >> 32;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static enum errcode code_of(int rc)
{
	bool no_space = (rc & 0xff) == SQLITE_FULL || (rc == SQLITE_IOERR_WRITE && (errno == ENOSPC || errno == EDQUOT));
	return rc == SQLITE_OK ? E_OK : no_space ? E_NO_SPACE : E_IO;
}

static enum errcode write_at(struct commit_log *l, const char *data, size_t size, uint64_t offset)
{
	int rc = SQLITE_OK;
	for (size_t at = 0; rc == SQLITE_OK && at < size; at += CHUNK)
		rc = l->file->pMethods->xWrite(
			l->file, data + at, (int)(size - at < CHUNK ? size - at : CHUNK), (sqlite3_int64)(offset + at));
	return code_of(rc);
}

/* After a failed fsync nobody knows what is on the disk. */
static enum errcode sync_file(struct commit_log *l)
{
	if (l->unsynced)
		return E_OK;
	return l->file->pMethods->xSync(l->file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY) == SQLITE_OK ? E_OK : E_IO;
}

static bool read_at(struct commit_log *l, char *data, size_t size, uint64_t offset)
{
	int rc = SQLITE_OK;
	for (size_t at = 0; rc == SQLITE_OK && at < size; at += CHUNK)
		rc = l->file->pMethods->xRead(
			l->file, data + at, (int)(size - at < CHUNK ? size - at : CHUNK), (sqlite3_int64)(offset + at));
	return rc == SQLITE_OK;
}

static uint64_t place_of(const struct commit_log *l, uint64_t position)
{
	return LOG_BLOCK + position % l->size;
}

/* ── open, grow ── */

/* Block by block: written in large pieces the kernel keeps the file in large pieces, and takes each of them for changed when a
 * block of it is. */
static enum errcode extend(struct commit_log *l, uint64_t from, uint64_t to)
{
	static const char zeros[LOG_BLOCK];
	enum errcode code = E_OK;
	for (uint64_t at = from; !code && at < to; at += LOG_BLOCK)
		code = write_at(l, zeros, LOG_BLOCK, at);
	return code ? code : sync_file(l);
}

enum errcode commit_log_open(struct commit_log *l, const char *vfs, const char *path, struct err *e)
{
	sqlite3_vfs *v = sqlite3_vfs_find(vfs);
	sqlite3_int64 size = 0;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
	bool unsynced = l->unsynced;
	*l = (struct commit_log){.file = mem_new((size_t)v->szOsFile), .unsynced = unsynced};
	if (v->xOpen(v, path, l->file, flags, &flags) != SQLITE_OK ||
		l->file->pMethods->xFileSize(l->file, &size) != SQLITE_OK)
		return err_set(e, E_IO, "%s: cannot be opened", path);
	if (size >= 2 * LOG_BLOCK)
		l->size = ((uint64_t)size / LOG_BLOCK - 1) * LOG_BLOCK;
	return E_OK;
}

enum errcode commit_log_reserve(struct commit_log *l, uint64_t bytes)
{
	if (bytes <= l->size)
		return E_OK;
	enum errcode code = extend(l, l->size + LOG_BLOCK, bytes + LOG_BLOCK);
	if (code) {
		l->file->pMethods->xTruncate(l->file, (sqlite3_int64)(l->size + LOG_BLOCK));
		return code;
	}
	l->size = bytes;
	l->position = round_up(l->position, bytes); /* where recovery looks when nothing is at the old place */
	return E_OK;
}

void commit_log_close(struct commit_log *l)
{
	if (l->file && l->file->pMethods)
		l->file->pMethods->xClose(l->file);
	free(l->file);
	buf_fini(&l->record);
	*l = (struct commit_log){0};
}

enum errcode commit_log_own(struct commit_log *l, uint64_t epoch)
{
	struct owner o = {MAGIC, epoch};
	enum errcode code = write_at(l, (const char *)&o, sizeof o, 0);
	if (!code)
		l->epoch = epoch;
	return code ? code : sync_file(l);
}

/* ── reading ── */

/* The record of that sequence at that position, if it is there and whole. */
static bool read_record(struct commit_log *l, uint64_t sequence, uint64_t position, struct buf *payload)
{
	struct header h;
	uint64_t left = l->size - position % l->size;
	if (!read_at(l, (char *)&h, sizeof h, place_of(l, position)) || h.magic != MAGIC || h.sequence != sequence ||
		h.size > left - sizeof h)
		return false;
	buf_clear(payload);
	buf_reserve(payload, h.size);
	payload->size = h.size;
	return read_at(l, payload->data, h.size, place_of(l, position) + sizeof h) &&
		   checksum(l->id, h.sequence, buf_bytes(payload)) == h.checksum;
}

enum errcode commit_log_recover(struct commit_log *l, uint64_t id, uint64_t sequence, uint64_t position,
	enum errcode (*visit)(void *context, struct bytes payload), void *context)
{
	scoped(buf_fini) struct buf payload = {0};
	enum errcode code = E_OK;
	l->id = id;
	position = round_up(position, LOG_BLOCK);
	while (!code && l->size) {
		uint64_t at = position, again = round_up(position, l->size);
		if (!read_record(l, sequence + 1, at, &payload) && !read_record(l, sequence + 1, at = again, &payload))
			break;
		code = visit(context, buf_bytes(&payload));
		sequence++;
		position = at + round_up(sizeof(struct header) + payload.size, LOG_BLOCK);
	}
	l->sequence = sequence;
	l->position = position;
	return code;
}

/* ── writing ── */

void commit_log_drop(struct commit_log *l)
{
	buf_clear(&l->record);
}

void commit_log_add(struct commit_log *l, const void *data, size_t size)
{
	if (!l->record.size) {
		memset(buf_reserve(&l->record, sizeof(struct header)), 0, sizeof(struct header));
		l->record.size = sizeof(struct header);
	}
	buf_add(&l->record, data, size);
}

static uint64_t record_bytes(const struct commit_log *l)
{
	return round_up(l->record.size, LOG_BLOCK);
}

/* Where the record begins. */
static uint64_t next_position(const struct commit_log *l)
{
	uint64_t left = l->size - l->position % l->size;
	return record_bytes(l) <= left ? l->position : l->position + left;
}

bool commit_log_fits(const struct commit_log *l, uint64_t released)
{
	return record_bytes(l) <= l->size && next_position(l) + record_bytes(l) - released <= l->size;
}

enum errcode commit_log_grow(struct commit_log *l)
{
	return commit_log_reserve(l, record_bytes(l));
}

static enum errcode check_owner(struct commit_log *l)
{
	struct owner o;
	if (!read_at(l, (char *)&o, sizeof o, 0))
		return E_IO;
	return o.epoch == l->epoch ? E_OK : E_FENCE;
}

enum errcode commit_log_write(struct commit_log *l)
{
	size_t used = l->record.size, bytes = record_bytes(l);
	assert(used && bytes <= INT32_MAX);
	char *pad = buf_reserve(&l->record, bytes - used);
	memset(pad, 0, bytes - used);
	struct header h = {.magic = MAGIC, .sequence = l->sequence + 1, .size = used - sizeof h};
	h.checksum = checksum(l->id, h.sequence, (struct bytes){l->record.data + sizeof h, h.size});
	memcpy(l->record.data, &h, sizeof h);
	uint64_t at = next_position(l);
	enum errcode code = check_owner(l);
	if (!code)
		code = write_at(l, l->record.data, bytes, place_of(l, at));
	if (!code)
		code = sync_file(l);
	if (!code) {
		l->sequence++;
		l->position = at + bytes;
	}
	commit_log_drop(l);
	return code;
}
