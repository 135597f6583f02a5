/* /v1/callbacks: who is still to be told of an end, and who could not be. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

static void list_callbacks(void *context, struct http_request *r);
static void show_callback(void *context, struct http_request *r);
static void retry_callback(void *context, struct http_request *r);
static void purge_callback(void *context, struct http_request *r);
static void retry_failed(void *context, struct http_request *r);
static void purge_failed(void *context, struct http_request *r);

#define GIVES(shape)                                                                                                   \
	"\"responses\":{\"200\":{\"description\":\"" shape "\",\"content\":{\"application/json\":{\"schema\":{"            \
	"\"$ref\":\"#/components/schemas/" shape "\"}}}}}"

const struct http_route callback_routes[] = {
	{.method = "GET",
		.path = "/v1/callbacks",
		.handle = list_callbacks,
		.summary = "List callbacks that have not arrived, newest first; ?status=pending or failed",
		.doc = "\"x-query\":\"status namespace limit cursor\"," GIVES("Callbacks")},
	{.method = "GET",
		.path = "/v1/callbacks/{callback_id}",
		.handle = show_callback,
		.summary = "Show a callback",
		.doc = GIVES("Callback")},
	{.method = "POST",
		.path = "/v1/callbacks/{callback_id}/retry",
		.handle = retry_callback,
		.summary = "Send it now; one that has failed is tried from the beginning"},
	{.method = "DELETE",
		.path = "/v1/callbacks/{callback_id}",
		.handle = purge_callback,
		.summary = "Remove it: it is never sent"},
	{.method = "POST",
		.path = "/v1/callbacks/retry",
		.handle = retry_failed,
		.summary = "Try all that have failed again, or those of ?namespace=; at most 10000 a call",
		.doc = "\"x-query\":\"namespace\""},
	{.method = "DELETE",
		.path = "/v1/callbacks",
		.handle = purge_failed,
		.summary = "Remove all that have failed, or those of ?namespace=; at most 10000 a call",
		.doc = "\"x-query\":\"namespace\""},
	{0},
};

enum { SCAN_MAX = 20000, CHANGE_MAX = 10000 };

/* ── as clients see one ── */

static void add_id(struct buf *out, const char *name, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (id)
		buf_format(out, ",\"%s\":\"%s\"", name, text);
}

static void add_callback(struct buf *out, const struct callback_view *v)
{
	char text[ID_TEXT_SIZE];
	id_format(v->id, text);
	buf_format(out, "{\"callback_id\":\"%s\",\"status\":\"%s\",\"type\":", text, v->failed ? "failed" : "pending");
	buf_json_string(out, v->type);
	buf_format(out, ",\"url\":\"%.*s\",\"namespace\":", (int)v->url.size, v->url.data);
	buf_json_string(out, v->namespace);
	add_id(out, "job_id", v->job_id);
	add_id(out, "batch_id", v->batch_id);
	buf_format(out, ",\"attempts\":%d", v->attempts);
	buf_format(out, v->last_status ? ",\"last_status\":%d" : ",\"last_status\":null%.0d", v->last_status);
	buf_text(out, ",\"error\":");
	if (v->error.size)
		buf_json_utf8(out, v->error);
	else
		buf_text(out, "null");
	api_add_time(out, "created_at", v->created_at_ms);
	api_add_time(out, "last_at", v->last_at_ms);
	api_add_time(out, "next_at", v->failed ? 0 : v->next_at_ms ? v->next_at_ms : v->created_at_ms);
	buf_text(out, "}");
}

static void show_callback(void *context, struct http_request *r)
{
	struct api *a = context;
	struct callback_view v;
	scoped(buf_fini) struct buf head = {0};
	struct buf out = {0};
	uint64_t id;
	if (!api_id(r, "callback_id", &id))
		return;
	if (a->store->ops->read(a->store, STORE_CALLBACK, (struct store_key){.id = id}, &head, NULL, NULL) != E_OK ||
		callback_view_decode(id, buf_bytes(&head), &v, NULL) != E_OK) {
		api_fail(r, E_NOT_FOUND, "there is no such callback: it was delivered, or purged");
		return;
	}
	add_callback(&out, &v);
	api_reply_buf(r, 200, &out);
}

/* ── list ── on the reader thread, a page at a time */

struct listing {
	struct http_request *request; /* NULL: the client has gone */
	char *namespace;
	int failed; /* only those that have failed, or have not; -1: all */
	unsigned limit, n, looked_at;
	uint64_t last; /* that was looked at */
	bool more;
	struct buf out;
};

static bool list_row(void *context, const struct store_row *row)
{
	struct listing *l = context;
	struct callback_view v;
	if (l->n == l->limit || l->looked_at == SCAN_MAX) {
		l->more = true;
		return false;
	}
	l->looked_at++;
	l->last = row->key.id;
	if (callback_view_decode(row->key.id, row->head, &v, NULL) != E_OK ||
		(l->failed >= 0 && v.failed != (bool)l->failed) ||
		(*l->namespace && !bytes_equal(v.namespace, bytes_of(l->namespace))))
		return true;
	if (l->n++)
		buf_text(&l->out, ",");
	add_callback(&l->out, &v);
	return true;
}

static void lister_gone(void *data)
{
	((struct listing *)data)->request = NULL;
}

