/* JetStream: a stream in files with one durable pull consumer, each message acknowledged. */
#include "peers.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connection {
	struct peer_socket *socket;
	char inbox[32];
};

struct message {
	char reply[256];
	char *body;
	size_t size;
	bool status; /* its headers say that there is nothing (more) */
};

static unsigned split(char *line, char *words[6])
{
	unsigned n = 0;
	char *rest = NULL;
	for (char *word = strtok_r(line, " ", &rest); word && n < 6; word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	return n;
}

/* The next message; what else the server says is answered or passed over. */
static void next(struct peer_socket *s, struct message *m)
{
	for (;;) {
		char *line = socket_line(s), *words[6];
		bool headers = strncmp(line, "HMSG ", 5) == 0;
		if (strncmp(line, "-ERR", 4) == 0)
			give_up("nats", line);
		if (strncmp(line, "PING", 4) == 0)
			socket_print(s, "PONG\r\n");
		if (!headers && strncmp(line, "MSG ", 4) != 0)
			continue;
		/* MSG subject sid [reply] size, HMSG subject sid [reply] header-size size */
		unsigned n = split(line, words);
		bool has_reply = n == (headers ? 6 : 5);
		snprintf(m->reply, sizeof m->reply, "%s", has_reply ? words[3] : "");
		size_t size = strtoul(words[n - 1], NULL, 10), head = headers ? strtoul(words[n - 2], NULL, 10) : 0;
		m->body = socket_read(s, size + 2) + head;
		m->size = size - head;
		m->body[m->size] = 0;
		m->status = headers && !has_reply;
		return;
	}
}

static void request(struct connection *c, const char *subject, const char *json)
{
	struct message m;
	socket_print(c->socket, "PUB %s %s.api %zu\r\n%s\r\n", subject, c->inbox, strlen(json), json);
	next(c->socket, &m);
	if (m.status || strstr(m.body, "\"error\""))
		give_up(subject, m.body);
}

static void *open_queue(const char *where)
{
	static atomic_int connections;
	struct connection *c = calloc(1, sizeof *c);
	c->socket = socket_open(where);
	snprintf(c->inbox, sizeof c->inbox, "inbox%d", atomic_fetch_add(&connections, 1));
	socket_line(c->socket); /* INFO */
	socket_print(
		c->socket, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n");
	socket_print(c->socket, "SUB %s.* 1\r\n", c->inbox);
	request(c, "$JS.API.STREAM.CREATE.Q",
		"{\"name\":\"Q\",\"subjects\":[\"q\"],\"storage\":\"file\",\"retention\":\"workqueue\"}");
	request(c, "$JS.API.CONSUMER.DURABLE.CREATE.Q.C",
		"{\"stream_name\":\"Q\",\"config\":{\"durable_name\":\"C\",\"ack_policy\":\"explicit\",\"max_ack_pending\":"
		"20000}}");
	return c;
}

static void put(void *connection, const char *body, size_t size, unsigned n)
{
	struct connection *c = connection;
	struct message m;
	for (unsigned i = 0; i < n; i++) {
		socket_print(c->socket, "PUB q %s.put %zu\r\n", c->inbox, size);
		socket_add(c->socket, body, size);
		socket_add(c->socket, "\r\n", 2);
	}
	for (unsigned i = 0; i < n; i++) {
		next(c->socket, &m);
		if (m.status || strstr(m.body, "\"error\""))
			give_up("nats: publish", m.body);
	}
}

/* Asks for so many and takes them until the server says that there are no more; false: none. */
static unsigned fetch(struct connection *c, unsigned most, const char *patience, peer_visit *visit, void *context)
{
	unsigned got = 0;
	char json[100];
	struct message m;
	int size = snprintf(json, sizeof json, "{\"batch\":%u,%s}", most, patience);
	socket_print(c->socket, "PUB $JS.API.CONSUMER.MSG.NEXT.Q.C %s.got %d\r\n%s\r\n", c->inbox, size, json);
	for (; got < most; got++) {
		next(c->socket, &m);
		if (m.status)
			break;
		visit(context, m.body, m.size);
		socket_print(c->socket, "PUB %s 4\r\n+ACK\r\n", m.reply);
	}
	return got;
}

static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	unsigned got = fetch(connection, 1, "\"expires\":100000000", visit, context);
	if (got && most > 1)
		got += fetch(connection, most - 1, "\"no_wait\":true", visit, context);
	socket_wait(((struct connection *)connection)->socket, 0); /* sends the last acknowledgements */
	return got;
}

const struct peer peer_nats = {"nats", open_queue, put, take};
