#include "process/ready.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 4096, TURN = 16 }; /* datagrams looked at in a turn of the loop */

struct ready {
	uv_poll_t poll;
	int fd;
	bool newline, told;
	void (*ready)(void *context);
	void (*status)(void *context, struct bytes text);
	void *context;
};

static void tell(struct ready *r)
{
	if (r->told)
		return;
	r->told = true;
	r->ready(r->context);
}

/* "READY=1\nSTATUS=Listening\n": assignments, a line each; what we have no use for is passed over. */
static void take_notice(struct ready *r, char *text)
{
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, "STATUS=", 7) == 0 && r->status)
			r->status(r->context, bytes_of(line + 7));
		else if (strcmp(line, "READY=1") == 0)
			tell(r);
	}
}

static void on_readable(uv_poll_t *poll, int error, int events)
{
	struct ready *r = container_of(poll, struct ready, poll);
	char text[DATAGRAM_MAX + 1];
	for (int turn = 0; turn < TURN && !uv_is_closing((uv_handle_t *)poll); turn++) {
		ssize_t n = r->newline ? read(r->fd, text, DATAGRAM_MAX) : recv(r->fd, text, DATAGRAM_MAX, MSG_DONTWAIT);
		if (n <= 0)
			return;
		text[n] = 0;
		if (!r->newline)
			take_notice(r, text);
		else if (memchr(text, '\n', (size_t)n))
			tell(r);
	}
}

static int open_socket(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) {
		err_set(e, E_TOO_LARGE, "%s is too long for a socket", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	err_errno(e, errno, "making %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Read-write: the end of its writers is not ours. */
static int open_fifo(const char *path, struct err *e)
{
	int fd = mkfifo(path, 0600) == 0 || errno == EEXIST ? open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0)
		err_errno(e, errno, "making %s", path);
	return fd;
}

enum errcode ready_open(struct loop *l, const char *path, bool newline, void (*ready)(void *context),
	void (*status)(void *context, struct bytes text), void *context, struct ready **out, struct err *e)
{
	int fd = newline ? open_fifo(path, e) : open_socket(path, e);
	if (fd < 0)
		return e->code;
	struct ready *r = NEW(struct ready);
	r->fd = fd;
	r->newline = newline;
	r->ready = ready;
	r->status = status;
	r->context = context;
	uv_poll_init(loop_uv(l), &r->poll, fd);
	uv_poll_start(&r->poll, UV_READABLE, on_readable);
	*out = r;
	return E_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct ready *r = container_of((uv_poll_t *)handle, struct ready, poll);
	close(r->fd);
	free(r);
}

void ready_close(struct ready *r)
{
	if (r)
		uv_close((uv_handle_t *)&r->poll, on_closed);
}
