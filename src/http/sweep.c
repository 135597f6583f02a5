/* sweep.c - requests that libmicrohttpd does not look at: those that wait for us (it never polls them, so a client that went
 * away is not noticed), and bodies that come too slowly (each byte makes a connection young again). */
#include "http/internal.h"

#include "base/mem.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

static void drop(struct http_request *r)
{
	r->dropped = true;
	r->body_paused = false;
	server_resume(r);
}

bool http_client_there(struct http_request *r)
{
	struct pollfd fd = {.fd = r->peer ? r->peer->fd : -1};
	return !r->dropped && r->peer && poll(&fd, 1, 0) <= 0;
}

static void drop_gone(struct http_server *s)
{
	scoped(mem_free_at) struct pollfd *fds = mem_new(s->request_n * sizeof *fds);
	scoped(mem_free_at) struct http_request **requests = mem_new(s->request_n * sizeof(struct http_request *));
	nfds_t n = 0;
	list_each(&s->requests, at)
	{
		struct http_request *r = container_of(at, struct http_request, link);
		if (r->suspended && r->peer) {
			fds[n] = (struct pollfd){.fd = r->peer->fd}; /* only POLLHUP and POLLERR: half-closed is not gone */
			requests[n++] = r;
		}
	}
	if (n == 0 || poll(fds, n, 0) <= 0)
		return;
	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].revents)
			drop(requests[i]);
	}
}

static void end_slow_bodies(struct http_server *s)
{
	int64_t now = loop_now_ms(s->loop);
	list_each(&s->requests, at)
	{
		struct http_request *r = container_of(at, struct http_request, link);
		bool buffered = r->route && !r->route->body && !r->handled;
		if (buffered && r->peer && now - r->began_ms > s->o.body_timeout_ms)
			shutdown(r->peer->fd, SHUT_RDWR);
	}
}

void sweep_requests(void *server)
{
	struct http_server *s = server;
	drop_gone(s);
	end_slow_bodies(s);
	if (s->request_n)
		loop_timer_set(s->sweep, 500);
}

void sweep_start(struct http_server *s)
{
	if (s->request_n == 1)
		loop_timer_set(s->sweep, 500);
}
