/* wait.c - those who ask for work: who is next, and the one commit of a turn that makes what they get theirs. */
#include "claim/parts.h"

#include <stdio.h>
#include <stdlib.h>

struct granting { /* the commit of a turn */
	struct list link; /* in claims->commits */
	struct claims *claims;
	struct list waits; /* struct claim_wait.link */
};

static struct want *want_get(struct claims *c, struct queue *q)
{
	struct want *w = idmap_get(&c->wants, (uintptr_t)q);
	if (!w) {
		w = NEW(struct want);
		w->queue = q;
		list_init(&w->places);
		idmap_put(&c->wants, (uintptr_t)q, w);
	}
	return w;
}

static void activate(struct claims *c, struct want *w)
{
	if (w->active.next)
		return;
	list_append(&c->active, &w->active);
	claims_want_turn(c);
}

void claims_ready(struct claims *c, struct queue *q)
{
	struct want *w = c->wait_n ? idmap_get(&c->wants, (uintptr_t)q) : NULL;
	if (w && !list_empty(&w->places))
		activate(c, w);
}

/* ── a wait ── */

static void wait_free(struct claim_wait *w)
{
	for (size_t i = 0; i < w->given_n; i++)
		free(w->given[i].claim);
	free(w->places);
	free(w->given);
	buf_fini(&w->inputs);
	free(w);
}

/* It stands in no line any more. */
static void leave(struct claim_wait *w)
{
	struct claims *c = w->claims;
	if (!w->places)
		return;
	for (size_t i = 0; i < w->ask.queue_n; i++)
		list_remove(&w->places[i].link);
	free(w->places);
	w->places = NULL;
	heap_remove(&c->waits_until, &w->until);
	w->client->waiting--;
	c->wait_n--;
}

static void answer_nothing(struct claim_wait *w, enum errcode code)
{
	leave(w);
	list_remove(&w->link);
	w->ask.done(w->ask.context, code, NULL, 0);
	wait_free(w);
}

void wait_expire(struct claim_wait *w)
{
	answer_nothing(w, E_OK);
}

void claims_forget(struct claims *c, struct claim_wait *w)
{
	if (!w->places) { /* its commit is under way, which comes back to it */
		w->forgotten = true;
		return;
	}
	leave(w);
	list_remove(&w->link);
	wait_free(w);
}

static void note_asked(struct claim_client *k, const struct claim_ask *ask)
{
	struct buf text = {0};
	for (size_t i = 0; i < ask->queue_n; i++) {
		struct bytes namespace = queue_namespace(ask->queues[i]), capability = queue_capability(ask->queues[i]);
		if (i)
			buf_text(&text, " ");
		if (!bytes_equal(namespace, bytes_of("default"))) {
			buf_add(&text, namespace.data, namespace.size);
			buf_text(&text, "/");
		}
		buf_add(&text, capability.data, capability.size);
	}
	free(k->asked);
	k->asked = buf_take(&text);
}

static void stand_in_lines(struct claim_wait *w, struct queue *const *queues)
{
	struct claims *c = w->claims;
	w->places = mem_new(w->ask.queue_n * sizeof *w->places);
	for (size_t i = 0; i < w->ask.queue_n; i++) {
		struct want *at = want_get(c, queues[i]);
		w->places[i] = (struct place){.want = at, .wait = w};
		list_append(&at->places, &w->places[i].link);
		activate(c, at);
	}
	w->client->waiting++;
	c->wait_n++;
}

enum errcode claims_ask(struct claims *c, const struct claim_ask *ask, struct claim_wait **out, struct err *e)
{
	if (c->stopped)
		return err_set(e, E_UNAVAILABLE, "the daemon is stopping");
	if (c->wait_n >= CLAIM_WAITS_MAX)
		return err_set(e, E_LIMIT, "%d claims are waiting already", CLAIM_WAITS_MAX);
	if (c->held.n + ask->max > CLAIM_HELD_MAX)
		return err_set(e, E_LIMIT, "%zu jobs are claimed already, at most %d may be", c->held.n, CLAIM_HELD_MAX);
	struct claim_wait *w = NEW(struct claim_wait);
	*w = (struct claim_wait){.claims = c, .ask = *ask, .client = client_get(c, ask->client)};
	note_asked(w->client, ask);
	client_spoke(c, w->client);
	stand_in_lines(w, ask->queues);
	list_append(&c->waiting, &w->link);
	int64_t until_ms = claims_now(c) + ask->wait_ms;
	heap_put(&c->waits_until, &w->until, until_ms, 0);
	c->calls.wake(c->calls.context, until_ms);
	*out = w;
	return E_OK;
}

