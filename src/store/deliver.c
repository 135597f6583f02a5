#include "store/deliver.h"

#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>

void request_list_init(struct request_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

void request_list_add(struct request_list *l, struct request *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

struct request *request_list_take(struct request_list *l)
{
	struct request *r = l->first;
	if (r && !(l->first = r->next))
		l->last = &l->first;
	return r;
}

void request_list_move(struct request_list *to, struct request_list *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	request_list_init(from);
}

enum { TURN_MAX = 256 }; /* requests run in one turn of the loop, which has others to serve */

struct deliver_wake {
	struct message message;
	struct deliver *deliver; /* NULL: it is gone */
	bool posted; /* under the lock */
};

/* What is left over comes first the next time. */
static void put_back(struct deliver *d, struct request_list *rest)
{
	pthread_mutex_lock(&d->lock);
	request_list_move(rest, &d->finished);
	pthread_mutex_unlock(&d->lock);
	deliver_add(d, rest);
}

static void run_some(struct deliver *d, unsigned most)
{
	struct request_list now;
	request_list_init(&now);
	pthread_mutex_lock(&d->lock);
	request_list_move(&now, &d->finished);
	pthread_mutex_unlock(&d->lock);
	for (struct request *r; most && (r = request_list_take(&now)); most--)
		r->run(r);
	if (now.first)
		put_back(d, &now);
}

static void woken(struct message *m)
{
	struct deliver_wake *w = container_of(m, struct deliver_wake, message);
	if (!w->deliver) {
		free(w);
		return;
	}
	pthread_mutex_lock(&w->deliver->lock);
	w->posted = false;
	pthread_mutex_unlock(&w->deliver->lock);
	run_some(w->deliver, TURN_MAX);
}

void deliver_init(struct deliver *d, struct loop *loop)
{
	d->loop = loop;
	pthread_mutex_init(&d->lock, NULL);
	request_list_init(&d->finished);
	d->wake = NEW(struct deliver_wake);
	d->wake->message.run = woken;
	d->wake->deliver = d;
}

void deliver_fini(struct deliver *d)
{
	d->wake->deliver = NULL;
	if (!d->wake->posted)
		free(d->wake);
	pthread_mutex_destroy(&d->lock);
}

void deliver_add(struct deliver *d, struct request_list *l)
{
	pthread_mutex_lock(&d->lock);
	request_list_move(&d->finished, l);
	bool post = d->loop && !d->wake->posted;
	if (post)
		d->wake->posted = true;
	pthread_mutex_unlock(&d->lock);
	if (post)
		loop_post(d->loop, &d->wake->message);
}

void deliver_run(struct deliver *d)
{
	run_some(d, UINT_MAX);
}
