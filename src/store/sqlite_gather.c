/* What one turn of the loop commits goes to the writer together, at the end of the turn.
 *
 * Woken by the first batch of a turn, the writer would begin a transaction with that one alone, and all others of the turn
 * would wait for two fsyncs in place of one. */
#include "base/mem.h"
#include "store/sqlite.h"

#include <stdlib.h>

struct gather {
	struct message message;
	struct sqlite_store *store; /* NULL: it is gone */
	struct request_list batches;
	unsigned n;
	bool deferred; /* `message` is with the loop */
};

struct gather *gather_new(struct sqlite_store *s)
{
	struct gather *g = NEW(struct gather);
	g->store = s;
	request_list_init(&g->batches);
	return g;
}

void gather_free(struct gather *g)
{
	if (g && g->deferred)
		g->store = NULL;
	else
		free(g);
}

void gather_flush(struct gather *g)
{
	struct sqlite_store *s = g->store;
	pthread_mutex_lock(&s->lock);
	request_list_move(&s->waiting, &g->batches);
	s->waiting_n += g->n;
	bool wake = s->waiting_n >= s->awaited && !s->writing;
	pthread_mutex_unlock(&s->lock);
	g->n = 0;
	if (wake)
		pthread_cond_signal(&s->work);
}

static void at_end_of_turn(struct message *m)
{
	struct gather *g = container_of(m, struct gather, message);
	g->deferred = false;
	if (g->store)
		gather_flush(g);
	else
		free(g);
}

void gather_add(struct gather *g, struct request *r)
{
	struct loop *loop = g->store->deliver.loop;
	request_list_add(&g->batches, r);
	g->n++;
	if (!loop) {
		gather_flush(g);
	} else if (!g->deferred) {
		g->deferred = true;
		g->message.run = at_end_of_turn;
		loop_defer(loop, &g->message);
	}
}
