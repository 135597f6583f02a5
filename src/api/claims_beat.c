/* claims_beat.c - heartbeats: the lease goes on; progress, items and a checkpoint come with it. */
#include "api/claims.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "wire/id.h"

#include <stdio.h>

/* ── items, checkpoint ── */

static enum errcode keep_item(struct api *a, uint64_t id, uint64_t fence, struct bytes element, struct members *m)
{
	static const char *const names[] = {"key", "item", NULL};
	struct bytes v[2];
	int64_t key = 0;
	if (!members_find(m, element, names, v) || (!v[0].data && !members_missing(m, "key")) ||
		(!v[1].data && !members_missing(m, "item")) || !members_integer(m, "key", v[0], 0, INT64_MAX, &key))
		return m->error.code;
	return queue_item(a->queues, id, fence, (uint64_t)key, v[1], loop_now_ms(a->loop), NULL, NULL, &m->error);
}

enum errcode claims_keep(
	struct api *a, uint64_t id, uint64_t fence, struct bytes items, struct bytes checkpoint, struct members *m)
{
	size_t at = 0, root = strlen(m->pointer), n = 0;
	struct bytes element;
	if (items.data && json_span_kind(items) != '[') {
		members_wrong(m, "items", "items is a list of {\"key\":...,\"item\":...}");
		return E_INVALID;
	}
	while (items.data && json_span_next(items, &at, &element)) {
		snprintf(m->pointer + root, sizeof m->pointer - root, "/items/%zu", n++);
		enum errcode code = keep_item(a, id, fence, element, m);
		if (code)
			return code;
	}
	m->pointer[root] = 0;
	if (!checkpoint.data)
		return E_OK;
	return queue_checkpoint(a->queues, id, fence, checkpoint, loop_now_ms(a->loop), NULL, NULL, &m->error);
}

static bool keep_progress(struct api *a, uint64_t id, uint64_t fence, struct bytes progress, struct members *m)
{
	static const char *const names[] = {"percent", "message", NULL};
	scoped(buf_fini) struct buf message = {0};
	struct bytes v[2];
	int64_t percent = 0;
	if (!progress.data)
		return true;
	snprintf(m->pointer, sizeof m->pointer, "/progress");
	if (!members_find(m, progress, names, v) || !members_integer(m, "percent", v[0], 0, 100, &percent) ||
		!members_text(m, "message", v[1], &message))
		return false;
	m->pointer[0] = 0;
	return queue_progress(a->queues, id, fence, (int)percent, buf_bytes(&message), loop_now_ms(a->loop), &m->error) ==
		   E_OK;
}

/* ── answers ── */

static void add_alive(struct buf *out, uint64_t id, int64_t until_ms)
{
	char text[ID_TEXT_SIZE], until[RFC3339_SIZE];
	id_format(id, text);
	rfc3339_format(until_ms, until);
	buf_format(out, "{\"job_id\":\"%s\",\"lease_until\":\"%s\",\"cancelled\":false}", text, until);
}

static void add_cancelled(struct buf *out, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	buf_format(out, "{\"job_id\":\"%s\",\"lease_until\":null,\"cancelled\":true}", text);
}

static void refuse(struct api *a, struct http_request *r, uint64_t id, struct err *e)
{
	struct buf out = {0};
	claims_explain(a, id, e);
	if (e->code != E_CANCELLED) {
		http_problem(r, e);
		return;
	}
	add_cancelled(&out, id);
	api_reply_buf(r, 200, &out);
}

/* A run takes up only so many items at a time. */
static bool must_wait(struct api *a, uint64_t id)
{
	struct job *j = queues_find(a->queues, id);
	return a->pipelines && j && pipelines_emit_waits(a->pipelines, j);
}

void claims_beat_one(void *context, struct http_request *r)
{
	static const char *const names[] = {"fence", "lease", "progress", "items", "checkpoint", NULL};
	struct api *a = context;
	struct members m = {0};
	struct bytes v[5];
	struct buf out = {0};
	uint64_t id;
	int64_t fence, lease_ms = 0, until_ms;
	if (!claims_read(r, names, &m, v, &id, &fence))
		return;
	if (!members_duration(&m, "lease", v[1], CLAIM_LEASE_MIN_MS, CLAIM_LEASE_MAX_MS, &lease_ms))
		claims_answer_wrong(r, &m);
	else if (claims_heartbeat(a->claims, id, (uint64_t)fence, lease_ms, &until_ms, &m.error) != E_OK)
		refuse(a, r, id, &m.error);
	else if (v[3].data && must_wait(a, id))
		api_fail(r, E_LIMIT, "the run of this job has too many items under way; send them again later");
	else if (!keep_progress(a, id, (uint64_t)fence, v[2], &m) ||
			 claims_keep(a, id, (uint64_t)fence, v[3], v[4], &m) != E_OK)
		claims_answer_wrong(r, &m);
	else {
		add_alive(&out, id, until_ms);
		if (v[3].data || v[4].data || lease_ms)
			api_reply_saved(a, r, 200, &out);
		else
			api_reply_buf(r, 200, &out);
	}
}

/* ── many ── */

static bool beat(struct api *a, struct bytes element, int64_t lease_ms, struct buf *out, struct members *m)
{
	static const char *const names[] = {"job_id", "fence", NULL};
	struct bytes v[2];
	struct err e;
	uint64_t id;
	int64_t fence, until_ms;
	if (!members_find(m, element, names, v) || !members_id(m, "job_id", v[0], &id) ||
		(!v[1].data && !members_missing(m, "fence")) || !members_integer(m, "fence", v[1], 1, INT64_MAX, &fence))
		return false;
	if (claims_heartbeat(a->claims, id, (uint64_t)fence, lease_ms, &until_ms, &e) == E_OK) {
		add_alive(out, id, until_ms);
		return true;
	}
	claims_explain(a, id, &e);
	if (e.code == E_CANCELLED)
		add_cancelled(out, id);
	else
		claims_add_refusal(out, id, &e);
	return true;
}

void claims_beat_many(void *context, struct http_request *r)
{
	static const char *const names[] = {"claims", "lease", NULL};
	struct api *a = context;
	struct members m = {0};
	struct bytes v[2], element;
	struct buf out = {0};
	size_t at = 0, n = 0;
	int64_t lease_ms = 0;
	bool fine =
		members_find(&m, http_body(r), names, v) && (v[0].data || members_missing(&m, "claims")) &&
		members_duration(&m, "lease", v[1], CLAIM_LEASE_MIN_MS, CLAIM_LEASE_MAX_MS, &lease_ms) &&
		(json_span_kind(v[0]) == '[' || members_wrong(&m, "claims", "claims is a list of {\"job_id\",\"fence\"}"));
	buf_text(&out, "{\"claims\":[");
	while (fine && json_span_next(v[0], &at, &element)) {
		snprintf(m.pointer, sizeof m.pointer, "/claims/%zu", n);
		buf_text(&out, n++ ? "," : "");
		fine = n <= CLAIM_MAX ? beat(a, element, lease_ms, &out, &m)
							  : members_wrong(&m, "", "more than %d claims in one request", CLAIM_MAX);
	}
	buf_text(&out, "]}");
	if (fine) {
		api_reply_saved(a, r, 200, &out);
		return;
	}
	buf_fini(&out);
	claims_answer_wrong(r, &m);
}
