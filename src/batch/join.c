/* How jobs come into a batch: made with it, or added while it is open; and how it is closed. What a full disk refuses here was
 * never there: these requests are not kept and tried again, for somebody waits to hear of them. */
#include "batch/parts.h"

#include "base/mem.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <stdlib.h>

struct joining { /* one request */
	struct list link; /* in batches.requests; first member: batches_free frees it by this */
	struct batch *batch;
	size_t n; /* new jobs */
	bool creates, closes;
	batch_done *done;
	void *context;
};

static struct joining *joining_new(struct batch *t, size_t n, batch_done *done, void *context)
{
	struct joining *g = NEW(struct joining);
	*g = (struct joining){.batch = t, .n = n, .done = done, .context = context};
	list_append(&t->set->requests, &g->link);
	t->adding++;
	return g;
}

/* The batch may be freed by it: it comes last. */
static void finished(struct joining *g, enum errcode code, const struct submit_reply *jobs)
{
	struct batch *t = g->batch;
	struct batch_reply reply = {.code = code, .id = t->id, .jobs = jobs};
	list_remove(&g->link);
	t->adding--;
	t->closing &= !g->closes;
	if (code) {
		t->total -= g->n;
	} else {
		t->stored = true;
		t->closed |= g->closes;
		batch_news(t);
	}
	g->done(g->context, &reply);
	if (code && g->creates)
		batch_free(t);
	else
		batch_end_if_complete(t); /* also when what was refused was all that it waited for */
	free(g);
}

/* ── rows ── */

static void put_total(const struct batch *t, bool closed, struct store_batch *b)
{
	scoped(buf_fini) struct buf head = {0};
	member_record_encode(&(struct member_record){t->total, closed}, &head);
	store_batch_put(b, STORE_MEMBER, (struct store_key){.id = t->id}, buf_bytes(&head), (struct bytes){0});
}

static void put_new(const struct batch *t, const struct batch_spec *spec, struct store_batch *b)
{
	struct batch_record r;
	scoped(buf_fini) struct buf head = {0}, body = {0}, failed_ids = {0};
	batch_fill(t, &t->decided, &r, &failed_ids);
	batch_record_encode(&r, &head);
	batch_definition_encode(&(struct batch_definition){spec->callback, spec->then}, &body);
	store_batch_put(b, STORE_BATCH, (struct store_key){.id = t->id}, buf_bytes(&head), buf_bytes(&body));
}

void batches_joining(struct batches *bs, uint64_t id, const uint64_t *ids, size_t n, struct store_batch *b)
{
	struct batch *t = bs->joining;
	bs->joined_n = n;
	t->total += n;
	if (bs->making)
		put_new(t, bs->making, b);
	put_total(t, bs->making && !bs->making->open, b);
	for (size_t i = 0; i < n; i++)
		store_batch_put(
			b, STORE_MEMBER, (struct store_key){.id = id, .sub = ids[i]}, (struct bytes){0}, (struct bytes){0});
}

bool batches_joined(struct batches *bs, uint64_t id, uint64_t job_id)
{
	const struct job *j = queues_find(bs->o.queues, job_id);
	if (j)
		return job_batch(j) == id;
	return bs->o.store->ops->read(
			   bs->o.store, STORE_MEMBER, (struct store_key){.id = id, .sub = job_id}, NULL, NULL, NULL) == E_OK;
}

/* ── requests ── */

static enum errcode check_job(const struct batch *t, const struct job_spec *job, struct err *e)
{
	int size = (int)(job->namespace.size < 64 ? job->namespace.size : 64);
	if (job->unique.states)
		return err_set(e, E_INVALID, "unique: a job of a batch cannot be one that is there already");
	if (job->namespace.size && !bytes_equal(job->namespace, bytes_of(t->namespace)))
		return err_set(
			e, E_INVALID, "namespace \"%.*s\": the batch is in \"%s\"", size, job->namespace.data, t->namespace);
	return E_OK;
}

static enum errcode check_jobs(const struct batch *t, const struct job_spec *jobs, size_t n, struct err *e)
{
	if (t->total + n > BATCH_JOBS_MAX)
		return err_set(e, E_LIMIT, "%zu jobs: the batch has %llu already, at most %d may be in one", n,
			(unsigned long long)t->total, BATCH_JOBS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (check_job(t, &jobs[i], e) != E_OK)
			return err_prefix(e, "job %zu of %zu", i + 1, n);
	}
	return E_OK;
}

static void submitted(void *context, const struct submit_reply *reply)
{
	finished(context, reply->code, reply);
}

