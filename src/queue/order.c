/* Ten lists, each in order of (due_at_ms, id). A list's head has waited longest, so it has the list's greatest effective
 * priority and is its first come: comparing the ten heads finds the next job, and ageing costs nothing. */
#include "queue/state.h"

static struct job *job_at(struct list *l)
{
	return container_of(l, struct job, link);
}

static bool before(const struct job *a, const struct job *b)
{
	return a->due_at_ms != b->due_at_ms ? a->due_at_ms < b->due_at_ms : a->id < b->id;
}

void order_append(struct queue *q, struct job *j)
{
	struct list *head = &q->waiting[j->priority], *after = head->prev;
	while (after != head && before(j, job_at(after)))
		after = after->prev;
	list_append(after->next, &j->link); /* before after's next */
	q->nonempty |= 1u << j->priority;
}

void order_return(struct queue *q, struct job *j)
{
	struct list *head = &q->waiting[j->priority], *next = head->next;
	while (next != head && before(job_at(next), j))
		next = next->next;
	list_append(next, &j->link);
	q->nonempty |= 1u << j->priority;
}

void order_remove(struct queue *q, struct job *j)
{
	list_remove(&j->link);
	if (list_empty(&q->waiting[j->priority]))
		q->nonempty &= ~(1u << j->priority);
}

static int effective(const struct job *j, int64_t now_ms)
{
	int64_t waited = now_ms - j->due_at_ms;
	int64_t p = j->priority + (waited > 0 ? waited / AGE_STEP_MS : 0);
	return p < JOB_PRIORITY_MAX ? (int)p : JOB_PRIORITY_MAX;
}

struct job *order_first(const struct queue *q, int64_t now_ms)
{
	struct job *best = NULL;
	int best_priority = -1;
	for (unsigned left = q->nonempty; left; left &= left - 1) {
		struct job *j = job_at(q->waiting[__builtin_ctz(left)].next);
		int p = effective(j, now_ms);
		if (p > best_priority || (p == best_priority && before(j, best))) {
			best = j;
			best_priority = p;
		}
	}
	return best;
}

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

void order_sort(struct queue *q, unsigned priority)
{
	struct list *head = &q->waiting[priority];
	if (list_empty(head))
		return;
	head->prev->next = NULL;
	struct list *next, *l = sort(head->next);
	list_init(head);
	for (; l; l = next) {
		next = l->next;
		list_append(head, l);
	}
}
