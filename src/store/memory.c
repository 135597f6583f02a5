#include "base/mem.h"
#include "store/batch.h"
#include "store/reader.h"
#include "store/rows.h"

#include <assert.h>
#include <stdlib.h>

struct memory_data { /* outlives a handle: see store_memory_again */
	unsigned refs;
	uint64_t epoch;
	bool full;
	struct rows tables[STORE_TABLES];
};

struct memory_reader {
	struct store_reader reader;
	struct memory_data *data;
};

struct memory {
	struct store store;
	struct memory_data *data;
	struct deliver deliver;
	struct request_list waiting; /* without a loop: until store_flush */
	unsigned generation; /* of commits from now on */
	unsigned failed_before; /* batches of older generations fail with fail_code */
	enum errcode fail_code;
	struct store_stats stats;
};

static struct memory *memory_of(struct store *s)
{
	return (struct memory *)s;
}

static void apply_op(struct memory *m, const struct batch_op *op)
{
	struct rows *t = &m->data->tables[op->table];
	m->stats.bytes_written += op->key.text.size + op->head.size + op->body.size;
	m->stats.rows_written++;
	switch (op->kind) {
	case BATCH_PUT:
		rows_put(t, &op->key, op->head, op->body);
		break;
	case BATCH_PUT_HEAD:
		rows_put_head(t, &op->key, op->head);
		break;
	case BATCH_DELETE:
		rows_delete(t, &op->key);
		break;
	case BATCH_DELETE_ALL:
		for (struct row *r; (r = rows_from(t, &op->key, false)) && r->key.id == op->key.id;) {
			struct store_key key = r->key;
			rows_delete(t, &key);
		}
		break;
	}
}

/* The same order of questions as in every store: the epoch, an earlier failure, space. */
static void apply(struct memory *m, struct store_batch *b)
{
	struct batch_op op;
	b->code = E_OK;
	if (m->data->epoch != m->store.epoch)
		b->code = E_FENCE;
	else if (b->generation < m->failed_before)
		b->code = m->fail_code;
	else if (m->data->full && b->rows)
		b->code = E_NO_SPACE;
	if (b->code) {
		m->fail_code = b->code;
		m->failed_before = b->generation + 1;
		return;
	}
	for (size_t at = 0; batch_next(b, &at, &op);)
		apply_op(m, &op);
}

static void run_batch(struct request *r)
{
	struct store_batch *b = container_of(r, struct store_batch, request);
	struct memory *m = memory_of(b->store);
	apply(m, b);
	if (b->code || b->rows)
		m->stats.full = b->code == E_NO_SPACE;
	m->stats.pending_batches--;
	m->stats.batches++;
	m->stats.commits++;
	m->store.failures += b->code != E_OK;
	if (m->generation < m->failed_before)
		m->generation = m->failed_before;
	batch_finish(b);
}

static void ask(struct memory *m, struct request *r)
{
	struct request_list one;
	if (!m->deliver.loop) {
		request_list_add(&m->waiting, r);
		return;
	}
	request_list_init(&one);
	request_list_add(&one, r);
	deliver_add(&m->deliver, &one);
}

static void memory_commit(
	struct store *s, struct store_batch *b, void (*done)(void *context, enum errcode code), void *context)
{
	struct memory *m = memory_of(s);
	b->request.run = run_batch;
	b->store = s;
	b->done = done;
	b->context = context;
	b->generation = m->generation;
	m->stats.pending_batches++;
	ask(m, &b->request);
}

static void memory_flush(struct store *s)
{
	struct request_list now;
	request_list_init(&now);
	request_list_move(&now, &memory_of(s)->waiting);
	for (struct request *r; (r = request_list_take(&now));)
		r->run(r);
}

static bool in_range(const struct store_range *range, const struct row *r)
{
	return !range->id || r->key.id == range->id;
}

static struct row *first_row(const struct rows *t, const struct store_range *range)
{
	struct store_key from = range->from;
	bool given = from.id || from.sub || from.text.size;
	if (range->id && !given)
		from = (struct store_key){.id = range->id, .sub = range->descending ? UINT64_MAX : 0};
	if (!range->descending)
		return rows_from(t, &from, false);
	return given || range->id ? rows_down_from(t, &from, false) : rows_last(t);
}

static enum errcode scan_data(struct memory_data *d, const struct store_range *range, store_visit *visit, void *context)
{
	const struct rows *t = &d->tables[range->table];
	unsigned looked_at = 0;
	struct row *r = first_row(t, range);
	while (r && in_range(range, r) && (!range->scan_max || looked_at++ < range->scan_max)) {
		struct store_row row = {
			range->table, r->key, r->head, range->bodies ? r->body : (struct bytes){0}, r->body.size};
		if (!visit(context, &row))
			break;
		r = range->descending ? rows_down_from(t, &r->key, true) : rows_from(t, &r->key, true);
	}
	return E_OK;
}

