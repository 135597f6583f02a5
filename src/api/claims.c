/* /v1/claims: jobs for any client that pulls them. Waiting, leases and fences are claim/'s. */
#include "api/claims.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "wire/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void ask(void *context, struct http_request *r);
static void list(void *context, struct http_request *r);

#define BODY_MAX	 (64 << 10)
#define END_BODY_MAX (64 << 20) /* results above 1 MiB become blobs */
#define TAKES_GIVES(takes, gives)                                                                                      \
	"\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"       \
	"schemas/" takes "\"}}}},\"responses\":{\"200\":{\"description\":\"" gives "\",\"content\":{\"application/json\":" \
	"{\"schema\":{\"$ref\":\"#/components/schemas/" gives "\"}}}}}"

const struct http_route claim_routes[] = {
	{.method = "POST",
		.path = "/v1/claims",
		.handle = ask,
		.body_max = BODY_MAX,
		.summary = "Claim up to `max` jobs; waits up to `wait` for the first",
		.doc = TAKES_GIVES("ClaimRequest", "Claims")},
	{.method = "GET",
		.path = "/v1/claims",
		.handle = list,
		.summary = "Who pulls, and which jobs pull clients have in hand",
		.doc = "\"x-query\":\"limit\",\"responses\":{\"200\":{\"description\":\"ClaimsHeld\",\"content\":{"
			   "\"application/json\":{\"schema\":{"
			   "\"$ref\":\"#/components/schemas/ClaimsHeld\"}}}}}"},
	{.method = "POST",
		.path = "/v1/claims/complete",
		.handle = claims_complete_many,
		.body_max = END_BODY_MAX,
		.summary = "End many claims, each well or not; one commit",
		.doc = TAKES_GIVES("CompletionsRequest", "ClaimAnswers")},
	{.method = "POST",
		.path = "/v1/claims/heartbeat",
		.handle = claims_beat_many,
		.body_max = END_BODY_MAX,
		.summary = "Extend the leases of many claims",
		.doc = TAKES_GIVES("HeartbeatsRequest", "ClaimAnswers")},
	{.method = "POST",
		.path = "/v1/claims/{job_id}/heartbeat",
		.handle = claims_beat_one,
		.body_max = END_BODY_MAX,
		.summary = "Extend the lease; may carry progress, items and a checkpoint",
		.doc = TAKES_GIVES("HeartbeatRequest", "ClaimAnswer")},
	{.method = "POST",
		.path = "/v1/claims/{job_id}/complete",
		.handle = claims_complete_one,
		.body_max = END_BODY_MAX,
		.summary = "The job is done; acknowledged when it is on disk",
		.doc = TAKES_GIVES("CompleteRequest", "ClaimAnswer")},
	{.method = "POST",
		.path = "/v1/claims/{job_id}/fail",
		.handle = claims_fail_one,
		.body_max = BODY_MAX,
		.summary = "The attempt failed",
		.doc = TAKES_GIVES("FailRequest", "ClaimAnswer")},
	{.method = "POST",
		.path = "/v1/claims/{job_id}/release",
		.handle = claims_release_one,
		.body_max = BODY_MAX,
		.summary = "Give the job back; no attempt is counted",
		.doc = TAKES_GIVES("ReleaseRequest", "ClaimAnswer")},
	{0},
};

/* ── for all of them ── */

void claims_answer_wrong(struct http_request *r, struct members *m)
{
	http_problem_at(r, http_status_of(m->error.code), &m->error, m->pointer[0] ? m->pointer : NULL);
}

bool claims_read(
	struct http_request *r, const char *const *names, struct members *m, struct bytes *v, uint64_t *id, int64_t *fence)
{
	if (!api_id(r, "job_id", id))
		return false;
	if (members_find(m, http_body(r), names, v) && (v[0].data || members_missing(m, "fence")) &&
		members_integer(m, "fence", v[0], 1, INT64_MAX, fence))
		return true;
	claims_answer_wrong(r, m);
	return false;
}

void claims_explain(struct api *a, uint64_t id, struct err *e)
{
	char text[ID_TEXT_SIZE];
	if (e->code != E_FENCE)
		return;
	const char *status = api_status_of(a, id);
	id_format(id, text);
	if (!status)
		err_set(e, E_NOT_FOUND, "there is no job %s, or its result is no longer kept", text);
	else if (strcmp(status, job_state_word(JOB_CANCELLED)) == 0)
		err_set(e, E_CANCELLED, "job %s was cancelled", text);
	else
		err_set(e, E_FENCE, "job %s is not yours under this fence (any more): it is %s", text, status);
}

/* ── claim ── */

struct asking {
	struct api *api;
	struct http_request *request;
	struct claim_wait *wait; /* NULL: answered */
};

