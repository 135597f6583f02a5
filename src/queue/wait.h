/* wait.h - who waits for the end of which job. Loop thread only.
 *
 * Fed by the queue's `ended` hook; used by the API (?wait=) and by the clients of the link. A waiter is told once, and not
 * at all once it was removed. */
#pragma once
#include "queue/queue.h"

struct waits;

struct wait { /* embedded by the one who waits */
	uint64_t job_id;
	void (*ended)(
		struct wait *w, const struct job_outcome *outcome); /* borrowed for the call; w is out of the set already */
	struct wait *next, **at; /* the set's */
};

struct waits *waits_new(void);
void waits_free(struct waits *ws); /* those who still wait are forgotten */
void waits_add(struct waits *ws, struct wait *w, uint64_t job_id); /* w->ended is set */
void waits_remove(struct waits *ws, struct wait *w); /* may have been told already: then nothing happens */
void waits_tell(struct waits *ws, uint64_t job_id, const struct job_outcome *outcome);
