/* How the end of a job becomes the end of its batch: in one store batch. */
#include "batch/parts.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "job/job_record.h"

#include <stdlib.h>

enum { THEN_MEMBERS_MAX = 32 };

void batch_put(const struct batch *t, struct store_batch *b)
{
	struct batch_record r;
	scoped(buf_fini) struct buf head = {0}, failed_ids = {0};
	batch_fill(t, &t->decided, &r, &failed_ids);
	batch_record_encode(&r, &head);
	store_batch_put_head(b, STORE_BATCH, (struct store_key){.id = t->id}, buf_bytes(&head));
}

bool batch_is_complete(const struct batch *t)
{
	bool last = t->closed || t->state == BATCH_CANCELLING;
	return last && !t->adding && !t->over && batch_ended(&t->decided) == t->total;
}

/* ── what follows ── */

static void read_definition(const struct batch *t, struct buf *body, struct batch_definition *d)
{
	*d = (struct batch_definition){0};
	if (t->set->o.store->ops->read(t->set->o.store, STORE_BATCH, (struct store_key){.id = t->id}, NULL, body, NULL) ==
		E_OK)
		batch_definition_decode(buf_bytes(body), d, NULL);
}

/* The job as it was given; its input becomes {"batch": how the batch ended, "input": what was given}. */
static void then_text(struct bytes given, struct bytes members, struct buf *out)
{
	struct json_member m[THEN_MEMBERS_MAX];
	size_t n = 0;
	json_span_members(given, m, THEN_MEMBERS_MAX, &n, NULL); /* it was read when the batch was made */
	const struct bytes *input = json_span_find(m, n, "input");
	buf_text(out, "{\"input\":{\"batch\":{");
	buf_add(out, members.data, members.size);
	buf_text(out, "},\"input\":");
	buf_add(out, input ? input->data : "null", input ? input->size : 4);
	buf_text(out, "}");
	for (size_t i = 0; i < n; i++) {
		if (&m[i].value == input)
			continue;
		buf_format(out, ",\"%.*s\":", (int)m[i].key.size, m[i].key.data);
		buf_add(out, m[i].value.data, m[i].value.size);
	}
	buf_text(out, "}");
}

static void say_members(const struct batch *t, struct buf *out)
{
	struct batch_record r;
	scoped(buf_fini) struct buf failed_ids = {0};
	batch_fill(t, &t->decided, &r, &failed_ids);
	batch_add_members(&r, t->id, batch_status(t->state, true), (struct job_counts){0}, out);
}

static void submit_then(struct batch *t, struct bytes then, struct store_batch *b)
{
	scoped(buf_fini) struct buf members = {0}, text = {0};
	if (!then.size || t->state != BATCH_COMPLETED || !t->set->o.submit)
		return;
	say_members(t, &members);
	then_text(then, buf_bytes(&members), &text);
	t->then_id = t->set->o.submit(t->set->o.context, bytes_of(t->namespace), buf_bytes(&text), b);
}

static void add_callback(struct batch *t, struct bytes target, struct store_batch *b)
{
	static const char *const types[] = {
		[BATCH_COMPLETED] = "batch.completed", [BATCH_FAILED] = "batch.failed", [BATCH_CANCELLED] = "batch.cancelled"};
	scoped(buf_fini) struct buf members = {0};
	if (!target.size)
		return;
	say_members(t, &members);
	callbacks_add(t->set->o.callbacks, b,
		&(struct callback_spec){.target = target,
			.type = types[t->state],
			.namespace = bytes_of(t->namespace),
			.batch_id = t->id,
			.members = buf_bytes(&members)});
}

/* ── the end ── */

static struct batch_wait *next_waiter(struct batches *bs, uint64_t id)
{
	list_each(&bs->waits, at)
	{
		struct batch_wait *w = container_of(at, struct batch_wait, link);
		if (w->id == id)
			return w;
	}
	return NULL;
}

/* From the beginning after each: whoever is told may free this wait, and others. */
static void tell_waiters(struct batches *bs, uint64_t id)
{
	for (struct batch_wait *w; (w = next_waiter(bs, id));) {
		list_remove(&w->link);
		w->over(w->context);
	}
}

static void count(struct batches_stats *s, enum batch_state state)
{
	s->completed_total += state == BATCH_COMPLETED;
	s->failed_total += state == BATCH_FAILED;
	s->cancelled_total += state == BATCH_CANCELLED;
}

/* After the hooks of its last job. Whatever fails here ends the engine: a full disk only delays (queue.h). */
static void end_stored(void *context, enum errcode code)
{
	struct batch *t = context;
	struct batches *bs = t->set;
	uint64_t id = t->id;
	if (code)
		return;
	t->gone = true;
	count(&bs->stats, t->state);
	if (bs->o.changed)
		bs->o.changed(bs->o.context, id, bytes_of(t->namespace), batch_status(t->state, true), 100);
	if (!t->cancel.busy)
		batch_free(t);
	tell_waiters(bs, id);
}

void batch_end(struct batch *t, struct store_batch *b)
{
	struct batch_definition d;
	scoped(buf_fini) struct buf body = {0};
	const struct batch_counts *c = &t->decided;
	read_definition(t, &body, &d);
	if (t->state == BATCH_CANCELLING)
		t->state = BATCH_CANCELLED;
	else
		t->state = c->failed + c->cancelled > t->max_failures ? BATCH_FAILED : BATCH_COMPLETED;
	t->over = true;
	t->finished_at_ms = queues_now(t->set->o.queues);
	submit_then(t, d.then, b);
	add_callback(t, d.callback, b);
	batch_put(t, b);
	store_batch_then(b, end_stored, t);
}

void batch_end_if_complete(struct batch *t)
{
	if (!batch_is_complete(t))
		return;
	struct store_batch *b = store_batch_new();
	batch_end(t, b);
	queues_commit(t->set->o.queues, b, NULL, NULL);
}

/* ── hooks of the queue ── */

void batches_ending(struct batches *bs, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	struct batch *t = batch_find(bs, job_batch(j));
	if (!t || t->over)
		return;
	t->decided.completed += o->end == END_COMPLETED;
	t->decided.cancelled += o->end == END_CANCELLED;
	t->decided.failed += o->end == END_FAILED;
	if (o->end == END_FAILED && t->failed_n < BATCH_FAILED_MAX)
		t->failed_ids[t->failed_n++] = j->id;
	if (batch_is_complete(t))
		batch_end(t, b);
	else
		batch_put(t, b);
}

void batches_ended(struct batches *bs, struct job *j, const struct job_outcome *o)
{
	struct batch *t = batch_find(bs, job_batch(j));
	if (!t)
		return;
	t->durable.completed += o->end == END_COMPLETED;
	t->durable.cancelled += o->end == END_CANCELLED;
	t->durable.failed += o->end == END_FAILED;
	batch_news(t);
}
