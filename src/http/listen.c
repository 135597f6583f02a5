#include "http/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket's file outlives its daemon; only connecting tells whether somebody is behind it. */
static enum errcode remove_stale(const struct sockaddr_un *a, struct err *e)
{
	struct stat st;
	if (lstat(a->sun_path, &st) != 0)
		return errno == ENOENT ? E_OK : err_errno(e, errno, "cannot look at the socket %s", a->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, E_CONFLICT, "%s exists and is not a socket; name another path or remove it", a->sun_path);
	scoped(mem_close_at) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN)
		return err_set(e, E_CONFLICT, "another process listens on %s; stop it or choose another socket", a->sun_path);
	if (errno != ECONNREFUSED)
		return err_errno(e, errno, "cannot connect to the socket that %s already is", a->sun_path);
	return unlink(a->sun_path) == 0 ? E_OK : err_errno(e, errno, "cannot remove the stale socket %s", a->sun_path);
}

static enum errcode bind_private(int fd, const struct sockaddr_un *a, struct err *e)
{
	mode_t old = umask(0177); /* before bind: there is no moment in which others could connect */
	int rc = bind(fd, (const struct sockaddr *)a, sizeof *a), why = errno;
	umask(old);
	if (rc != 0)
		return err_errno(e, why, "cannot listen on the socket %s", a->sun_path);
	if (listen(fd, 1024) != 0) {
		err_errno(e, errno, "cannot listen on the socket %s", a->sun_path);
		unlink(a->sun_path);
		return E_IO;
	}
	return E_OK;
}

enum errcode listen_unix(const char *path, int *out, uint64_t *inode, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (!path || !*path || strlen(path) >= sizeof a.sun_path)
		return err_set(e, E_INVALID, "the socket's path \"%s\" must have 1 to %zu characters", path ? path : "",
			sizeof a.sun_path - 1);
	strcpy(a.sun_path, path);
	enum errcode code = remove_stale(&a, e);
	if (code != E_OK)
		return code;
	scoped(mem_close_at) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, errno, "cannot make a socket");
	if ((code = bind_private(fd, &a, e)) != E_OK)
		return code;
	struct stat st;
	*inode = lstat(path, &st) == 0 ? st.st_ino : 0;
	*out = fd;
	fd = -1;
	return E_OK;
}
