/* job_move.c - PATCH /v1/jobs/{job_id}: a waiting job to another priority or queue. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"

#include <stdlib.h>

struct moving {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone; the job is moved all the same */
	uint64_t id;
};

static void client_gone(void *data)
{
	((struct moving *)data)->request = NULL;
}

static void moved(void *context, enum errcode code)
{
	struct moving *m = context;
	struct http_request *r = m->request;
	if (r) {
		struct buf out = {0};
		struct err e;
		http_set_data(r, NULL, NULL);
		if (code)
			api_fail(r, code, "the move could not be stored");
		else if (api_job_json(m->api, m->id, &out, &e) == E_OK)
			api_reply_buf(r, 200, &out);
		else
			http_problem(r, &e);
	}
	free(m);
}

struct names {
	struct buf namespace, capability;
};

static enum errcode take_member(const struct json_member *m, struct job_move *to, struct names *names, struct err *e)
{
	int64_t priority;
	if (bytes_equal(m->key, bytes_of("priority"))) {
		if (!json_span_integer(m->value, &priority) || priority < 0 || priority > JOB_PRIORITY_MAX)
			return err_set(e, E_INVALID, "priority: %.*s is not a whole number from 0 to 9",
				(int)(m->value.size < 64 ? m->value.size : 64), m->value.data);
		to->priority = (int)priority;
		return E_OK;
	}
	bool capability = bytes_equal(m->key, bytes_of("capability"));
	struct buf *text = capability ? &names->capability : &names->namespace;
	if (!capability && !bytes_equal(m->key, bytes_of("namespace")))
		return err_set(e, E_INVALID,
			"unknown member \"%.*s\"; a waiting job can be given another priority, capability or namespace",
			(int)(m->key.size < 64 ? m->key.size : 64), m->key.data);
	if (!json_span_string(m->value, text) || !text->size)
		return err_set(e, E_INVALID, "%.*s: a name is needed", (int)m->key.size, m->key.data);
	*(capability ? &to->capability : &to->namespace) = buf_bytes(text);
	return E_OK;
}

static enum errcode read_move(struct http_request *r, struct job_move *to, struct names *names, struct err *e)
{
	struct json_member m[8];
	size_t n = 0;
	enum errcode code = json_span_members(http_body(r), m, ARRAY_SIZE(m), &n, e);
	for (size_t i = 0; !code && i < n; i++)
		code = take_member(&m[i], to, names, e);
	return code;
}

void api_move_job(void *context, struct http_request *r)
{
	struct api *a = context;
	struct job_move to = {.priority = -1};
	struct names names = {0};
	struct err e;
	uint64_t id;
	if (!api_id(r, "job_id", &id))
		return;
	struct moving *m = NEW(struct moving);
	*m = (struct moving){a, r, id};
	http_set_data(r, m, client_gone);
	enum errcode code = read_move(r, &to, &names, &e);
	if (!code)
		code = job_change_move(a, id, &to, moved, m, &e);
	buf_fini(&names.namespace);
	buf_fini(&names.capability);
	if (!code)
		return;
	http_set_data(r, NULL, NULL);
	free(m);
	http_problem(r, &e);
}
