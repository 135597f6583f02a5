/* parts.h - what the files of a worker's session share: its state, and the table of what the worker was given. */
#pragma once
#include "base/idmap.h"
#include "link/conn.h"
#include "link/hello.h"
#include "link/listen.h"
#include "link/session.h"
#include "loop/loop.h"

struct handout { /* a delivery that the worker has */
	struct delivery *d; /* its runner_data is this */
	uint64_t id, fence;
	bool started;
	bool cancelled; /* told, or to be told again after a reconnect */
	bool storing; /* its result is on its way to the blobs; what the worker says about it now is an echo */
	const char *refuse; /* it could not be handed over; told as finished at the end of the turn */
	char why[200];
	struct handout *next_free;
};

struct peer { /* a connection; the session's own once its HELLO was taken */
	struct link_worker *worker;
	struct link_conn *conn;
	struct list link; /* in worker->peers */
	int64_t since_ms;
};

struct link_worker {
	struct loop *loop;
	struct instance *instance;
	struct link_worker_events events;
	struct link_listener *listener;
	struct blobs *blobs;
	char *token, *config, *node;
	unsigned item_window;
	struct list peers; /* all connections */
	struct peer *peer; /* the one that said a good HELLO; NULL: not connected */
	bool ready; /* its start went well: over this connection work may flow */
	int64_t drain_ms; /* < 0: not draining */
	uint64_t pings;
	struct loop_timer *timer;
	struct idmap handouts; /* by id; at most one per id: another fence takes its place */
	struct handout *free_handouts;
	struct message turn; /* deferred: credit, refusals */
	bool turn_wanted, credit, refusals;
	unsigned refs; /* who works for it on the pool, and `turn` */
	bool closed;
};

/* work_in.c */
const char *work_message(struct link_worker *w, struct wire_message *m);

/* work.c */
void work_resume(struct link_worker *w, const struct hello *h, struct buf *held_json); /* at HELLO: who keeps what */
void work_turn(struct link_worker *w);
void work_fini(struct link_worker *w);
int work_outcome(enum errcode code); /* as a REEVE_ code */
bool work_can_put(const struct link_worker *w);
/* NULL: it is over or was taken back; what the worker says about it is no longer of interest. */
struct handout *work_find(const struct link_worker *w, uint64_t id, uint64_t fence);
/* These end the handout; `h` is dead afterwards. */
void work_finish(struct link_worker *w, struct handout *h, struct bytes result, const struct job_error *error);
void work_finish_badly(struct link_worker *w, struct handout *h, const char *code, int retryable, const char *message);
void work_lose(
	struct link_worker *w, struct handout *h, const struct job_error *error); /* NULL counts when it was not started */

/* session.c */
void session_want_turn(struct link_worker *w);
void session_unref(struct link_worker *w);