/* ── a job for the first in line ── */

static bool read_input(struct claim_wait *w, struct job *j, struct given *g, struct err *e)
{
	struct queues *qs = w->claims->queues;
	scoped(buf_fini) struct buf input = {0}, checkpoint = {0};
	if (job_read_input(qs, j, &input, e) != E_OK || (j->attempts && job_read_checkpoint(qs, j, &checkpoint, e) != E_OK))
		return false;
	g->input_size = input.size;
	g->checkpoint_size = checkpoint.size;
	if (input.size)
		buf_add(&w->inputs, input.data, input.size);
	if (checkpoint.size)
		buf_add(&w->inputs, checkpoint.data, checkpoint.size);
	return true;
}

static void fail_unreadable(struct claims *c, struct claim *k, const struct err *e)
{
	struct job_error error = {.code = "internal", .retryable = 1};
	snprintf(error.message, sizeof error.message, "its input could not be read: %.400s", e->text);
	uint64_t id = k->id, fence = k->fence;
	claim_drop(c, k);
	queue_fail(c->queues, id, fence, &error, claims_now(c), NULL, NULL, NULL);
}

/* False: the queue has nothing to give. */
static bool give_one(struct claim_wait *w, struct queue *q)
{
	struct claims *c = w->claims;
	struct err e;
	struct claim *k = claim_new(c, w->client, w->ask.lease_ms);
	struct job *j = queue_lease(q, claims_now(c), k);
	if (!j) {
		free(k);
		return false;
	}
	struct given g = {.claim = k};
	claim_take(c, k, j);
	if (!read_input(w, j, &g, &e)) {
		fail_unreadable(c, k, &e);
		return true;
	}
	k->granting = true;
	if (w->given_n == w->given_room) {
		w->given_room = w->given_room ? w->given_room * 2 : 1;
		w->given = mem_resize(w->given, w->given_room * sizeof *w->given);
	}
	if (w->given_n == 0) {
		list_remove(&w->link);
		list_append(&c->served, &w->link);
	}
	w->given[w->given_n++] = g;
	return true;
}

/* The first in the line gets a job and goes to its end; who is full leaves. False: nobody waits, or the queue has nothing. */
static bool serve(struct claims *c, struct want *at)
{
	while (!list_empty(&at->places)) {
		struct place *p = container_of(at->places.next, struct place, link);
		struct claim_wait *w = p->wait;
		bool there = w->given_n > 0 || w->ask.there(w->ask.context);
		/* rows that are to go are held up: none may come before them */
		if (!there || (w->given_n == 0 && queues_held(c->queues))) {
			answer_nothing(w, there ? E_NO_SPACE : E_OK);
			continue;
		}
		if (!give_one(w, at->queue))
			return false;
		list_remove(&p->link);
		list_append(&at->places, &p->link);
		if (w->given_n >= w->ask.max || w->inputs.size >= CLAIM_BYTES_MAX)
			leave(w);
		return true;
	}
	return false;
}

/* ── the commit ── */

static void give_back(struct claims *c, struct claim *k, bool stored)
{
	struct job *j = k->job;
	if (!j)
		return;
	c->stats.returned++;
	if (stored)
		claim_drop(c, k);
	else
		claim_forget(c, k);
	job_release(j, claims_now(c));
}