static enum errcode get_data(struct memory_data *d, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	const struct row *r = rows_find(&d->tables[table], &key);
	if (!r)
		return err_set(e, E_NOT_FOUND, "no such row");
	if (head) {
		buf_clear(head);
		buf_add(head, r->head.data, r->head.size);
	}
	if (body) {
		buf_clear(body);
		buf_add(body, r->body.data, r->body.size);
	}
	return E_OK;
}

static enum errcode memory_scan(
	struct store *s, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return scan_data(memory_of(s)->data, range, visit, context);
}

static enum errcode memory_load(
	struct store *s, enum store_table table, store_visit *visit, void *context, struct err *e)
{
	return memory_scan(s, &(struct store_range){.table = table}, visit, context, e);
}

static enum errcode memory_read(
	struct store *s, enum store_table table, struct store_key key, struct buf *head, struct buf *body, struct err *e)
{
	return get_data(memory_of(s)->data, table, key, head, body, e);
}

static enum errcode reader_get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	return get_data(((struct memory_reader *)r)->data, table, key, head, body, e);
}

static enum errcode reader_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return scan_data(((struct memory_reader *)r)->data, range, visit, context);
}

struct memory_query { /* there is no reader thread: it is read when it is its turn on the loop */
	struct request request;
	struct memory *m;
	struct reader_request *asked;
};

static void run_query(struct request *r)
{
	struct memory_query *q = container_of(r, struct memory_query, request);
	struct memory_reader reader = {{reader_get, reader_scan, NULL}, q->m->data};
	struct reader_request *asked = q->asked;
	reader_do(asked, &reader.reader);
	free(q);
	asked->request.run(&asked->request);
}

static void ask_query(struct memory *m, struct reader_request *asked)
{
	struct memory_query *q = NEW(struct memory_query);
	*q = (struct memory_query){.request.run = run_query, .m = m, .asked = asked};
	ask(m, &q->request);
}

static void memory_list(struct store *s, const struct store_range *range, store_visit *visit,
	void (*done)(void *context, enum errcode code), void *context)
{
	ask_query(memory_of(s), reader_list(range, visit, done, context));
}

static void memory_query(
	struct store *s, void (*work)(void *context, struct store_reader *r), void (*done)(void *context), void *context)
{
	ask_query(memory_of(s), reader_query(work, done, context));
}

static void memory_stats(struct store *s, struct store_stats *out)
{
	*out = memory_of(s)->stats;
	out->epoch = s->epoch;
}

static void data_unref(struct memory_data *d)
{
	if (--d->refs)
		return;
	for (int i = 0; i < STORE_TABLES; i++)
		rows_fini(&d->tables[i]);
	free(d);
}

static void memory_free(struct memory *m)
{
	deliver_fini(&m->deliver);
	data_unref(m->data);
	free(m);
}

static void memory_close(struct store *s)
{
	struct memory *m = memory_of(s);
	while (m->waiting.first)
		memory_flush(s);
	while (m->stats.pending_batches)
		deliver_run(&m->deliver);
	memory_free(m);
	batch_forget_kept();
}

static enum errcode memory_snapshot(struct store *s, struct store_reader **out, struct err *e)
{
	return err_set(e, E_STATE, "the memory store keeps nothing that could be copied");
}

static const struct store_ops memory_ops = {
	.name = "memory",
	.close = memory_close,
	.commit = memory_commit,
	.load = memory_load,
	.read = memory_read,
	.list = memory_list,
	.query = memory_query,
	.stats = memory_stats,
	.scan = memory_scan,
	.snapshot = memory_snapshot,
	.flush = memory_flush,
};

static struct store *open_on(struct loop *loop, struct memory_data *d)
{
	struct memory *m = NEW(struct memory);
	d->refs++;
	m->data = d;
	m->store = (struct store){&memory_ops, ++d->epoch};
	deliver_init(&m->deliver, loop);
	request_list_init(&m->waiting);
	return &m->store;
}

enum errcode store_memory_open(struct loop *loop, struct store **out, struct err *e)
{
	*out = open_on(loop, NEW(struct memory_data));
	return E_OK;
}

void store_memory_again(struct store *s, struct store **out)
{
	*out = open_on(memory_of(s)->deliver.loop, memory_of(s)->data);
}

/* Without its `done` and thens: nobody is left to be told. */
static void drop(struct memory *m, struct request *r, bool durable)
{
	if (r->run == run_query) {
		struct memory_query *q = container_of(r, struct memory_query, request);
		free(q->asked);
		free(q);
		return;
	}
	struct store_batch *b = container_of(r, struct store_batch, request);
	if (durable)
		apply(m, b);
	store_batch_free(b);
}

void store_memory_crash(struct store *s, unsigned durable, struct store **out)
{
	struct memory *m = memory_of(s);
	assert(!m->deliver.loop);
	for (struct request *r; (r = request_list_take(&m->waiting)); durable -= durable > 0)
		drop(m, r, durable > 0);
	store_memory_again(s, out);
	memory_free(m);
}

void store_memory_set_full(struct store *s, bool full)
{
	memory_of(s)->data->full = full;
}
