/* listen.h - a Unix socket that accepts connections on the loop. Loop thread only. */
#pragma once
#include "base/err.h"

struct loop;
struct link_listener;

/* Makes the socket (mode 0600; whatever stands at `path` is replaced), or takes over `listen_fd` >= 0. accepted() owns fd,
 * which is non-blocking and close-on-exec. */
enum errcode link_listener_open(struct loop *loop, const char *path, int listen_fd,
	void (*accepted)(void *context, int fd), void *context, struct link_listener **out, struct err *e);
/* Removes the socket, when it made it. */
void link_listener_close(struct link_listener *l);
