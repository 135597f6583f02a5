/* http: the answer's status is 2xx. Each probe is a connection of its own: that it still accepts them is a part of the question. */
#include "health/probe.h"

#include "base/mem.h"

#include <reeve/version.h>
#include <stdlib.h>

enum { ANSWER_MAX = 64 << 10 }; /* bytes that are read; only the status counts */

struct http_probe {
	struct probe probe;
	struct http_call call;
	struct buf url;
	bool over; /* the call is */
};

static void release(struct http_probe *x)
{
	http_call_fini(&x->call);
	buf_fini(&x->url);
	free(x);
}

static void http_close(struct probe *p)
{
	struct http_probe *x = container_of(p, struct http_probe, probe);
	if (x->over)
		release(x);
	else
		http_client_cancel(prober_http(p->prober), &x->call);
}

static const struct probe_ops ops = {http_close};

static void on_done(void *context, struct http_call *call)
{
	struct http_probe *x = context;
	x->over = true;
	if (!x->probe.done) /* it was cancelled, or too late */
		release(x);
	else if (call->status == 0)
		probe_tell(&x->probe, false, "%s", call->error);
	else
		probe_tell(&x->probe, call->status >= 200 && call->status < 300, "HTTP status %d", call->status);
}

struct probe *probe_http(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	struct http_probe *x = NEW(struct http_probe);
	probe_init(&x->probe, &ops);
	buf_text(&x->url, q->url);
	buf_add(&x->url, "", 1);
	x->call = (struct http_call){.method = q->check->method ? q->check->method : "GET",
		.url = x->url.data,
		.timeout_ms = q->check->timeout_ms + 1000, /* the limit of the probe comes first */
		.answer_max = ANSWER_MAX,
		.context = x,
		.done = on_done};
	buf_text(&x->call.headers, "User-Agent: reeve/" REEVE_VERSION "\nConnection: close\n");
	for (char **h = q->check->headers; h && *h; h++)
		buf_format(&x->call.headers, "%s\n", *h);
	http_client_call(prober_http(p), &x->call);
	return &x->probe;
}
