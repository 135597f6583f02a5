/* claims_end.c - how claims end: complete, fail, release; one, or many in one commit. Answered when it is on disk. */
#include "api/claims.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>

enum verdict_kind { VERDICT_COMPLETE, VERDICT_FAIL, VERDICT_RELEASE };

struct verdict { /* on one claim */
	struct ending *ending;
	enum verdict_kind kind;
	uint64_t id, fence;
	struct bytes result;
	char blob[BLOB_NAME_SIZE + 16]; /* {"blob":"sha256:..."} in place of a large result */
	struct job_error error;
	struct err refusal; /* code E_OK: none */
};

struct ending { /* of one request */
	struct api *api;
	struct http_request *request; /* NULL: the client has gone; its verdicts count */
	bool many;
	struct verdict *verdicts;
	size_t n, left; /* left: commits under way, and one while they are being begun */
	struct buf body; /* results point into it */
};

static void ending_free(struct ending *t)
{
	buf_fini(&t->body);
	free(t->verdicts);
	free(t);
}

static void client_gone(void *data)
{
	((struct ending *)data)->request = NULL;
}

static struct ending *ending_new(struct api *a, struct http_request *r, bool many)
{
	struct ending *t = NEW(struct ending);
	*t = (struct ending){.api = a, .request = r, .many = many};
	http_take_body(r, &t->body);
	return t;
}

static struct verdict *add_verdict(struct ending *t, enum verdict_kind kind)
{
	if (t->n % 16 == 0)
		t->verdicts = mem_resize(t->verdicts, (t->n + 16) * sizeof *t->verdicts);
	t->verdicts[t->n] = (struct verdict){.ending = t, .kind = kind};
	return &t->verdicts[t->n++];
}

/* ── the answer ── */

void claims_add_refusal(struct buf *out, uint64_t id, const struct err *e)
{
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	buf_format(out, "{\"job_id\":\"%s\",\"error\":{\"code\":\"%s\",\"message\":", text, err_word(e->code));
	buf_json_utf8(out, bytes_of(e->text));
	buf_text(out, "}}");
}

static void add_status(struct buf *out, struct api *a, uint64_t id)
{
	char text[ID_TEXT_SIZE];
	const char *status = api_status_of(a, id);
	id_format(id, text);
	buf_format(out, "{\"job_id\":\"%s\",\"status\":\"%s\"}", text, status ? status : job_state_word(JOB_COMPLETED));
}

static void answer_many(struct ending *t)
{
	struct buf out = {0};
	buf_text(&out, "{\"claims\":[");
	for (size_t i = 0; i < t->n; i++) {
		const struct verdict *v = &t->verdicts[i];
		buf_text(&out, i ? "," : "");
		if (v->refusal.code)
			claims_add_refusal(&out, v->id, &v->refusal);
		else
			add_status(&out, t->api, v->id);
	}
	buf_text(&out, "]}");
	api_reply_buf(t->request, 200, &out);
}

static void answer_one(struct ending *t)
{
	struct verdict *v = &t->verdicts[0];
	struct buf out = {0};
	if (v->refusal.code) {
		http_problem_at(t->request, v->refusal.code == E_INVALID ? 422 : http_status_of(v->refusal.code), &v->refusal,
			v->refusal.code == E_INVALID ? "/result/blob" : NULL);
		return;
	}
	add_status(&out, t->api, v->id);
	api_reply_buf(t->request, 200, &out);
}

static void one_came_back(struct ending *t)
{
	if (--t->left)
		return;
	if (t->request) {
		http_set_data(t->request, NULL, NULL);
		t->many ? answer_many(t) : answer_one(t);
	}
	ending_free(t);
}

/* ── the verdicts ── */

static void stored(void *context, enum errcode code)
{
	struct verdict *v = context;
	if (code)
		err_set(&v->refusal, code, "it could not be stored: %s", err_word(code));
	one_came_back(v->ending);
}

static enum errcode apply(struct verdict *v)
{
	struct claims *c = v->ending->api->claims;
	switch (v->kind) {
	case VERDICT_COMPLETE:
		return claims_complete(c, v->id, v->fence, v->result, stored, v, &v->refusal);
	case VERDICT_FAIL:
		return claims_fail(c, v->id, v->fence, &v->error, stored, v, &v->refusal);
	default:
		return claims_release(c, v->id, v->fence, stored, v, &v->refusal);
	}
}

