/* event.h - what happened lately: a bounded ring of events with growing ids, and subscribers that are told there is more.
 *
 * Subscribers pull: `wake` only says that something came; each reads from its own place (`cursor`) as fast as its client
 * takes it. Who falls further behind than the ring is long is told that events were lost, and goes on with the oldest.
 * Ids grow over restarts, so "Last-Event-ID" of an earlier engine reads as lost, never as the wrong place.
 * Loop thread only; the clock is a parameter. */
#pragma once
#include "base/bytes.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct event { /* to publish: texts are borrowed and copied; to read: borrowed from the ring until the next publish */
	uint64_t id; /* given by event_publish */
	int64_t at_ms; /* given by event_publish */
	const char *type; /* static text: "job.pending", "job.completed", "instance.running", "batch.progress" ... */
	uint64_t job_id, run_id, batch_id; /* 0: none */
	struct bytes namespace, capability, worker, instance, schedule; /* empty: none; 128 bytes of each are kept */
	struct bytes message; /* one sentence; 512 bytes are kept */
	int percent; /* with type "job.progress", "batch.progress": 0-100, or -1 */
	int attempt; /* 0: does not matter */
	bool minor; /* there are so many of these that they are left out while nobody has listened for a minute */
	bool after_gap; /* given by event_publish: some before it were left out */
};

struct events;

struct event_subscriber { /* the subscriber's memory; not to be moved while subscribed */
	struct list link;
	void (*wake)(void *context); /* in event_publish; must not publish, subscribe or unsubscribe: defer (loop_defer) */
	void *context;
};

struct events *events_new(size_t keep, int64_t now_ms); /* how many are kept */
void events_free(struct events *es); /* NULL is fine; nobody may be subscribed */

void event_publish(struct events *es, int64_t now_ms, const struct event *e); /* es NULL: nobody is interested */
uint64_t events_last(const struct events *es); /* the id given last */

/* The next event after *cursor, which is moved to it; NULL: no more. *lost becomes true when events between were dropped, or
 * left out. */
const struct event *events_next(struct events *es, uint64_t *cursor, bool *lost);
void events_subscribe(struct events *es, struct event_subscriber *s);
void events_unsubscribe(struct event_subscriber *s); /* fine when it is not subscribed */

/* {"id":"…","type":…,"at":…,"namespace":…,"job_id":…, …}: members that say nothing are left out. `id_text` writes a job's or
 * run's id as text (wire/id.h lies beside this folder, not below it). */
void event_format(const struct event *e, void (*id_text)(uint64_t id, char text[14]), struct buf *out);
