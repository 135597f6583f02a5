#include "log/pipe.h"

#include "base/mem.h"
#include "log/parts.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10, READS_PER_TURN = 2, PIPE_BYTES = 256 << 10, DRAIN_READS = 1024 };

struct log_pipe {
	uv_poll_t poll; /* must be first: freed by its close callback */
	struct outputs *outputs;
	char *worker, *instance;
	enum output_stream stream;
	int fd;
	struct buf part; /* of a line whose end has not come */
	bool skipping; /* the rest of a line that was cut */
};

static void end_line(struct log_pipe *p)
{
	output_line(p->outputs, p->worker, p->instance, p->stream, buf_bytes(&p->part));
	buf_clear(&p->part);
}

/* One piece of a line, with or without its end. */
static void add_part(struct log_pipe *p, struct bytes piece, bool ends)
{
	if (!p->skipping) {
		size_t room = OUTPUT_LINE_MAX + 1 - p->part.size; /* one more than shown, so that it is seen to be cut */
		buf_add(&p->part, piece.data, piece.size < room ? piece.size : room);
		if (p->part.size > OUTPUT_LINE_MAX) {
			end_line(p);
			p->skipping = !ends;
			return;
		}
	}
	if (ends && !p->skipping)
		end_line(p);
	if (ends)
		p->skipping = false;
}

static void take_bytes(struct log_pipe *p, const char *at, size_t size)
{
	const char *end = at + size;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *to = stop ? stop : end;
		add_part(p, (struct bytes){at, (size_t)(to - at)}, stop != NULL);
		at = stop ? stop + 1 : end;
	}
}

static bool read_some(struct log_pipe *p)
{
	static char room[READ_BYTES]; /* loop thread only */
	ssize_t n = read(p->fd, room, sizeof room);
	if (n > 0)
		take_bytes(p, room, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct log_pipe *p = container_of(poll, struct log_pipe, poll);
	for (int i = 0; i < READS_PER_TURN && read_some(p); i++)
		;
}

void log_pipe_drain(struct log_pipe *p)
{
	/* bounded: a grandchild that lives on may print for ever */
	for (int i = 0; i < DRAIN_READS && read_some(p); i++)
		;
	if (p->part.size)
		end_line(p);
	p->skipping = false;
}

enum errcode log_pipe_open(struct outputs *o, const char *worker, const char *instance, enum output_stream stream,
	const char *path, struct log_pipe **out, struct err *e)
{
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return err_errno(e, errno, "making the log pipe %s", path);
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, errno, "opening the log pipe %s", path);
	fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* a bigger buffer only saves turns */
	struct log_pipe *p = NEW(struct log_pipe);
	*p = (struct log_pipe){
		.outputs = o, .worker = mem_text(worker), .instance = mem_text(instance), .stream = stream, .fd = fd};
	int bad = uv_poll_init(loop_uv(outputs_loop(o)), &p->poll, fd);
	if (bad == 0)
		bad = uv_poll_start(&p->poll, UV_READABLE, on_readable);
	if (bad != 0) { /* only for a descriptor that cannot be polled */
		free(p->worker);
		free(p->instance);
		free(p);
		close(fd);
		return err_errno(e, -bad, "watching the log pipe %s", path);
	}
	*out = p;
	return E_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct log_pipe *p = container_of((uv_poll_t *)handle, struct log_pipe, poll);
	close(p->fd);
	buf_fini(&p->part);
	free(p->worker);
	free(p->instance);
	free(p);
}

void log_pipe_close(struct log_pipe *p)
{
	if (p)
		uv_close((uv_handle_t *)&p->poll, on_closed);
}
