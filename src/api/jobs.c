/* /v1/jobs: submit, list, show, wait, cancel, items. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void show_job(void *context, struct http_request *r);
static void cancel_job(void *context, struct http_request *r);
static void job_items(void *context, struct http_request *r);

#define SUBMIT_BODY_MAX (64 << 20) /* of many jobs; each input has its own limit */

/* clang-format off */
#define TAKES_JOBS                                                                                                     \
	"\"x-query\":\"namespace\",\"requestBody\":{\"required\":true,\"content\":{"                                        \
	"\"application/json\":{\"schema\":{\"oneOf\":["                                                                     \
	"{\"$ref\":\"#/components/schemas/JobRequest\"},{\"$ref\":\"#/components/schemas/JobsRequest\"}]}},"                \
	"\"application/x-ndjson\":{\"schema\":{\"type\":\"string\",\"description\":\"a JobRequest a line, any number\"}}}}," \
	"\"responses\":{\"202\":{\"description\":\"on disk\",\"content\":{\"application/json\":{\"schema\":{"                \
	"\"$ref\":\"#/components/schemas/Submitted\"}}}},"                                                                 \
	"\"200\":{\"description\":\"to lines: what became of each\",\"content\":{\"application/x-ndjson\":{\"schema\":{"     \
	"\"$ref\":\"#/components/schemas/SubmittedLine\"}}}}}"
/* clang-format on */
#define GIVES(shape)                                                                                                   \
	"\"responses\":{\"200\":{\"description\":\"" shape "\",\"content\":{\"application/json\":{\"schema\":{"            \
	"\"$ref\":\"#/components/schemas/" shape "\"}}}}}"

const struct http_route job_routes[] = {
	{.method = "POST", /* the next one tells of it in the document */
		.path = "/v1/jobs",
		.body_types = "application/x-ndjson application/ndjson application/jsonl application/x-jsonlines",
		.handle = api_submit_lines,
		.body = api_submit_piece,
		.summary = "Submit jobs, one a line, as they come"},
	{.method = "POST",
		.path = "/v1/jobs",
		.handle = api_submit,
		.body_max = SUBMIT_BODY_MAX,
		.summary = "Submit one job, or many in one commit; acknowledged when it is on disk",
		.doc = TAKES_JOBS},
	{.method = "GET",
		.path = "/v1/jobs",
		.handle = api_list_jobs,
		.summary = "List jobs, newest first",
		.doc = "\"x-query\":\"status capability key tag namespace limit cursor\"," GIVES("Jobs")},
	{.method = "GET",
		.path = "/v1/jobs/{job_id}",
		.handle = show_job,
		.summary = "Show a job; ?wait= waits for its end",
		.doc = "\"x-query\":\"wait\"," GIVES("Job")},
	{.method = "DELETE",
		.path = "/v1/jobs/{job_id}",
		.handle = cancel_job,
		.summary = "Cancel a waiting or running job",
		.doc = GIVES("Job")},
	{.method = "PATCH",
		.path = "/v1/jobs/{job_id}",
		.handle = api_move_job,
		.body_max = 1024,
		.summary = "Move a waiting job to another priority or queue",
		.doc =
			"\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"
			"schemas/JobMove\"}}}}," GIVES("Job")},
	{.method = "GET",
		.path = "/v1/jobs/{job_id}/items",
		.handle = job_items,
		.summary = "A job's items by key, NDJSON",
		.doc = "\"responses\":{\"200\":{\"description\":\"{\\\"key\\\",\\\"item\\\"} a line\",\"content\":{"
			   "\"application/x-ndjson\":{\"schema\":{\"type\":\"string\"}}}}}"},
	{0},
};

/* ── show, wait ── */

struct waiting {
	struct wait wait;
	struct api *api;
	struct http_request *request;
	uint64_t id;
	struct loop_timer *timer;
};

static void answer_job(struct api *a, struct http_request *r, uint64_t id)
{
	struct buf out = {0};
	struct err e;
	if (api_job_json(a, id, &out, &e) == E_OK)
		api_reply_buf(r, 200, &out);
	else
		http_problem(r, &e);
}

static void waiting_gone(void *data)
{
	struct waiting *w = data;
	waits_remove(w->api->waits, &w->wait);
	loop_timer_free(w->timer);
	free(w);
}

static void wait_over(void *context)
{
	struct waiting *w = context;
	answer_job(w->api, w->request, w->id);
}

