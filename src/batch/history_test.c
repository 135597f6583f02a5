/* history_test.c - random histories of batches: crashes with any part of the waiting commits on disk, full disks, cancels. A model knows
 * what was acknowledged; in the end every batch must have ended as it says, and have been followed exactly once. */
#include "batch/batches.h"

#include "base/mem.h"
#include "wire/id.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SEEDS = 400, STEPS = 400, MODELS = 64 };

struct model {
	uint64_t id;
	uint64_t acknowledged; /* jobs */
	uint64_t sent; /* by requests under way */
	bool open, cancelled; /* as acknowledged */
	bool maybe_cancelled; /* asked, and nobody heard how it went */
};

struct world {
	struct list requests; /* under way */
	uint64_t random;
	int64_t now;
	struct store *store;
	struct queues *qs;
	struct callbacks *cs;
	struct batches *bs;
	struct model models[MODELS];
	size_t n;
	bool full;
	unsigned long crashes, ends;
};

struct request { /* of a client that an engine's death leaves without an answer */
	struct list link; /* in world.requests; first member */
	struct world *w;
	size_t model;
	size_t jobs;
	enum { CREATE, ADD, CLOSE, CANCEL } what;
};

static uint64_t dice(struct world *w, uint64_t n)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % n;
}

/* ── the engine ── */

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	batches_ending(((struct world *)context)->bs, j, o, b);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	struct world *w = context;
	w->ends += job_batch(j) != 0;
	batches_ended(w->bs, j, o);
}

static void on_joining(void *context, uint64_t id, const uint64_t *ids, size_t n, struct store_batch *b)
{
	batches_joining(((struct world *)context)->bs, id, ids, n, b);
}

static void on_send(void *context, struct callback_request *r)
{
	callback_request_free(r); /* never answered */
}

static uint64_t on_submit(void *context, struct bytes namespace, struct bytes text, struct store_batch *b)
{
	struct world *w = context;
	struct job_spec s;
	job_spec_init(&s);
	s.capability = bytes_of("after");
	s.input = text;
	return queues_submit_in(w->qs, b, &s, w->now);
}

static void open_all(struct world *w)
{
	struct queue_hooks hooks = {.context = w, .ending = on_ending, .ended = on_ended, .joining = on_joining};
	w->qs = queues_new(w->store, 1, w->random, &hooks);
	struct callbacks_options co = {
		.store = w->store, .queues = w->qs, .limits = callback_default_limits, .context = w, .send = on_send};
	w->cs = callbacks_new(&co);
	struct batches_options o = {.store = w->store,
		.queues = w->qs,
		.callbacks = w->cs,
		.keep_ms = INT64_MAX / 2,
		.context = w,
		.submit = on_submit};
	w->bs = batches_new(&o);
	assert_int_equal(queues_load(w->qs, w->now, NULL), E_OK);
	assert_int_equal(callbacks_load(w->cs, w->now, NULL), E_OK);
	assert_int_equal(batches_load(w->bs, w->now, NULL), E_OK);
}

static void close_all(struct world *w)
{
	batches_free(w->bs);
	callbacks_free(w->cs);
	queues_free(w->qs);
}

static void crash(struct world *w)
{
	struct store *next;
	struct store_stats s;
	w->store->ops->stats(w->store, &s);
	store_memory_crash(w->store, w->full ? 0 : (unsigned)dice(w, s.pending_batches + 1), &next);
	close_all(w);
	w->store = next;
	w->crashes++;
	list_each(&w->requests, at) free(at);
	list_init(&w->requests);
	open_all(w);
}

/* ── the clients ── */

static void answered(void *context, const struct batch_reply *r)
{
	struct request *q = context;
	struct model *m = &q->w->models[q->model];
	if (q->what == CREATE)
		m->id = r->code ? 0 : r->id;
	m->sent -= q->jobs;
	if (r->code == E_OK) {
		m->acknowledged += q->jobs;
		m->open &= q->what != CLOSE;
		m->cancelled |= q->what == CANCEL;
	}
	list_remove(&q->link);
	free(q);
}

