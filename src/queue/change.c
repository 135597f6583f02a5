#include "queue/state.h"

#include <stdlib.h>

enum { PROBE_MS = 100 };

static void done(void *context, enum errcode code);

static void send(struct change *c)
{
	list_append(&c->qs->changes, &c->link);
	store_commit(c->qs->store, c->batch, done, c);
}

/* What failed together comes back in the order of the commits, but others may have been held in between. */
static void hold(struct change *c)
{
	struct list *after = c->qs->held.prev;
	c->probe = false;
	while (after != &c->qs->held && container_of(after, struct change, link)->number > c->number)
		after = after->prev;
	list_append(after->next, &c->link);
}

static void release_all(struct queues *qs)
{
	struct list held;
	qs->full = false;
	if (list_empty(&qs->held))
		return;
	held = qs->held; /* sending never calls back, so nothing is held meanwhile */
	held.next->prev = held.prev->next = &held;
	list_init(&qs->held);
	list_each(&held, l) send(container_of(l, struct change, link));
}

static void is_full(struct queues *qs)
{
	qs->full = true;
	qs->probing = false;
	qs->probe_at_ms = qs->now_ms + PROBE_MS;
}

static void done(void *context, enum errcode code)
{
	struct change *c = context;
	struct queues *qs = c->qs;
	list_remove(&c->link);
	if (code == E_NO_SPACE)
		is_full(qs);
	if (code == E_NO_SPACE && c->retain) {
		store_batch_hold(c->batch);
		hold(c);
		return;
	}
	if (code && code != E_NO_SPACE && !qs->lost) {
		qs->lost = true;
		if (qs->hooks.lost)
			qs->hooks.lost(qs->hooks.context, code);
	}
	if (qs->probing && !code && c->probe) {
		qs->probing = false;
		release_all(qs);
	}
	c->applied(c, code);
}

/* A batch of somebody else's failed: ours that are at the store fail with it, though we have not heard of it yet. What is sent now
 * could succeed, and would overtake them. */
static void expect_failure(struct queues *qs)
{
	if (list_empty(&qs->changes))
		qs->failures = qs->store->failures;
	if (qs->failures != qs->store->failures && !qs->full)
		is_full(qs);
}

void change_commit(struct queues *qs, struct change *c, struct store_batch *b, bool retain,
	void (*applied)(struct change *c, enum errcode code))
{
	c->qs = qs;
	c->batch = b;
	c->number = qs->change_n++;
	c->retain = retain;
	c->applied = applied;
	expect_failure(qs);
	if (qs->full && retain)
		hold(c);
	else
		send(c);
}

static void probed(struct change *c, enum errcode code)
{
	free(c);
}

/* A row that comes and goes in one batch: where only submits were refused nothing is held that would find the space. */
static struct change *probe_new(struct queues *qs)
{
	static const char page[4096];
	struct store_key key = {.text = bytes_of("probe")};
	struct change *c = NEW(struct change);
	*c = (struct change){.qs = qs, .batch = store_batch_new(), .applied = probed};
	store_batch_put(c->batch, STORE_SETTING, key, (struct bytes){0}, (struct bytes){page, sizeof page});
	store_batch_delete(c->batch, STORE_SETTING, key);
	return c;
}

static struct change *take_held(struct queues *qs)
{
	struct change *c = container_of(qs->held.next, struct change, link);
	list_remove(&c->link);
	return c;
}

/* One is tried alone, when all before it have come back; the others follow in their order when it came through. */
void change_tick(struct queues *qs)
{
	if (!qs->full || qs->probing || qs->now_ms < qs->probe_at_ms || !list_empty(&qs->changes))
		return;
	struct change *c = list_empty(&qs->held) ? probe_new(qs) : take_held(qs);
	c->probe = true;
	qs->probing = true;
	send(c);
}

void queues_set_no_space(struct queues *qs, bool no_space)
{
	qs->no_space = no_space;
}

bool queues_no_space(const struct queues *qs)
{
	return qs->no_space;
}

bool queues_held(const struct queues *qs)
{
	return qs->full || !list_empty(&qs->held);
}

struct simple {
	struct change change;
	queue_done *done;
	void *context;
};

static void simple_applied(struct change *c, enum errcode code)
{
	struct simple *s = container_of(c, struct simple, change);
	if (s->done)
		s->done(s->context, code);
	free(s);
}

static void commit_simply(struct queues *qs, struct store_batch *b, bool retain, queue_done *simple_done, void *context)
{
	struct simple *s = NEW(struct simple);
	s->done = simple_done;
	s->context = context;
	change_commit(qs, &s->change, b, retain, simple_applied);
}

void change_simple(struct queues *qs, struct store_batch *b, queue_done *simple_done, void *context)
{
	commit_simply(qs, b, true, simple_done, context);
}

void queues_commit(
	struct queues *qs, struct store_batch *b, void (*committed)(void *context, enum errcode code), void *context)
{
	change_simple(qs, b, committed, context);
}

void queues_commit_once(
	struct queues *qs, struct store_batch *b, void (*committed)(void *context, enum errcode code), void *context)
{
	commit_simply(qs, b, false, committed, context);
}
