#include "peers.h"

#include <stdio.h>
#include <string.h>

static void *open_queue(const char *where)
{
	return socket_open(where);
}

static void put(void *connection, const char *body, size_t size, unsigned n)
{
	struct peer_socket *s = connection;
	for (unsigned i = 0; i < n; i++) {
		socket_print(s, "put 1024 0 600 %zu\r\n", size);
		socket_add(s, body, size);
		socket_add(s, "\r\n", 2);
	}
	for (unsigned i = 0; i < n; i++) {
		char *line = socket_line(s);
		if (strncmp(line, "INSERTED", 8) != 0)
			give_up("beanstalkd: put", line);
	}
}

/* One reservation that may wait, and more that do not. */
static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	struct peer_socket *s = connection;
	unsigned long long ids[1024];
	unsigned got = 0, asked = most < 1024 ? most : 1024;
	for (unsigned i = 0; i < asked; i++)
		socket_print(s, "reserve-with-timeout %d\r\n", i == 0);
	for (unsigned i = 0; i < asked; i++) {
		char *line = socket_line(s);
		size_t size;
		if (sscanf(line, "RESERVED %llu %zu", &ids[got], &size) == 2) {
			visit(context, socket_read(s, size + 2), size);
			got++;
		} else if (strcmp(line, "TIMED_OUT") != 0) {
			give_up("beanstalkd: reserve", line);
		}
	}
	for (unsigned i = 0; i < got; i++)
		socket_print(s, "delete %llu\r\n", ids[i]);
	for (unsigned i = 0; i < got; i++) {
		char *line = socket_line(s);
		if (strcmp(line, "DELETED") != 0)
			give_up("beanstalkd: delete", line);
	}
	return got;
}

const struct peer peer_beanstalkd = {"beanstalkd", open_queue, put, take};
