/* client.c - who pulls: what people are shown. Nothing depends on it. */
#include "claim/parts.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t hash(const char *name) /* FNV-1a */
{
	uint64_t h = 0xcbf29ce484222325;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return h ? h : 1;
}

/* Those who have nothing of ours and were silent for so long, or for longest when there are too many. */
static void forget_silent(struct claims *c)
{
	int64_t before_ms = claims_now(c) - CLAIM_SILENT_MS;
	for (struct list *l = c->clients.prev, *next; l != &c->clients; l = next) {
		struct claim_client *k = container_of(l, struct claim_client, link);
		next = l->prev;
		if (k->held || k->waiting)
			continue;
		if (k->last_at_ms > before_ms && c->client_n < CLAIM_CLIENTS_MAX)
			return;
		list_remove(l);
		idmap_remove(&c->client_by_name, hash(k->name));
		c->client_n--;
		free(k->asked);
		free(k);
	}
}

struct claim_client *client_get(struct claims *c, const char *name)
{
	struct claim_client *k = idmap_get(&c->client_by_name, hash(name));
	if (k)
		return k;
	forget_silent(c);
	k = NEW(struct claim_client);
	snprintf(k->name, sizeof k->name, "%s", name);
	list_append(&c->clients, &k->link);
	idmap_put(&c->client_by_name, hash(name), k);
	c->client_n++;
	return k;
}

void client_spoke(struct claims *c, struct claim_client *k)
{
	k->last_at_ms = claims_now(c);
	list_remove(&k->link);
	list_append(c->clients.next, &k->link); /* before the first */
}

void claims_each_client(struct claims *c, void (*visit)(void *context, const struct claim_client *k), void *context)
{
	list_each(&c->clients, l) visit(context, container_of(l, struct claim_client, link));
}
