#include "link/listen.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 128, ACCEPTS_PER_TURN = 64, PAUSE_MS = 100 };

struct link_listener {
	uv_poll_t poll;
	struct loop *loop;
	struct loop_timer *pause; /* out of descriptors: the socket stays readable, so wait a little */
	int fd;
	char *path; /* NULL: not ours to remove */
	void (*accepted)(void *context, int fd);
	void *context;
	bool closed;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct link_listener *l = poll->data;

	for (int i = 0; i < ACCEPTS_PER_TURN && !l->closed; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			l->accepted(l->context, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			uv_poll_stop(&l->poll);
			loop_timer_set(l->pause, PAUSE_MS);
		}
		return;
	}
}

static void go_on(void *context)
{
	struct link_listener *l = context;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

static enum errcode make_socket(const char *path, int *out, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	scoped(mem_close_at) int fd = -1;
	mode_t old;
	int rc;

	if (strlen(path) >= sizeof address.sun_path)
		return err_set(e, E_TOO_LARGE, "the socket's path %s has %zu bytes; a Unix socket's path may have %zu", path,
			strlen(path), sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, errno, "cannot make a socket");
	unlink(path);
	old = umask(0177); /* there must be no moment in which others may connect */
	rc = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(old);
	if (rc < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return err_errno(e, errno, "cannot listen at %s", path);
	*out = fd;
	fd = -1;
	return E_OK;
}

enum errcode link_listener_open(struct loop *loop, const char *path, int listen_fd,
	void (*accepted)(void *context, int fd), void *context, struct link_listener **out, struct err *e)
{
	int fd = listen_fd;

	if (fd < 0) {
		enum errcode code = make_socket(path, &fd, e);
		if (code != E_OK)
			return code;
	}
	struct link_listener *l = NEW(struct link_listener);
	*l = (struct link_listener){.loop = loop, .fd = fd, .accepted = accepted, .context = context};
	l->path = mem_text(path);
	l->pause = loop_timer_new(loop, go_on, l);
	l->poll.data = l;
	if (uv_poll_init(loop_uv(loop), &l->poll, fd) != 0)
		abort(); /* the descriptor is a socket and is new: only a bug can make this fail */
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	*out = l;
	return E_OK;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void link_listener_close(struct link_listener *l)
{
	if (!l)
		return;
	l->closed = true;
	uv_poll_stop(&l->poll);
	close(l->fd);
	if (l->path)
		unlink(l->path);
	free(l->path);
	loop_timer_free(l->pause);
	uv_close((uv_handle_t *)&l->poll, on_closed);
}
