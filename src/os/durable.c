#include "os/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int system_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

const struct durable_io durable_system = {system_open, write, fsync, close, rename, unlink};

static const struct durable_io *io_or_system(const struct durable_io *io)
{
	return io ? io : &durable_system;
}

enum errcode durable_sync_directory(const struct durable_io *io, const char *path, struct err *e)
{
	io = io_or_system(io);
	char directory[PATH_MAX];
	if (strlen(path) >= sizeof directory)
		return err_set(e, E_INVALID, "path of %zu bytes is too long (at most %d)", strlen(path), PATH_MAX - 1);
	strcpy(directory, path);
	char *slash = strrchr(directory, '/');
	if (!slash)
		strcpy(directory, ".");
	else
		slash[slash == directory] = 0;
	int fd = io->open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, errno, "opening the directory %s", directory);
	int bad = io->fsync(fd) < 0 ? errno : 0;
	io->close(fd);
	return bad ? err_errno(e, bad, "fsync of the directory %s", directory) : E_OK;
}

enum errcode durable_publish(const struct durable_io *io, int fd, const char *tmp, const char *path, struct err *e)
{
	io = io_or_system(io);
	if (io->fsync(fd) < 0)
		return err_errno(e, errno, "fsync of %s", tmp);
	if (io->rename(tmp, path) < 0)
		return err_errno(e, errno, "renaming %s to %s", tmp, path);
	return durable_sync_directory(io, path, e);
}

static enum errcode write_all(const struct durable_io *io, int fd, const char *tmp, struct bytes data, struct err *e)
{
	while (data.size) {
		ssize_t n = io->write(fd, data.data, data.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "writing %s", tmp);
		data.data += n;
		data.size -= (size_t)n;
	}
	return E_OK;
}

enum errcode durable_write(const struct durable_io *io, const char *path, struct bytes data, mode_t mode, struct err *e)
{
	io = io_or_system(io);
	char tmp[PATH_MAX];
	int n = snprintf(tmp, sizeof tmp, "%s.%ld.tmp", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof tmp)
		return err_set(e, E_INVALID, "path of %zu bytes is too long (at most %d)", strlen(path), PATH_MAX - 32);
	int fd = io->open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_errno(e, errno, "creating %s", tmp);
	enum errcode code = write_all(io, fd, tmp, data, e);
	if (code == E_OK)
		code = durable_publish(io, fd, tmp, path, e);
	io->close(fd);
	if (code != E_OK)
		io->unlink(tmp); /* gone already if only the directory's fsync failed */
	return code;
}
