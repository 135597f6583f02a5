#include "queue/wait.h"

#include "base/mem.h"

#include <stdlib.h>

#define BUCKETS 4096 /* a power of two; waiters are some thousands at most, each one a client's open request */

struct waits {
	struct wait *buckets[BUCKETS];
};

static struct wait **bucket(struct waits *ws, uint64_t job_id)
{
	return &ws->buckets[(job_id * 0x9e3779b97f4a7c15ull) >> 52 & (BUCKETS - 1)];
}

struct waits *waits_new(void)
{
	return NEW(struct waits);
}

void waits_free(struct waits *ws)
{
	free(ws);
}

void waits_add(struct waits *ws, struct wait *w, uint64_t job_id)
{
	struct wait **head = bucket(ws, job_id);
	w->job_id = job_id;
	w->next = *head;
	w->at = head;
	if (w->next)
		w->next->at = &w->next;
	*head = w;
}

void waits_remove(struct waits *ws, struct wait *w)
{
	if (!w->at)
		return;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->at = NULL;
}

void waits_tell(struct waits *ws, uint64_t job_id, const struct job_outcome *outcome)
{
	struct wait *told = NULL, **end = &told;
	for (struct wait *w = *bucket(ws, job_id), *next; w; w = next) { /* first out, then told: they may add and remove */
		next = w->next;
		if (w->job_id != job_id)
			continue;
		waits_remove(ws, w);
		w->next = NULL;
		*end = w;
		end = &w->next;
	}
	while (told) {
		struct wait *w = told;
		told = w->next;
		w->ended(w, outcome);
	}
}
