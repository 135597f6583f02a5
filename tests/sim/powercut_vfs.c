#include "powercut_vfs.h"

#include "base/bytes.h"
#include "base/list.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECTOR = 512 }; /* what a drive writes whole */

struct change { /* since the last fsync */
	struct list link;
	int64_t offset; /* -1: a truncation to `size` */
	size_t size;
	char data[];
};

struct disk_file {
	struct list link;
	char name[64];
	struct buf durable;
	struct list changes;
	int change_n;
};

struct handle {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: not one that matters (temporary files) */
	sqlite3_file *real; /* stands behind this struct */
};

static struct list files;
static sqlite3_vfs shim, *real_vfs;
static sqlite3_io_methods methods;
static void (*changing)(void *context);
static void *changing_context;
static uint64_t operations, fail_from, fail_until;
static enum fault fail_how;
static bool reads_fail;

static void forget_changes(struct disk_file *f)
{
	list_each(&f->changes, l) free(container_of(l, struct change, link));
	list_init(&f->changes);
	f->change_n = 0;
}

static void forget_file(struct disk_file *f)
{
	forget_changes(f);
	buf_fini(&f->durable);
	list_remove(&f->link);
	free(f);
}

void powercut_forget(void)
{
	list_each(&files, l) forget_file(container_of(l, struct disk_file, link));
	operations = fail_from = fail_until = 0;
	reads_fail = false;
	changing = NULL;
}

static struct disk_file *file_named(const char *path, bool make)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	list_each(&files, l)
	{
		struct disk_file *f = container_of(l, struct disk_file, link);
		if (!strcmp(f->name, name))
			return f;
	}
	if (!make)
		return NULL;
	struct disk_file *f = NEW(struct disk_file);
	snprintf(f->name, sizeof f->name, "%s", name);
	list_init(&f->changes);
	list_append(&files, &f->link);
	return f;
}

static void apply(struct buf *image, int64_t offset, const char *data, size_t size)
{
	if (offset < 0) {
		if (size < image->size)
			image->size = size;
		return;
	}
	size_t end = (size_t)offset + size;
	if (end > image->size) {
		size_t gap = end - image->size;
		memset(buf_reserve(image, gap), 0, gap);
		image->size = end;
	}
	memcpy(image->data + offset, data, size);
}

/* ── what SQLite calls ── */

static int step(struct handle *h, int io_error)
{
	if (changing && h->disk)
		changing(changing_context);
	uint64_t n = ++operations;
	if (n < fail_from || n >= fail_until)
		return SQLITE_OK;
	return fail_how == FAULT_NO_SPACE && io_error != SQLITE_IOERR_FSYNC ? SQLITE_FULL : io_error;
}

static void remember(struct disk_file *f, int64_t offset, const void *data, size_t size)
{
	if (!f)
		return;
	struct change *c = mem_resize(NULL, sizeof *c + (data ? size : 0));
	c->offset = offset;
	c->size = size;
	if (data)
		memcpy(c->data, data, size);
	list_append(&f->changes, &c->link);
	f->change_n++;
}

static int x_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
	struct handle *h = (struct handle *)file;
	int rc = step(h, SQLITE_IOERR_WRITE);
	if (rc)
		return rc;
	remember(h->disk, offset, data, (size_t)size);
	return h->real->pMethods->xWrite(h->real, data, size, offset);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct handle *h = (struct handle *)file;
	int rc = step(h, SQLITE_IOERR_TRUNCATE);
	if (rc)
		return rc;
	remember(h->disk, -1, NULL, (size_t)size);
	return h->real->pMethods->xTruncate(h->real, size);
}

/* The real file is not synced: nothing here depends on it. */
static int x_sync(sqlite3_file *file, int flags)
{
	struct handle *h = (struct handle *)file;
	int rc = step(h, SQLITE_IOERR_FSYNC);
	if (rc || !h->disk)
		return rc;
	list_each(&h->disk->changes, l)
	{
		struct change *c = container_of(l, struct change, link);
		apply(&h->disk->durable, c->offset, c->data, c->size);
	}
	forget_changes(h->disk);
	return SQLITE_OK;
}

static int x_close(sqlite3_file *file)
{
	struct handle *h = (struct handle *)file;
	return h->real->pMethods ? h->real->pMethods->xClose(h->real) : SQLITE_OK;
}

#define REAL(file)				(((struct handle *)(file))->real)
#define CALL(file, method, ...) (REAL(file)->pMethods->method(REAL(file) __VA_OPT__(, ) __VA_ARGS__))

