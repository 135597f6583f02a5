#include "link/conn.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_PER_TURN = 4, OUT_KEPT = 1 << 20 };

struct link_conn {
	uv_poll_t poll;
	struct message flush; /* deferred to the end of the turn */
	struct loop *loop;
	int fd;
	struct stream_in in;
	struct stream_out out;
	const struct link_conn_events *events;
	void *context;
	int64_t read_at_ms;
	const char *broken; /* to be ended at the next flush */
	bool flushing; /* `flush` is with the loop */
	bool waiting; /* for the socket to take more */
	bool ended; /* closed; freed when the loop has let go of poll and flush */
	bool let_go;
};

/* What we send has met its limits. */
static void *resize_out(void *old, size_t size)
{
	if (size)
		return mem_resize(old, size);
	free(old);
	return NULL;
}

/* How long a message is the other side says: where that is more than there is, it costs the connection, not the engine. */
static void *resize_in(void *old, size_t size)
{
	if (size)
		return realloc(old, size);
	free(old);
	return NULL;
}

static void maybe_free(struct link_conn *c)
{
	if (c->ended && c->let_go && !c->flushing)
		free(c);
}

static void on_let_go(uv_handle_t *handle)
{
	struct link_conn *c = handle->data;
	c->let_go = true;
	maybe_free(c);
}

static void end(struct link_conn *c)
{
	int fd;

	c->ended = true;
	uv_poll_stop(&c->poll);
	close(c->fd);
	while ((fd = stream_in_take_file(&c->in)) >= 0)
		close(fd);
	while ((fd = stream_out_take_file(&c->out)) >= 0)
		close(fd);
	stream_in_fini(&c->in);
	stream_out_fini(&c->out);
	uv_close((uv_handle_t *)&c->poll, on_let_go);
}

/* ── writing ── */

static ssize_t send_some(struct link_conn *c)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FRAME_DESCRIPTORS_MAX * sizeof(int))];
	} control = {0};
	int files[FRAME_DESCRIPTORS_MAX], file_n;
	const char *data;
	struct iovec part;
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	part.iov_len = stream_out_next(&c->out, &data, files, &file_n);
	part.iov_base = (char *)data;
	if (file_n) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE((size_t)file_n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)file_n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), files, (size_t)file_n * sizeof(int));
	}
	n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0)
		return n;
	for (int i = 0; i < file_n; i++)
		close(files[i]);
	stream_out_wrote(&c->out, (size_t)n, file_n);
	return n;
}

/* NULL, or why the connection is over. */
static const char *flush(struct link_conn *c)
{
	while (!stream_out_empty(&c->out)) {
		if (send_some(c) >= 0 || errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
			c->waiting = true;
			return NULL;
		}
		return errno == EPIPE || errno == ECONNRESET ? "the other side closed the connection" : strerror(errno);
	}
	if (c->out.room > OUT_KEPT)
		stream_out_fini(&c->out);
	c->waiting = false;
	return NULL;
}