/* The job is still among the live ones while its end is told: answered a moment later, when its result can be read. */
static void job_ended(struct wait *wait, const struct job_outcome *o)
{
	loop_timer_set(container_of(wait, struct waiting, wait)->timer, 0);
}

static void show_job(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	int64_t wait_ms;
	if (!api_id(r, "job_id", &id) || !api_duration(r, "wait", 0, API_WAIT_MAX_MS, &wait_ms))
		return;
	if (wait_ms <= 0 || !queues_find(a->queues, id)) {
		answer_job(a, r, id);
		return;
	}
	struct waiting *w = NEW(struct waiting);
	*w = (struct waiting){.api = a, .request = r, .id = id, .wait.ended = job_ended};
	w->timer = loop_timer_new(a->loop, wait_over, w);
	loop_timer_set(w->timer, wait_ms);
	http_set_data(r, w, waiting_gone);
	waits_add(a->waits, &w->wait, id);
}

/* ── cancel ── */

struct cancelling {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone; the job is cancelled all the same */
	uint64_t id;
};

static void canceller_gone(void *data)
{
	((struct cancelling *)data)->request = NULL;
}

static void cancelled(void *context, enum errcode code)
{
	struct cancelling *c = context;
	struct http_request *r = c->request;
	if (r) {
		http_set_data(r, NULL, NULL);
		if (code)
			api_fail(r, code, "the cancellation could not be stored");
		else
			answer_job(c->api, r, c->id);
	}
	free(c);
}

static void cancel_job(void *context, struct http_request *r)
{
	struct api *a = context;
	struct err e;
	uint64_t id;
	if (!api_id(r, "job_id", &id))
		return;
	struct cancelling *c = NEW(struct cancelling);
	*c = (struct cancelling){a, r, id};
	http_set_data(r, c, canceller_gone);
	if (job_change_cancel(a, id, cancelled, c, &e) != E_OK) {
		http_set_data(r, NULL, NULL);
		free(c);
		http_problem(r, &e);
	}
}

/* ── items ── read on the store's thread into a file without a name, then streamed from there */

struct reading {
	struct api *api;
	struct http_request *request;
	uint64_t id;
	int fd;
	struct buf lines;
	uint64_t bytes;
	bool failed;
};

static bool flush_lines(struct reading *d)
{
	for (size_t at = 0; at < d->lines.size;) {
		ssize_t n = write(d->fd, d->lines.data + at, d->lines.size - at);
		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	d->bytes += d->lines.size;
	buf_clear(&d->lines);
	return true;
}

static bool read_item(void *context, const struct store_row *row)
{
	struct reading *d = context;
	buf_format(&d->lines, "{\"key\":%" PRIu64 ",\"item\":", row->key.sub);
	size_t from = d->lines.size;
	buf_add(&d->lines, row->body.data, row->body.size);
	for (size_t i = from; i < d->lines.size; i++) /* between tokens only: JSON has no line break in a string */
		if (d->lines.data[i] == '\n' || d->lines.data[i] == '\r')
			d->lines.data[i] = ' ';
	buf_text(&d->lines, "}\n");
	d->failed = d->lines.size > 1 << 20 && !flush_lines(d);
	return !d->failed;
}

static void read_items(void *context, struct store_reader *reader)
{
	struct reading *d = context;
	struct store_range range = {.table = STORE_ITEM, .id = d->id, .bodies = true};
	d->fd = open(d->api->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	d->failed =
		d->fd < 0 || store_reader_scan(reader, &range, read_item, d, NULL) != E_OK || d->failed || !flush_lines(d);
	buf_fini(&d->lines);
}

static void reading_free(struct reading *d)
{
	mem_close_at(&d->fd);
	free(d);
}

static void reader_gone(void *data)
{
	((struct reading *)data)->request = NULL;
}

static void answer_items(void *context)
{
	struct reading *d = context;
	struct http_request *r = d->request;
	if (r) {
		http_set_data(r, NULL, NULL);
		if (d->failed) {
			api_fail(r, E_IO, "the items cannot be read");
		} else {
			http_reply_fd(r, 200, "application/x-ndjson", d->fd, d->bytes);
			d->fd = -1;
		}
	}
	reading_free(d);
}

static void job_items(void *context, struct http_request *r)
{
	struct api *a = context;
	uint64_t id;
	if (!api_id(r, "job_id", &id))
		return;
	struct reading *d = NEW(struct reading);
	*d = (struct reading){.api = a, .request = r, .id = id, .fd = -1};
	http_set_data(r, d, reader_gone);
	a->store->ops->query(a->store, read_items, answer_items, d);
}
