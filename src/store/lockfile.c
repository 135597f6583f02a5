#include "store/lockfile.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static enum errcode held(const char *path, int fd, struct err *e)
{
	char text[32] = {0};
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	return err_set(e, E_CONFLICT, "%s: the data directory is in use by process %ld; stop it, or use another directory",
		path, n > 0 ? strtol(text, NULL, 10) : 0);
}

enum errcode lockfile_take(const char *path, int *out, struct err *e)
{
	scoped(mem_close_at) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? held(path, fd, e) : err_errno(e, errno, "%s: lock", path);
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_errno(e, errno, "%s", path);
	*out = fd;
	fd = -1;
	return E_OK;
}
