#include "upkeep/backup.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "upkeep/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 20, BLOBS_PAGE = 256 };

enum phase { BEGIN, ROWS, BLOBS, OVER };

struct backup {
	struct blobs *blobs;
	struct store_reader *snapshot;
	char node[64];
	time_t now;
	uint64_t epoch;
	enum phase phase;
	struct archive *archive;
	struct buf *out; /* of the call at hand */

	enum store_table table;
	struct store_key last; /* the row before; its text is in `text` */
	char text[512];
	bool begun, more; /* `last` says where; there are more rows */
	struct buf chunk;
	uint64_t rows, chunks, blob_n;

	struct blob_info page[BLOBS_PAGE];
	size_t page_n, page_at;
	int fd; /* of the blob under way, or -1 */
	uint64_t left;
};

static enum errcode failed(struct backup *b, struct err *e)
{
	return err_set(e, E_IO, "backup: %s", archive_error_string(b->archive));
}

static la_ssize_t take_bytes(struct archive *a, void *context, const void *data, size_t size)
{
	struct backup *b = context;
	buf_add(b->out, data, size);
	return (la_ssize_t)size;
}

static enum errcode open_archive(struct backup *b, struct err *e)
{
	b->archive = archive_write_new();
	if (archive_write_set_format_pax_restricted(b->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(b->archive, 0) != ARCHIVE_OK ||
		archive_write_open(b->archive, b, NULL, take_bytes, NULL) != ARCHIVE_OK)
		return failed(b, e);
	return E_OK;
}

/* ── entries ── */

static enum errcode begin_entry(struct backup *b, const char *name, uint64_t size, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_mtime(entry, b->now, 0);
	int rc = archive_write_header(b->archive, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? E_OK : failed(b, e);
}

static enum errcode add_data(struct backup *b, struct bytes data, struct err *e)
{
	return archive_write_data(b->archive, data.data, data.size) == (la_ssize_t)data.size ? E_OK : failed(b, e);
}

static enum errcode add_entry(struct backup *b, const char *name, struct bytes data, struct err *e)
{
	enum errcode code = begin_entry(b, name, data.size, e);
	return code ? code : add_data(b, data, e);
}

static enum errcode add_begin(struct backup *b, struct err *e)
{
	scoped(buf_fini) struct buf text = {0};
	char at[RFC3339_SIZE];
	rfc3339_format(b->now * 1000LL, at);
	buf_format(&text, "{\"format\":%d,\"epoch\":%" PRIu64 ",\"node\":", BACKUP_FORMAT, b->epoch);
	buf_json_string(&text, bytes_of(b->node));
	buf_format(&text, ",\"created_at\":\"%s\"}\n", at);
	return add_entry(b, "backup.json", buf_bytes(&text), e);
}

static enum errcode add_end(struct backup *b, struct err *e)
{
	char text[100];
	snprintf(text, sizeof text, "{\"rows\":%" PRIu64 ",\"blobs\":%" PRIu64 "}\n", b->rows, b->blob_n);
	enum errcode code = add_entry(b, "end.json", bytes_of(text), e);
	if (!code && archive_write_close(b->archive) != ARCHIVE_OK)
		code = failed(b, e);
	return code;
}

/* ── rows ── */

static bool same_key(const struct store_key *a, const struct store_key *b)
{
	return a->id == b->id && a->sub == b->sub && bytes_equal(a->text, b->text);
}

static bool take_row(void *context, const struct store_row *row)
{
	struct backup *b = context;
	if (b->begun && same_key(&row->key, &b->last))
		return true; /* ranges begin with the row that they are given */
	pack_add(&b->chunk, row);
	b->rows++;
	b->begun = true;
	memcpy(b->text, row->key.text.data ? row->key.text.data : "", row->key.text.size);
	b->last = (struct store_key){row->key.id, row->key.sub, {b->text, row->key.text.size}};
	b->more = b->chunk.size >= PACK_CHUNK;
	return !b->more;
}

static enum errcode add_rows(struct backup *b, struct err *e)
{
	struct store_range range = {.table = b->table, .from = b->last, .bodies = true};
	char name[100], hex[PACK_HEX_SIZE];
	b->more = false;
	enum errcode code = store_reader_scan(b->snapshot, &range, take_row, b, e);
	if (!code && b->chunk.size) {
		pack_sha256(buf_bytes(&b->chunk), hex);
		snprintf(name, sizeof name, "rows/%06" PRIu64 "-%s", ++b->chunks, hex);
		code = add_entry(b, name, buf_bytes(&b->chunk), e);
		buf_clear(&b->chunk);
	}
	if (code || b->more)
		return code;
	b->begun = false;
	b->last = (struct store_key){0};
	if (++b->table == STORE_TABLES)
		b->phase = BLOBS;
	return E_OK;
}

/* ── blobs ── */

static enum errcode next_page(struct backup *b, struct err *e)
{
	char after[BLOB_NAME_SIZE];
	bool first = b->page_n == 0;
	memcpy(after, first ? "" : b->page[b->page_n - 1].name, first ? 1 : BLOB_NAME_SIZE);
	b->page_at = 0;
	enum errcode code = blobs_list(b->blobs, first ? NULL : after, b->page, BLOBS_PAGE, &b->page_n, e);
	if (code || b->page_n)
		return code;
	b->phase = OVER;
	return add_end(b, e);
}

static enum errcode begin_blob(struct backup *b, struct err *e)
{
	char path[100];
	const char *name = b->page[b->page_at++].name;
	enum errcode code = blob_open(b->blobs, name, &b->fd, &b->left, e);
	if (code)
		return code;
	snprintf(path, sizeof path, "blobs/%s", strchr(name, ':') + 1);
	b->blob_n++;
	return begin_entry(b, path, b->left, e);
}

static enum errcode add_blob(struct backup *b, struct err *e)
{
	char piece[1 << 16];
	for (size_t n = 0; b->left && n < PIECE;) {
		ssize_t got = read(b->fd, piece, b->left < sizeof piece ? b->left : sizeof piece);
		if (got <= 0)
			return err_set(e, E_IO, "backup: a blob could not be read to its end");
		enum errcode code = add_data(b, (struct bytes){piece, (size_t)got}, e);
		if (code)
			return code;
		b->left -= (uint64_t)got;
		n += (size_t)got;
	}
	if (!b->left) {
		close(b->fd);
		b->fd = -1;
	}
	return E_OK;
}

static enum errcode add_blobs(struct backup *b, struct err *e)
{
	if (b->fd >= 0)
		return add_blob(b, e);
	return b->page_at < b->page_n ? begin_blob(b, e) : next_page(b, e);
}

/* ── the whole ── */

enum errcode backup_new(struct store *store, struct blobs *blobs, const char *node, struct backup **out, struct err *e)
{
	struct backup *b = NEW(struct backup);
	b->epoch = store->epoch;
	b->blobs = blobs;
	b->fd = -1;
	b->now = time(NULL);
	snprintf(b->node, sizeof b->node, "%s", node);
	enum errcode code = store->ops->snapshot(store, &b->snapshot, e);
	if (!code)
		code = open_archive(b, e);
	if (code) {
		backup_free(b);
		return code;
	}
	*out = b;
	return E_OK;
}

enum errcode backup_read(struct backup *b, struct buf *out, bool *over, struct err *e)
{
	enum errcode code = E_OK;
	b->out = out;
	for (size_t begun = out->size; !code && b->phase != OVER && out->size - begun < PIECE;) {
		if (b->phase == BEGIN) {
			code = add_begin(b, e);
			b->phase = ROWS;
		} else if (b->phase == ROWS) {
			code = add_rows(b, e);
		} else {
			code = add_blobs(b, e);
		}
	}
	*over = b->phase == OVER;
	return code;
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	store_snapshot_close(b->snapshot);
	struct buf rest = {0};
	b->out = &rest; /* what libarchive still has to say */
	if (b->archive)
		archive_write_free(b->archive);
	buf_fini(&rest);
	buf_fini(&b->chunk);
	mem_close_at(&b->fd);
	free(b);
}
