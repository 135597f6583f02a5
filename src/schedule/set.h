/* set.h - inside schedule/: the structs, and what its files offer one another. */
#pragma once
#include "base/heap.h"
#include "base/idmap.h"
#include "schedule/schedule.h"

struct schedule {
	struct heap_node due; /* while an occurrence is to come and nothing keeps it from being made */
	struct schedules *set;
	struct schedule_definition *definition;
	enum schedule_origin origin;
	bool paused;
	bool declared; /* while schedules_declare runs */
	bool busy; /* a batch with its occurrences is on its way to the disk: the next ones wait for it */
	bool removed; /* freed when no batch is on its way */
	unsigned batches; /* on their way to the disk */
	int64_t created_at_ms;
	int64_t decided_ms; /* every occurrence up to here has its answer */
	int64_t waiting_ms; /* the occurrence that waits for the end of the job before, or 0 */
	uint64_t waits_for; /* that job or run; in waits */
	uint64_t made, missed, skipped, failed;
	struct schedule_last last[SCHEDULE_LAST_MAX];
	size_t last_n;
	char error[256];
};

struct schedules {
	struct queues *queues;
	struct events *events;
	struct schedule_maker maker;
	struct schedule **all; /* sorted by namespace, then name */
	size_t n, room;
	struct heap due;
	struct idmap waits; /* id of a job or run -> the schedule that waits for its end */
	struct list commits; /* under way: an engine that dies never hears of them */
	int64_t now_ms; /* the latest that any call brought */
};

/* record.c: the row of STORE_SCHEDULE. Key "NAMESPACE/NAME"; head: how far it is, JSON; body: its definition, JSON. */
void record_put(const struct schedule *s, bool with_definition, struct store_batch *b);
void record_delete(const struct schedule *s, struct store_batch *b);
enum errcode record_read(const struct store_row *row, struct schedule **out, struct err *e);

/* schedules.c */
void schedules_place(struct schedule *s); /* in the heap, or out of it */
void schedules_unref(struct schedule *s); /* a batch came back: frees one that was removed */

/* fire.c */
void fire_due(struct schedule *s, int64_t now_ms);
void fire_waiting(struct schedule *s, int64_t now_ms); /* if nothing of it lives any more */
void fire_forget_wait(struct schedule *s);

/* commit.c: what a batch did is told when it is durable */
struct commit;
struct commit *commit_new(struct schedule *s);
struct store_batch *commit_batch(struct commit *c);
/* An event to publish. id 0: none. */
void commit_tell(struct commit *c, const char *type, uint64_t id, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void commit_send(struct commit *c, schedule_done *done, void *context); /* frees c when it is durable */
void commit_drop(struct commit *c); /* instead of sending it: nothing was put into its batch */
void commit_abandon_all(struct schedules *ss);