static struct request *request_new(struct world *w, size_t model, size_t jobs, int what)
{
	struct request *q = NEW(struct request);
	*q = (struct request){.w = w, .model = model, .jobs = jobs, .what = what};
	list_append(&w->requests, &q->link);
	w->models[model].sent += jobs;
	return q;
}

static void jobs_of(struct job_spec *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		job_spec_init(&jobs[i]);
		jobs[i].capability = bytes_of("work");
		jobs[i].input = bytes_of("{}");
	}
}

static void ask(struct world *w, enum errcode code, struct request *q)
{
	if (!code)
		return;
	w->models[q->model].sent -= q->jobs;
	list_remove(&q->link);
	free(q);
}

static void create(struct world *w)
{
	struct job_spec jobs[4];
	size_t n = dice(w, 5);
	if (w->n == MODELS)
		return;
	struct model *m = &w->models[w->n++];
	*m = (struct model){.open = n == 0 || dice(w, 2)};
	jobs_of(jobs, n);
	struct batch_spec spec = {.open = m->open,
		.max_failures = dice(w, 3),
		.then = bytes_of("{\"capability\":\"after\"}"),
		.callback = bytes_of("{\"url\":\"http://h/\"}")};
	struct request *q = request_new(w, w->n - 1, n, CREATE);
	ask(w, batches_create(w->bs, &spec, jobs, n, w->now, answered, q, NULL), q);
}

static void change(struct world *w, int what)
{
	struct job_spec jobs[4];
	if (!w->n)
		return;
	size_t i = dice(w, w->n), n = what == ADD ? 1 + dice(w, 4) : 0;
	struct model *m = &w->models[i];
	if (!m->id)
		return;
	jobs_of(jobs, n);
	struct request *q = request_new(w, i, n, what);
	if (what == ADD)
		ask(w, batches_add(w->bs, m->id, jobs, n, w->now, answered, q, NULL), q);
	else if (what == CLOSE)
		ask(w, batches_close(w->bs, m->id, answered, q, NULL), q);
	else {
		enum errcode code = batches_cancel(w->bs, m->id, answered, q, NULL);
		m->maybe_cancelled |= !code;
		ask(w, code, q);
	}
}

/* ── the workers ── */

static bool work(struct world *w)
{
	static const struct job_error never = {"NO", "no", 0}, again = {"BUSY", "again", 1};
	struct job *j = queue_lease(queues_get(w->qs, (struct bytes){0}, bytes_of("work")), w->now, w);
	if (!j)
		return false;
	uint64_t fence = job_fence(w->qs, j);
	if (dice(w, 6) == 0)
		queue_fail(w->qs, j->id, fence, dice(w, 2) ? &never : &again, w->now, NULL, NULL, NULL);
	else if (dice(w, 8) == 0)
		queue_cancel(w->qs, j->id, w->now, NULL, NULL, NULL);
	else
		queue_complete(w->qs, j->id, fence, bytes_of("1"), w->now, NULL, NULL, NULL);
	return true;
}

static void tick(struct world *w)
{
	w->now += 1 + (int64_t)dice(w, 2000);
	queues_tick(w->qs, w->now);
	callbacks_tick(w->cs, w->now);
	batches_tick(w->bs, w->now);
}

static void step(struct world *w)
{
	static const int what[] = {ADD, ADD, CLOSE, CANCEL};
	switch (dice(w, 12)) {
	case 0:
		create(w);
		break;
	case 1:
	case 2:
		change(w, what[dice(w, 4)]);
		break;
	case 3:
		store_flush(w->store);
		break;
	case 4:
		tick(w);
		break;
	case 5:
		if (dice(w, 6) == 0)
			crash(w);
		break;
	case 6:
		if (dice(w, 8) == 0)
			store_memory_set_full(w->store, w->full = !w->full);
		break;
	default:
		work(w);
	}
}

/* ── what must be true in the end ── */

