#include "store/reader.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

static void finish(struct request *r)
{
	struct reader_request *q = container_of(r, struct reader_request, request);
	if (q->visit)
		q->listed(q->context, q->code);
	else
		q->worked(q->context);
	free(q);
}

struct reader_request *reader_list(
	const struct store_range *range, store_visit *visit, void (*done)(void *context, enum errcode code), void *context)
{
	struct reader_request *q = NEW(struct reader_request);
	assert(range->from.text.size <= sizeof q->text);
	*q = (struct reader_request){
		.request.run = finish, .range = *range, .visit = visit, .listed = done, .context = context};
	if (range->from.text.size)
		memcpy(q->text, range->from.text.data, range->from.text.size);
	q->range.from.text.data = q->text;
	return q;
}

struct reader_request *reader_query(
	void (*work)(void *context, struct store_reader *r), void (*done)(void *context), void *context)
{
	struct reader_request *q = NEW(struct reader_request);
	q->request.run = finish;
	q->work = work;
	q->worked = done;
	q->context = context;
	return q;
}

void reader_do(struct reader_request *q, struct store_reader *r)
{
	if (q->visit)
		q->code = r->scan(r, &q->range, q->visit, q->context, NULL);
	else
		q->work(q->context, r);
}

enum errcode store_reader_get(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
	struct buf *body, struct err *e)
{
	return r->get(r, table, key, head, body, e);
}

enum errcode store_reader_scan(
	struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e)
{
	return r->scan(r, range, visit, context, e);
}

void store_snapshot_close(struct store_reader *r)
{
	if (r)
		r->close(r);
}
