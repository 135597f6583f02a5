#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void *io_resize(void *old, size_t size)
{
	if (size)
		return realloc(old, size);
	free(old);
	return NULL;
}

int io_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) <
		0) { /* EAGAIN: its backlog is full; try again later */
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int take_files(struct msghdr *m, int files[STREAM_FILES])
{
	int n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t got =
			c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
		for (size_t i = 0; i < got; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
			if (n < STREAM_FILES)
				files[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

int io_read(int fd, struct stream_in *in, bool wait)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(STREAM_FILES * sizeof(int))];
	} control;
	int files[STREAM_FILES];
	struct iovec part;
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
	ssize_t n;

	part.iov_base = stream_in_space(in, &part.iov_len);
	if (!part.iov_base)
		return -1;
	n = recvmsg(fd, &m, (wait ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	return stream_in_got(in, (size_t)n, files, take_files(&m, files)) ? 1 : -1;
}

static ssize_t write_some(int fd, struct stream_out *out)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FRAME_DESCRIPTORS_MAX * sizeof(int))];
	} control = {0};
	int files[FRAME_DESCRIPTORS_MAX], n;
	const char *data;
	struct iovec part;
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t wrote;

	part.iov_len = stream_out_next(out, &data, files, &n);
	part.iov_base = (char *)data;
	if (n) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), files, (size_t)n * sizeof(int));
	}
	wrote = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (wrote <= 0)
		return wrote;
	for (int i = 0; i < n; i++)
		close(files[i]);
	stream_out_wrote(out, (size_t)wrote, n);
	return wrote;
}

int io_write(int fd, struct stream_out *out)
{
	while (!stream_out_empty(out)) {
		if (write_some(fd, out) >= 0 || errno == EINTR)
			continue;
		return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
	}
	return 1;
}

void io_forget(struct stream_in *in, struct stream_out *out)
{
	int fd;

	while ((fd = stream_in_take_file(in)) >= 0)
		close(fd);
	while ((fd = stream_out_take_file(out)) >= 0)
		close(fd);
	stream_in_fini(in);
	stream_out_fini(out);
}

bool io_put(
	struct stream_out *out, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int file_n)
{
	return stream_out_put(out, type, 0, id, m->parts, m->n, files, file_n);
}

bool io_put_bytes(struct stream_out *out, uint8_t type, uint64_t id, const void *data, size_t size)
{
	struct stream_part part = {data, size};
	return stream_out_put(out, type, 0, id, &part, 1, NULL, 0);
}

bool io_put_simple(struct stream_out *out, uint8_t type, uint64_t id, uint64_t fence, int64_t number, struct span data)
{
	struct message_out m;
	message_put_simple(&m, &(struct message_simple){fence, number, data});
	return io_put(out, type, id, &m, NULL, 0);
}
