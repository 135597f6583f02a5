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

struct run_list {
	struct pipelines *set;
	char *namespace, *pipeline;
	uint64_t before;
	unsigned limit, n;
	uint64_t last;
	bool more;
	struct buf out;
	run_show_done *done;
	void *context;
};

static bool wanted(const struct run_list *l, const struct run *r)
{
	return (!*l->namespace || bytes_equal(bytes_of(l->namespace), bytes_of(r->namespace))) &&
		   (!*l->pipeline || bytes_equal(bytes_of(l->pipeline), bytes_of(r->pipeline->name)));
}

static bool list_row(void *context, const struct store_row *row)
{
	struct run_list *l = context;
	struct run *r;
	if (run_decode(row->key.id, row->head, &r, NULL) != E_OK)
		return true; /* one damaged record costs only itself */
	bool want = wanted(l, r);
	if (want && l->n == l->limit) {
		l->more = true;
	} else if (want) {
		if (l->n++)
			buf_text(&l->out, ",");
		run_show_json(r, (struct bytes){0}, &l->out);
		l->last = r->id;
	}
	run_free(r);
	return !l->more;
}

static void list_work(void *context, struct store_reader *reader)
{
	struct run_list *l = context;
	struct store_range range = {.table = STORE_RUN, .descending = true, .scan_max = 10000};
	if (l->before)
		range.from.id = l->before - 1;
	buf_text(&l->out, "{\"runs\":[");
	store_reader_scan(reader, &range, list_row, l, NULL);
	if (l->more) {
		char text[ID_TEXT_SIZE];
		id_format(l->last, text);
		buf_format(&l->out, "],\"cursor\":\"%s\"}", text);
	} else {
		buf_text(&l->out, "],\"cursor\":null}");
	}
}

static void list_done(void *context)
{
	struct run_list *l = context;
	l->done(l->context, E_OK, buf_bytes(&l->out));
	buf_fini(&l->out);
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
	l->done = done;
	l->context = context;
	ps->store->ops->query(ps->store, list_work, list_done, l);
}
