#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int fd_set_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

void fd_raise_limit(struct rlimit *was)
{
	if (getrlimit(RLIMIT_NOFILE, was) < 0) {
		*was = (struct rlimit){1024, 1024};
		return;
	}
	struct rlimit more = {was->rlim_max, was->rlim_max};
	setrlimit(RLIMIT_NOFILE, &more); /* if it is refused we live with what we have */
}

ssize_t fd_read_file(const char *path, char *into, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t got = 0;
	while (got < size - 1) {
		ssize_t n = read(fd, into + got, size - 1 - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int saved = errno;
			close(fd);
			errno = saved;
			return -1;
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	into[got] = 0;
	return (ssize_t)got;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;
	while (size) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}
