/* Batches of clients of the link, as the HTTP API has them. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdlib.h>

static void show(struct daemon *d, struct link_request *r, uint64_t id)
{
	scoped(buf_fini) struct buf json = {0};
	struct err e;
	if (batches_show(d->batches, id, &json, &e) == E_OK)
		link_shown(r, buf_bytes(&json));
	else
		link_refused(r, &e);
}

struct change {
	struct daemon *daemon;
	struct link_request *request;
};

static void changed(void *context, const struct batch_reply *reply)
{
	struct change *c = context;
	struct err e;
	if (reply->code == E_OK) {
		show(c->daemon, c->request, reply->id);
	} else {
		err_set(&e, reply->code, "the change could not be stored: %s", err_word(reply->code));
		link_refused(c->request, &e);
	}
	free(c);
}

static struct change *change_new(struct daemon *d, struct link_request *r)
{
	struct change *c = NEW(struct change);
	*c = (struct change){d, r};
	return c;
}

static void open_batch(struct daemon *d, struct link_request *r, struct bytes json)
{
	struct submission s = {.now_ms = clock_now(d), .allow = d->api.allow};
	buf_add(&s.body, json.data, json.size);
	enum errcode code = submission_parse_batch(&s);
	if (!code && s.n)
		code = err_set(&s.error, E_INVALID, "jobs: are submitted to the batch once it is there");
	s.batch.open = true;
	struct change *c = code ? NULL : change_new(d, r);
	if (c)
		code = batches_create(d->batches, &s.batch, NULL, 0, clock_now(d), changed, c, &s.error);
	if (code) {
		link_refused(r, &s.error);
		free(c);
	}
	submission_fini(&s);
}

static void change(struct daemon *d, struct link_request *r, enum link_batch what, uint64_t id)
{
	struct change *c = change_new(d, r);
	struct err e;
	enum errcode code = what == LINK_BATCH_CLOSE ? batches_close(d->batches, id, changed, c, &e)
												 : batches_cancel(d->batches, id, changed, c, &e);
	if (code) {
		link_refused(r, &e);
		free(c);
	}
}

/* ── wait ── */

struct batch_waiting {
	struct client_holds holds; /* first member */
	struct daemon *daemon;
	struct link_request *request;
	struct batch_wait *wait;
	struct loop_timer *timer;
	uint64_t id;
};

static void waiting_free(struct batch_waiting *w)
{
	batch_wait_free(w->wait);
	loop_timer_free(w->timer);
	free(w);
}

static void tell(void *context)
{
	struct batch_waiting *w = context;
	link_request_set(w->request, NULL);
	show(w->daemon, w->request, w->id);
	waiting_free(w);
}

/* Told in the middle of the batch's end: answered by the timer, when its row can be read. */
static void over(void *context)
{
	loop_timer_set(((struct batch_waiting *)context)->timer, 0);
}

static void gone(struct client_holds *holds)
{
	struct batch_waiting *w = container_of(holds, struct batch_waiting, holds);
	link_request_set(w->request, NULL);
	link_shown(w->request, bytes_of("{}")); /* nobody hears it */
	waiting_free(w);
}

static void wait_for(struct daemon *d, struct link_request *r, uint64_t id, int64_t timeout_ms)
{
	if (!batches_lives(d->batches, id)) {
		show(d, r, id);
		return;
	}
	struct batch_waiting *w = NEW(struct batch_waiting);
	*w = (struct batch_waiting){.holds.gone = gone, .daemon = d, .request = r, .id = id};
	link_request_set(r, w);
	w->timer = loop_timer_new(d->loop, tell, w);
	loop_timer_set(w->timer, timeout_ms);
	w->wait = batches_wait(d->batches, id, over, w);
}

void client_batch(
	void *context, struct link_request *r, enum link_batch what, uint64_t id, int64_t timeout_ms, struct bytes json)
{
	struct daemon *d = context;
	if (what == LINK_BATCH_OPEN)
		open_batch(d, r, json);
	else if (what == LINK_BATCH_WAIT)
		wait_for(d, r, id, timeout_ms);
	else
		change(d, r, what, id);
}
