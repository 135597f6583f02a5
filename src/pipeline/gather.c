/* The fan-in: joins a step's items with what became of them, into one NDJSON blob. Runs on the store's reader thread. */
#include "pipeline/run.h"

#include "base/mem.h"
#include "pipeline/splice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_AGAIN_MS = 1000, GATHER_FAILURES_MAX = 10 };

struct gather {
	struct list link; /* in pipelines.gathers */
	struct pipelines *set;
	uint64_t run_id, emitter_id;
	int step;
	/* The reader thread's: */
	struct store_reader *reader;
	struct blob_writer *out;
	struct buf line, item, outcome, head;
	char blob[BLOB_NAME_SIZE];
	uint64_t items, items_failed; /* what the blob says is what the run says */
	enum errcode code;
	struct err error;
};

static void add_error(struct buf *out, const struct job_error *error)
{
	buf_text(out, "{\"error\":{\"code\":");
	buf_json_string(out, bytes_of(error->code));
	buf_text(out, ",\"message\":");
	buf_json_string(out, bytes_of(error->message));
	buf_text(out, "}}");
}

/* A line break between JSON tokens is as good as a space; inside a string there can be none. */
static void on_one_line(struct buf *text)
{
	for (size_t i = 0; i < text->size; i++)
		if (text->data[i] == '\n' || text->data[i] == '\r')
			text->data[i] = ' ';
}

/* What became of the item, as members to add: the job's result, or its error. */
static void read_outcome(struct gather *g, uint64_t job_id)
{
	struct store_key key = {.id = job_id};
	struct job_view view;
	struct job_error unknown = {.code = "lost", .message = "the job's result is no longer kept"};
	buf_clear(&g->head);
	buf_clear(&g->outcome);
	bool done = store_reader_get(g->reader, STORE_DONE, key, &g->head, &g->outcome, NULL) == E_OK &&
				job_view_decode(STORE_DONE, job_id, buf_bytes(&g->head), &view, NULL) == E_OK;
	if (done && view.state == JOB_COMPLETED)
		return;
	g->items_failed++;
	buf_clear(&g->outcome);
	if (!done) {
		buf_clear(&g->head);
		done = store_reader_get(g->reader, STORE_DEAD, key, &g->head, NULL, NULL) == E_OK &&
			   job_view_decode(STORE_DEAD, job_id, buf_bytes(&g->head), &view, NULL) == E_OK;
	}
	add_error(&g->outcome, done ? &view.error : &unknown);
}

/* {"key":N, members of the item, members of the outcome}; what is no object stands as "item", "result". */
static void make_line(struct gather *g, uint64_t key, struct bytes item)
{
	char number[40];
	snprintf(number, sizeof number, "{\"key\":%" PRIu64 "}", key);
	buf_clear(&g->item);
	buf_text(&g->item, "{");
	if (!splice_members(&g->item, bytes_of(number), item)) {
		buf_format(&g->item, "\"key\":%" PRIu64 ",\"item\":", key);
		splice_value(&g->item, item);
	}
	buf_text(&g->item, "}");

	buf_clear(&g->line);
	buf_text(&g->line, "{");
	if (!splice_members(&g->line, buf_bytes(&g->item), buf_bytes(&g->outcome))) {
		struct buf wrapped = {0};
		buf_text(&wrapped, "{\"result\":");
		splice_value(&wrapped, buf_bytes(&g->outcome));
		buf_text(&wrapped, "}");
		splice_members(&g->line, buf_bytes(&g->item), buf_bytes(&wrapped));
		buf_fini(&wrapped);
	}
	buf_text(&g->line, "}");
	on_one_line(&g->line);
	buf_text(&g->line, "\n");
}

static bool gather_item(void *context, const struct store_row *row)
{
	struct gather *g = context;
	uint64_t job_id = 0;
	g->code = item_head_decode(row->head, &job_id);
	if (g->code) {
		err_set(&g->error, g->code, "item %" PRIu64 ": its record in the store is damaged", row->key.sub);
		return false;
	}
	g->items++;
	read_outcome(g, job_id);
	make_line(g, row->key.sub, row->body);
	g->code = blob_writer_add(g->out, g->line.data, g->line.size, &g->error);
	return g->code == E_OK;
}

