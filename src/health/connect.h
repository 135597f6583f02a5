/* connect.h - a TCP connection by name, for probes. Names are looked up in the pool. */
#pragma once
#include "loop/loop.h"

#include <stdbool.h>

struct connecting;
/* connected(context, NULL): `tcp` is connected; else why not. Once, later. The handle is initialised here and belongs to the
 * caller: it closes it when the connecting was freed or has told. */
struct connecting *connect_to(struct loop *l, uv_tcp_t *tcp, const char *address,
	void (*connected)(void *context, const char *error), void *context);
void connect_free(struct connecting *c); /* told or not; NULL is fine */