static void drain(struct world *w)
{
	store_memory_set_full(w->store, w->full = false);
	for (int i = 0; i < 60; i++) {
		tick(w);
		for (int f = 0; f < 4; f++)
			store_flush(w->store);
		while (work(w))
			;
	}
	for (size_t i = 0; i < w->n; i++) {
		if (w->models[i].id && w->models[i].open) {
			struct request *q = request_new(w, i, 0, CLOSE);
			ask(w, batches_close(w->bs, w->models[i].id, answered, q, NULL), q);
		}
	}
	for (int i = 0; i < 60; i++) {
		tick(w);
		for (int f = 0; f < 4; f++)
			store_flush(w->store);
	}
}

struct count {
	uint64_t id;
	size_t n;
};

/* The `then` jobs and the callbacks name the batch in what they say. */
static bool count_naming(void *context, const struct store_row *row)
{
	struct count *c = context;
	char text[ID_TEXT_SIZE + 20];
	char id[ID_TEXT_SIZE];
	id_format(c->id, id);
	snprintf(text, sizeof text, "\"batch_id\":\"%s\"", id);
	c->n += memmem(row->body.data, row->body.size, text, strlen(text)) != NULL;
	return true;
}

static size_t rows_naming(struct world *w, enum store_table table, uint64_t id)
{
	struct count c = {.id = id};
	struct store_range range = {.table = table, .bodies = true};
	assert_int_equal(w->store->ops->scan(w->store, &range, count_naming, &c, NULL), E_OK);
	return c.n;
}

static void check(struct world *w, const struct model *m, uint64_t seed)
{
	struct buf out = {0};
	const char *status;
	int total, completed, failed, cancelled, allowed;
	if (batches_show(w->bs, m->id, &out, NULL) != E_OK)
		fail_msg("seed %llu: an acknowledged batch is gone", (unsigned long long)seed);
	json_t *j = json_loadb(out.data, out.size, 0, NULL);
	json_unpack(j, "{s:s, s:i, s:{s:i, s:i, s:i, s:i}}", "status", &status, "max_failures", &allowed, "counts", "total",
		&total, "completed", &completed, "failed", &failed, "cancelled", &cancelled);
	bool good = !batches_lives(w->bs, m->id) && total == completed + failed + cancelled;
	good &= (uint64_t)total >= m->acknowledged && (uint64_t)total <= m->acknowledged + m->sent;
	bool is_cancelled = strcmp(status, "cancelled") == 0;
	good &= is_cancelled ? m->maybe_cancelled : !m->cancelled;
	bool should_complete = failed + cancelled <= allowed;
	good &= is_cancelled || strcmp(status, should_complete ? "completed" : "failed") == 0;
	size_t followed = rows_naming(w, STORE_JOB, m->id), told = rows_naming(w, STORE_CALLBACK, m->id);
	good &= told == 1 && followed == (strcmp(status, "completed") == 0);
	if (!good)
		fail_msg("seed %llu: acknowledged %llu and perhaps %llu more; followed by %zu, told %zu: %s",
			(unsigned long long)seed, (unsigned long long)m->acknowledged, (unsigned long long)m->sent, followed, told,
			out.data);
	json_decref(j);
	buf_fini(&out);
}

static void every_batch_ends_once_as_its_jobs_did_whatever_happens(void **state)
{
	unsigned long crashes = 0, ends = 0, batches = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = {.random = seed, .now = 1760000000000};
		list_init(&w.requests);
		store_memory_open(NULL, &w.store, NULL);
		open_all(&w);
		for (int i = 0; i < STEPS; i++)
			step(&w);
		drain(&w);
		for (size_t i = 0; i < w.n; i++) {
			if (w.models[i].id)
				check(&w, &w.models[i], seed);
			batches += w.models[i].id != 0;
		}
		crashes += w.crashes;
		ends += w.ends;
		store_close(w.store);
		close_all(&w);
	}
	print_message("%lu batches, %lu ends of their jobs, %lu crashes\n", batches, ends, crashes);
	assert_true(crashes > SEEDS && ends > 10 * SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_batch_ends_once_as_its_jobs_did_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
