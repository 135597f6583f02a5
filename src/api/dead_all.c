/* dead_all.c - replays or purges all dead letters, or those of one capability or namespace; at most CHANGE_MAX a call. */
#include "api/api.h"

#include "base/mem.h"

#include <stdlib.h>

enum { CHANGE_MAX = 10000 };

struct changing {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	bool replay;
	char *namespace, *capability;
	uint64_t *ids;
	size_t n, waits, changed; /* waits: `done` calls that will come, and the query */
	enum errcode code;
};

static void changing_free(struct changing *c)
{
	free(c->namespace);
	free(c->capability);
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

static void one_less(struct changing *c)
{
	if (--c->waits)
		return;
	if (c->request)
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

static struct changing *changing_new(struct api *a, struct http_request *r, bool replay)
{
	struct changing *c = NEW(struct changing);
	*c = (struct changing){.api = a, .request = r, .replay = replay};
	http_set_data(r, c, client_gone);
	return c;
}

static bool on_row(void *context, const struct store_row *row)
{
	struct changing *c = context;
	struct job_view v;
	if (job_view_decode(STORE_DEAD, row->key.id, row->head, &v, NULL) != E_OK ||
		(c->namespace && !bytes_equal(v.namespace, bytes_of(c->namespace))) ||
		(c->capability && !bytes_equal(v.capability, bytes_of(c->capability))))
		return true;
	c->ids[c->n++] = row->key.id;
	return c->n < CHANGE_MAX;
}

static void listed(void *context, enum errcode code)
{
	struct changing *c = context;
	c->code = code;
	for (size_t i = 0; i < c->n; i++)
		change_one(c, c->ids[i], NULL); /* one that is gone meanwhile is no error */
	one_less(c);
}

static void change_all(struct api *a, struct http_request *r, bool replay)
{
	struct changing *c = changing_new(a, r, replay);
	struct bytes namespace = http_query(r, "namespace"), capability = http_query(r, "capability");
	c->namespace = namespace.size ? mem_copy(namespace.data, namespace.size) : NULL;
	c->capability = capability.size ? mem_copy(capability.data, capability.size) : NULL;
	c->ids = mem_new(CHANGE_MAX * sizeof *c->ids);
	c->waits = 1;
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
