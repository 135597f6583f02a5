/* peers.h - other people's queues behind one interface, so that bench/queue --peers asks all of them the same.
 *
 * Each peer is used as its own manual recommends for at-least-once work: confirmed puts, and a take that acknowledges after
 * the work (which is nothing here). Where it can pipeline or batch, it does. One thread at a time per connection. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The body of a job that was taken. */
typedef void peer_visit(void *context, const char *body, size_t size);

struct peer {
	const char *name;
	void *(*open)(
		const char *where); /* a port of 127.0.0.1, or the path of a Unix socket; makes the queue when missing */
	/* n jobs with this body; returns when the server has confirmed each. */
	void (*put)(void *connection, const char *body, size_t size, unsigned n);
	/* Takes and acknowledges at most so many; waits up to some 100 ms for the first one. How many there were. */
	unsigned (*take)(void *connection, unsigned most, peer_visit *visit, void *context);
};

extern const struct peer peer_beanstalkd, peer_redis, peer_gearmand, peer_nats, peer_postgresql, peer_rabbitmq;

/* Somebody waits for each job: a peer that must be told to wake its consumers is. Set before the first open. */
extern bool peers_wake;

void give_up(const char *what, const char *why); /* does not return */

/* socket.c: text protocols over a socket */
struct peer_socket {
	int fd;
	size_t out_n, in_at, in_n;
	char *out, *in;
};

struct peer_socket *socket_open(const char *where);
void socket_add(struct peer_socket *s, const void *data, size_t size); /* goes out with the next read */
void socket_print(struct peer_socket *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *socket_line(struct peer_socket *s); /* without its end; stays until the next read */
char *socket_read(struct peer_socket *s, size_t size); /* exactly so many bytes; the same */
bool socket_wait(struct peer_socket *s, int ms); /* false: nothing came */
