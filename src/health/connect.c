#include "health/connect.h"

#include "base/mem.h"
#include "health/probe.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

struct connecting {
	uv_getaddrinfo_t lookup;
	uv_connect_t request;
	uv_tcp_t *tcp; /* NULL: nobody waits any more */
	bool looking, reaching, telling, freed;
	void (*connected)(void *context, const char *error);
	void *context;
};

static void end(struct connecting *c)
{
	if (c->freed && !c->looking && !c->reaching && !c->telling)
		free(c);
}

static void tell(struct connecting *c, int status)
{
	c->telling = true; /* whoever is told frees it */
	if (!c->freed)
		c->connected(c->context, status ? uv_strerror(status) : NULL);
	c->telling = false;
}

static void on_connect(uv_connect_t *request, int status)
{
	struct connecting *c = container_of(request, struct connecting, request);
	c->reaching = false;
	tell(c, status);
	end(c);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct connecting *c = container_of(lookup, struct connecting, lookup);
	c->looking = false;
	if (!c->freed && status == 0) {
		status = uv_tcp_connect(&c->request, c->tcp, found->ai_addr, on_connect);
		c->reaching = status == 0;
	}
	uv_freeaddrinfo(found);
	if (status)
		tell(c, status);
	end(c);
}

struct connecting *connect_to(struct loop *l, uv_tcp_t *tcp, const char *address,
	void (*connected)(void *context, const char *error), void *context)
{
	struct connecting *c = NEW(struct connecting);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char host[256], port[8];
	probe_split(address, host, port);
	uv_tcp_init(loop_uv(l), tcp);
	c->tcp = tcp;
	c->connected = connected;
	c->context = context;
	c->looking = uv_getaddrinfo(loop_uv(l), &c->lookup, on_looked_up, host, port, &hints) == 0;
	return c;
}

void connect_free(struct connecting *c)
{
	if (!c)
		return;
	c->freed = true;
	if (c->looking)
		uv_cancel((uv_req_t *)&c->lookup);
	end(c);
}
