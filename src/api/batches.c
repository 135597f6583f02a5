/* /v1/batches: groups of jobs. They are made, and jobs are added to them, by submit.c. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

static void list_batches(void *context, struct http_request *r);
static void show_batch(void *context, struct http_request *r);
static void close_batch(void *context, struct http_request *r);
static void cancel_batch(void *context, struct http_request *r);

#define BODY_MAX	   (64 << 20) /* as of POST /v1/jobs */
#define CANCEL_WAIT_MS 5000

#define TAKES(shape)                                                                                                   \
	"\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"       \
	"schemas/" shape "\"}}}},"
#define GIVES(status, shape)                                                                                           \
	"\"responses\":{\"" status "\":{\"description\":\"" shape "\",\"content\":{\"application/json\":{\"schema\":{"     \
	"\"$ref\":\"#/components/schemas/" shape "\"}}}}}"

const struct http_route batch_routes[] = {
	{.method = "POST",
		.path = "/v1/batches",
		.handle = api_create_batch,
		.body_max = BODY_MAX,
		.summary = "Make a batch with its jobs in one commit, or an open one; acknowledged when it is on disk",
		.doc = "\"x-query\":\"namespace\"," TAKES("BatchRequest") GIVES("202", "BatchMade")},
	{.method = "GET",
		.path = "/v1/batches",
		.handle = list_batches,
		.summary = "List batches, newest first",
		.doc = "\"x-query\":\"namespace limit cursor\"," GIVES("200", "Batches")},
	{.method = "GET",
		.path = "/v1/batches/{batch_id}",
		.handle = show_batch,
		.summary = "Show a batch: counts, percent, failed jobs; ?wait= waits for its end",
		.doc = "\"x-query\":\"wait\"," GIVES("200", "Batch")},
	{.method = "POST",
		.path = "/v1/batches/{batch_id}/jobs",
		.handle = api_add_to_batch,
		.body_max = BODY_MAX,
		.summary = "Add jobs to an open batch: one, or many in one commit",
		.doc = TAKES("JobsRequest") GIVES("202", "BatchMade")},
	{.method = "POST",
		.path = "/v1/batches/{batch_id}/close",
		.handle = close_batch,
		.summary = "No more jobs will be added: it is over when those that it has are",
		.doc = GIVES("200", "Batch")},
	{.method = "DELETE",
		.path = "/v1/batches/{batch_id}",
		.handle = cancel_batch,
		.summary = "Cancel it and its jobs that wait or run",
		.doc = GIVES("200", "Batch")},
	{.method = "GET",
		.path = "/v1/batches/{batch_id}/jobs",
		.handle = api_batch_jobs,
		.summary = "Its jobs in the order of their submit, without results",
		.doc = "\"x-query\":\"limit cursor\"," GIVES("200", "Jobs")},
	{.method = "GET",
		.path = "/v1/batches/{batch_id}/results",
		.handle = api_batch_results,
		.summary = "Its jobs with their results, NDJSON; ?after= the job_id of the last line gives the next page",
		.doc = "\"x-query\":\"after limit\",\"responses\":{\"200\":{\"description\":\"{\\\"job_id\\\",\\\"status\\\","
			   "\\\"result\\\",\\\"error\\\"} a line\",\"content\":{\"application/x-ndjson\":{\"schema\":{\"type\":"
			   "\"string\"}}}}}"},
	{0},
};

/* A request that is answered later, if its client is still there. */
struct asking {
	struct api *api;
	struct http_request *request;
	uint64_t id;
	struct batch_wait *wait;
	struct loop_timer *timer;
	bool told; /* the wait is over */
	bool away; /* somebody else still has the question: freed by the answer */
};

static void asking_free(struct asking *q)
{
	batch_wait_free(q->wait);
	loop_timer_free(q->timer);
	free(q);
}

static void client_gone(void *data)
{
	struct asking *q = data;
	q->request = NULL;
	if (!q->away)
		asking_free(q);
}

static struct asking *asking_new(struct api *a, struct http_request *r, uint64_t id)
{
	struct asking *q = NEW(struct asking);
	*q = (struct asking){.api = a, .request = r, .id = id};
	http_set_data(r, q, client_gone);
	return q;
}

static void answer_batch(struct api *a, struct http_request *r, uint64_t id)
{
	struct buf out = {0};
	struct err e;
	if (batches_show(a->batches, id, &out, &e) == E_OK)
		api_reply_buf(r, 200, &out);
	else
		http_problem(r, &e);
}

/* ── list ── */

static void listed(void *context, enum errcode code, struct bytes json)
{
	struct asking *q = context;
	q->away = false;
	if (!q->request)
		asking_free(q);
	else if (code)
		api_fail(q->request, code, "the batches cannot be read: %s", err_word(code));
	else
		http_reply_json(q->request, 200, json);
}

static void list_batches(void *context, struct http_request *r)
{
	struct api *a = context;
	unsigned limit;
	uint64_t before;
	if (!api_limit(r, &limit) || !api_cursor(r, &before))
		return;
	struct asking *q = asking_new(a, r, 0);
	q->away = true;
	batches_list(a->batches, http_query(r, "namespace"), before, limit, listed, q);
}

/* ── show, wait ── */

static void show_now(void *context)
{
	struct asking *q = context;
	answer_batch(q->api, q->request, q->id);
}

/* May be called before batches_wait returns: so the answer is given by the timer, at once. */
static void over(void *context)
{
	struct asking *q = context;
	q->told = true;
	if (q->timer)
		loop_timer_set(q->timer, 0);
}

static void show_when_over(struct asking *q, int64_t wait_ms)
{
	q->timer = loop_timer_new(q->api->loop, show_now, q);
	q->wait = batches_wait(q->api->batches, q->id, over, q);
	loop_timer_set(q->timer, q->told ? 0 : wait_ms);
}

static void show_batch(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	int64_t wait_ms;
	if (!api_id(r, "batch_id", &id) || !api_duration(r, "wait", 0, API_WAIT_MAX_MS, &wait_ms))
		return;
	if (wait_ms > 0 && batches_lives(a->batches, id))
		show_when_over(asking_new(a, r, id), wait_ms);
	else
		answer_batch(a, r, id);
}

/* ── close, cancel ── */

static bool came_back(struct asking *q, enum errcode code)
{
	q->away = false;
	if (!q->request) {
		asking_free(q);
		return false;
	}
	if (code)
		api_fail(q->request, code, "the change could not be stored");
	return !code;
}

static void closed(void *context, const struct batch_reply *reply)
{
	struct asking *q = context;
	if (came_back(q, reply->code))
		answer_batch(q->api, q->request, q->id);
}

static void cancelled(void *context, const struct batch_reply *reply)
{
	struct asking *q = context;
	if (came_back(q, reply->code))
		show_when_over(q, CANCEL_WAIT_MS); /* a large one takes longer: it is on disk that it will be */
}

static void refused(struct asking *q, const struct err *e)
{
	q->away = false;
	http_problem(q->request, e); /* client_gone follows and frees */
}

static void close_batch(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	if (!api_id(r, "batch_id", &id))
		return;
	struct asking *q = asking_new(a, r, id);
	q->away = true;
	if (batches_close(a->batches, id, closed, q, &e) != E_OK)
		refused(q, &e);
}

static void cancel_batch(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	struct err e;
	if (!api_id(r, "batch_id", &id))
		return;
	struct asking *q = asking_new(a, r, id);
	q->away = true;
	if (batches_cancel(a->batches, id, cancelled, q, &e) != E_OK)
		refused(q, &e);
}
