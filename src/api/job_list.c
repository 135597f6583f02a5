/* GET /v1/jobs and /v1/dead: live jobs from memory, the others from the store, in one order: newest first. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t id;
	char *json;
};

struct listing {
	struct api *api;
	struct http_request *request;
	const char *member; /* "jobs", "dead" */
	char *namespace, *capability, *tag; /* "" : any */
	int state; /* enum job_state, or -1 */
	bool live, done, dead; /* where to look */
	uint64_t before;
	unsigned limit;
	struct entry *entries;
	size_t n, room;
	size_t from_here; /* of one source */
};

enum { SCAN_MAX = 100000 }; /* rows looked at for one page */

/* ── filter ── */

static bool text_fits(const char *wanted, struct bytes is)
{
	return !*wanted || bytes_equal(bytes_of(wanted), is);
}

static bool has_tag(const char *tag, struct bytes tags)
{
	if (!*tag)
		return true;
	scoped(buf_fini) struct buf quoted = {0};
	buf_json_string(&quoted, bytes_of(tag));
	return tags.size && memmem(tags.data, tags.size, quoted.data, quoted.size);
}

static bool fits(const struct listing *l, const struct job_view *v)
{
	enum job_state shown = v->state == JOB_SETTLING ? JOB_PROCESSING : v->state;
	return (l->state < 0 || (int)shown == l->state) && text_fits(l->namespace, v->namespace) &&
		   text_fits(l->capability, v->capability) && has_tag(l->tag, v->tags);
}

/* False: this source has given enough. One more than the limit tells that there is more. */
static bool add(struct listing *l, const struct job_view *v)
{
	struct buf json = {0};
	if (l->from_here > l->limit)
		return false;
	if (l->n == l->room)
		l->entries = mem_resize(l->entries, (l->room = l->room ? l->room * 2 : 64) * sizeof *l->entries);
	api_add_job(&json, v, (struct bytes){0});
	l->entries[l->n++] = (struct entry){v->id, buf_take(&json)};
	l->from_here++;
	return true;
}

/* ── sources ── */

static bool visit_live(void *context, struct job *j)
{
	struct listing *l = context;
	struct job_view view;
	if (l->before && j->id >= l->before)
		return true;
	job_get_view(l->api->queues, j, &view);
	return !fits(l, &view) || add(l, &view);
}

static bool visit_row(void *context, const struct store_row *row)
{
	struct listing *l = context;
	struct job_view view;
	if (job_view_decode(row->table, row->key.id, row->head, &view, NULL) != E_OK)
		return true; /* one damaged record costs only itself */
	return !fits(l, &view) || add(l, &view);
}

static void scan(struct listing *l, struct store_reader *reader, enum store_table table)
{
	struct store_range range = {.table = table, .descending = true, .scan_max = SCAN_MAX};
	if (l->before)
		range.from.id = l->before - 1;
	l->from_here = 0;
	store_reader_scan(reader, &range, visit_row, l, NULL);
}

static void work(void *context, struct store_reader *reader)
{
	struct listing *l = context;
	if (l->done)
		scan(l, reader, STORE_DONE);
	if (l->dead)
		scan(l, reader, STORE_DEAD);
}

/* ── answer ── */

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->id, y = ((const struct entry *)b)->id;
	return (x < y) - (x > y);
}

static void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->entries[i].json);
	free(l->entries);
	free(l->namespace);
	free(l->capability);
	free(l->tag);
	free(l);
}

/* A job that ended between the look into memory and the look into the store stands there twice: the later look wins. */
static void add_entries(struct listing *l, struct buf *out, char cursor[ID_TEXT_SIZE])
{
	unsigned shown = 0;
	qsort(l->entries, l->n, sizeof *l->entries, newest_first);
	*cursor = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (i + 1 < l->n && l->entries[i + 1].id == l->entries[i].id)
			continue;
		if (shown == l->limit)
			return;
		if (shown++)
			buf_text(out, ",");
		buf_text(out, l->entries[i].json);
		if (shown == l->limit && i + 1 < l->n)
			id_format(l->entries[i].id, cursor);
	}
}

static void answer(void *context)
{
	struct listing *l = context;
	struct http_request *r = l->request;
	if (r) {
		struct buf out = {0};
		char cursor[ID_TEXT_SIZE];
		http_set_data(r, NULL, NULL);
		buf_format(&out, "{\"%s\":[", l->member);
		add_entries(l, &out, cursor);
		if (*cursor)
			buf_format(&out, "],\"cursor\":\"%s\"}", cursor);
		else
			buf_text(&out, "],\"cursor\":null}");
		api_reply_buf(r, 200, &out);
	}
	listing_free(l);
}

static void client_gone(void *data)
{
	((struct listing *)data)->request = NULL;
}

static struct listing *listing_new(struct api *a, struct http_request *r, const char *member)
{
	struct listing *l = NEW(struct listing);
	l->api = a;
	l->request = r;
	l->member = member;
	l->state = -1;
	if (!api_limit(r, &l->limit) || !api_cursor(r, &l->before)) {
		free(l);
		return NULL;
	}
	l->namespace = api_text(http_query(r, "namespace"));
	l->capability = api_text(http_query(r, "capability"));
	l->tag = api_text(http_query(r, "tag"));
	return l;
}

static void start(struct listing *l)
{
	http_set_data(l->request, l, client_gone);
	if (l->live)
		queues_each_live(l->api->queues, visit_live, l);
	l->api->store->ops->query(l->api->store, work, answer, l);
}

void api_list_jobs(void *context, struct http_request *r)
{
	struct listing *l = listing_new(context, r, "jobs");
	struct bytes status = http_query(r, "status");
	if (!l)
		return;
	l->state = status.size ? job_state_parse(status) : -1;
	if (status.size && l->state < 0) {
		listing_free(l);
		api_fail(r, E_INVALID,
			"?status=%.32s: scheduled, pending, processing, completed, failed or cancelled is needed", status.data);
		return;
	}
	l->live = l->state < 0 || l->state < JOB_COMPLETED;
	l->done = l->state < 0 || l->state == JOB_COMPLETED || l->state == JOB_CANCELLED;
	l->dead = l->state < 0 || l->state == JOB_FAILED;
	start(l);
}

void api_list_dead(void *context, struct http_request *r)
{
	struct listing *l = listing_new(context, r, "dead");
	if (!l)
		return;
	l->dead = true;
	start(l);
}
