/* /v1/runs: what became of a pipeline. */
#include "api/api.h"

#include "base/mem.h"

#include <stdlib.h>

static void list_runs(void *context, struct http_request *r);
static void show_run(void *context, struct http_request *r);
static void cancel_run(void *context, struct http_request *r);
static void run_items(void *context, struct http_request *r);

const struct http_route run_routes[] = {
	{.method = "GET",
		.path = "/v1/runs",
		.handle = list_runs,
		.summary = "List runs, newest first",
		.doc = "\"x-query\":\"namespace pipeline limit cursor\""},
	{.method = "GET",
		.path = "/v1/runs/{run_id}",
		.handle = show_run,
		.summary = "Show a run; ?wait= waits for its end",
		.doc = "\"x-query\":\"wait\""},
	{.method = "DELETE", .path = "/v1/runs/{run_id}", .handle = cancel_run, .summary = "Cancel a run and its jobs"},
	{.method = "GET",
		.path = "/v1/runs/{run_id}/items",
		.handle = run_items,
		.summary = "The items with their results, NDJSON"},
	{0},
};

/* A request that is answered later, if its client is still there. */
struct asking {
	struct api *api;
	struct http_request *request;
	uint64_t run_id;
	struct run_wait *wait;
	struct loop_timer *timer;
	bool told; /* the wait is over */
	bool listing; /* the store still has the question: freed by its answer */
};

static void asking_free(struct asking *q)
{
	run_wait_free(q->wait);
	loop_timer_free(q->timer);
	free(q);
}

static void client_gone(void *data)
{
	struct asking *q = data;
	q->request = NULL;
	if (!q->listing)
		asking_free(q);
}

static struct asking *asking_new(struct api *a, struct http_request *r)
{
	struct asking *q = NEW(struct asking);
	q->api = a;
	q->request = r;
	http_set_data(r, q, client_gone);
	return q;
}

static void answer(void *context, enum errcode code, struct bytes json)
{
	struct http_request *r = context;
	if (code)
		api_fail(r, code, code == E_NOT_FOUND ? "there is no such run" : "the run cannot be read: %s", err_word(code));
	else
		http_reply_json(r, 200, json);
}

/* ── list ── */

static void listed(void *context, enum errcode code, struct bytes json)
{
	struct asking *q = context;
	q->listing = false;
	if (q->request)
		answer(q->request, code, json);
	else
		asking_free(q);
}

static void list_runs(void *context, struct http_request *r)
{
	struct api *a = context;
	unsigned limit;
	uint64_t before;
	if (!api_limit(r, &limit) || !api_cursor(r, &before))
		return;
	struct asking *q = asking_new(a, r);
	q->listing = true;
	pipelines_list(a->pipelines, http_query(r, "namespace"), http_query(r, "pipeline"), before, limit, listed, q);
}

/* ── show, wait ── */

static void show_now(void *context)
{
	struct asking *q = context;
	pipelines_show(q->api->pipelines, q->run_id, answer, q->request);
}

/* May be called before pipelines_wait returns: so the answer is given by the timer, at once. */
static void over(void *context, enum errcode code)
{
	struct asking *q = context;
	q->told = true;
	if (q->timer)
		loop_timer_set(q->timer, 0);
}

static void show_when_over(struct api *a, struct http_request *r, uint64_t id, int64_t wait_ms)
{
	struct asking *q = asking_new(a, r);
	q->run_id = id;
	q->timer = loop_timer_new(a->loop, show_now, q);
	q->wait = pipelines_wait(a->pipelines, id, over, q);
	loop_timer_set(q->timer, q->told ? 0 : wait_ms);
}

static void show_run(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	int64_t wait_ms;
	if (!api_id(r, "run_id", &id) || !api_duration(r, "wait", 0, API_WAIT_MAX_MS, &wait_ms))
		return;
	if (wait_ms > 0)
		show_when_over(a, r, id, wait_ms);
	else
		pipelines_show(a->pipelines, id, answer, r);
}

/* ── cancel ── */

enum { CANCEL_WAIT_MS = 5000 };

static void cancel_run(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	if (!api_id(r, "run_id", &id))
		return;
	if (pipelines_cancel(a->pipelines, id, loop_now_ms(a->loop), &e) != E_OK)
		http_problem(r, &e);
	else
		show_when_over(a, r, id, CANCEL_WAIT_MS); /* acknowledged means on disk */
}

/* ── items ── */

static void answer_items(void *context, enum errcode code, struct bytes json)
{
	struct asking *q = context;
	struct http_request *r = q->request;
	if (code) {
		answer(r, code, json);
		return;
	}
	json_t *run = json_loadb(json.data, json.size, 0, NULL);
	const char *blob = json_string_value(json_object_get(run, "items_blob"));
	int fd;
	uint64_t bytes;
	struct err e;
	if (!blob)
		api_fail(r, E_STATE, "the run's items are not joined yet; they are when every step with `each` is completed");
	else if (blob_open(q->api->blobs, blob, &fd, &bytes, &e) == E_OK)
		http_reply_fd(r, 200, "application/x-ndjson", fd, bytes);
	else
		http_problem(r, &e);
	json_decref(run);
}

static void run_items(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	if (!api_id(r, "run_id", &id))
		return;
	struct asking *q = asking_new(a, r);
	pipelines_show(a->pipelines, id, answer_items, q);
}
