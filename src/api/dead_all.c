/* dead_all.c - replays or purges all dead letters, or those that fit a filter; at most CHANGE_MAX a call, a slice at a time:
 * the next one when the one before is on disk, so that others have their turns in between. */
#include "api/api.h"

#include "base/mem.h"

#include <stdlib.h>

enum { CHANGE_MAX = 10000, SLICE = 50 };

struct changing {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	bool replay;
	struct job_filter filter;
	uint64_t *ids;
	size_t n, at, changed; /* at: the next one */
	size_t waits; /* `done` calls that will come, and the query */
	enum errcode code;
};

static void changing_free(struct changing *c)
{
	job_filter_fini(&c->filter);
	free(c->ids);
	free(c);
}

static void client_gone(void *data)
{
	struct changing *c = data;
	c->request = NULL;
	if (!c->waits)
		changing_free(c);
}

static void answer(struct changing *c)
{
	struct buf out = {0};
	if (c->code != E_OK && c->changed == 0) {
		api_fail(c->request, c->code, "the dead letters could not be changed: %s", err_word(c->code));
		return;
	}
	buf_format(&out, "{\"%s\":%zu}", c->replay ? "replayed" : "purged", c->changed);
	http_reply_buf(c->request, 200, "application/json", &out);
}

static void change_slice(struct changing *c);

static void one_less(struct changing *c)
{
	if (--c->waits)
		return;
	if (c->at < c->n)
		change_slice(c);
	else if (c->request)
		answer(c); /* client_gone follows and frees */
	else
		changing_free(c);
}

static void changed(void *context, enum errcode code)
{
	struct changing *c = context;
	c->changed += code == E_OK;
	if (code != E_OK)
		c->code = code;
	one_less(c);
}

static enum errcode change_one(struct changing *c, uint64_t id, struct err *e)
{
	struct queues *qs = c->api->queues;
	c->waits++;
	enum errcode code =
		c->replay ? queue_replay(qs, id, loop_now_ms(c->api->loop), changed, c, e) : queue_purge(qs, id, changed, c, e);
	if (code != E_OK)
		c->waits--;
	return code;
}

static void change_slice(struct changing *c)
{
	c->waits++;
	for (size_t end = c->at + SLICE; c->at < c->n && c->at < end; c->at++)
		change_one(c, c->ids[c->at], NULL); /* one that is gone meanwhile is no error */
	one_less(c);
}

static bool on_row(void *context, const struct store_row *row)
{
	struct changing *c = context;
	struct job_view v;
	if (job_view_decode(STORE_DEAD, row->key.id, row->head, &v, NULL) != E_OK || !job_filter_fits(&c->filter, &v))
		return true;
	c->ids[c->n++] = row->key.id;
	return c->n < CHANGE_MAX;
}

static void listed(void *context, enum errcode code)
{
	struct changing *c = context;
	c->code = code;
	one_less(c);
}

static void change_all(struct api *a, struct http_request *r, bool replay)
{
	struct job_filter f;
	if (!job_filter_read(r, loop_now_ms(a->loop), &f))
		return;
	struct changing *c = NEW(struct changing);
	*c = (struct changing){.api = a, .request = r, .replay = replay, .filter = f, .waits = 1};
	c->ids = mem_new(CHANGE_MAX * sizeof *c->ids);
	http_set_data(r, c, client_gone);
	struct store_range range = {.table = STORE_DEAD};
	a->store->ops->list(a->store, &range, on_row, listed, c);
}

void api_replay_dead(void *context, struct http_request *r)
{
	change_all(context, r, true);
}

void api_purge_dead(void *context, struct http_request *r)
{
	change_all(context, r, false);
}
