/* Of each priority, a level: lanes, one for each key and one for jobs without a key, each in order of (due_at_ms, id).
 *
 * A lane's first job has waited longest, so a level's greatest effective priority is that of the oldest of its lanes' first
 * jobs: comparing ten of them finds the level that is next, and ageing costs nothing. Within the level the lanes take turns:
 * whoever gave a job goes to the end. So a key waits for at most one job of each other key, however many these have.
 *
 * No job goes before a more urgent one of another level: where the lane whose turn it is has only one that is less urgent than
 * what the next level has to give, the oldest of its level goes, whose age it was. */
#include "queue/state.h"

#include <stdlib.h>

static struct job *job_at(struct list *l)
{
	return container_of(l, struct job, link);
}

static struct job *first_of(const struct lane *lane)
{
	return job_at(lane->jobs.next);
}

static bool before(const struct job *a, const struct job *b)
{
	return a->due_at_ms != b->due_at_ms ? a->due_at_ms < b->due_at_ms : a->id < b->id;
}

/* ── lanes in their level ── */

static void lane_init(struct lane *lane, struct tenant *t)
{
	list_init(&lane->jobs);
	lane->tenant = t;
}

static struct lane *lane_of(struct queue *q, const struct job *j)
{
	struct tenant *t = j->more ? j->more->tenant : NULL;
	if (!t)
		return &q->levels[j->priority].plain;
	if (!t->lanes[j->priority]) {
		t->lanes[j->priority] = NEW(struct lane);
		lane_init(t->lanes[j->priority], t);
	}
	return t->lanes[j->priority];
}

static bool is_aside(const struct lane *lane)
{
	return lane->tenant && lane->tenant->aside.next;
}

/* Another job is the lane's first. */
static void lane_aged(struct queue *q, unsigned priority, struct lane *lane)
{
	const struct job *first = first_of(lane);
	if (lane->tenant)
		heap_put(is_aside(lane) ? &q->aside_ages : &q->levels[priority].ages, &lane->age, first->due_at_ms, first->id);
}

/* It has a job; one that is aside has no turns. */
static void lane_enter(struct queue *q, unsigned priority, struct lane *lane)
{
	lane_aged(q, priority, lane);
	if (is_aside(lane))
		return;
	list_append(&q->levels[priority].turns, &lane->turn);
	q->nonempty |= 1u << priority;
}

static void lane_leave(struct queue *q, unsigned priority, struct lane *lane)
{
	struct level *level = &q->levels[priority];
	heap_remove(is_aside(lane) ? &q->aside_ages : &level->ages, &lane->age);
	if (is_aside(lane))
		return;
	list_remove(&lane->turn);
	if (list_empty(&level->turns))
		q->nonempty &= ~(1u << priority);
}

static void put_before(struct queue *q, struct lane *lane, struct list *next, struct job *j)
{
	bool empty = list_empty(&lane->jobs), first = next == lane->jobs.next;
	list_append(next, &j->link);
	if (lane->tenant)
		lane->tenant->pending++;
	if (empty)
		lane_enter(q, j->priority, lane);
	else if (first)
		lane_aged(q, j->priority, lane);
}

void order_init(struct queue *q)
{
	list_init(&q->aside);
	for (unsigned p = 0; p <= JOB_PRIORITY_MAX; p++) {
		list_init(&q->levels[p].turns);
		lane_init(&q->levels[p].plain, NULL);
	}
}

void order_fini(struct queue *q)
{
	for (unsigned p = 0; p <= JOB_PRIORITY_MAX; p++)
		heap_fini(&q->levels[p].ages);
	heap_fini(&q->aside_ages);
}

/* ── jobs in their lane ── */

void order_append(struct queue *q, struct job *j)
{
	struct lane *lane = lane_of(q, j);
	struct list *after = lane->jobs.prev;
	while (after != &lane->jobs && before(j, job_at(after)))
		after = after->prev;
	put_before(q, lane, after->next, j);
}

void order_return(struct queue *q, struct job *j)
{
	struct lane *lane = lane_of(q, j);
	struct list *next = lane->jobs.next;
	while (next != &lane->jobs && before(job_at(next), j))
		next = next->next;
	put_before(q, lane, next, j);
}

void order_load(struct queue *q, struct job *j)
{
	struct lane *lane = lane_of(q, j);
	put_before(q, lane, &lane->jobs, j);
}

static void lane_remove(struct queue *q, struct lane *lane, struct job *j)
{
	bool first = lane->jobs.next == &j->link;
	list_remove(&j->link);
	if (lane->tenant)
		lane->tenant->pending--;
	if (list_empty(&lane->jobs))
		lane_leave(q, j->priority, lane);
	else if (first)
		lane_aged(q, j->priority, lane);
}

void order_remove(struct queue *q, struct job *j)
{
	lane_remove(q, lane_of(q, j), j);
}

