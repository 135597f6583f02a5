/* All of the file goes into <data_dir>/restoring/, a store and blobs of its own. When it is whole and good these take the place of
 * what is there. A restore that is interrupted in the middle of that leaves a mark behind, with which no engine starts. */
#include "upkeep/backup.h"

#include "base/mem.h"
#include "os/durable.h"
#include "os/path.h"
#include "store/batch.h"
#include "store/lockfile.h"
#include "upkeep/files.h"
#include "upkeep/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RESTORING "restoring"
#define MARK	  "restore-unfinished"

struct restore {
	const struct restore_options *o;
	struct restored *n;
	struct archive *archive;
	char place[PATH_MAX - 128], mark[PATH_MAX]; /* data_dir is shorter: see wiring.c */
	bool made; /* the place */
	int lock;
	uint64_t total;
	struct store *store;
	struct blobs *blobs;
	bool ended; /* end.json was read */
};

static enum errcode bad_file(const struct restore *r, struct err *e, const char *why)
{
	return err_set(e, E_INVALID, "%s: %s", r->o->file, why);
}

/* ── entries ── */

static enum errcode read_whole(struct restore *r, struct buf *out, size_t max, struct err *e)
{
	const void *data;
	size_t size;
	la_int64_t at;
	int rc;
	while ((rc = archive_read_data_block(r->archive, &data, &size, &at)) == ARCHIVE_OK) {
		if (out->size + size > max)
			return bad_file(r, e, "an entry is larger than any that reeve writes");
		buf_add(out, data, size);
	}
	return rc == ARCHIVE_EOF ? E_OK : bad_file(r, e, archive_error_string(r->archive));
}

static enum errcode read_json(struct restore *r, json_t **out, struct err *e)
{
	scoped(buf_fini) struct buf text = {0};
	enum errcode code = read_whole(r, &text, 1 << 16, e);
	if (code)
		return code;
	*out = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
	return *out ? E_OK : bad_file(r, e, "is no backup of reeve");
}

/* Later than any epoch that a daemon on this data could have reached since: each start raises it by one. */
static uint64_t next_epoch(uint64_t epoch)
{
	uint64_t seconds = (uint64_t)time(NULL);
	return epoch + 1 > seconds ? epoch + 1 : seconds;
}

static enum errcode read_begin(struct restore *r, struct err *e)
{
	json_t *j;
	enum errcode code = read_json(r, &j, e);
	if (code)
		return code;
	json_int_t format = json_integer_value(json_object_get(j, "format"));
	const char *at = json_string_value(json_object_get(j, "created_at"));
	const char *node = json_string_value(json_object_get(j, "node"));
	snprintf(r->n->created_at, sizeof r->n->created_at, "%s", at ? at : "?");
	snprintf(r->n->node, sizeof r->n->node, "%s", node ? node : "?");
	r->n->epoch = next_epoch((uint64_t)json_integer_value(json_object_get(j, "epoch")));
	json_decref(j);
	if (format < 1)
		return bad_file(r, e, "is no backup of reeve");
	if (format > BACKUP_FORMAT)
		return err_set(e, E_STATE, "%s: is of format %lld, this version reads up to %d; use a newer reeve", r->o->file,
			(long long)format, BACKUP_FORMAT);
	return E_OK;
}

static enum errcode read_end(struct restore *r, struct err *e)
{
	json_t *j;
	enum errcode code = read_json(r, &j, e);
	if (code)
		return code;
	bool same = (uint64_t)json_integer_value(json_object_get(j, "rows")) == r->n->rows &&
				(uint64_t)json_integer_value(json_object_get(j, "blobs")) == r->n->blobs + r->n->damaged;
	json_decref(j);
	r->ended = true;
	return same ? E_OK : bad_file(r, e, "rows or blobs are missing in it");
}

static void committed(void *context, enum errcode code)
{
	*(enum errcode *)context = code;
}

/* One batch, made durable. Claims are of holders that are void. */
static enum errcode put_rows(struct restore *r, struct bytes chunk, struct err *e)
{
	struct store_row row;
	struct store_batch *b = store_batch_new();
	enum errcode code = E_INTERNAL;
	size_t at = 0;
	while (pack_next(chunk, &at, &row) && row.table != STORE_TABLES) {
		r->n->rows++;
		if (row.table != STORE_CLAIM)
			store_batch_put(b, row.table, row.key, row.head, row.body);
	}
	if (at != chunk.size) {
		store_batch_free(b);
		return err_set(e, E_STATE, "%s: has rows that this version does not know; use a newer reeve", r->o->file);
	}
	store_commit(r->store, b, committed, &code);
	store_flush(r->store);
	return code ? err_set(e, code, "%s: rows could not be written (%s)", r->place, err_word(code)) : E_OK;
}

