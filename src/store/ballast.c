#include "store/ballast.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void ballast_open(struct ballast *b, const char *path, uint64_t bytes)
{
	snprintf(b->path, sizeof b->path, "%s", path);
	b->bytes = bytes;
	b->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	ballast_take(b);
}

void ballast_close(struct ballast *b)
{
	if (b->fd > 0)
		close(b->fd);
	*b = (struct ballast){0};
}

bool ballast_drop(struct ballast *b)
{
	bool held = b->held;
	b->held = false;
	return held && ftruncate(b->fd, 0) == 0;
}

bool ballast_take(struct ballast *b)
{
	if (!b->held && b->fd > 0) {
		b->held = posix_fallocate(b->fd, 0, (off_t)b->bytes) == 0;
		if (!b->held && ftruncate(b->fd, 0) != 0) /* a part of it is no use */
			return false;
	}
	return b->held;
}