static void apply_all(struct ending *t)
{
	t->left = 1;
	for (size_t i = 0; i < t->n; i++) {
		struct verdict *v = &t->verdicts[i];
		if (v->refusal.code)
			continue;
		t->left++;
		if (apply(v) == E_OK)
			continue;
		claims_explain(t->api, v->id, &v->refusal);
		t->left--;
	}
	one_came_back(t);
}

/* ── results and blobs ── on the pool */

static bool names_blob(const struct verdict *v)
{
	return memmem(v->result.data, v->result.size, "\"sha256:", 8);
}

static bool needs_pool(const struct ending *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->verdicts[i].result.size > JOB_RESULT_MAX_BYTES || names_blob(&t->verdicts[i]))
			return true;
	return false;
}

static enum errcode store_result(struct blobs *b, struct verdict *v)
{
	struct blob_writer *w;
	char name[BLOB_NAME_SIZE];
	enum errcode code = blob_writer_open(b, &w, &v->refusal);
	if (code)
		return code;
	code = blob_writer_add(w, v->result.data, v->result.size, &v->refusal);
	if (code) {
		blob_writer_abort(w);
		return code;
	}
	code = blob_writer_close(w, name, NULL, &v->refusal);
	if (code)
		return code;
	snprintf(v->blob, sizeof v->blob, "{\"blob\":\"%s\"}", name);
	v->result = bytes_of(v->blob);
	return E_OK;
}

/* A blob that is not there is told now, not to whoever reads the result. */
static void use_blobs(void *context)
{
	struct ending *t = context;
	for (size_t i = 0; i < t->n; i++) {
		struct verdict *v = &t->verdicts[i];
		char name[BLOB_NAME_SIZE];
		bool only;
		if (v->result.size > JOB_RESULT_MAX_BYTES)
			store_result(t->api->blobs, v);
		else if (names_blob(v) && blob_of_input(v->result, name, &only))
			blob_use(t->api->blobs, name, &v->refusal);
		if (v->refusal.code == E_NOT_FOUND)
			v->refusal.code = E_INVALID;
	}
}

static void blobs_used(void *context)
{
	struct ending *t = context;
	if (!t->request && *t->api->stopping) /* nobody was promised anything, and the claims may have gone, too */
		ending_free(t);
	else
		apply_all(t);
}

static void end_all(struct ending *t)
{
	http_set_data(t->request, t, client_gone);
	if (needs_pool(t))
		loop_work(t->api->loop, use_blobs, blobs_used, t);
	else
		apply_all(t);
}

/* ── the requests ── */

static bool read_error(struct members *m, struct bytes object, struct job_error *out)
{
	static const char *const names[] = {"code", "message", "retryable", NULL};
	scoped(buf_fini) struct buf code = {0}, message = {0};
	struct bytes v[3];
	bool retryable = true;
	size_t at = strlen(m->pointer);
	snprintf(m->pointer + at, sizeof m->pointer - at, "/error");
	if (!members_find(m, object, names, v) || (!v[0].data && !members_missing(m, "code")) ||
		!members_text(m, "code", v[0], &code) || !members_text(m, "message", v[1], &message) ||
		!members_flag(m, "retryable", v[2], &retryable))
		return false;
	if (code.size == 0 || code.size >= sizeof out->code)
		return members_wrong(m, "code", "a code has 1 to %zu bytes", sizeof out->code - 1);
	m->pointer[at] = 0;
	snprintf(out->code, sizeof out->code, "%s", code.data);
	snprintf(out->message, sizeof out->message, "%s", message.data ? message.data : "");
	out->retryable = retryable;
	return true;
}

static void refuse(struct ending *t, struct members *m)
{
	claims_answer_wrong(t->request, m);
	ending_free(t);
}

