#include "claim/parts.h"

#include "wire/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct claims *claims_new(struct queues *qs, struct store *store, const struct claim_calls *calls)
{
	struct claims *c = NEW(struct claims);
	c->queues = qs;
	c->store = store;
	c->calls = *calls;
	list_init(&c->waiting);
	list_init(&c->served);
	list_init(&c->commits);
	list_init(&c->active);
	list_init(&c->clients);
	return c;
}

void claims_free(struct claims *c)
{
	if (!c)
		return;
	size_t at = 0;
	for (struct claim *k; (k = idmap_next(&c->held, &at));)
		if (!k->granting)
			free(k);
	waits_drop(c);
	at = 0;
	for (struct want *w; (w = idmap_next(&c->wants, &at));)
		free(w);
	list_each(&c->clients, l)
	{
		struct claim_client *k = container_of(l, struct claim_client, link);
		free(k->asked);
		free(k);
	}
	idmap_fini(&c->held);
	idmap_fini(&c->wants);
	idmap_fini(&c->client_by_name);
	heap_fini(&c->leases);
	heap_fini(&c->waits_until);
	buf_fini(&c->dropped);
	free(c);
}

void claims_want_turn(struct claims *c)
{
	if (c->turn_wanted)
		return;
	c->turn_wanted = true;
	c->calls.want_turn(c->calls.context);
}

/* ── one job in a client's hands ── */

struct claim *claim_new(struct claims *c, struct claim_client *client, int64_t lease_ms)
{
	struct claim *k = NEW(struct claim);
	k->client = client;
	k->lease_ms = lease_ms;
	k->since_ms = claims_now(c);
	return k;
}

void claim_take(struct claims *c, struct claim *k, struct job *j)
{
	k->job = j;
	k->id = j->id;
	k->fence = job_fence(c->queues, j);
	k->client->held++;
	idmap_put(&c->held, k->id, k);
}

static void run_lease(struct claims *c, struct claim *k)
{
	int64_t until_ms = claims_now(c) + k->lease_ms;
	heap_put(&c->leases, &k->until, until_ms, k->id);
	c->calls.wake(c->calls.context, until_ms);
}

void claim_begin(struct claims *c, struct claim *k)
{
	k->granting = false;
	job_started(k->job, claims_now(c));
	run_lease(c, k);
}

void claim_forget(struct claims *c, struct claim *k)
{
	idmap_remove(&c->held, k->id);
	heap_remove(&c->leases, &k->until);
	k->client->held--;
	k->job = NULL;
	if (!k->granting)
		free(k);
}

void claim_drop(struct claims *c, struct claim *k)
{
	buf_add(&c->dropped, &k->id, sizeof k->id);
	claims_want_turn(c);
	claim_forget(c, k);
}

bool claims_has(const struct claims *c, const struct job *j)
{
	const struct claim *k = idmap_get(&c->held, j->id);
	return k && k->job == j && j->holder == k;
}

/* Its client hears of it when it speaks the next time. */
bool claims_revoke(struct claims *c, struct job *j)
{
	if (!claims_has(c, j))
		return false;
	claim_drop(c, idmap_get(&c->held, j->id));
	return true;
}

static struct claim_view view_of(const struct claim *k)
{
	return (struct claim_view){k->job, k->client->name, k->fence, k->since_ms, k->until.key, k->lease_ms};
}

/* ── what its client says ── */

static enum errcode find(struct claims *c, uint64_t id, uint64_t fence, struct claim **out, struct err *e)
{
	struct claim *k = idmap_get(&c->held, id);
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (!k || k->fence != fence || k->granting)
		return err_set(e, E_FENCE, "job %s is not claimed under fence %" PRIu64, text, fence);
	client_spoke(c, k->client);
	*out = k;
	return E_OK;
}

enum errcode claims_heartbeat(
	struct claims *c, uint64_t id, uint64_t fence, int64_t lease_ms, int64_t *until_ms, struct err *e)
{
	struct claim *k;
	enum errcode code = find(c, id, fence, &k, e);
	if (code)
		return code;
	if (lease_ms && lease_ms != k->lease_ms) {
		struct store_batch *b = store_batch_new();
		k->lease_ms = lease_ms;
		row_put(b, k);
		queues_commit(c->queues, b, NULL, NULL);
	}
	run_lease(c, k);
	*until_ms = k->until.key;
	return E_OK;
}

/* The job is in other hands, or waits for them: it was done twice. */
static void count_late(struct claims *c, uint64_t id)
{
	const struct job *j = queues_find(c->queues, id);
	if (j)
		queue_count_fenced(j->queue);
}

