/* /v1/dead: jobs that are not tried again by themselves, and why. */
#include "api/api.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void show_dead(void *context, struct http_request *r);
static void replay_dead(void *context, struct http_request *r);
static void purge_dead(void *context, struct http_request *r);

const struct http_route dead_routes[] = {
	{.method = "GET",
		.path = "/v1/dead",
		.handle = api_list_dead,
		.summary = "List dead letters, newest first",
		.doc = "\"x-query\":\"capability namespace key tag code older_than limit cursor\""},
	{.method = "GET",
		.path = "/v1/dead/{job_id}",
		.handle = show_dead,
		.summary = "Show a dead letter with its attempts and its input"},
	{.method = "POST",
		.path = "/v1/dead/{job_id}/replay",
		.handle = replay_dead,
		.summary = "Try it again from the beginning"},
	{.method = "DELETE", .path = "/v1/dead/{job_id}", .handle = purge_dead, .summary = "Remove it for ever"},
	{.method = "POST",
		.path = "/v1/dead/replay",
		.handle = api_replay_dead,
		.summary = "Try all again, or those that fit; at most 10000 a call",
		.doc = "\"x-query\":\"capability namespace key tag code older_than\""},
	{.method = "DELETE",
		.path = "/v1/dead",
		.handle = api_purge_dead,
		.summary = "Remove all for ever, or those that fit; at most 10000 a call",
		.doc = "\"x-query\":\"capability namespace key tag code older_than\""},
	{0},
};

/* ── show ── */

struct showing {
	struct http_request *request;
	uint64_t id;
	struct buf out, input, head;
	enum errcode code;
	size_t attempts;
};

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	buf_format(out, "\"%s\":\"%s\",", name, text);
}

/* What a worker that was lost had printed last. */
static void add_log(struct buf *out, struct bytes lines)
{
	const char *at = lines.data, *end = at + lines.size;
	if (!lines.size)
		return;
	buf_text(out, ",\"log\":[");
	for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
		if (at > lines.data)
			buf_text(out, ",");
		buf_json_utf8(out, (struct bytes){at, (size_t)(stop - at)});
	}
	buf_text(out, "]");
}

static bool add_attempt(void *context, const struct store_row *row)
{
	struct showing *s = context;
	struct attempt_record a;
	struct job_error error = {0};
	if (attempt_record_decode(row->head, &a, NULL) != E_OK)
		return true;
	snprintf(error.code, sizeof error.code, "%.*s", (int)a.code.size, a.code.data);
	snprintf(error.message, sizeof error.message, "%.*s", (int)a.message.size, a.message.data);
	error.retryable = a.retryable;
	buf_format(&s->out, "%s{\"attempt\":%" PRIu64 ",", s->attempts++ ? "," : "", row->key.sub);
	add_time(&s->out, "started_at", a.started_at_ms);
	add_time(&s->out, "ended_at", a.ended_at_ms);
	buf_text(&s->out, "\"error\":");
	api_add_error(&s->out, &error);
	add_log(&s->out, row->body);
	buf_text(&s->out, "}");
	return true;
}

static void read_dead(void *context, struct store_reader *reader)
{
	struct showing *s = context;
	struct job_view view;
	struct store_range range = {.table = STORE_ATTEMPT, .id = s->id, .bodies = true};
	s->code = store_reader_get(reader, STORE_DEAD, (struct store_key){.id = s->id}, &s->head, &s->input, NULL);
	if (!s->code)
		s->code = job_view_decode(STORE_DEAD, s->id, buf_bytes(&s->head), &view, NULL);
	if (s->code)
		return;
	api_add_job(&s->out, &view, (struct bytes){0});
	s->out.size--; /* the closing brace: more members follow */
	buf_text(&s->out, ",\"history\":[");
	s->code = store_reader_scan(reader, &range, add_attempt, s, NULL);
	buf_text(&s->out, "],\"input\":");
	buf_add(&s->out, s->input.size ? s->input.data : "null", s->input.size ? s->input.size : 4);
	buf_text(&s->out, "}");
}

static void answer_dead(void *context)
{
	struct showing *s = context;
	struct http_request *r = s->request;
	if (r)
		http_set_data(r, NULL, NULL);
	if (r && !s->code)
		http_reply_json(r, 200, buf_bytes(&s->out));
	else if (r)
		api_fail(r, s->code,
			s->code == E_NOT_FOUND ? "there is no such dead letter" : "the dead letter cannot be read: %s",
			err_word(s->code));
	buf_fini(&s->out);
	buf_fini(&s->input);
	buf_fini(&s->head);
	free(s);
}

static void shower_gone(void *data)
{
	((struct showing *)data)->request = NULL;
}

static void show_dead(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	if (!api_id(r, "job_id", &id))
		return;
	struct showing *s = NEW(struct showing);
	s->request = r;
	s->id = id;
	http_set_data(r, s, shower_gone);
	a->store->ops->query(a->store, read_dead, answer_dead, s);
}

/* ── replay, purge ── */

struct changing {
	struct http_request *request;
	const char *answer;
};

static void changer_gone(void *data)
{
	((struct changing *)data)->request = NULL;
}

static void changed(void *context, enum errcode code)
{
	struct changing *c = context;
	struct http_request *r = c->request;
	if (r) {
		http_set_data(r, NULL, NULL);
		if (code)
			api_fail(r, code, "the change could not be stored");
		else
			http_reply_json(r, 200, bytes_of(c->answer));
	}
	free(c);
}

static struct changing *changing_new(struct http_request *r, const char *answer)
{
	struct changing *c = NEW(struct changing);
	*c = (struct changing){r, answer};
	http_set_data(r, c, changer_gone);
	return c;
}

static void refused(struct changing *c, struct http_request *r, const struct err *e)
{
	http_set_data(r, NULL, NULL);
	free(c);
	http_problem(r, e);
}

static void replay_dead(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	if (!api_id(r, "job_id", &id))
		return;
	struct changing *c = changing_new(r, "{\"replayed\":true}");
	if (queue_replay(a->queues, id, loop_now_ms(a->loop), changed, c, &e) != E_OK)
		refused(c, r, &e);
}

static void purge_dead(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	if (!api_id(r, "job_id", &id))
		return;
	struct changing *c = changing_new(r, "{\"purged\":true}");
	if (queue_purge(a->queues, id, changed, c, &e) != E_OK)
		refused(c, r, &e);
}