static enum errcode submit(struct batch *t, struct job_spec *jobs, size_t n, const struct batch_spec *made,
	int64_t now_ms, batch_done *done, void *context, struct err *e)
{
	struct batches *bs = t->set;
	enum errcode code = check_jobs(t, jobs, n, e);
	if (code)
		return code;
	for (size_t i = 0; i < n; i++) {
		jobs[i].batch_id = t->id;
		if (!jobs[i].namespace.size)
			jobs[i].namespace = bytes_of(t->namespace);
	}
	struct joining *g = joining_new(t, 0, done, context);
	g->creates = made != NULL;
	g->closes = made && !made->open;
	bs->joining = t;
	bs->making = made;
	bs->joined_n = 0;
	code = queues_submit(bs->o.queues, jobs, n, now_ms, submitted, g, e);
	g->n = bs->joined_n;
	bs->joining = NULL;
	bs->making = NULL;
	if (code) {
		list_remove(&g->link);
		free(g);
		t->adding--;
	}
	return code;
}

static void committed(void *context, enum errcode code)
{
	finished(context, code, NULL);
}

static void commit(struct batch *t, struct store_batch *b, bool creates, bool closes, batch_done *done, void *context)
{
	struct joining *g = joining_new(t, 0, done, context);
	g->creates = creates;
	g->closes = closes;
	store_commit(t->set->o.store, b, committed, g);
}

enum errcode batches_create(struct batches *bs, const struct batch_spec *spec, struct job_spec *jobs, size_t n,
	int64_t now_ms, batch_done *done, void *context, struct err *e)
{
	if (bs->stats.live >= BATCH_LIVE_MAX)
		return err_set(
			e, E_LIMIT, "%d batches are live already; one more may begin when one of them is over", BATCH_LIVE_MAX);
	if (!n && !spec->open)
		return err_set(e, E_INVALID, "a batch without jobs: \"open\": true if they will be added");
	if (spec->name.size > JOB_NAME_MAX)
		return err_set(e, E_INVALID, "name: has %zu bytes, must have at most %d", spec->name.size, JOB_NAME_MAX);
	if (spec->then.size > BATCH_THEN_MAX_BYTES)
		return err_set(
			e, E_TOO_LARGE, "then: has %zu bytes, must have at most %d", spec->then.size, BATCH_THEN_MAX_BYTES);
	enum errcode code = spec->namespace.size ? job_name_check("namespace", spec->namespace, e) : E_OK;
	if (code)
		return code;
	struct bytes namespace = spec->namespace.size ? spec->namespace : bytes_of("default");
	struct batch *t = batch_new(bs, queues_next_id(bs->o.queues, now_ms), namespace, spec->name);
	t->created_at_ms = now_ms;
	t->max_failures = spec->max_failures;
	if (n) {
		code = submit(t, jobs, n, spec, now_ms, done, context, e);
		if (code)
			batch_free(t);
		return code;
	}
	struct store_batch *b = store_batch_new();
	put_new(t, spec, b);
	put_total(t, false, b);
	commit(t, b, true, false, done, context);
	return E_OK;
}

static enum errcode find_open(struct batches *bs, uint64_t id, struct batch **out, struct err *e)
{
	char text[ID_TEXT_SIZE];
	struct batch *t = batch_find(bs, id);
	id_format(id, text);
	if (!t || !t->stored || t->over)
		return batch_unknown(bs, id, e);
	if (t->closed || t->closing || t->state != BATCH_RUNNING)
		return err_set(e, E_STATE, "batch %s: is %s; only an open one takes jobs and can be closed", text,
			t->closed || t->closing ? "closed already" : "being cancelled");
	*out = t;
	return E_OK;
}

enum errcode batches_add(struct batches *bs, uint64_t id, struct job_spec *jobs, size_t n, int64_t now_ms,
	batch_done *done, void *context, struct err *e)
{
	struct batch *t;
	enum errcode code = find_open(bs, id, &t, e);
	return code ? code : submit(t, jobs, n, NULL, now_ms, done, context, e);
}

enum errcode batches_close(struct batches *bs, uint64_t id, batch_done *done, void *context, struct err *e)
{
	struct batch *t;
	enum errcode code = find_open(bs, id, &t, e);
	if (code)
		return code;
	if (t->adding)
		return err_set(e, E_STATE, "the batch is being changed: close it when those requests have been answered");
	t->closing = true;
	struct store_batch *b = store_batch_new();
	put_total(t, true, b);
	commit(t, b, false, true, done, context);
	return E_OK;
}