enum errcode claims_complete(
	struct claims *c, uint64_t id, uint64_t fence, struct bytes result, queue_done *done, void *context, struct err *e)
{
	struct claim *k;
	enum errcode code = find(c, id, fence, &k, e);
	if (code)
		count_late(c, id);
	else
		code = queue_complete(c->queues, id, fence, result, claims_now(c), done, context, e);
	if (code)
		return code;
	c->stats.completed++;
	k->client->completed++;
	claim_drop(c, k);
	return E_OK;
}

enum errcode claims_fail(struct claims *c, uint64_t id, uint64_t fence, const struct job_error *error, queue_done *done,
	void *context, struct err *e)
{
	struct claim *k;
	enum errcode code = find(c, id, fence, &k, e);
	if (!code)
		code = queue_fail(c->queues, id, fence, error, claims_now(c), done, context, e);
	if (code)
		return code;
	c->stats.failed++;
	k->client->failed++;
	claim_drop(c, k);
	return E_OK;
}

enum errcode claims_release(
	struct claims *c, uint64_t id, uint64_t fence, queue_done *done, void *context, struct err *e)
{
	struct claim *k;
	enum errcode code = find(c, id, fence, &k, e);
	if (code)
		return code;
	struct store_batch *b = store_batch_new();
	struct job *j = k->job;
	store_batch_delete(b, STORE_CLAIM, (struct store_key){.id = id});
	queues_commit(c->queues, b, done, context);
	c->stats.released++;
	k->client->released++;
	claim_forget(c, k);
	job_release(j, claims_now(c));
	return E_OK;
}

/* ── time ── */

static void expire(struct claims *c, struct claim *k)
{
	struct job_error why = {.code = "lease_expired", .retryable = 1};
	struct claim_view v = view_of(k);
	uint64_t id = k->id, fence = k->fence;
	snprintf(why.message, sizeof why.message,
		"client %s neither ended the job nor sent a heartbeat within its lease of %" PRId64 " ms", k->client->name,
		k->lease_ms);
	c->stats.expired++;
	k->client->expired++;
	if (c->calls.expired)
		c->calls.expired(c->calls.context, &v, bytes_of(why.message));
	claim_drop(c, k);
	queue_crashed(c->queues, id, fence, &why, (struct bytes){0}, claims_now(c), NULL);
}

static void wake_for(struct claims *c, const struct heap *h)
{
	if (heap_first(h))
		c->calls.wake(c->calls.context, heap_first(h)->key);
}

void claims_tick(struct claims *c)
{
	int64_t now_ms = claims_now(c);
	struct heap_node *n;
	if (c->turn_wanted) /* who waits for no time at all has had no turn yet */
		claims_turn(c);
	while ((n = heap_first(&c->leases)) && n->key <= now_ms)
		expire(c, container_of(n, struct claim, until));
	while (!c->hold && (n = heap_first(&c->waits_until)) && n->key <= now_ms)
		wait_expire(container_of(n, struct claim_wait, until));
	wake_for(c, &c->leases);
	if (!c->hold)
		wake_for(c, &c->waits_until);
}

/* ── after a restart ── */

static bool load_row(void *context, const struct store_row *row)
{
	struct claims *c = context;
	char name[CLAIM_CLIENT_SIZE];
	uint64_t fence;
	int64_t lease_ms;
	struct job *j;
	if (row_read(row->head, &fence, &lease_ms, name)) {
		struct claim *k = claim_new(c, client_get(c, name), lease_ms);
		if (queue_reclaim(c->queues, row->key.id, fence, claims_now(c), k, &j) == E_OK) {
			claim_take(c, k, j);
			claim_begin(c, k);
			return true;
		}
		free(k);
	}
	buf_add(&c->dropped, &row->key.id, sizeof row->key.id); /* it ended, or its lease was taken back */
	claims_want_turn(c);
	return true;
}

enum errcode claims_load(struct claims *c, struct err *e)
{
	return c->store->ops->load(c->store, STORE_CLAIM, load_row, c, e);
}

/* ── look ── */

void claims_each(struct claims *c, void (*visit)(void *context, const struct claim_view *v), void *context)
{
	size_t at = 0;
	for (struct claim *k; (k = idmap_next(&c->held, &at));) {
		struct claim_view v = view_of(k);
		if (!k->granting)
			visit(context, &v);
	}
}

void claims_get_stats(const struct claims *c, struct claims_stats *out)
{
	*out = c->stats;
	out->held = c->held.n;
	out->waiting = c->wait_n;
	out->clients = c->client_n;
}