static enum errcode read_rows(struct restore *r, const char *name, struct err *e)
{
	scoped(buf_fini) struct buf chunk = {0};
	char hex[PACK_HEX_SIZE];
	const char *dash = strchr(name, '-');
	enum errcode code = read_whole(r, &chunk, PACK_CHUNK_MAX, e);
	if (code)
		return code;
	pack_sha256(buf_bytes(&chunk), hex);
	if (!dash || strcmp(dash + 1, hex) != 0)
		return bad_file(r, e, "is damaged: rows have another SHA-256 than when they were written");
	return put_rows(r, buf_bytes(&chunk), e);
}

static enum errcode copy_blob(struct restore *r, struct blob_writer *w, struct err *e)
{
	const void *data;
	size_t size;
	la_int64_t at;
	int rc;
	while ((rc = archive_read_data_block(r->archive, &data, &size, &at)) == ARCHIVE_OK) {
		enum errcode code = blob_writer_add(w, data, size, e);
		if (code)
			return code;
	}
	return rc == ARCHIVE_EOF ? E_OK : bad_file(r, e, archive_error_string(r->archive));
}

/* One that was damaged when it was copied is left out: all else is worth having. */
static enum errcode read_blob(struct restore *r, const char *hex, struct err *e)
{
	struct blob_writer *w;
	char wanted[BLOB_NAME_SIZE], name[BLOB_NAME_SIZE];
	snprintf(wanted, sizeof wanted, "sha256:%.64s", hex);
	if (!blob_name_valid(wanted, strlen(wanted)))
		return bad_file(r, e, "is no backup of reeve");
	enum errcode code = blob_writer_open(r->blobs, &w, e);
	if (code)
		return code;
	code = copy_blob(r, w, e);
	if (code) {
		blob_writer_abort(w);
		return code;
	}
	code = blob_writer_close(w, name, NULL, e); /* under its true name, at worst: what nothing names is collected */
	if (code)
		return code;
	if (strcmp(name, wanted) == 0)
		r->n->blobs++;
	else if (r->n->damaged++ == 0)
		memcpy(r->n->damaged_name, wanted, sizeof wanted);
	return E_OK;
}

static enum errcode read_entry(struct restore *r, const char *name, struct err *e)
{
	if (strncmp(name, "rows/", 5) == 0)
		return read_rows(r, name, e);
	if (strncmp(name, "blobs/", 6) == 0)
		return read_blob(r, name + 6, e);
	if (strcmp(name, "end.json") == 0)
		return read_end(r, e);
	return bad_file(r, e, "is no backup of reeve");
}

static enum errcode next_name(struct restore *r, const char **name, struct err *e)
{
	struct archive_entry *entry;
	int rc = archive_read_next_header(r->archive, &entry);
	if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
		return bad_file(r, e, archive_error_string(r->archive));
	*name = rc == ARCHIVE_OK ? archive_entry_pathname(entry) : NULL;
	if (r->o->progress)
		r->o->progress(r->o->context, (uint64_t)archive_filter_bytes(r->archive, -1), r->total);
	return E_OK;
}

static enum errcode read_entries(struct restore *r, struct err *e)
{
	const char *name;
	enum errcode code;
	while (!(code = next_name(r, &name, e)) && name && !code)
		if ((code = read_entry(r, name, e)))
			break;
	if (!code && !r->ended)
		code = bad_file(r, e, "is not whole: its end is missing");
	return code;
}

/* ── the file and the directory ── */

static enum errcode open_file(struct restore *r, struct err *e)
{
	struct stat st;
	const char *file = strcmp(r->o->file, "-") == 0 ? NULL : r->o->file, *name;
	r->total = file && stat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
	r->archive = archive_read_new();
	archive_read_support_filter_all(r->archive); /* zstd, gzip: what a person made of it */
	archive_read_support_format_tar(r->archive);
	if (archive_read_open_filename(r->archive, file, 1 << 16) != ARCHIVE_OK)
		return err_set(e, archive_errno(r->archive) == ENOENT ? E_NOT_FOUND : E_INVALID, "%s: %s", r->o->file,
			archive_error_string(r->archive));
	enum errcode code = next_name(r, &name, e);
	if (!code && (!name || strcmp(name, "backup.json") != 0))
		return bad_file(r, e, "is no backup of reeve");
	return code ? code : read_begin(r, e);
}

