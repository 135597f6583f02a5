/* Batches as clients see them. */
#include "batch/parts.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <inttypes.h>
#include <stdlib.h>

void batch_fill(
	const struct batch *t, const struct batch_counts *counts, struct batch_record *r, struct buf *failed_ids)
{
	buf_add(failed_ids, t->failed_ids, t->failed_n * sizeof *t->failed_ids);
	*r = (struct batch_record){.name = bytes_of(t->name),
		.failed_ids = buf_bytes(failed_ids),
		.created_at_ms = t->created_at_ms,
		.finished_at_ms = t->finished_at_ms,
		.completed = counts->completed,
		.failed = counts->failed,
		.cancelled = counts->cancelled,
		.max_failures = t->max_failures,
		.total = t->over ? t->total : 0,
		.then_id = t->then_id,
		.state = t->state};
	if (!bytes_equal(bytes_of(t->namespace), bytes_of("default")))
		r->namespace = bytes_of(t->namespace);
}

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	buf_format(out, at_ms ? ",\"%s\":\"%s\"" : ",\"%s\":null%.0s", name, text);
}

static void add_text(struct buf *out, const char *name, struct bytes value)
{
	buf_format(out, ",\"%s\":", name);
	buf_json_utf8(out, value);
}

static void add_failed(struct buf *out, struct bytes ids)
{
	char text[ID_TEXT_SIZE];
	buf_text(out, ",\"failed_jobs\":[");
	for (size_t at = 0; at + 8 <= ids.size; at += 8) {
		uint64_t id;
		memcpy(&id, ids.data + at, 8);
		id_format(id, text);
		buf_format(out, "%s\"%s\"", at ? "," : "", text);
	}
	buf_text(out, "]");
}

void batch_add_members(
	const struct batch_record *r, uint64_t id, const char *status, struct job_counts live, struct buf *out)
{
	char text[ID_TEXT_SIZE];
	uint64_t ended = r->completed + r->failed + r->cancelled;
	id_format(id, text);
	buf_format(out, "\"batch_id\":\"%s\"", text);
	add_text(out, "namespace", r->namespace.size ? r->namespace : bytes_of("default"));
	if (r->name.size)
		add_text(out, "name", r->name);
	buf_format(out, ",\"status\":\"%s\"", status);
	add_time(out, "created_at", r->created_at_ms);
	add_time(out, "finished_at", r->finished_at_ms);
	buf_format(out,
		",\"counts\":{\"total\":%" PRIu64 ",\"scheduled\":%" PRIu64 ",\"pending\":%" PRIu64 ",\"processing\":%" PRIu64
		",\"completed\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"cancelled\":%" PRIu64 "}",
		r->total, live.scheduled, live.pending, live.processing, r->completed, r->failed, r->cancelled);
	buf_format(out, ",\"percent\":%d,\"max_failures\":%" PRIu64, batch_percent(ended, r->total, r->finished_at_ms != 0),
		r->max_failures);
	add_failed(out, r->failed_ids);
	id_format(r->then_id, text);
	if (r->then_id)
		buf_format(out, ",\"then_job_id\":\"%s\"", text);
}

static void show_live(const struct batch *t, struct buf *out)
{
	struct batch_record r;
	scoped(buf_fini) struct buf failed_ids = {0};
	batch_fill(t, &t->durable, &r, &failed_ids);
	r.total = t->total;
	r.finished_at_ms = 0; /* its end is not durable yet */
	r.then_id = 0;
	enum batch_state state = t->state < BATCH_COMPLETED	   ? t->state
							 : t->state == BATCH_CANCELLED ? BATCH_CANCELLING
														   : BATCH_RUNNING;
	buf_text(out, "{");
	batch_add_members(&r, t->id, batch_status(state, t->closed), queues_count_batch(t->set->o.queues, t->id), out);
	buf_text(out, "}");
}