static int x_read(sqlite3_file *f, void *data, int size, sqlite3_int64 offset)
{
	if (reads_fail)
		return SQLITE_IOERR_READ;
	return CALL(f, xRead, data, size, offset);
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return CALL(f, xFileSize, size);
}

static int x_lock(sqlite3_file *f, int level)
{
	return CALL(f, xLock, level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return CALL(f, xUnlock, level);
}

static int x_check_lock(sqlite3_file *f, int *out)
{
	return CALL(f, xCheckReservedLock, out);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
	return CALL(f, xFileControl, op, arg);
}

static int x_sector(sqlite3_file *f)
{
	return SECTOR;
}

static int x_device(sqlite3_file *f)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite assumes of any drive by default */
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return CALL(f, xShmMap, page, size, extend, out);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return CALL(f, xShmLock, offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	CALL(f, xShmBarrier);
}

static int x_shm_unmap(sqlite3_file *f, int delete)
{
	return CALL(f, xShmUnmap, delete);
}

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
	struct handle *h = (struct handle *)file;
	h->real = (sqlite3_file *)(h + 1);
	int rc = real_vfs->xOpen(real_vfs, path, h->real, flags, out_flags);
	if (rc)
		return rc;
	h->disk = path ? file_named(path, true) : NULL;
	h->base.pMethods = &methods;
	return SQLITE_OK;
}

/* A deletion is at once durable: keeping a file that SQLite no longer needs is the harmless case. */
static int x_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct disk_file *f = file_named(path, false);
	if (f)
		forget_file(f);
	return real_vfs->xDelete(real_vfs, path, sync);
}

void powercut_register(void)
{
	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	list_init(&files);
	shim = *real_vfs;
	shim.zName = "powercut";
	shim.szOsFile = (int)sizeof(struct handle) + real_vfs->szOsFile;
	shim.xOpen = x_open;
	shim.xDelete = x_delete;
	methods = (sqlite3_io_methods){2, x_close, x_read, x_write, x_truncate, x_sync, x_size, x_lock, x_unlock,
		x_check_lock, x_control, x_sector, x_device, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap};
	sqlite3_vfs_register(&shim, 0);
}

void powercut_watch(void (*watch)(void *context), void *context)
{
	changing = watch;
	changing_context = context;
}

uint64_t powercut_operations(void)
{
	return operations;
}

void powercut_fail(uint64_t operation, unsigned times, enum fault fault)
{
	fail_from = operation;
	fail_until = operation + times;
	fail_how = fault;
}

/* ── the cut ── */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	return z ^ z >> 31;
}

/* Of one write: some sectors of it. */
static void apply_torn(struct buf *image, const struct change *c, bool prefix_only, uint64_t *random)
{
	size_t prefix = (size_t)next_random(random) % (c->size / SECTOR + 1) * SECTOR;
	for (size_t at = 0; at < c->size; at += SECTOR) {
		size_t n = c->size - at < SECTOR ? c->size - at : SECTOR;
		if (prefix_only ? at < prefix : next_random(random) & 1)
			apply(image, c->offset + (int64_t)at, c->data + at, n);
	}
}

static void survive(struct buf *image, const struct disk_file *f, enum cut cut, uint64_t *random)
{
	int whole = cut == CUT_KEEP_ALL	  ? f->change_n
				: cut == CUT_DROP_ALL ? 0
									  : (int)(next_random(random) % (unsigned)(f->change_n + 1));
	int i = 0;
	for (const struct list *l = f->changes.next; l != &f->changes; l = l->next, i++) {
		const struct change *c = container_of(l, struct change, link);
		if (cut == CUT_REORDER ? next_random(random) % 3 == 0 : i < whole)
			apply(image, c->offset, c->data, c->size);
		else if (c->offset >= 0 && (cut == CUT_REORDER ? next_random(random) & 1 : cut == CUT_TEAR && i == whole))
			apply_torn(image, c, cut == CUT_TEAR, random);
	}
}

void powercut_fail_reads(bool fail)
{
	reads_fail = fail;
}

void powercut_leave(const char *directory, enum cut cut, uint64_t seed)
{
	list_each(&files, l)
	{
		const struct disk_file *f = container_of(l, struct disk_file, link);
		struct buf image = {0};
		char path[300];
		buf_add(&image, f->durable.data, f->durable.size);
		survive(&image, f, cut, &seed);
		snprintf(path, sizeof path, "%s/%s", directory, f->name);
		FILE *out = fopen(path, "w");
		if (!out || fwrite(image.data, 1, image.size, out) != image.size || fclose(out))
			abort();
		buf_fini(&image);
	}
}
