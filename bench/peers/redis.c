/* A list as a queue: what is taken goes to a second list in the same step, and leaves that one when it is done. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

static void *open_queue(const char *where)
{
	return socket_open(where);
}

/* The length of a bulk string that follows; -1: nil; -2: something else. */
static long reply(struct peer_socket *s)
{
	char *line = socket_line(s);
	if (line[0] == '-')
		give_up("redis", line);
	if (line[0] == '*')
		return line[1] == '-' ? -1 : -2;
	return line[0] == '$' ? atol(line + 1) : -2;
}

static void put(void *connection, const char *body, size_t size, unsigned n)
{
	struct peer_socket *s = connection;
	for (unsigned i = 0; i < n; i++) {
		socket_print(s, "*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$%zu\r\n", size);
		socket_add(s, body, size);
		socket_add(s, "\r\n", 2);
	}
	for (unsigned i = 0; i < n; i++)
		reply(s);
}

static bool visit_reply(struct peer_socket *s, peer_visit *visit, void *context)
{
	long size = reply(s);
	if (size >= 0)
		visit(context, socket_read(s, (size_t)size + 2), (size_t)size);
	return size >= 0;
}

static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	struct peer_socket *s = connection;
	unsigned got = 0;
	socket_print(s, "*6\r\n$6\r\nBLMOVE\r\n$1\r\nq\r\n$1\r\nw\r\n$5\r\nRIGHT\r\n$4\r\nLEFT\r\n$3\r\n0.1\r\n");
	if (!visit_reply(s, visit, context))
		return 0;
	for (unsigned i = 1; i < most; i++)
		socket_print(s, "*5\r\n$5\r\nLMOVE\r\n$1\r\nq\r\n$1\r\nw\r\n$5\r\nRIGHT\r\n$4\r\nLEFT\r\n");
	for (unsigned i = got = 1; i < most; i++)
		got += visit_reply(s, visit, context);
	for (unsigned i = 0; i < got; i++)
		socket_print(s, "*2\r\n$4\r\nRPOP\r\n$1\r\nw\r\n");
	for (unsigned i = 0; i < got; i++) {
		long size = reply(s);
		if (size >= 0)
			socket_read(s, (size_t)size + 2);
	}
	return got;
}

const struct peer peer_redis = {"redis", open_queue, put, take};