static bool client_is_there(void *context)
{
	return http_client_there(((struct asking *)context)->request);
}

static void client_gone(void *data)
{
	struct asking *t = data;
	if (t->wait)
		claims_forget(t->api->claims, t->wait);
	free(t);
}

static void add_json(struct buf *out, const char *name, struct bytes json)
{
	buf_format(out, ",\"%s\":", name);
	if (json_span_check(json, NULL) == E_OK)
		buf_add(out, json.data, json.size);
	else
		buf_json_utf8(out, json); /* a capability with REEVE_BINARY_INPUT */
}

static void add_grant(struct buf *out, struct api *a, const struct claim_grant *g)
{
	char id[ID_TEXT_SIZE], until[RFC3339_SIZE];
	struct job_view v;
	job_get_view(a->queues, g->job, &v);
	id_format(v.id, id);
	rfc3339_format(g->until_ms, until);
	buf_format(out, "{\"job_id\":\"%s\",\"namespace\":", id);
	buf_json_string(out, v.namespace);
	buf_text(out, ",\"capability\":");
	buf_json_string(out, v.capability);
	buf_format(out, ",\"fence\":%" PRIu64 ",\"attempt\":%d,\"max_attempts\":%d,\"priority\":%d,\"lease_until\":\"%s\"",
		g->fence, v.attempts, v.max_attempts, v.priority, until);
	if (v.tags.size) {
		buf_text(out, ",\"tags\":");
		buf_add(out, v.tags.data, v.tags.size);
	}
	if (job_traceparent(g->job).size) {
		buf_text(out, ",\"traceparent\":");
		buf_json_string(out, job_traceparent(g->job));
	}
	if (g->checkpoint.size)
		add_json(out, "checkpoint", g->checkpoint);
	add_json(out, "input", g->input.size ? g->input : bytes_of("{}"));
	buf_text(out, "}");
}

static void granted(void *context, enum errcode code, const struct claim_grant *grants, size_t n)
{
	struct asking *t = context;
	struct buf out = {0};
	t->wait = NULL;
	if (code) {
		api_fail(t->request, code, "the claim could not be stored (%s); the jobs stay where they were", err_word(code));
		return;
	}
	buf_text(&out, "{\"claims\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_text(&out, ",");
		add_grant(&out, t->api, &grants[i]);
	}
	buf_text(&out, "]}");
	api_reply_buf(t->request, 200, &out);
}

struct asked { /* what a request says */
	struct queue *queues[CLAIM_QUEUES_MAX];
	size_t queue_n;
	int64_t max, wait_ms, lease_ms;
	struct buf client, namespace;
};

static void asked_fini(struct asked *w)
{
	buf_fini(&w->client);
	buf_fini(&w->namespace);
}

/* "capability", or "namespace/capability". */
static bool read_capability(struct api *a, struct asked *w, struct bytes v, struct members *m)
{
	scoped(buf_fini) struct buf text = {0};
	if (w->queue_n == CLAIM_QUEUES_MAX)
		return members_wrong(m, "capabilities", "at most %d capabilities may be claimed at once", CLAIM_QUEUES_MAX);
	if (!members_text(m, "capabilities", v, &text))
		return false;
	struct bytes namespace = buf_bytes(&w->namespace), name = buf_bytes(&text);
	const char *slash = text.data ? memchr(text.data, '/', text.size) : NULL;
	if (slash) {
		namespace = (struct bytes){text.data, (size_t)(slash - text.data)};
		name = (struct bytes){slash + 1, text.size - namespace.size - 1};
		if (!namespace.size)
			return members_wrong(m, "capabilities", "\"%s\": there is no namespace before the '/'", text.data);
	}
	if (queues_open(a->queues, namespace, name, &w->queues[w->queue_n], &m->error) != E_OK) {
		snprintf(m->pointer, sizeof m->pointer, "/capabilities/%zu", w->queue_n);
		return false;
	}
	w->queue_n++;
	return true;
}

static bool read_capabilities(struct api *a, struct asked *w, struct bytes list_of, struct members *m)
{
	struct bytes element;
	size_t at = 0;
	if (!list_of.data)
		return members_missing(m, "capabilities");
	if (json_span_kind(list_of) != '[')
		return members_wrong(m, "capabilities", "capabilities is a list of names");
	while (json_span_next(list_of, &at, &element))
		if (!read_capability(a, w, element, m))
			return false;
	return w->queue_n > 0 || members_wrong(m, "capabilities", "the list of capabilities is empty");
}

static bool read_client(struct asked *w, struct bytes v, struct http_request *r, struct members *m)
{
	if (!v.data) {
		buf_format(&w->client, "pid-%d", http_peer_pid(r));
		return true;
	}
	if (!members_text(m, "client", v, &w->client))
		return false;
	if (job_name_check("client", buf_bytes(&w->client), &m->error) == E_OK)
		return true;
	snprintf(m->pointer, sizeof m->pointer, "/client");
	return false;
}