static void listed(void *context, enum errcode code)
{
	struct listing *l = context;
	char text[ID_TEXT_SIZE];
	id_format(l->last, text);
	buf_format(&l->out, l->more ? "],\"cursor\":\"%s\"}" : "],\"cursor\":null}%.0s", text);
	if (l->request) {
		http_set_data(l->request, NULL, NULL);
		if (code)
			api_fail(l->request, code, "the callbacks cannot be read: %s", err_word(code));
		else
			http_reply_buf(l->request, 200, "application/json", &l->out);
	}
	buf_fini(&l->out);
	free(l->namespace);
	free(l);
}

static bool read_status(struct http_request *r, int *failed)
{
	struct bytes status = http_query(r, "status");
	*failed = -1;
	if (!status.size)
		return true;
	*failed = bytes_equal(status, bytes_of("failed"));
	if (*failed || bytes_equal(status, bytes_of("pending")))
		return true;
	api_fail(r, E_INVALID, "?status=%.32s: pending or failed is needed", status.data);
	return false;
}

static void list_callbacks(void *context, struct http_request *r)
{
	struct api *a = context;
	unsigned limit;
	uint64_t before;
	int failed;
	if (!api_limit(r, &limit) || !api_cursor(r, &before) || !read_status(r, &failed))
		return;
	struct listing *l = NEW(struct listing);
	*l = (struct listing){
		.request = r, .failed = failed, .limit = limit, .namespace = api_text(http_query(r, "namespace"))};
	http_set_data(r, l, lister_gone);
	buf_text(&l->out, "{\"callbacks\":[");
	struct store_range range = {
		.table = STORE_CALLBACK, .descending = true, .from.id = before > 1 ? before - 1 : before};
	a->store->ops->list(a->store, &range, list_row, listed, l);
}

/* ── retry, purge ── of one, or of all that have failed */

struct changing {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	bool retry;
	char *namespace;
	uint64_t *ids;
	size_t n, waits, changed; /* waits: answers that will come */
	enum errcode code;
};

static void answer(struct changing *c)
{
	if (c->code != E_OK && c->changed == 0)
		api_fail(c->request, c->code, "the change could not be stored");
	else {
		struct buf out = {0};
		buf_format(&out, "{\"%s\":%zu}", c->retry ? "retried" : "purged", c->changed);
		api_reply_buf(c->request, 200, &out);
	}
}

static void one_less(struct changing *c)
{
	if (--c->waits)
		return;
	if (c->request) {
		http_set_data(c->request, NULL, NULL);
		answer(c);
	}
	free(c->namespace);
	free(c->ids);
	free(c);
}

static void changed(void *context, enum errcode code)
{
	struct changing *c = context;
	c->changed += code == E_OK;
	if (code)
		c->code = code;
	one_less(c);
}

static void changer_gone(void *data)
{
	((struct changing *)data)->request = NULL;
}

static struct changing *changing_new(struct api *a, struct http_request *r, bool retry)
{
	struct changing *c = NEW(struct changing);
	*c = (struct changing){
		.api = a, .request = r, .retry = retry, .waits = 1, .namespace = api_text(http_query(r, "namespace"))};
	http_set_data(r, c, changer_gone);
	return c;
}

static enum errcode change_one(struct changing *c, uint64_t id, struct err *e)
{
	struct callbacks *cs = c->api->callbacks;
	c->waits++;
	enum errcode code = c->retry ? callbacks_retry(cs, id, loop_now_ms(c->api->loop), changed, c, e)
								 : callbacks_purge(cs, id, changed, c, e);
	if (code)
		c->waits--;
	return code;
}

static void change(struct api *a, struct http_request *r, bool retry)
{
	uint64_t id;
	struct err e;
	if (!api_id(r, "callback_id", &id))
		return;
	struct changing *c = changing_new(a, r, retry);
	if (change_one(c, id, &e) != E_OK) {
		c->request = NULL;
		http_set_data(r, NULL, NULL);
		http_problem(r, &e);
	}
	one_less(c);
}

static void retry_callback(void *context, struct http_request *r)
{
	change(context, r, true);
}

static void purge_callback(void *context, struct http_request *r)
{
	change(context, r, false);
}

static bool note_failed(void *context, const struct store_row *row)
{
	struct changing *c = context;
	struct callback_view v;
	if (callback_view_decode(row->key.id, row->head, &v, NULL) == E_OK && v.failed &&
		(!*c->namespace || bytes_equal(v.namespace, bytes_of(c->namespace))))
		c->ids[c->n++] = row->key.id;
	return c->n < CHANGE_MAX;
}

static void noted(void *context, enum errcode code)
{
	struct changing *c = context;
	c->code = code;
	for (size_t i = 0; i < c->n; i++)
		change_one(c, c->ids[i], NULL); /* one that is gone meanwhile is no error */
	one_less(c);
}

static void change_failed(struct api *a, struct http_request *r, bool retry)
{
	struct changing *c = changing_new(a, r, retry);
	struct store_range range = {.table = STORE_CALLBACK};
	c->ids = mem_new(CHANGE_MAX * sizeof *c->ids);
	a->store->ops->list(a->store, &range, note_failed, noted, c);
}

static void retry_failed(void *context, struct http_request *r)
{
	change_failed(context, r, true);
}

static void purge_failed(void *context, struct http_request *r)
{
	change_failed(context, r, false);
}
