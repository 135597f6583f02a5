/* job_list.c - GET /v1/jobs and /v1/dead: jobs of several tables as one list, newest first, a page at a time.
 *
 * Ids grow with time, so each table is read downwards from the cursor and the three are merged. The reader thread filters;
 * the loop looks live jobs up again, since a row of STORE_JOB says how the job was when it was written. A table that was
 * not read to its end bounds the page: what may still come below that id waits for the next one. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

enum { SCAN_MAX = 20000 }; /* rows looked at for one page, of one table */

struct what {
	const char *name; /* "jobs", "dead": the member of the answer */
	bool live, done, dead; /* which tables */
	int state; /* only this one, or -1 */
};

struct found {
	uint64_t id;
	bool live;
	char *json; /* of those that are over */
};

struct listing {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct what what;
	struct job_filter filter;
	unsigned limit;
	uint64_t before; /* 0: from the newest */
	struct found *found;
	size_t n;
	/* of the table that is being read */
	enum store_table table;
	size_t of_table, looked_at;
	uint64_t last_id;
	uint64_t bound; /* nothing below it is complete */
};

static void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->found[i].json);
	free(l->found);
	job_filter_fini(&l->filter);
	free(l);
}

static bool fits(const struct listing *l, const struct job_view *v)
{
	return job_filter_fits(&l->filter, v) &&
		   (l->table == STORE_JOB || l->what.state < 0 || (int)v->state == l->what.state);
}

static bool on_row(void *context, const struct store_row *row)
{
	struct listing *l = context;
	struct job_view v;
	if (l->of_table == l->limit || l->looked_at == SCAN_MAX)
		return false;
	l->last_id = row->key.id;
	l->looked_at++;
	if (job_view_decode(row->table, row->key.id, row->head, &v, NULL) != E_OK || !fits(l, &v))
		return true;
	struct found f = {.id = row->key.id, .live = row->table == STORE_JOB};
	if (!f.live) {
		struct buf json = {0};
		api_add_job(&json, &v, (struct bytes){NULL, 0});
		f.json = buf_take(&json);
	}
	l->found = mem_resize(l->found, (l->n + 1) * sizeof *l->found);
	l->found[l->n++] = f;
	l->of_table++;
	return true;
}

static void read_table(struct listing *l, struct store_reader *reader, enum store_table table)
{
	struct store_range range = {.table = table, .descending = true, .scan_max = SCAN_MAX + 1};
	if (l->before == 1)
		return;
	range.from.id = l->before ? l->before - 1 : 0;
	range.from.sub = UINT64_MAX >> 1;
	if (!range.from.id)
		range.from = (struct store_key){0};
	l->table = table;
	l->of_table = l->looked_at = 0;
	store_reader_scan(reader, &range, on_row, l, NULL);
	if ((l->of_table == l->limit || l->looked_at == SCAN_MAX) && l->last_id > l->bound)
		l->bound = l->last_id;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct found *)a)->id, y = ((const struct found *)b)->id;
	return x < y ? 1 : x > y ? -1 : 0;
}

static void work(void *context, struct store_reader *reader)
{
	struct listing *l = context;
	if (l->what.live)
		read_table(l, reader, STORE_JOB);
	if (l->what.done)
		read_table(l, reader, STORE_DONE);
	if (l->what.dead)
		read_table(l, reader, STORE_DEAD);
	if (l->n)
		qsort(l->found, l->n, sizeof *l->found, newest_first);
}

/* Settling shows as processing, and is listed as that. */
static bool live_fits(const struct listing *l, const struct job_view *v)
{
	int state = v->state == JOB_SETTLING ? JOB_PROCESSING : (int)v->state;
	return l->what.state < 0 || state == l->what.state;
}

static bool add(struct listing *l, const struct found *f, struct buf *out, bool first)
{
	struct job_view v;
	struct job *j = f->live ? queues_find(l->api->queues, f->id) : NULL;
	if (f->live && !j)
		return false; /* it ended meanwhile: it is, or soon will be, in another table */
	if (j) {
		job_get_view(l->api->queues, j, &v);
		if (!live_fits(l, &v))
			return false;
	}
	if (!first)
		buf_text(out, ",");
	if (j)
		api_add_job(out, &v, (struct bytes){NULL, 0});
	else
		buf_text(out, f->json);
	return true;
}

static void answer(struct listing *l)
{
	struct buf out = {0};
	unsigned n = 0;
	uint64_t cursor = l->bound, last = 0;
	buf_format(&out, "{\"%s\":[", l->what.name);
	for (size_t i = 0; i < l->n && l->found[i].id >= l->bound; i++) {
		if (l->found[i].id == last)
			continue; /* it moved from one table to another between two reads */
		if (n == l->limit) {
			cursor = last;
			break;
		}
		last = l->found[i].id;
		n += add(l, &l->found[i], &out, n == 0);
	}
	char text[ID_TEXT_SIZE];
	id_format(cursor, text);
	buf_format(&out, cursor ? "],\"cursor\":\"%s\"}" : "],\"cursor\":null}%.0s", text);
	http_reply_buf(l->request, 200, "application/json", &out);
}

static void done(void *context)
{
	struct listing *l = context;
	if (l->request) {
		struct http_request *r = l->request;
		http_set_data(r, NULL, NULL);
		answer(l);
	}
	listing_free(l);
}

static void client_gone(void *data)
{
	struct listing *l = data;
	l->request = NULL;
}

static void list(struct api *a, struct http_request *r, const struct what *what)
{
	unsigned limit;
	uint64_t before;
	struct job_filter f;
	if (!api_limit(r, &limit) || !api_cursor(r, &before) || !job_filter_read(r, loop_now_ms(a->loop), &f))
		return;
	struct listing *l = NEW(struct listing);
	*l = (struct listing){.api = a, .request = r, .what = *what, .filter = f, .limit = limit, .before = before};
	http_set_data(r, l, client_gone);
	a->store->ops->query(a->store, work, done, l);
}

void api_list_jobs(void *context, struct http_request *r)
{
	struct bytes status = http_query(r, "status");
	struct what what = {.name = "jobs", .live = true, .done = true, .dead = true, .state = -1};
	if (status.size) {
		what.state = job_state_parse(status);
		if (what.state < 0) {
			api_fail(r, E_INVALID,
				"?status=%.32s: one of scheduled, pending, processing, completed, failed, cancelled is needed",
				status.data);
			return;
		}
		what.live = what.state <= JOB_SETTLING;
		what.done = what.state == JOB_COMPLETED || what.state == JOB_CANCELLED;
		what.dead = what.state == JOB_FAILED;
	}
	list(context, r, &what);
}

void api_list_dead(void *context, struct http_request *r)
{
	const struct what what = {.name = "dead", .dead = true, .state = -1};
	list(context, r, &what);
}