static size_t grant(struct claim_wait *w, struct claim_grant *grants)
{
	struct claims *c = w->claims;
	const char *at = w->inputs.data;
	size_t n = 0;
	for (size_t i = 0; i < w->given_n; i++) {
		struct given *g = &w->given[i];
		struct claim *k = g->claim;
		struct bytes input = {at, g->input_size}, checkpoint = {at + g->input_size, g->checkpoint_size};
		at += g->input_size + g->checkpoint_size;
		if (!k->job) /* taken back meanwhile */
			continue;
		claim_begin(c, k);
		g->claim = NULL;
		grants[n++] = (struct claim_grant){k->job, k->fence, k->until.key, input, checkpoint};
	}
	c->stats.claimed += n;
	w->client->claimed += n;
	return n;
}

static void finish(struct claim_wait *w, enum errcode code)
{
	struct claims *c = w->claims;
	scoped(mem_free_at) struct claim_grant *grants = mem_new((w->given_n + 1) * sizeof *grants);
	size_t n = 0;
	if (code || w->forgotten || !w->ask.there(w->ask.context)) {
		for (size_t i = 0; i < w->given_n; i++)
			give_back(c, w->given[i].claim, !code);
	} else {
		n = grant(w, grants);
	}
	if (!w->forgotten)
		w->ask.done(w->ask.context, code, grants, n);
	wait_free(w);
}

static void granting_free(struct granting *g)
{
	list_remove(&g->link);
	free(g);
}

static void committed(void *context, enum errcode code)
{
	struct granting *g = context;
	list_each(&g->waits, l) finish(container_of(l, struct claim_wait, link), code);
	granting_free(g);
}

static void commit_grants(struct claims *c)
{
	if (list_empty(&c->served))
		return;
	struct granting *g = NEW(struct granting);
	struct store_batch *b = store_batch_new();
	g->claims = c;
	list_append(&c->commits, &g->link);
	list_init(&g->waits);
	list_each(&c->served, l)
	{
		struct claim_wait *w = container_of(l, struct claim_wait, link);
		leave(w);
		list_remove(l);
		list_append(&g->waits, l);
		for (size_t i = 0; i < w->given_n; i++)
			row_put(b, w->given[i].claim);
	}
	queues_commit_once(c->queues, b, committed, g);
}

static void commit_drops(struct claims *c)
{
	if (!c->dropped.size)
		return;
	struct store_batch *b = store_batch_new();
	for (size_t at = 0; at < c->dropped.size; at += sizeof(uint64_t)) {
		struct store_key key = {0};
		memcpy(&key.id, c->dropped.data + at, sizeof key.id);
		store_batch_delete(b, STORE_CLAIM, key);
	}
	buf_clear(&c->dropped);
	queues_commit(c->queues, b, NULL, NULL);
}

void claims_turn(struct claims *c)
{
	c->turn_wanted = false;
	commit_drops(c); /* first: a job that was given back may be somebody else's now */
	for (unsigned left = CLAIM_TURN_MAX; !c->hold && left && !list_empty(&c->active); left--) {
		struct want *w = container_of(c->active.next, struct want, active);
		list_remove(&w->active);
		if (serve(c, w) && !w->active.next) /* the queues take turns, too */
			list_append(&c->active, &w->active);
	}
	if (!c->hold && !list_empty(&c->active))
		claims_want_turn(c);
	commit_grants(c);
}

void claims_hold(struct claims *c, bool hold)
{
	c->hold = hold;
	if (hold)
		return;
	if (!list_empty(&c->active))
		claims_want_turn(c);
	c->calls.wake(c->calls.context, claims_now(c)); /* whose time is over meanwhile */
}

void claims_stop(struct claims *c)
{
	c->stopped = true;
	list_each(&c->waiting, l) answer_nothing(container_of(l, struct claim_wait, link), E_OK);
}

static void free_all(struct list *waits)
{
	list_each(waits, l) wait_free(container_of(l, struct claim_wait, link));
}

void waits_drop(struct claims *c)
{
	free_all(&c->waiting);
	free_all(&c->served);
	list_each(&c->commits, l)
	{
		struct granting *g = container_of(l, struct granting, link);
		free_all(&g->waits);
		granting_free(g);
	}
}