static void gather_work(void *context, struct store_reader *reader)
{
	struct gather *g = context;
	struct store_range range = {.table = STORE_ITEM, .id = g->emitter_id, .bodies = true};
	g->reader = reader;
	g->code = blob_writer_open(g->set->blobs, &g->out, &g->error);
	if (g->code)
		return;
	enum errcode scanned = store_reader_scan(reader, &range, gather_item, g, &g->error);
	if (!g->code)
		g->code = scanned;
	if (g->code)
		blob_writer_abort(g->out);
	else
		g->code = blob_writer_close(g->out, g->blob, NULL, &g->error);
}

static void gather_free(struct gather *g)
{
	list_remove(&g->link);
	buf_fini(&g->line);
	buf_fini(&g->item);
	buf_fini(&g->outcome);
	buf_fini(&g->head);
	free(g);
}

void gather_abandon_all(struct pipelines *ps)
{
	list_each(&ps->gathers, at) gather_free(container_of(at, struct gather, link));
}

/* Space may return, and nothing is lost meanwhile. A file that could not be written is written anew, some times. */
static bool is_worth_another_try(const struct gather *g, struct run_step *s)
{
	return g->code == E_NO_SPACE || (g->code == E_IO && ++s->gather_failures < GATHER_FAILURES_MAX);
}

static void gather_later(struct run *r, int step, int64_t now_ms)
{
	r->steps[step].state = RUN_STEP_RUNNING;
	r->steps[step].gather_at_ms = now_ms + GATHER_AGAIN_MS;
}

static void gather_failed(struct run *r, int step, const struct gather *g, struct store_batch *b)
{
	snprintf(r->error.code, sizeof r->error.code, "%s", err_word(g->code));
	snprintf(r->error.message, sizeof r->error.message, "step \"%.64s\": gathering its items: %.380s",
		r->pipeline->steps[step].id, g->error.text);
	r->steps[step].state = RUN_STEP_FAILED;
	run_finish(r, RUN_FAILED, queues_now(r->set->queues));
	run_put(r, b);
}

static void gathered(struct run *r, int step, const struct gather *g, struct store_batch *b)
{
	struct run_step *s = &r->steps[step];
	s->total = g->items;
	s->failed = g->items_failed;
	s->completed = g->items - g->items_failed;
	memcpy(s->blob, g->blob, sizeof s->blob);
	memcpy(r->items_blob, g->blob, sizeof r->items_blob);
	store_batch_delete_all(b, STORE_ITEM, g->emitter_id);
	run_step_ended(r->set, r, step, (struct bytes){0}, b);
}

static void gather_done(void *context)
{
	struct gather *g = context;
	struct pipelines *ps = g->set;
	struct run *r = run_find(ps, g->run_id);
	if (!r || r->over) { /* cancelled meanwhile */
		gather_free(g);
		return;
	}
	if (is_worth_another_try(g, &r->steps[g->step])) {
		gather_later(r, g->step, queues_now(ps->queues));
		gather_free(g);
		return;
	}
	struct store_batch *b = store_batch_new();
	if (g->code)
		gather_failed(r, g->step, g, b);
	else
		gathered(r, g->step, g, b);
	gather_free(g);
	queues_commit(ps->queues, b, NULL, NULL);
}

void gather_start(struct pipelines *ps, struct run *r, int step)
{
	struct gather *g = NEW(struct gather);
	list_append(&ps->gathers, &g->link);
	g->set = ps;
	g->run_id = r->id;
	g->step = step;
	g->emitter_id = r->steps[r->pipeline->steps[step].of].job_id;
	r->steps[step].state = RUN_STEP_GATHERING;
	r->changed = true;
	ps->store->ops->query(ps->store, gather_work, gather_done, g);
}