/* Its items are kept before it ends. */
static bool keep_items(struct api *a, struct verdict *v, struct bytes items, struct members *m)
{
	int64_t until_ms;
	if (!items.data)
		return true;
	if (claims_heartbeat(a->claims, v->id, v->fence, 0, &until_ms, &m->error) == E_OK)
		return claims_keep(a, v->id, v->fence, items, (struct bytes){0}, m) == E_OK;
	claims_explain(a, v->id, &m->error);
	return false;
}

void claims_complete_one(void *context, struct http_request *r)
{
	static const char *const names[] = {"fence", "result", "items", NULL};
	struct members m = {0};
	struct bytes v[3];
	uint64_t id;
	int64_t fence;
	if (!claims_read(r, names, &m, v, &id, &fence))
		return;
	struct ending *t = ending_new(context, r, false);
	struct verdict *verdict = add_verdict(t, VERDICT_COMPLETE);
	verdict->id = id;
	verdict->fence = (uint64_t)fence;
	verdict->result = v[1].data ? v[1] : bytes_of("null");
	if (keep_items(t->api, verdict, v[2], &m))
		end_all(t);
	else
		refuse(t, &m);
}

void claims_fail_one(void *context, struct http_request *r)
{
	static const char *const names[] = {"fence", "error", NULL};
	struct members m = {0};
	struct bytes v[2];
	uint64_t id;
	int64_t fence;
	if (!claims_read(r, names, &m, v, &id, &fence))
		return;
	struct ending *t = ending_new(context, r, false);
	struct verdict *verdict = add_verdict(t, VERDICT_FAIL);
	verdict->id = id;
	verdict->fence = (uint64_t)fence;
	if ((v[1].data || members_missing(&m, "error")) && read_error(&m, v[1], &verdict->error))
		end_all(t);
	else
		refuse(t, &m);
}

void claims_release_one(void *context, struct http_request *r)
{
	static const char *const names[] = {"fence", NULL};
	struct members m = {0};
	struct bytes v[1];
	uint64_t id;
	int64_t fence;
	if (!claims_read(r, names, &m, v, &id, &fence))
		return;
	struct ending *t = ending_new(context, r, false);
	struct verdict *verdict = add_verdict(t, VERDICT_RELEASE);
	verdict->id = id;
	verdict->fence = (uint64_t)fence;
	end_all(t);
}

/* ── many ── */

static bool read_completion(struct ending *t, struct bytes element, struct members *m)
{
	static const char *const names[] = {"job_id", "fence", "result", "error", NULL};
	struct bytes v[4];
	int64_t fence = 0;
	struct verdict *verdict = add_verdict(t, VERDICT_COMPLETE);
	if (!members_find(m, element, names, v) || !members_id(m, "job_id", v[0], &verdict->id) ||
		(!v[1].data && !members_missing(m, "fence")) || !members_integer(m, "fence", v[1], 1, INT64_MAX, &fence))
		return false;
	if (v[2].data && v[3].data)
		return members_wrong(m, "error", "result and error exclude each other");
	verdict->fence = (uint64_t)fence;
	verdict->result = v[2].data ? v[2] : bytes_of("null");
	verdict->kind = v[3].data ? VERDICT_FAIL : VERDICT_COMPLETE;
	return !v[3].data || read_error(m, v[3], &verdict->error);
}

static bool read_completions(struct ending *t, struct members *m)
{
	static const char *const names[] = {"completions", NULL};
	struct bytes v[1], element;
	size_t at = 0;
	if (!members_find(m, buf_bytes(&t->body), names, v) || (!v[0].data && !members_missing(m, "completions")))
		return false;
	if (json_span_kind(v[0]) != '[')
		return members_wrong(m, "completions", "completions is a list of {\"job_id\",\"fence\",\"result\"}");
	while (json_span_next(v[0], &at, &element)) {
		if (t->n == CLAIM_MAX)
			return members_wrong(m, "", "more than %d in one request", CLAIM_MAX);
		snprintf(m->pointer, sizeof m->pointer, "/completions/%zu", t->n);
		if (!read_completion(t, element, m))
			return false;
	}
	return true;
}

void claims_complete_many(void *context, struct http_request *r)
{
	struct ending *t = ending_new(context, r, true);
	struct members m = {0};
	if (read_completions(t, &m))
		end_all(t);
	else
		refuse(t, &m);
}
