/* backup.h - everything that is durable as one file, while the daemon works; and back.
 *
 * The file is a tar archive (pax), so that anyone can look into it:
 *
 *   backup.json                 {"format":1,"epoch":N,"node":"...","created_at":"..."}: first
 *   rows/000001-<sha256>        rows, about 1 MiB of them; the SHA-256 is that of the entry
 *   blobs/<64 hex>              each blob
 *   end.json                    {"rows":N,"blobs":N}: last; a file without it is not whole
 *
 * A row: u8 and the table's name, u64 id, u64 sub, u32 and text, u32 and head, u32 and body; numbers are little endian. So a backup
 * can be restored into any store that keeps the contract of store.h.
 *
 * Consistent: rows are read from one snapshot, and a blob is there before any row names it. Blobs must not be collected from before
 * backup_new until backup_free. Everything here blocks: pool or main thread, one at a time. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "blob/blob.h"
#include "store/store.h"

enum { BACKUP_FORMAT = 1 };

struct backup;

enum errcode backup_new(struct store *store, struct blobs *blobs, const char *node, struct backup **out,
	struct err *e); /* takes the snapshot */
/* Appends what comes next, about 1 MiB. *over: that was the end. */
enum errcode backup_read(struct backup *b, struct buf *out, bool *over, struct err *e);
void backup_free(struct backup *b); /* NULL is fine */

/* ── restore ── */

struct restore_options {
	const char *file; /* "-": stdin */
	const char *data_dir;
	bool force; /* replace what is there */
	void (*progress)(
		void *context, uint64_t done, uint64_t total); /* bytes of the file; may be NULL; total 0: unknown */
	void *context;
};

struct restored {
	uint64_t rows, blobs, epoch;
	uint64_t damaged; /* blobs that were left out, for their content is not what their name says */
	char damaged_name[BLOB_NAME_SIZE]; /* of the first */
	char created_at[40], node[64];
};

/* Into a data directory that no daemon uses: E_CONFLICT names its pid, or what is there already without `force`. Nothing is changed
 * until all of the file was read and found good: E_INVALID (not whole, damaged rows), E_STATE (of a newer format). The epoch is
 * greater than any that a daemon had before, so whoever holds a job of then is refused; claims are left out for the same reason. */
enum errcode restore_run(const struct restore_options *o, struct restored *out, struct err *e);
/* E_INVALID: a restore into this directory was begun and not finished. */
enum errcode restore_check_finished(const char *data_dir, struct err *e);
