#include "peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 1 << 20 };

struct peer_socket *socket_open(const char *where)
{
	struct peer_socket *s = calloc(1, sizeof *s);
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, rc;

	s->out = malloc(ROOM);
	s->in = malloc(ROOM + 1);
	s->fd = socket(where[0] == '/' ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (where[0] == '/') {
		snprintf(local.sun_path, sizeof local.sun_path, "%s", where);
		rc = connect(s->fd, (struct sockaddr *)&local, sizeof local);
	} else {
		loopback.sin_port = htons((unsigned short)atoi(where));
		rc = connect(s->fd, (struct sockaddr *)&loopback, sizeof loopback);
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	}
	if (rc)
		give_up(where, strerror(errno));
	return s;
}

static void send_all(struct peer_socket *s)
{
	for (size_t at = 0; at < s->out_n;) {
		ssize_t n = send(s->fd, s->out + at, s->out_n - at, MSG_NOSIGNAL);
		if (n <= 0)
			give_up("send", strerror(errno));
		at += (size_t)n;
	}
	s->out_n = 0;
}

void socket_add(struct peer_socket *s, const void *data, size_t size)
{
	if (s->out_n + size > ROOM)
		send_all(s);
	memcpy(s->out + s->out_n, data, size);
	s->out_n += size;
}

void socket_print(struct peer_socket *s, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	socket_add(s, text, (size_t)n);
}

static void read_more(struct peer_socket *s)
{
	send_all(s);
	if (s->in_at) {
		memmove(s->in, s->in + s->in_at, s->in_n - s->in_at);
		s->in_n -= s->in_at;
		s->in_at = 0;
	}
	ssize_t n = recv(s->fd, s->in + s->in_n, ROOM - s->in_n, 0);
	if (n <= 0)
		give_up("recv", n ? strerror(errno) : "the server closed the connection");
	s->in_n += (size_t)n;
}

bool socket_wait(struct peer_socket *s, int ms)
{
	struct pollfd p = {s->fd, POLLIN, 0};
	send_all(s);
	return s->in_at < s->in_n || poll(&p, 1, ms) > 0;
}

char *socket_line(struct peer_socket *s)
{
	char *end;
	send_all(s);
	while (!(end = memchr(s->in + s->in_at, '\n', s->in_n - s->in_at)))
		read_more(s);
	char *line = s->in + s->in_at;
	s->in_at = (size_t)(end + 1 - s->in);
	end[end > line && end[-1] == '\r' ? -1 : 0] = 0;
	return line;
}

char *socket_read(struct peer_socket *s, size_t size)
{
	send_all(s);
	while (s->in_n - s->in_at < size)
		read_more(s);
	char *data = s->in + s->in_at;
	s->in_at += size;
	return data;
}