static void close_with(struct link_conn *c, const char *why)
{
	const struct link_conn_events *events = c->events;
	void *context = c->context;
	char sentence[256];

	snprintf(sentence, sizeof sentence, "%s", why);
	end(c);
	events->closed(context, sentence);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void on_flush(struct message *m)
{
	struct link_conn *c = container_of(m, struct link_conn, flush);
	bool waited = c->waiting;
	const char *why;

	c->flushing = false;
	if (c->ended) {
		maybe_free(c);
		return;
	}
	why = c->broken ? c->broken : flush(c);
	if (why && !c->broken) {
		c->broken = why;
		link_conn_hear(c);
	}
	if (c->ended) /* by what was heard */
		maybe_free(c);
	else if (why)
		close_with(c, why);
	else if (c->waiting != waited)
		uv_poll_start(&c->poll, c->waiting ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_event);
}

static void want_flush(struct link_conn *c)
{
	if (c->flushing || (c->waiting && !c->broken))
		return;
	c->flushing = true;
	c->flush.run = on_flush;
	loop_defer(c->loop, &c->flush);
}

void link_conn_put(
	struct link_conn *c, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int file_n)
{
	if (!c->ended && stream_out_size(&c->out) > LINK_UNREAD_MAX) {
		c->broken = "the other side does not read what is sent to it";
		want_flush(c);
	}
	if (!c->ended && !c->broken && stream_out_put(&c->out, type, 0, id, m->parts, m->n, files, file_n)) {
		want_flush(c);
		return;
	}
	for (int i = 0; i < file_n; i++)
		close(files[i]);
	if (!c->ended && !c->broken) {
		c->broken = "a message to the other side was longer than 4 MiB";
		want_flush(c);
	}
}

void link_conn_put_json(struct link_conn *c, uint8_t type, uint64_t id, const char *json, size_t size)
{
	struct message_out m = {.n = 1};
	m.parts[0] = (struct stream_part){json, size};
	link_conn_put(c, type, id, &m, NULL, 0);
}

void link_conn_put_simple(struct link_conn *c, uint8_t type, uint64_t id, uint64_t fence, int64_t number)
{
	struct message_out m;
	message_put_simple(&m, &(struct message_simple){fence, number, {0}});
	link_conn_put(c, type, id, &m, NULL, 0);
}

void link_conn_end(struct link_conn *c, const char *code, const char *why)
{
	struct buf json = {0};

	if (c->ended)
		return;
	buf_text(&json, "{\"code\":");
	buf_json_string(&json, bytes_of(code));
	buf_text(&json, ",\"message\":");
	buf_json_string(&json, bytes_of(why));
	buf_text(&json, "}");
	link_conn_put_json(c, FRAME_ERROR, 0, json.data, json.size);
	buf_fini(&json);
	flush(c);
	close_with(c, why);
}

void link_conn_drop(struct link_conn *c)
{
	if (!c || c->ended)
		return;
	flush(c);
	end(c);
}

/* ── reading ── */

/* Descriptors that came with the last recvmsg. */
static int received_files(struct msghdr *m, int files[STREAM_FILES])
{
	int n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
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

/* > 0: read some; 0: nothing is there now; -1: *why. */
static int read_some(struct link_conn *c, const char **why)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(STREAM_FILES * sizeof(int))];
	} control;
	int files[STREAM_FILES], file_n;
	size_t room;
	struct iovec part;
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
	ssize_t n;

	part.iov_base = stream_in_space(&c->in, &room);
	if (!part.iov_base) {
		*why = "no memory";
		return -1;
	}
	part.iov_len = room;
	n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		*why = n == 0 || errno == ECONNRESET ? "the other side closed the connection" : strerror(errno);
		return -1;
	}
	file_n = received_files(&m, files);
	if (stream_in_got(&c->in, (size_t)n, files, file_n) && !(m.msg_flags & MSG_CTRUNC))
		return (int)(n == (ssize_t)room ? 2 : 1);
	*why = "more descriptors came than frames can claim";
	return -1;
}

static void take_messages(struct link_conn *c)
{
	struct wire_message m;
	const char *why = NULL;

	while (!c->ended) {
		int got = stream_in_next(&c->in, &m, &why);
		if (got == 0)
			return;
		if (got > 0) {
			why = c->events->message(c->context, &m);
			for (int i = 0; i < m.file_n; i++)
				if (m.files[i] >= 0)
					close(m.files[i]);
		}
		if (why && !c->ended)
			link_conn_end(c, "protocol", why);
	}
}

/* What it said counts, though nothing can be sent to it any more: of a job that it had begun, or ended. */
void link_conn_hear(struct link_conn *c)
{
	const char *why;
	while (!c->ended && read_some(c, &why) > 0)
		take_messages(c);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct link_conn *c = poll->data;
	const char *why = NULL;

	if (status < 0) { /* it died and left unread what we had sent */
		why = "the other side closed the connection";
		link_conn_hear(c);
	}
	if (!why && (events & UV_WRITABLE)) {
		c->waiting = false;
		uv_poll_start(&c->poll, UV_READABLE, on_event);
		want_flush(c);
	}
	for (int i = 0; !why && i < READS_PER_TURN && !c->ended; i++) {
		int got = read_some(c, &why);
		if (got <= 0)
			break;
		c->read_at_ms = loop_now_ms(c->loop);
		take_messages(c);
		if (got == 1) /* the buffer was not filled: nothing more is there */
			break;
	}
	if (why && !c->ended)
		close_with(c, why);
}

/* ── life ── */

struct link_conn *link_conn_open(struct loop *loop, int fd, const struct link_conn_events *events, void *context)
{
	struct link_conn *c = NEW(struct link_conn);

	*c = (struct link_conn){.loop = loop, .fd = fd, .events = events, .context = context};
	c->in.resize = resize_in;
	c->out.resize = resize_out;
	c->read_at_ms = loop_now_ms(loop);
	c->poll.data = c;
	if (uv_poll_init(loop_uv(loop), &c->poll, fd) != 0)
		abort(); /* an accepted socket can always be polled; anything else is a bug */
	uv_poll_start(&c->poll, UV_READABLE, on_event);
	stream_out_preface(&c->out, FRAME_FEATURE_DESCRIPTORS);
	want_flush(c);
	return c;
}

int64_t link_conn_read_at(const struct link_conn *c)
{
	return c->read_at_ms;
}

void link_conn_peer(const struct link_conn *c, int *pid, int *uid)
{
	struct ucred who;
	socklen_t size = sizeof who;
	bool known = getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
	*pid = known ? who.pid : -1;
	*uid = known ? (int)who.uid : -1;
}