static bool read_asked(struct api *a, struct http_request *r, struct asked *w, struct members *m)
{
	static const char *const names[] = {"capabilities", "namespace", "max", "wait", "lease", "client", NULL};
	struct bytes v[6];
	w->max = 1;
	w->lease_ms = CLAIM_LEASE_DEFAULT_MS;
	return members_find(m, http_body(r), names, v) && members_text(m, "namespace", v[1], &w->namespace) &&
		   members_integer(m, "max", v[2], 1, CLAIM_MAX, &w->max) &&
		   members_duration(m, "wait", v[3], 0, API_WAIT_MAX_MS, &w->wait_ms) &&
		   members_duration(m, "lease", v[4], CLAIM_LEASE_MIN_MS, CLAIM_LEASE_MAX_MS, &w->lease_ms) &&
		   read_client(w, v[5], r, m) && read_capabilities(a, w, v[0], m);
}

static void ask(void *context, struct http_request *r)
{
	struct api *a = context;
	struct members m = {0};
	struct err e;
	scoped(asked_fini) struct asked w = {0};
	if (!read_asked(a, r, &w, &m)) {
		claims_answer_wrong(r, &m);
		return;
	}
	struct asking *t = NEW(struct asking);
	*t = (struct asking){.api = a, .request = r};
	struct claim_ask ask = {.queues = w.queues,
		.queue_n = w.queue_n,
		.client = w.client.data,
		.max = (unsigned)w.max,
		.lease_ms = w.lease_ms,
		.wait_ms = w.wait_ms,
		.there = client_is_there,
		.done = granted,
		.context = t};
	http_set_data(r, t, client_gone);
	if (claims_ask(a->claims, &ask, &t->wait, &e) != E_OK)
		http_problem(r, &e);
}

/* ── look ── */

struct listing {
	struct buf out;
	bool more;
	unsigned left; /* claims that may still be shown */
};

static void comma(struct listing *l)
{
	if (l->more)
		buf_text(&l->out, ",");
	l->more = true;
}

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	buf_format(out, ",\"%s\":\"%s\"", name, text);
}

static void add_client(void *context, const struct claim_client *k)
{
	struct listing *l = context;
	comma(l);
	buf_text(&l->out, "{\"client\":");
	buf_json_string(&l->out, bytes_of(k->name));
	buf_text(&l->out, ",\"capabilities\":[");
	for (const char *at = k->asked; at && *at;) {
		size_t n = strcspn(at, " ");
		buf_text(&l->out, at == k->asked ? "" : ",");
		buf_json_string(&l->out, (struct bytes){at, n});
		at += n + (at[n] == ' ');
	}
	buf_format(&l->out, "],\"held\":%u,\"waiting\":%u", k->held, k->waiting);
	if (k->last_at_ms)
		add_time(&l->out, "last_contact", k->last_at_ms);
	else
		buf_text(&l->out, ",\"last_contact\":null");
	buf_format(&l->out,
		",\"claimed_total\":%" PRIu64 ",\"completed_total\":%" PRIu64 ",\"failed_total\":%" PRIu64
		",\"released_total\":%" PRIu64 ",\"expired_total\":%" PRIu64 "}",
		k->claimed, k->completed, k->failed, k->released, k->expired);
}

static void add_claim(void *context, const struct claim_view *v)
{
	struct listing *l = context;
	char id[ID_TEXT_SIZE];
	if (!l->left)
		return;
	l->left--;
	id_format(v->job->id, id);
	comma(l);
	buf_format(&l->out, "{\"job_id\":\"%s\",\"namespace\":", id);
	buf_json_string(&l->out, queue_namespace(v->job->queue));
	buf_text(&l->out, ",\"capability\":");
	buf_json_string(&l->out, queue_capability(v->job->queue));
	buf_text(&l->out, ",\"client\":");
	buf_json_string(&l->out, bytes_of(v->client));
	buf_format(&l->out, ",\"fence\":%" PRIu64 ",\"attempt\":%d", v->fence, (int)v->job->attempts);
	add_time(&l->out, "claimed_at", v->since_ms);
	add_time(&l->out, "lease_until", v->until_ms);
	buf_text(&l->out, "}");
}

static void list(void *context, struct http_request *r)
{
	struct api *a = context;
	struct listing l = {0};
	if (!api_limit(r, &l.left))
		return;
	buf_text(&l.out, "{\"clients\":[");
	claims_each_client(a->claims, add_client, &l);
	l.more = false;
	buf_text(&l.out, "],\"claims\":[");
	claims_each(a->claims, add_claim, &l);
	buf_text(&l.out, "]}");
	api_reply_buf(r, 200, &l.out);
}
