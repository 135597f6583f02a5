#include "process/keeper_client.h"

#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "os/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct waiting { /* an order that the channel did not take */
	struct list link;
	size_t size;
	char bytes[];
};

struct keeper_client {
	uv_poll_t poll; /* must be first: freed by its close callback */
	struct keeper_client_events events;
	int fd;
	bool listed, lost;
	struct list waiting;
	struct keeper_child *children[KEEPER_SLOTS];
};

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct keeper_client *c)
{
	uv_poll_start(&c->poll, UV_READABLE | (list_empty(&c->waiting) ? 0 : UV_WRITABLE), on_ready);
}

static void flush(struct keeper_client *c)
{
	while (!list_empty(&c->waiting)) {
		struct waiting *w = container_of(c->waiting.next, struct waiting, link);
		if (send(c->fd, w->bytes, w->size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
			return;
		list_remove(&w->link);
		free(w);
	}
}

static void order(struct keeper_client *c, const void *message, size_t size)
{
	if (list_empty(&c->waiting) && send(c->fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size)
		return;
	struct waiting *w = mem_new(sizeof *w + size);
	w->size = size;
	memcpy(w->bytes, message, size);
	list_append(&c->waiting, &w->link);
	watch(c);
}

static void order_head(struct keeper_client *c, uint32_t type, uint32_t slot)
{
	struct keeper_head head = {type, slot};
	order(c, &head, sizeof head);
}

/* ── events ── */

static struct keeper_child *child_new(struct keeper_client *c, uint32_t slot)
{
	struct keeper_child *child = NEW(struct keeper_child);
	child->client = c;
	child->slot = slot;
	c->children[slot] = child;
	return child;
}

static void describe(struct keeper_child *child, const struct keeper_event *e)
{
	memcpy(child->instance, e->instance, sizeof child->instance);
	child->pid = e->pid;
	child->start = e->start;
	child->status = e->status;
	child->status_known = e->known;
}

static void on_listed(struct keeper_client *c, const struct keeper_event *e)
{
	struct keeper_child *child = c->children[e->head.slot] ? c->children[e->head.slot] : child_new(c, e->head.slot);
	describe(child, e);
	child->exited = e->state == KEEPER_GONE;
}

static void on_list_end(struct keeper_client *c)
{
	struct keeper_child **all = mem_new(KEEPER_SLOTS * sizeof(struct keeper_child *));
	size_t n = 0;
	for (uint32_t slot = 0; slot < KEEPER_SLOTS; slot++)
		if (c->children[slot] && !c->children[slot]->events)
			all[n++] = c->children[slot];
	c->listed = true;
	c->events.listed(c->events.context, all, n);
	free(all);
}

static void on_exited(struct keeper_child *child, const struct keeper_event *e)
{
	if (child->exited)
		return;
	describe(child, e);
	child->exited = true;
	if (child->events)
		child->events->exited(child->context);
	else
		keeper_client_forget(child); /* it was forgotten while it lived */
}

static void on_failed(struct keeper_child *child, const struct keeper_event *e)
{
	char why[160];
	snprintf(why, sizeof why, "%s: %s", keeper_step_word(e->step), strerror(e->status));
	child->exited = true;
	if (child->events)
		child->events->spawn_failed(child->context, e->status, why);
}

static void on_child(struct keeper_client *c, const struct keeper_event *e)
{
	struct keeper_child *child = c->children[e->head.slot];
	if (!child)
		return;
	if (e->head.type == KEEPER_SPAWN_FAILED) {
		on_failed(child, e);
	} else if (e->head.type == KEEPER_EXITED) {
		on_exited(child, e);
	} else {
		describe(child, e);
		if (child->events)
			child->events->spawned(child->context);
	}
}

static void on_event(struct keeper_client *c, const struct keeper_event *e)
{
	switch (e->head.type) {
	case KEEPER_STOP:
		c->events.stop(c->events.context, e->status);
		break;
	case KEEPER_RELOAD:
		c->events.reload(c->events.context);
		break;
	case KEEPER_LIST_END:
		on_list_end(c);
		break;
	case KEEPER_LISTED:
		if (e->head.slot < KEEPER_SLOTS)
			on_listed(c, e);
		break;
	default:
		/* before the list: of a child that it will tell of */
		if (e->head.slot < KEEPER_SLOTS && c->listed)
			on_child(c, e);
	}
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct keeper_client *c = container_of(poll, struct keeper_client, poll);
	flush(c);
	for (int turn = 0; turn < 256 && !uv_is_closing((uv_handle_t *)poll); turn++) {
		struct keeper_event e;
		ssize_t n = recv(c->fd, &e, sizeof e, MSG_DONTWAIT);
		if (n == sizeof e) {
			on_event(c, &e);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n > 0)
			continue; /* not of our build: the keeper is never older than its engine */
		uv_poll_stop(poll);
		c->lost = true;
		c->events.lost(c->events.context);
		return;
	}
	if (!uv_is_closing((uv_handle_t *)poll))
		watch(c);
}

/* ── for the runner ── */

enum errcode keeper_client_open(
	struct loop *l, int fd, const struct keeper_client_events *events, struct keeper_client **out, struct err *e)
{
	struct keeper_client *c = NEW(struct keeper_client);
	c->events = *events;
	c->fd = fd;
	list_init(&c->waiting);
	fd_set_cloexec(fd, 1);
	int bad = uv_poll_init(loop_uv(l), &c->poll, fd);
	if (bad) {
		free(c);
		return err_errno(
			e, -bad, "descriptor %d (" KEEPER_ENV_FD ") is no channel to a keeper; start reeved, not reeve-engine", fd);
	}
	watch(c);
	order_head(c, KEEPER_LIST, 0);
	*out = c;
	return E_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct keeper_client *c = container_of((uv_poll_t *)handle, struct keeper_client, poll);
	close(c->fd);
	for (uint32_t slot = 0; slot < KEEPER_SLOTS; slot++)
		free(c->children[slot]);
	list_each(&c->waiting, at) free(container_of(at, struct waiting, link));
	free(c);
}

void keeper_client_close(struct keeper_client *c)
{
	if (!c)
		return;
	flush(c);
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

struct keeper_child *keeper_client_reserve(struct keeper_client *c)
{
	for (uint32_t slot = 0; slot < KEEPER_SLOTS; slot++)
		if (!c->children[slot])
			return child_new(c, slot);
	return NULL;
}

enum errcode keeper_client_spawn(struct keeper_child *child, struct keeper_order *o,
	const struct keeper_child_events *events, void *context, struct err *e)
{
	static uint64_t message[KEEPER_MESSAGE_MAX / 8];
	o->slot = child->slot;
	size_t size = keeper_spawn_encode(o, message);
	if (size == 0)
		return err_set(e, E_TOO_LARGE,
			"%s: its arguments and environment are too long (together at most %u bytes in at most %u strings)",
			o->instance, KEEPER_MESSAGE_MAX - (unsigned)sizeof(struct keeper_spawn), KEEPER_STRINGS_MAX);
	snprintf(child->instance, sizeof child->instance, "%s", o->instance);
	keeper_child_watch(child, events, context);
	order(child->client, message, size);
	return E_OK;
}

void keeper_child_watch(struct keeper_child *child, const struct keeper_child_events *events, void *context)
{
	child->events = events;
	child->context = context;
}

void keeper_client_signal(struct keeper_child *child, int signal, bool group)
{
	struct keeper_signal s = {{KEEPER_SIGNAL, child->slot}, signal, group};
	if (child->pid && !child->exited)
		order(child->client, &s, sizeof s);
}

void keeper_client_forget(struct keeper_child *child)
{
	if (!child)
		return;
	struct keeper_client *c = child->client;
	if (child->exited)
		order_head(c, KEEPER_FORGET, child->slot);
	if (child->exited || !child->pid) {
		c->children[child->slot] = NULL;
		free(child);
	} else {
		child->events = NULL; /* its slot stays taken until it has ended */
	}
}
