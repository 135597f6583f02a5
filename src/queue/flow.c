/* What holds a queue back, and what lets it go on: pauses, and the gates of the queue, its namespace and its keys.
 *
 * A gate is tried when a job is asked for. One that is shut is noted, and who waits behind it hears of it when it opens: a
 * place came free, or queues_tick met the time of the next token. A key that is shut only steps aside with its own jobs. */
#include "queue/state.h"

static bool limited(const struct limit *l)
{
	return l->concurrency || l->rate_milli;
}

static bool paused(const struct queue *q)
{
	return q->paused || q->space->paused || q->qs->paused;
}

void flow_ready(struct queue *q)
{
	struct queues *qs = q->qs;
	if (q->nonempty && !paused(q) && q->gate.state == GATE_OPEN && qs->hooks.ready)
		qs->hooks.ready(qs->hooks.context, q);
}

/* ── gates open ── */

static void queue_opens(struct queue *q)
{
	q->gate.state = GATE_OPEN;
	flow_ready(q);
}

static void space_opens(struct space *s)
{
	s->gate.state = GATE_OPEN;
	list_each(&s->held_back, at)
	{
		list_remove(at);
		flow_ready(container_of(at, struct queue, held_back));
	}
}

static void tenant_opens(struct tenant *t)
{
	t->gate.state = GATE_OPEN;
	if (!t->aside.next)
		return;
	order_step_in(t);
	flow_ready(t->queue);
}

enum gate_kind { OF_QUEUE, OF_SPACE, OF_TENANT }; /* heap tie */

static void opens(struct heap_node *wake)
{
	struct gate *g = container_of(wake, struct gate, wake);
	if (wake->tie == OF_QUEUE)
		queue_opens(container_of(g, struct queue, gate));
	else if (wake->tie == OF_SPACE)
		space_opens(container_of(g, struct space, gate));
	else if (container_of(g, struct tenant, gate)->jobs)
		tenant_opens(container_of(g, struct tenant, gate));
	else
		tenant_forget(container_of(g, struct tenant, gate));
}

void flow_tick(struct queues *qs, int *left)
{
	for (struct heap_node *wake; *left && (wake = heap_first(&qs->wakes)) && wake->key <= qs->now_ms; --*left) {
		heap_remove(&qs->wakes, wake);
		opens(wake);
	}
}

/* ── gates are tried ── */

static void wake_at(struct queues *qs, struct gate *g, enum gate_kind kind, int64_t at_ms)
{
	heap_put(&qs->wakes, &g->wake, at_ms, kind);
	if (qs->hooks.wake)
		qs->hooks.wake(qs->hooks.context, at_ms);
}

/* Its last job has gone. */
void flow_idle(struct tenant *t)
{
	struct queues *qs = t->queue->qs;
	if (gate_full_at_ms(&t->gate) > qs->now_ms)
		heap_put(&qs->wakes, &t->gate.wake, gate_full_at_ms(&t->gate), OF_TENANT);
	else
		tenant_forget(t);
}

static bool try_gate(struct queues *qs, struct gate *g, const struct limit *l, enum gate_kind kind)
{
	int64_t at_ms;
	if (!limited(l))
		return true;
	g->state = (uint8_t)gate_look(g, l, qs->now_ms, qs->drained_at_ms, &at_ms);
	if (g->state == GATE_RATE)
		wake_at(qs, g, kind, at_ms);
	return g->state == GATE_OPEN;
}

void flow_later(struct queue *q)
{
	wake_at(q->qs, &q->gate, OF_QUEUE, q->qs->now_ms);
}

bool flow_open(struct queue *q)
{
	struct space *s = q->space;
	if (paused(q) || !try_gate(q->qs, &q->gate, &q->flow.all, OF_QUEUE))
		return false;
	if (try_gate(q->qs, &s->gate, &s->flow.all, OF_SPACE))
		return true;
	if (!q->held_back.next)
		list_append(&s->held_back, &q->held_back);
	return false;
}

bool flow_key_open(const struct job *j)
{
	struct tenant *t = j->more ? j->more->tenant : NULL;
	struct queue *q = j->queue;
	if (!t || try_gate(q->qs, &t->gate, &q->flow.key, OF_TENANT))
		return true;
	order_step_aside(t);
	return false;
}

/* ── jobs pass ── */

void flow_spend(const struct job *j)
{
	struct queue *q = j->queue;
	struct tenant *t = j->more ? j->more->tenant : NULL;
	gate_spend(&q->gate, &q->flow.all, q->qs->now_ms, q->qs->drained_at_ms);
	gate_spend(&q->space->gate, &q->space->flow.all, q->qs->now_ms, q->qs->drained_at_ms);
	if (t)
		gate_spend(&t->gate, &q->flow.key, q->qs->now_ms, q->qs->drained_at_ms);
}

void flow_enter(struct job *j)
{
	struct tenant *t = j->more ? j->more->tenant : NULL;
	if (j->flags & JOB_PLACE)
		return;
	j->flags |= JOB_PLACE;
	j->queue->gate.places++;
	j->queue->space->gate.places++;
	if (t)
		t->gate.places++;
}

void flow_leave(struct job *j)
{
	struct queue *q = j->queue;
	struct tenant *t = j->more ? j->more->tenant : NULL;
	if (!(j->flags & JOB_PLACE))
		return;
	j->flags &= (uint8_t)~JOB_PLACE;
	q->gate.places--;
	q->space->gate.places--;
	if (q->gate.state == GATE_CONCURRENCY)
		queue_opens(q);
	if (q->space->gate.state == GATE_CONCURRENCY)
		space_opens(q->space);
	if (!t)
		return;
	t->gate.places--;
	if (t->gate.state == GATE_CONCURRENCY)
		tenant_opens(t);
}

/* ── limits change ── */

void flow_changed(struct queue *q)
{
	heap_remove(&q->qs->wakes, &q->gate.wake);
	list_each(&q->aside, at)
	{
		struct tenant *t = container_of(at, struct tenant, aside);
		heap_remove(&q->qs->wakes, &t->gate.wake);
		t->gate.state = GATE_OPEN;
		order_step_in(t);
	}
	queue_opens(q);
}

void flow_space_changed(struct space *s)
{
	heap_remove(&s->qs->wakes, &s->gate.wake);
	space_opens(s);
}

/* ── what is shown ── */

static enum queue_block block_of(enum gate_state state, enum queue_block concurrency)
{
	return state == GATE_OPEN ? BLOCK_NONE : state == GATE_CONCURRENCY ? concurrency : concurrency + 1;
}

enum queue_block flow_block(const struct queue *q, int64_t *opens_at_ms)
{
	const struct queues *qs = q->qs;
	struct gate g = q->gate, of_space = q->space->gate; /* looking may change them */
	if (!q->info.pending)
		return BLOCK_NONE;
	if (paused(q))
		return q->paused ? BLOCK_PAUSED : q->space->paused ? BLOCK_NAMESPACE_PAUSED : BLOCK_ALL_PAUSED;
	enum gate_state state = gate_look(&g, &q->flow.all, qs->now_ms, qs->drained_at_ms, opens_at_ms);
	if (state != GATE_OPEN)
		return block_of(state, BLOCK_CONCURRENCY);
	state = gate_look(&of_space, &q->space->flow.all, qs->now_ms, qs->drained_at_ms, opens_at_ms);
	if (state != GATE_OPEN)
		return block_of(state, BLOCK_NAMESPACE_CONCURRENCY);
	return q->nonempty ? BLOCK_NONE : BLOCK_KEYS;
}