void order_take(struct queue *q, struct job *j)
{
	struct lane *lane = lane_of(q, j);
	lane_remove(q, lane, j);
	if (!lane->turn.next)
		return;
	list_remove(&lane->turn);
	list_append(&q->levels[j->priority].turns, &lane->turn);
}

/* ── who is next ── */

static int effective(const struct job *j, int64_t now_ms)
{
	int64_t waited = now_ms - j->due_at_ms;
	int64_t p = j->priority + (waited > 0 ? waited / AGE_STEP_MS : 0);
	return p < JOB_PRIORITY_MAX ? (int)p : JOB_PRIORITY_MAX;
}

/* Of a level that has one. */
static struct job *oldest(const struct level *level)
{
	struct job *plain = level->plain.turn.next ? first_of(&level->plain) : NULL;
	struct heap_node *age = heap_first(&level->ages);
	if (!age)
		return plain;
	struct job *keyed = first_of(container_of(age, struct lane, age));
	return plain && before(plain, keyed) ? plain : keyed;
}

static bool more_urgent(const struct job *a, const struct job *b, int64_t now_ms)
{
	int p = effective(a, now_ms), q = effective(b, now_ms);
	return p > q || (p == q && before(a, b));
}

struct job *order_first(const struct queue *q, int64_t now_ms, struct job **urgent)
{
	const struct level *level = NULL;
	struct job *best = NULL, *rival = NULL; /* the oldest of the most urgent level, and of the next one */
	for (unsigned left = q->nonempty; left; left &= left - 1) {
		const struct level *one = &q->levels[__builtin_ctz(left)];
		struct job *j = oldest(one);
		if (!best || more_urgent(j, best, now_ms)) {
			rival = best;
			best = j;
			level = one;
		} else if (!rival || more_urgent(j, rival, now_ms)) {
			rival = j;
		}
	}
	*urgent = best;
	if (!best)
		return NULL;
	struct job *turn = first_of(container_of(level->turns.next, struct lane, turn));
	return !rival || turn == best || more_urgent(turn, rival, now_ms) ? turn : best;
}

static void older(int64_t *at, const struct job *j)
{
	if (!*at || j->submitted_at_ms < *at)
		*at = j->submitted_at_ms;
}

int64_t order_oldest_at_ms(const struct queue *q)
{
	int64_t at = 0;
	for (unsigned left = q->nonempty; left; left &= left - 1)
		older(&at, oldest(&q->levels[__builtin_ctz(left)]));
	struct heap_node *aside = heap_first(&q->aside_ages);
	if (aside)
		older(&at, first_of(container_of(aside, struct lane, age)));
	return at;
}

/* ── a key at its limit ── */

static void each_lane(struct tenant *t, void (*change)(struct queue *q, unsigned priority, struct lane *lane))
{
	for (unsigned p = 0; p <= JOB_PRIORITY_MAX; p++)
		if (t->lanes[p] && !list_empty(&t->lanes[p]->jobs))
			change(t->queue, p, t->lanes[p]);
}

void order_step_aside(struct tenant *t)
{
	each_lane(t, lane_leave);
	list_append(&t->queue->aside, &t->aside);
	t->queue->info.keys_blocked++;
	each_lane(t, lane_enter);
}

void order_step_in(struct tenant *t)
{
	each_lane(t, lane_leave);
	list_remove(&t->aside);
	t->queue->info.keys_blocked--;
	each_lane(t, lane_enter);
}

/* ── after a restart ── */

/* Merges b into a; both are chains by next that end in NULL. */
static struct list *merge(struct list *a, struct list *b)
{
	struct list *first = NULL, **at = &first;
	while (a && b) {
		struct list **less = before(job_at(b), job_at(a)) ? &b : &a;
		*at = *less;
		at = &(*less)->next;
		*less = *at;
	}
	*at = a ? a : b;
	return first;
}

static struct list *sort(struct list *chain)
{
	struct list *runs[64] = {0};
	for (struct list *one, *rest = chain; (one = rest);) {
		rest = one->next;
		one->next = NULL;
		int i = 0;
		for (; runs[i]; runs[i++] = NULL)
			one = merge(runs[i], one);
		runs[i] = one;
	}
	struct list *all = NULL;
	for (int i = 0; i < 64; i++)
		all = runs[i] ? merge(runs[i], all) : all;
	return all;
}

static void lane_sort(struct lane *lane)
{
	struct list *next, *l;
	lane->jobs.prev->next = NULL;
	l = sort(lane->jobs.next);
	list_init(&lane->jobs);
	for (; l; l = next) {
		next = l->next;
		list_append(&lane->jobs, l);
	}
}

void order_sort(struct queue *q)
{
	for (unsigned left = q->nonempty; left; left &= left - 1) {
		unsigned p = (unsigned)__builtin_ctz(left);
		list_each(&q->levels[p].turns, at)
		{
			struct lane *lane = container_of(at, struct lane, turn);
			lane_sort(lane);
			lane_aged(q, p, lane);
		}
	}
}
