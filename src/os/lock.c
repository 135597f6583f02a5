#include "os/lock.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { DEAD_OWNER_TRIES = 200, DEAD_OWNER_WAIT_MS = 10 };

static enum errcode held(const char *directory, const char *path, struct err *e)
{
	char text[32] = "";
	fd_read_file(path, text, sizeof text);
	long pid = strtol(text, NULL, 10);
	if (pid > 0)
		return err_set(e, E_CONFLICT,
			"the directory %s is in use by process %ld; stop it first, or use another directory", directory, pid);
	return err_set(e, E_CONFLICT,
		"the directory %s is in use by another process; stop it first, or use another directory", directory);
}

/* A program that was just started by an owner that then died may still have the owner's descriptors: the kernel lets the owner
 * go on (vfork) before it closes them in the child. So a lock whose owner is dead is about to be free. */
static bool owner_is_dead(const char *path)
{
	char text[32] = "";
	fd_read_file(path, text, sizeof text);
	long pid = strtol(text, NULL, 10);
	return pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool locked(int fd, const char *path)
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		int bad = errno;
		if (bad != EWOULDBLOCK || tries == DEAD_OWNER_TRIES || !owner_is_dead(path)) {
			errno = bad;
			return false;
		}
		poll(NULL, 0, DEAD_OWNER_WAIT_MS);
	}
	return true;
}

enum errcode lock_take(const char *directory, int *out, struct err *e)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/lock", directory);
	if (n < 0 || (size_t)n >= sizeof path)
		return err_set(e, E_INVALID, "directory name is too long (at most %d bytes)", PATH_MAX - 6);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, errno, "opening %s", path);
	if (!locked(fd, path)) {
		int bad = errno;
		close(fd);
		return bad == EWOULDBLOCK ? held(directory, path, e) : err_errno(e, bad, "locking %s", path);
	}
	/* Only for messages: a full disk must not keep us from owning the lock. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	*out = fd;
	return E_OK;
}
