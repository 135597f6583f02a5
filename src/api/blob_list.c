/* Blobs that are there: listed, fetched, verified, collected. Files are read on the pool; the client waits meanwhile. */
#include "api/api.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <inttypes.h>
#include <stdlib.h>

/* ── what is asked of the pool ── */

struct asked {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	void (*answer)(struct asked *q);
	bool away; /* the pool has it */
	char *name; /* of the blob, or the cursor; or NULL */
	enum errcode code;
	struct err error;
	int fd;
	uint64_t bytes;
	struct blob_info *list;
	size_t n, limit;
};

static void asked_free(struct asked *q)
{
	mem_close_at(&q->fd);
	free(q->name);
	free(q->list);
	free(q);
}

static void client_gone(void *data)
{
	struct asked *q = data;
	q->request = NULL;
	if (!q->away)
		asked_free(q);
}

static void done(void *context)
{
	struct asked *q = context;
	q->away = false;
	if (!q->request)
		asked_free(q);
	else if (q->code)
		http_problem(q->request, &q->error);
	else
		q->answer(q);
}

static struct asked *ask(struct api *a, struct http_request *r, struct bytes name, void (*answer)(struct asked *q))
{
	struct asked *q = NEW(struct asked);
	*q = (struct asked){.api = a, .request = r, .answer = answer, .fd = -1, .away = true};
	q->name = name.size ? api_text(name) : NULL;
	http_set_data(r, q, client_gone);
	return q;
}

/* ── list ── */

static void list_work(void *context)
{
	struct asked *q = context;
	q->code = blobs_list(q->api->blobs, q->name, q->list, q->limit, &q->n, &q->error);
}

static void answer_list(struct asked *q)
{
	struct buf out = {0};
	char at[RFC3339_SIZE];
	buf_text(&out, "{\"blobs\":[");
	for (size_t i = 0; i < q->n; i++) {
		const struct blob_info *b = &q->list[i];
		rfc3339_format(b->used_at_ms, at);
		buf_format(
			&out, "%s{\"blob\":\"%s\",\"bytes\":%" PRIu64 ",\"used_at\":\"%s\"}", i ? "," : "", b->name, b->bytes, at);
	}
	if (q->n == q->limit)
		buf_format(&out, "],\"cursor\":\"%s\"}", q->list[q->n - 1].name);
	else
		buf_text(&out, "],\"cursor\":null}");
	api_reply_buf(q->request, 200, &out);
}

void api_list_blobs(void *context, struct http_request *r)
{
	struct api *a = context;
	unsigned limit;
	if (!api_limit(r, &limit))
		return;
	struct asked *q = ask(a, r, http_query(r, "cursor"), answer_list);
	q->limit = limit;
	q->list = mem_new(limit * sizeof *q->list);
	loop_work(a->loop, list_work, done, q);
}

/* ── one ── */

static void verify_work(void *context)
{
	struct asked *q = context;
	q->code = blob_verify(q->api->blobs, q->name, &q->bytes, &q->error);
}

static void get_work(void *context)
{
	struct asked *q = context;
	verify_work(q);
	if (!q->code)
		q->code = blob_open(q->api->blobs, q->name, &q->fd, &q->bytes, &q->error);
}

static void answer_get(struct asked *q)
{
	int fd = q->fd;
	q->fd = -1;
	http_reply_fd(q->request, 200, "application/octet-stream", fd, q->bytes);
}

void api_get_blob(void *context, struct http_request *r)
{
	struct api *a = context;
	loop_work(a->loop, get_work, done, ask(a, r, http_param(r, "blob"), answer_get));
}

static void answer_verify(struct asked *q)
{
	struct buf out = {0};
	buf_format(&out, "{\"blob\":\"%s\",\"bytes\":%" PRIu64 "}", q->name, q->bytes);
	api_reply_buf(q->request, 200, &out);
}

void api_verify_blob(void *context, struct http_request *r)
{
	struct api *a = context;
	loop_work(a->loop, verify_work, done, ask(a, r, http_param(r, "blob"), answer_verify));
}

/* ── collect ── */

struct collecting {
	struct http_request *request; /* NULL: the client has gone */
	bool over;
};

static void collecting_gone(void *data)
{
	struct collecting *c = data;
	c->request = NULL;
	if (c->over)
		free(c);
}

static void collected(void *context, const struct blob_collection *n)
{
	struct collecting *c = context;
	struct buf out = {0};
	c->over = true;
	if (!c->request) {
		free(c);
	} else if (n->given_up) {
		api_fail(c->request, E_UNAVAILABLE,
			"the collection was given up: the disk is full, or a backup is under way; nothing more was deleted");
	} else {
		buf_format(&out, "{\"candidates\":%" PRIu64 ",\"deleted\":%" PRIu64 ",\"deleted_bytes\":%" PRIu64 "}",
			n->candidates, n->deleted, n->deleted_bytes);
		api_reply_buf(c->request, 200, &out);
	}
}

void api_collect_blobs(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	int64_t unused_ms;
	if (!api_duration(r, "unused", a->keep_unused_ms, JOB_TIME_MAX_MS / 2, &unused_ms))
		return;
	struct collecting *c = NEW(struct collecting);
	c->request = r;
	http_set_data(r, c, collecting_gone);
	if (blob_collect(a->collector, unused_ms, collected, c, &e) != E_OK) {
		c->over = true;
		http_problem(r, &e);
	}
}
