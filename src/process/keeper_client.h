/* keeper_client.h - the engine's side of the channel to the keeper (wire/keeper.h), on the loop.
 *
 * A struct keeper_child is a slot in use: it is there from keeper_client_spawn (or from the list of what an earlier engine left)
 * until keeper_client_forget. Orders are never lost: what the channel does not take at once waits here. Loop thread only. */
#pragma once
#include "base/err.h"
#include "wire/keeper.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct keeper_client;

struct keeper_child_events { /* `context` is the one given to keeper_client_spawn or keeper_child_watch */
	void (*spawned)(void *context);
	/* It did not start; the sentence names step and reason. The child may only be forgotten. */
	void (*spawn_failed)(void *context, int error, const char *why);
	void (*exited)(void *context);
};

struct keeper_child { /* to read; written by the client */
	struct keeper_client *client;
	uint32_t slot;
	char instance[KEEPER_INSTANCE_MAX];
	int pid; /* 0: not spawned yet */
	uint64_t start;
	bool exited, status_known;
	int status; /* as from waitpid */
	const struct keeper_child_events *events;
	void *context;
};

struct keeper_client_events {
	void *context;
	/* Once, after open: the children that are there already. They belong to whoever takes them (keeper_child_watch). */
	void (*listed)(void *context, struct keeper_child **children, size_t n);
	void (*stop)(void *context, int times); /* SIGTERM came to the keeper; from the second time on, hurry */
	void (*reload)(void *context);
	void (*lost)(void *context); /* the keeper is gone: exit at once, the children live on */
};

/* fd: of KEEPER_ENV_FD; the client owns it from E_OK on. Asks for the list at once. */
enum errcode keeper_client_open(
	struct loop *l, int fd, const struct keeper_client_events *events, struct keeper_client **out, struct err *e);
void keeper_client_close(struct keeper_client *c); /* children in the keeper are not touched */

/* Reserves a slot: its number names the child's directory before it is spawned. NULL: all KEEPER_SLOTS are in use. */
struct keeper_child *keeper_client_reserve(struct keeper_client *c);
/* order->slot is filled in. E_TOO_LARGE: arguments and environment do not fit a message. */
enum errcode keeper_client_spawn(struct keeper_child *child, struct keeper_order *order,
	const struct keeper_child_events *events, void *context, struct err *e);
void keeper_child_watch(struct keeper_child *child, const struct keeper_child_events *events, void *context);
void keeper_client_signal(struct keeper_child *child, int signal, bool group);
/* Frees the slot; one that lives is forgotten when it exits. NULL is fine. */
void keeper_client_forget(struct keeper_child *child);
