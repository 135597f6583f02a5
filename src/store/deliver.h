/* deliver.h - the way back from a store's threads to the loop thread: finished requests, run there in the order they
 * finished. One message wakes the loop however many wait. With loop == NULL the caller runs them (store_flush). */
#pragma once
#include "loop/loop.h"

#include <pthread.h>

struct request { /* embedded first in what is asked of a store */
	struct request *next;
	void (*run)(struct request *r); /* on the loop thread; frees r */
};

struct request_list { /* FIFO; zero-initialised is not ready: request_list_init */
	struct request *first, **last;
};

void request_list_init(struct request_list *l);
void request_list_add(struct request_list *l, struct request *r);
struct request *request_list_take(struct request_list *l); /* the oldest, or NULL */
void request_list_move(struct request_list *to, struct request_list *from); /* appends all; `from` is empty then */

struct deliver_wake;

struct deliver {
	struct loop *loop; /* or NULL */
	pthread_mutex_t lock;
	struct request_list finished;
	struct deliver_wake *wake; /* outlives us when its message is still under way */
};

void deliver_init(struct deliver *d, struct loop *loop);
void deliver_fini(struct deliver *d); /* loop thread; drops what waits, which must have been run */
void deliver_add(struct deliver *d, struct request_list *l); /* any thread; takes all of l */
void deliver_run(
	struct deliver *d); /* loop thread; also what is added meanwhile by this thread is left to the next run */
