#include "http/internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ── libmicrohttpd on the loop ── */

static void set_timer(struct http_server *s, bool busy)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (busy)
		loop_timer_set(s->timer, 1);
	else if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		loop_timer_set(s->timer, ms ? (int64_t)ms : 1);
	else
		loop_timer_set(s->timer, -1);
}

/* A timeout of 0 means "there is more to do": it gets a few more rounds at once, and then a millisecond, so that the loop's
 * other work comes to its turn. */
static void run(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool busy = true;
	for (int i = 0; i < 4 && busy; i++) {
		MHD_run(s->daemon);
		busy = MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms == 0;
	}
	set_timer(s, busy);
}

static void free_server(struct http_server *s)
{
	if (s->poll_open || s->turn_waits)
		return;
	free(s->unix_path);
	free(s);
}

static void on_turn(struct message *m)
{
	struct http_server *s = container_of(m, struct http_server, turn);
	s->turn_waits = false;
	if (s->closing)
		free_server(s);
	else
		run(s);
}

void server_schedule(struct http_server *s)
{
	if (s->turn_waits)
		return;
	s->turn_waits = true;
	loop_defer(s->loop, &s->turn);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	run(poll->data);
}

static void on_timer(void *server)
{
	run(server);
}

void server_suspend(struct http_request *r)
{
	if (r->suspended)
		return;
	r->suspended = true;
	MHD_suspend_connection(r->connection);
}

/* libmicrohttpd has no wake-up of its own in this mode: whoever resumes must see to it that it runs. */
void server_resume(struct http_request *r)
{
	if (!r->suspended || r->body_paused)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection);
	server_schedule(r->server);
}

/* ── connections ── */

static void on_connection(
	void *server, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		free(*context);
		*context = NULL;
		return;
	}
	struct peer *p = NEW(struct peer);
	struct ucred who;
	socklen_t size = sizeof who;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	*p = (struct peer){info->connect_fd, -1, -1};
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
		p->uid = (int)who.uid;
		p->pid = (int)who.pid;
	}
	*context = p;
}

/* We decode ourselves: "%2F" in a parameter is not a '/'. */
static size_t leave_escapes(void *server, struct MHD_Connection *c, char *text)
{
	return strlen(text);
}

/* ── life ── */

static enum errcode start_daemon(struct http_server *s, int fd, struct err *e)
{
	unsigned connections = s->o.connections_max ? s->o.connections_max : 1024;
	unsigned idle = s->o.idle_timeout_s ? s->o.idle_timeout_s : 60;
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_go_on, s, /* */
		MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, /* */
		MHD_OPTION_CONNECTION_LIMIT, connections, /* */
		MHD_OPTION_CONNECTION_TIMEOUT, idle, /* */
		MHD_OPTION_STRICT_FOR_CLIENT, 1, /* */
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, /* */
		MHD_OPTION_NOTIFY_COMPLETED, request_end, s, /* */
		MHD_OPTION_URI_LOG_CALLBACK, request_begin, s, /* */
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, s, MHD_OPTION_END);
	if (!s->daemon)
		return err_set(e, E_IO, "libmicrohttpd cannot be started on %s", s->unix_path);
	return E_OK;
}

enum errcode http_server_open(struct loop *l, const struct http_options *o, struct http_server **out, struct err *e)
{
	int fd;
	uint64_t inode;
	enum errcode code = listen_unix(o->unix_path, &fd, &inode, e);
	if (code != E_OK)
		return code;
	struct http_server *s = NEW(struct http_server);
	*s = (struct http_server){.loop = l, .o = *o, .inode = inode, .turn.run = on_turn, .poll_open = true};
	s->unix_path = mem_text(o->unix_path);
	s->o.body_timeout_ms = o->body_timeout_ms ? o->body_timeout_ms : 60000;
	s->o.bodies_max = o->bodies_max ? o->bodies_max : 256 << 20;
	list_init(&s->requests);
	if ((code = start_daemon(s, fd, e)) != E_OK) {
		close(fd);
		unlink(s->unix_path);
		free(s->unix_path);
		free(s);
		return code;
	}
	s->timer = loop_timer_new(l, on_timer, s);
	s->sweep = loop_timer_new(l, sweep_requests, s);
	uv_poll_init(loop_uv(l), &s->poll, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	*out = s;
	return E_OK;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct http_server *s = h->data;
	s->poll_open = false;
	free_server(s);
}

/* Suspended connections must be woken before libmicrohttpd may stop. */
static void drop_requests(struct http_server *s)
{
	list_each(&s->requests, at)
	{
		struct http_request *r = container_of(at, struct http_request, link);
		r->dropped = true;
		r->body_paused = false;
		server_resume(r);
	}
	MHD_run(s->daemon);
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	struct stat st;
	if (lstat(s->unix_path, &st) == 0 && st.st_ino == s->inode)
		unlink(s->unix_path);
	drop_requests(s);
	uv_poll_stop(&s->poll);
	MHD_stop_daemon(s->daemon);
	s->closing = true;
	loop_timer_free(s->timer);
	loop_timer_free(s->sweep);
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
}
