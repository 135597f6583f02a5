/* Gearman's binary protocol: "\0REQ", a type, a size, and arguments with NULs between them. */
#include "peers.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	CAN_DO = 1,
	PRE_SLEEP = 4,
	JOB_CREATED = 8,
	GRAB_JOB = 9,
	NO_JOB = 10,
	JOB_ASSIGN = 11,
	WORK_COMPLETE = 13,
	SUBMIT_JOB_BG = 18,
};

static void send_head(struct peer_socket *s, uint32_t type, size_t size)
{
	uint32_t head[3] = {htonl(0x00524551), htonl(type), htonl((uint32_t)size)};
	socket_add(s, head, sizeof head);
}

static char *receive(struct peer_socket *s, uint32_t *type, size_t *size)
{
	uint32_t head[3];
	memcpy(head, socket_read(s, sizeof head), sizeof head);
	*type = ntohl(head[1]);
	*size = ntohl(head[2]);
	return socket_read(s, *size);
}

static void *open_queue(const char *where)
{
	return socket_open(where);
}

static void put(void *connection, const char *body, size_t size, unsigned n)
{
	struct peer_socket *s = connection;
	uint32_t type;
	size_t ignored;
	for (unsigned i = 0; i < n; i++) {
		send_head(s, SUBMIT_JOB_BG, 3 + size);
		socket_add(s, "q\0", 3);
		socket_add(s, body, size);
	}
	for (unsigned i = 0; i < n; i++) {
		receive(s, &type, &ignored);
		if (type != JOB_CREATED)
			give_up("gearmand", "did not create the job");
	}
}

static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	struct peer_socket *s = connection;
	uint32_t type;
	size_t size;
	unsigned got = 0;
	send_head(s, CAN_DO, 1);
	socket_add(s, "q", 1);
	for (unsigned i = 0; i < most; i++)
		send_head(s, GRAB_JOB, 0);
	for (unsigned answers = 0; answers < most;) {
		char *data = receive(s, &type, &size), handle[128];
		answers += type == NO_JOB || type == JOB_ASSIGN;
		if (type != JOB_ASSIGN)
			continue; /* NO_JOB, or a NOOP that came late */
		int n = snprintf(handle, sizeof handle, "%s", data);
		size_t before = (size_t)n + 1 + strlen(data + n + 1) + 1;
		visit(context, data + before, size - before);
		send_head(s, WORK_COMPLETE, (size_t)n + 1);
		socket_add(s, handle, (size_t)n + 1);
		got++;
	}
	if (!got) { /* until it says that there is something */
		send_head(s, PRE_SLEEP, 0);
		if (socket_wait(s, 100))
			receive(s, &type, &size);
	}
	return got;
}

const struct peer peer_gearmand = {"gearmand", open_queue, put, take};