static void show_record(uint64_t id, const struct batch_record *r, struct buf *out)
{
	buf_text(out, "{");
	batch_add_members(r, id, batch_status((enum batch_state)r->state, true), (struct job_counts){0}, out);
	buf_text(out, "}");
}

enum errcode batches_show(struct batches *bs, uint64_t id, struct buf *out, struct err *e)
{
	struct batch_record r;
	char text[ID_TEXT_SIZE];
	scoped(buf_fini) struct buf head = {0};
	const struct batch *t = batch_find(bs, id);
	if (t && t->stored && !t->gone) {
		show_live(t, out);
		return E_OK;
	}
	enum errcode code = bs->o.store->ops->read(bs->o.store, STORE_BATCH, (struct store_key){.id = id}, &head, NULL, e);
	id_format(id, text);
	if (code == E_NOT_FOUND)
		return err_set(e, code, "there is no batch %s, or it is no longer kept", text);
	if (!code)
		code = batch_record_decode(buf_bytes(&head), &r, e);
	if (!code)
		show_record(id, &r, out);
	return code;
}

/* ── list ── */

struct listed {
	uint64_t id;
	size_t from, to; /* its JSON in `text` */
};

struct listing {
	struct batches *set;
	char *namespace;
	uint64_t last; /* that was looked at */
	unsigned limit, n, looked_at;
	bool more;
	struct listed *all; /* of `limit` */
	struct buf text;
	void (*done)(void *context, enum errcode code, struct bytes json);
	void *context;
};

enum { SCAN_MAX = 10000 };

/* Reader thread. */
static bool list_row(void *context, const struct store_row *row)
{
	struct listing *l = context;
	struct batch_record r;
	if (l->n == l->limit || l->looked_at == SCAN_MAX) {
		l->more = true;
		return false;
	}
	l->looked_at++;
	l->last = row->key.id;
	if (batch_record_decode(row->head, &r, NULL) != E_OK)
		return true; /* one damaged row costs only itself */
	struct bytes namespace = r.namespace.size ? r.namespace : bytes_of("default");
	if (*l->namespace && !bytes_equal(namespace, bytes_of(l->namespace)))
		return true;
	size_t from = l->text.size;
	show_record(row->key.id, &r, &l->text);
	l->all[l->n++] = (struct listed){row->key.id, from, l->text.size};
	return true;
}

/* How far a live one is, memory knows best. */
static void add_listed(struct listing *l, const struct listed *at, struct buf *out)
{
	const struct batch *t = batch_find(l->set, at->id);
	if (t && t->stored && !t->gone)
		show_live(t, out);
	else
		buf_add(out, l->text.data + at->from, at->to - at->from);
}

static void listed(void *context, enum errcode code)
{
	struct listing *l = context;
	scoped(buf_fini) struct buf out = {0};
	char text[ID_TEXT_SIZE];
	id_format(l->last, text);
	buf_text(&out, "{\"batches\":[");
	for (unsigned i = 0; i < l->n; i++) {
		if (i)
			buf_text(&out, ",");
		add_listed(l, &l->all[i], &out);
	}
	buf_format(&out, l->more ? "],\"cursor\":\"%s\"}" : "],\"cursor\":null}%.0s", text);
	l->done(l->context, code, buf_bytes(&out));
	buf_fini(&l->text);
	free(l->all);
	free(l->namespace);
	free(l);
}

void batches_list(struct batches *bs, struct bytes namespace, uint64_t before, unsigned limit,
	void (*done)(void *context, enum errcode code, struct bytes json), void *context)
{
	struct listing *l = NEW(struct listing);
	*l = (struct listing){.set = bs, .limit = limit, .done = done, .context = context};
	l->namespace = mem_copy(namespace.data, namespace.size);
	l->all = mem_new(limit * sizeof *l->all);
	struct store_range range = {.table = STORE_BATCH, .descending = true, .from.id = before > 1 ? before - 1 : before};
	bs->o.store->ops->list(bs->o.store, &range, list_row, listed, l);
}
