/* /v1/workers/{worker}/logs and /v1/logs: what workers print, as text lines; ?follow=true goes on. */
#include "api/api.h"

#include "base/mem.h"
#include "log/output.h"

#include <stdlib.h>

static void worker_logs(void *context, struct http_request *r);
static void all_logs(void *context, struct http_request *r);

#define IS_TEXT                                                                                                        \
	"\"x-query\":\"lines "                                                                                             \
	"follow\",\"responses\":{\"200\":{\"description\":\"lines\",\"content\":{\"text/"                                  \
	"plain\":{\"schema\":{\"type\":\"string\"}}}}}"

const struct http_route log_routes[] = {
	{.method = "GET",
		.path = "/v1/workers/{worker}/logs",
		.handle = worker_logs,
		.summary = "The last ?lines= that a worker printed or logged; ?follow=true goes on",
		.doc = IS_TEXT},
	{.method = "GET", .path = "/v1/logs", .handle = all_logs, .summary = "The same of all workers", .doc = IS_TEXT},
	{0},
};

struct following {
	struct http_request *request;
	struct output_follower follower;
	char *worker;
	bool full; /* the client is too slow: lines are left out, never held back */
};

static void client_gone(void *data)
{
	struct following *f = data;
	output_unfollow(&f->follower);
	free(f->worker);
	free(f);
}

static void drained(void *data)
{
	struct following *f = data;
	f->full = false;
	http_stream_write(f->request, bytes_of("... lines were left out: this reader is too slow\n"));
}

static void on_line(void *context, const struct output_line *line)
{
	struct following *f = context;
	scoped(buf_fini) struct buf out = {0};
	if (f->full)
		return;
	output_format(line, &out);
	f->full = !http_stream_write(f->request, buf_bytes(&out));
	if (f->full)
		http_stream_on_drain(f->request, drained);
}

static void add_line(void *context, const struct output_line *line)
{
	output_format(line, context);
}

static void answer(struct api *a, struct http_request *r, const char *worker, unsigned lines)
{
	struct buf out = {0};
	if (a->outputs)
		output_tail(a->outputs, worker, lines, add_line, &out);
	if (!a->outputs || !bytes_equal(http_query(r, "follow"), bytes_of("true"))) {
		http_reply_buf(r, 200, "text/plain; charset=utf-8", &out);
		return;
	}
	struct following *f = NEW(struct following);
	*f = (struct following){.request = r, .worker = mem_text(worker)};
	f->follower = (struct output_follower){.worker = f->worker, .line = on_line, .context = f};
	http_set_data(r, f, client_gone);
	http_stream_open(r, 200, "text/plain; charset=utf-8");
	if (out.size)
		http_stream_write(r, buf_bytes(&out));
	buf_fini(&out);
	output_follow(a->outputs, &f->follower);
}

static bool lines_of(struct http_request *r, unsigned *lines)
{
	struct bytes text = http_query(r, "lines");
	char *end;
	*lines = 100;
	if (!text.size)
		return true;
	unsigned long n = strtoul(text.data, &end, 10);
	if (*end || n > OUTPUT_LINES) {
		api_fail(r, E_INVALID, "?lines=%.32s: a number from 0 to %d is needed", text.data, OUTPUT_LINES);
		return false;
	}
	*lines = (unsigned)n;
	return true;
}

static void worker_logs(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes id = http_param(r, "worker");
	unsigned lines;
	if (!lines_of(r, &lines))
		return;
	if (supervisor_find(a->supervisor, id.data))
		answer(a, r, id.data, lines);
	else
		api_fail(r, E_NOT_FOUND, "there is no worker \"%.128s\"", id.data);
}

static void all_logs(void *context, struct http_request *r)
{
	unsigned lines;
	if (lines_of(r, &lines))
		answer(context, r, NULL, lines);
}
