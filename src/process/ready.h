/* ready.h - how a managed program says that it has started: READY=1 to $NOTIFY_SOCKET, as sd_notify(3) does, or a newline on a
 * descriptor, as s6's notification-fd. Both stand in the child's own directory, which only its user can enter. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "loop/loop.h"

struct ready;

/* Listens at `path`: a datagram socket, or with `newline` a FIFO, which the keeper opens for the child. `ready` is called once, on
 * the loop. `status` (may be NULL) gets the text of each STATUS=. */
enum errcode ready_open(struct loop *l, const char *path, bool newline, void (*ready)(void *context),
	void (*status)(void *context, struct bytes text), void *context, struct ready **out, struct err *e);
void ready_close(struct ready *r); /* NULL is fine; the file stays */
