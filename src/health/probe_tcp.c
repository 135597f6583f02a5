/* tcp: the connection is accepted. */
#include "health/connect.h"
#include "health/probe.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct tcp_probe {
	struct probe probe;
	uv_tcp_t tcp;
	struct connecting *connecting;
	char address[264];
};

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_tcp_t *)handle, struct tcp_probe, tcp));
}

static void tcp_close(struct probe *p)
{
	struct tcp_probe *x = container_of(p, struct tcp_probe, probe);
	connect_free(x->connecting);
	uv_close((uv_handle_t *)&x->tcp, on_closed);
}

static const struct probe_ops ops = {tcp_close};

static void on_connected(void *context, const char *error)
{
	struct tcp_probe *x = context;
	if (error)
		probe_tell(&x->probe, false, "%s: %s", x->address, error);
	else
		probe_tell(&x->probe, true, "%s accepts connections", x->address);
}

struct probe *probe_tcp(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	struct tcp_probe *x = NEW(struct tcp_probe);
	probe_init(&x->probe, &ops);
	snprintf(x->address, sizeof x->address, "%s", q->check->address);
	x->connecting = connect_to(prober_loop(p), &x->tcp, x->address, on_connected, x);
	return &x->probe;
}
