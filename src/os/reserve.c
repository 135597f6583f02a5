#include "os/reserve.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static uint64_t left_on_disk(const char *directory)
{
	struct statvfs st;
	return statvfs(directory, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize : UINT64_MAX;
}

static void path_of(const char *directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/reserve", directory);
}

bool reserve_needed(const char *directory)
{
	char path[PATH_MAX];
	path_of(directory, path);
	bool there = access(path, F_OK) == 0; /* else it was given up by the last one to start */
	return left_on_disk(directory) < (there ? RESERVE_BYTES / 2 : 2 * RESERVE_BYTES);
}

void reserve_give_up(const char *directory)
{
	char path[PATH_MAX];
	path_of(directory, path);
	unlink(path);
}

enum errcode reserve_make(const char *directory, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	path_of(directory, path);
	if (stat(path, &st) == 0 && st.st_size == RESERVE_BYTES)
		return E_OK;
	if (left_on_disk(directory) < 2 * RESERVE_BYTES)
		return err_set(e, E_NO_SPACE, "%s: the disk is full", path);
	scoped(mem_close_at) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s", path);
	int bad = posix_fallocate(fd, 0, RESERVE_BYTES);
	if (!bad)
		return E_OK;
	unlink(path);
	return err_errno(e, bad, "%s", path);
}