static enum errcode check_directory(const struct restore *r, struct err *e)
{
	char store[PATH_MAX], blobs[PATH_MAX];
	if (r->o->force || access(r->mark, F_OK) == 0)
		return E_OK; /* the one that was interrupted had leave */
	snprintf(store, sizeof store, "%s/reeve.db", r->o->data_dir);
	snprintf(blobs, sizeof blobs, "%s/blobs", r->o->data_dir);
	if (access(store, F_OK) == 0 || files_any(blobs, "tmp"))
		return err_set(e, E_CONFLICT, "%s: has a store already; --force puts the backup in its place", r->o->data_dir);
	return E_OK;
}

static enum errcode open_place(struct restore *r, struct err *e)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/lock", r->o->data_dir);
	snprintf(r->place, sizeof r->place, "%s/" RESTORING, r->o->data_dir);
	snprintf(r->mark, sizeof r->mark, "%s/" MARK, r->o->data_dir);
	enum errcode code = path_make_directory(r->o->data_dir, 0700, e);
	if (!code)
		code = lockfile_take(path, &r->lock, e);
	if (!code)
		code = check_directory(r, e);
	if (!code)
		code = files_remove(r->place, e);
	if (!code)
		code = path_make_directory(r->place, 0700, e);
	r->made = !code;
	snprintf(path, sizeof path, "%s/blobs", r->place);
	if (!code)
		code = blobs_open(path, UINT64_MAX, &r->blobs, e);
	if (!code)
		code = store_sqlite_open_at(r->place, r->n->epoch, &r->store, e);
	return code;
}

static enum errcode move(const struct restore *r, const char *name, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	snprintf(from, sizeof from, "%s/%s", r->place, name);
	snprintf(to, sizeof to, "%s/%s", r->o->data_dir, name);
	enum errcode code = files_remove(to, e);
	if (!code && rename(from, to) != 0)
		code = err_errno(e, errno, "renaming %s to %s", from, to);
	return code ? code : durable_sync_directory(NULL, to, e);
}

/* What is beside the store's file. Where the disk had no room for it in there, rows are in these files alone: they come along. */
static enum errcode move_beside(const struct restore *r, const char *name, struct err *e)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", r->place, name);
	if (access(path, F_OK) == 0)
		return move(r, name, e);
	snprintf(path, sizeof path, "%s/%s", r->o->data_dir, name);
	return files_remove(path, e);
}

static enum errcode take_place(struct restore *r, struct err *e)
{
	static const char *const beside[] = {"reeve.db-wal", "reeve.db-shm", "reeve.commits"};
	enum errcode code = durable_write(NULL, r->mark, (struct bytes){0}, 0600, e);
	for (size_t i = 0; !code && i < ARRAY_SIZE(beside); i++)
		code = move_beside(r, beside[i], e);
	if (!code)
		code = move(r, "reeve.db", e);
	if (!code)
		code = move(r, "blobs", e);
	return code ? code : files_remove(r->mark, e);
}

static void close_all(struct restore *r)
{
	store_close(r->store);
	blobs_close(r->blobs);
	r->store = NULL;
	r->blobs = NULL;
}

enum errcode restore_run(const struct restore_options *o, struct restored *out, struct err *e)
{
	struct restore r = {.o = o, .n = out, .lock = -1};
	*out = (struct restored){0};
	enum errcode code = open_file(&r, e);
	if (!code)
		code = open_place(&r, e);
	if (!code)
		code = read_entries(&r, e);
	close_all(&r);
	if (!code)
		code = take_place(&r, e);
	if (r.made)
		files_remove(r.place, NULL);
	archive_read_free(r.archive);
	mem_close_at(&r.lock);
	return code;
}

enum errcode restore_check_finished(const char *data_dir, struct err *e)
{
	char mark[PATH_MAX];
	snprintf(mark, sizeof mark, "%s/" MARK, data_dir);
	if (access(mark, F_OK) != 0)
		return E_OK;
	return err_set(e, E_INVALID, "%s: a restore was begun and not finished; run `reeve restore` again", data_dir);
}
