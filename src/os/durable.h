/* durable.h - writes that must survive a power cut: tmp, fsync, rename, fsync of the directory, in one function.
 *
 * The file is seen whole, old or new, whatever happens in between; after E_OK it is on the disk. On an error nothing of the
 * new content is under `path` (the tmp file is removed as far as that is possible). fsync is never tried a second time.
 * The system calls go through a table, so that a test can fail, drop or reorder each of them. Blocking: pool or writer thread,
 * or before the loop runs. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <sys/types.h>

struct durable_io { /* as the system calls of the same names: -1 and errno */
	int (*open)(const char *path, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *data, size_t size);
	int (*fsync)(int fd);
	int (*close)(int fd);
	int (*rename)(const char *from, const char *to);
	int (*unlink)(const char *path);
};

extern const struct durable_io durable_system; /* the real ones */

/* Writes `data` as the file `path` with permissions `mode`. io NULL: durable_system. E_NO_SPACE, E_IO. */
enum errcode durable_write(
	const struct durable_io *io, const char *path, struct bytes data, mode_t mode, struct err *e);

/* For content that was written to `tmp` through `fd` already: makes it durable and puts it at `path` (same file system).
 * Does not close fd. On an error tmp is left to the caller. */
enum errcode durable_publish(const struct durable_io *io, int fd, const char *tmp, const char *path, struct err *e);

/* fsync of the directory that holds `path`: after an unlink or a mkdir that must last. */
enum errcode durable_sync_directory(const struct durable_io *io, const char *path, struct err *e);
