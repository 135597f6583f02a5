/* batch_jobs.c - the jobs of a batch, a page at a time: as a list, or as lines with their results. The reader thread reads who is
 * one and how those that are over ended; the loop looks the others up. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

enum { PAGE_BYTES_MAX = 8 << 20 }; /* of results: then the page is shorter than its limit */

struct member {
	uint64_t id;
	size_t from, to; /* its JSON in `text`; empty: it was not over */
};

struct paging {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	uint64_t batch_id, after;
	unsigned limit, n;
	bool results; /* lines with results */
	bool found, more;
	struct member *members; /* of `limit` */
	struct buf text;
};

static void add_line(const struct job_view *v, struct bytes result, struct buf *out)
{
	char id[ID_TEXT_SIZE];
	size_t from = out->size;
	id_format(v->id, id);
	buf_format(out, "{\"job_id\":\"%s\",\"status\":\"%s\",\"result\":", id, job_state_word(v->state));
	if (result.size && json_span_check(result, NULL) != E_OK)
		buf_json_utf8(out, result);
	else
		buf_add(out, result.size ? result.data : "null", result.size ? result.size : 4);
	buf_text(out, ",\"error\":");
	if (v->error.code[0])
		api_add_error(out, &v->error);
	else
		buf_text(out, "null");
	for (size_t i = from; i < out->size; i++) /* between tokens only: JSON has no line break in a string */
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	buf_text(out, "}");
}

static void add(const struct paging *p, const struct job_view *v, struct bytes result, struct buf *out)
{
	if (p->results)
		add_line(v, result, out);
	else
		api_add_job(out, v, (struct bytes){0});
}

/* ── on the reader thread ── */

static bool add_over(struct paging *p, struct store_reader *reader, enum store_table table, uint64_t id)
{
	scoped(buf_fini) struct buf head = {0}, body = {0};
	struct job_view v;
	bool with_body = p->results && table == STORE_DONE;
	if (store_reader_get(reader, table, (struct store_key){.id = id}, &head, with_body ? &body : NULL, NULL) != E_OK ||
		job_view_decode(table, id, buf_bytes(&head), &v, NULL) != E_OK)
		return false;
	add(p, &v, v.state == JOB_COMPLETED ? buf_bytes(&body) : (struct bytes){0}, &p->text);
	return true;
}

static bool note(void *context, const struct store_row *row)
{
	struct paging *p = context;
	if (!row->key.sub)
		return true;
	if (p->n == p->limit) {
		p->more = true;
		return false;
	}
	p->members[p->n++].id = row->key.sub;
	return true;
}

static void read_page(void *context, struct store_reader *reader)
{
	struct paging *p = context;
	struct store_range range = {
		.table = STORE_MEMBER, .id = p->batch_id, .from = {.id = p->batch_id, .sub = p->after + 1}};
	p->found = store_reader_get(reader, STORE_BATCH, (struct store_key){.id = p->batch_id}, NULL, NULL, NULL) == E_OK;
	if (!p->found)
		return;
	store_reader_scan(reader, &range, note, p, NULL);
	for (unsigned i = 0; i < p->n; i++) {
		struct member *m = &p->members[i];
		m->from = p->text.size;
		if (!add_over(p, reader, STORE_DONE, m->id))
			add_over(p, reader, STORE_DEAD, m->id);
		m->to = p->text.size;
		if (p->text.size > PAGE_BYTES_MAX && i + 1 < p->n) {
			p->n = i + 1;
			p->more = true;
		}
	}
}

/* ── on the loop ── */

/* It lives, or it ended between the reader's look and ours; else its result is no longer kept. */
static void add_live(struct paging *p, uint64_t id, struct buf *out)
{
	struct job *j = queues_find(p->api->queues, id);
	struct job_view v;
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	if (j) {
		job_get_view(p->api->queues, j, &v);
		add(p, &v, (struct bytes){0}, out);
	} else if (p->results || api_job_json(p->api, id, out, NULL) != E_OK) {
		buf_format(out, "{\"job_id\":\"%s\",\"status\":null,\"result\":null,\"error\":null}", text);
	}
}

static void add_members(struct paging *p, const char *between, struct buf *out)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct member *m = &p->members[i];
		if (i)
			buf_text(out, between);
		if (m->to > m->from)
			buf_add(out, p->text.data + m->from, m->to - m->from);
		else
			add_live(p, m->id, out);
	}
}

static void answer(struct paging *p)
{
	struct buf out = {0};
	char text[ID_TEXT_SIZE];
	id_format(p->n ? p->members[p->n - 1].id : 0, text);
	if (!p->found) {
		api_fail(p->request, E_NOT_FOUND, "there is no such batch, or it is no longer kept");
	} else if (p->results) {
		add_members(p, "\n", &out);
		if (p->n)
			buf_text(&out, "\n");
		http_reply_buf(p->request, 200, "application/x-ndjson", &out);
	} else {
		buf_text(&out, "{\"jobs\":[");
		add_members(p, ",", &out);
		buf_format(&out, p->more ? "],\"cursor\":\"%s\"}" : "],\"cursor\":null}%.0s", text);
		http_reply_buf(p->request, 200, "application/json", &out);
	}
}

static void page_read(void *context)
{
	struct paging *p = context;
	if (p->request) {
		http_set_data(p->request, NULL, NULL);
		answer(p);
	}
	buf_fini(&p->text);
	free(p->members);
	free(p);
}

static void client_gone(void *data)
{
	((struct paging *)data)->request = NULL;
}

static bool read_after(struct http_request *r, const char *name, uint64_t *after)
{
	struct bytes text = http_query(r, name);
	*after = 0;
	if (!text.data || id_parse(text.data, text.size, after) == 0)
		return true;
	api_fail(r, E_INVALID, "?%s=%.*s: the job_id at the end of the page before is needed", name,
		(int)(text.size < 64 ? text.size : 64), text.data);
	return false;
}

static void page(struct api *a, struct http_request *r, bool results)
{
	unsigned limit;
	uint64_t id, after;
	if (!api_id(r, "batch_id", &id) || !api_limit(r, &limit) || !read_after(r, results ? "after" : "cursor", &after))
		return;
	struct paging *p = NEW(struct paging);
	*p = (struct paging){.api = a, .request = r, .batch_id = id, .after = after, .limit = limit, .results = results};
	p->members = mem_new(limit * sizeof *p->members);
	http_set_data(r, p, client_gone);
	a->store->ops->query(a->store, read_page, page_read, p);
}

void api_batch_jobs(void *context, struct http_request *r)
{
	page(context, r, false);
}

void api_batch_results(void *context, struct http_request *r)
{
	page(context, r, true);
}
