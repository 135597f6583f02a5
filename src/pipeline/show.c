/* Runs as clients see them. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>

static enum errcode show_stored(struct pipelines *ps, uint64_t run_id, struct buf *out)
{
	scoped(buf_fini) struct buf head = {0}, body = {0};
	struct run *r;
	enum errcode code =
		ps->store->ops->read(ps->store, STORE_RUN, (struct store_key){.id = run_id}, &head, &body, NULL);
	if (code)
		return code;
	code = run_decode(run_id, buf_bytes(&head), &r, NULL);
	if (code)
		return code;
	run_show_json(r, r->state == RUN_COMPLETED ? buf_bytes(&body) : (struct bytes){0}, out);
	run_free(r);
	return E_OK;
}

void pipelines_show(struct pipelines *ps, uint64_t run_id, run_show_done *done, void *context)
{
	scoped(buf_fini) struct buf out = {0};
	struct run *r = run_find(ps, run_id);
	enum errcode code = E_OK;
	if (r && !r->over)
		run_show_json(r, (struct bytes){0}, &out);
	else
		code = show_stored(ps, run_id, &out);
	done(context, code, buf_bytes(&out));
}

struct run_listed {
	uint64_t id;
	size_t from, to; /* its JSON in `text` */
};

struct run_list {
	struct pipelines *set;
	char *namespace, *pipeline;
	uint64_t before;
	unsigned limit, n, looked_at;
	uint64_t last; /* the last row that was looked at */
	bool more;
	struct run_listed *runs; /* of `limit` */
	struct buf text;
	run_show_done *done;
	void *context;
};

enum { LIST_SCAN_MAX = 10000 };

static bool wanted(const struct run_list *l, const struct run *r)
{
	return (!*l->namespace || bytes_equal(bytes_of(l->namespace), bytes_of(r->namespace))) &&
		   (!*l->pipeline || bytes_equal(bytes_of(l->pipeline), bytes_of(r->pipeline->name)));
}

static bool list_row(void *context, const struct store_row *row)
{
	struct run_list *l = context;
	struct run *r;
	if (l->n == l->limit || l->looked_at == LIST_SCAN_MAX) {
		l->more = true;
		return false;
	}
	l->looked_at++;
	l->last = row->key.id;
	if (run_decode(row->key.id, row->head, &r, NULL) != E_OK)
		return true; /* one damaged record costs only itself */
	if (wanted(l, r)) {
		size_t from = l->text.size;
		run_show_json(r, (struct bytes){0}, &l->text);
		l->runs[l->n++] = (struct run_listed){r->id, from, l->text.size};
	}
	run_free(r);
	return true;
}

static void list_work(void *context, struct store_reader *reader)
{
	struct run_list *l = context;
	struct store_range range = {.table = STORE_RUN, .descending = true};
	if (l->before)
		range.from.id = l->before - 1;
	store_reader_scan(reader, &range, list_row, l, NULL);
}

/* A run writes nothing per item: how far a live one is only memory knows. */
static void add_listed(struct run_list *l, const struct run_listed *listed, struct buf *out)
{
	const struct run *live = run_find(l->set, listed->id);
	if (live && !live->over)
		run_show_json(live, (struct bytes){0}, out);
	else
		buf_add(out, l->text.data + listed->from, listed->to - listed->from);
}

static void list_done(void *context)
{
	struct run_list *l = context;
	scoped(buf_fini) struct buf out = {0};
	char text[ID_TEXT_SIZE];
	id_format(l->last, text);
	buf_text(&out, "{\"runs\":[");
	for (unsigned i = 0; i < l->n; i++) {
		if (i)
			buf_text(&out, ",");
		add_listed(l, &l->runs[i], &out);
	}
	if (l->more)
		buf_format(&out, "],\"cursor\":\"%s\"}", text);
	else
		buf_text(&out, "],\"cursor\":null}");
	l->done(l->context, E_OK, buf_bytes(&out));
	buf_fini(&l->text);
	free(l->runs);
	free(l->namespace);
	free(l->pipeline);
	free(l);
}

void pipelines_list(struct pipelines *ps, struct bytes namespace, struct bytes pipeline, uint64_t before,
	unsigned limit, run_show_done *done, void *context)
{
	struct run_list *l = NEW(struct run_list);
	l->set = ps;
	l->namespace = mem_copy(namespace.data, namespace.size);
	l->pipeline = mem_copy(pipeline.data, pipeline.size);
	l->before = before;
	l->limit = limit;
	l->runs = mem_new(limit * sizeof *l->runs);
	l->done = done;
	l->context = context;
	ps->store->ops->query(ps->store, list_work, list_done, l);
}
