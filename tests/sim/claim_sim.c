/* claim_sim [--seed N] [--seeds N] [--steps N] [--trace]: pull clients that die, are slow, and come back, over the real queue, on
 * disks that are full and engines that die.
 *
 * Beside queue_sim, and in its manner: one seed gives one history, and its hash is printed. What must be true after each step:
 *  - a job is granted to nobody while another's lease, as it was promised to him, has not run out, and he has not given it up
 *  - who was promised a lease is not refused before its end, unless the job was taken back; who has not the last fence is refused
 *  - a client that has gone is granted nothing
 *  - every acknowledged job ends once; when all is over no row of a claim is left */
#include "base/idmap.h"
#include "base/mem.h"
#include "claim/claim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 5, QUEUES = 2, JOBS_MAX = 1 << 12, LIVE_MOST = 40, HELD_MAX = 24, LEASE_MS = 10000 };

struct job_model {
	uint64_t id, fence; /* the last one that was granted */
	bool told, ended, promised;
	int client; /* whom it is promised to */
	int64_t until_ms;
};

struct held {
	struct job_model *job;
	uint64_t fence;
};

struct client {
	struct world *w;
	int number;
	struct claim_wait *wait;
	bool gone;
	struct held held[HELD_MAX]; /* what it believes to have; the oldest go */
	unsigned held_n;
};

struct submitting { /* context of a submit; the engine that dies never calls it */
	struct submitting *next;
	struct world *w;
	struct job_model *job;
};

struct world {
	uint64_t seed, random, hash, step;
	bool trace, full, want;
	int64_t now_ms, wake_at_ms;
	struct store *store;
	struct queues *qs;
	struct claims *c;
	struct queue *queues[QUEUES];
	struct client clients[CLIENTS];
	struct job_model jobs[JOBS_MAX];
	unsigned job_n, ended_n;
	struct idmap by_id;
	struct submitting *submits;
	uint64_t granted, completed, expired, crashes;
};

/* ── chance and trouble ── */

static uint64_t draw(struct world *w, uint64_t below)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

static void note(struct world *w, const char *what, uint64_t a, uint64_t b)
{
	for (const char *at = what; *at; at++)
		w->hash = (w->hash ^ (unsigned char)*at) * 0x100000001b3;
	w->hash = ((w->hash ^ a) * 0x100000001b3 ^ b) * 0x100000001b3;
	if (w->trace)
		printf("# %" PRIu64 " %" PRId64 " %s %" PRIu64 " %" PRIu64 "\n", w->step, w->now_ms, what, a, b);
}

static _Noreturn void broken(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void broken(struct world *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("not ok 1 - seed %" PRIu64 ", step %" PRIu64 ": ", w->seed, w->step);
	vprintf(format, args);
	printf("\n1..1\n");
	exit(1);
}

static struct job_model *model_of(struct world *w, uint64_t id)
{
	struct job_model *m = idmap_get(&w->by_id, id);
	if (!m)
		broken(w, "job %" PRIu64 " was never submitted", id);
	return m;
}

/* ── the engine ── */

static int64_t now_ms(void *world)
{
	return ((struct world *)world)->now_ms;
}

static void want_turn(void *world)
{
	((struct world *)world)->want = true;
}

static void wake(void *world, int64_t at_ms)
{
	struct world *w = world;
	if (!w->wake_at_ms || at_ms < w->wake_at_ms)
		w->wake_at_ms = at_ms;
}

static void on_expired(void *world, const struct claim_view *v, struct bytes why)
{
	struct world *w = world;
	struct job_model *m = model_of(w, v->job->id);
	if (m->promised && w->now_ms < m->until_ms)
		broken(w, "job %" PRIu64 ": its lease ran out too early", m->id);
	m->promised = false;
	w->expired++;
	note(w, "expired", m->id, 0);
}

static void on_ready(void *world, struct queue *q)
{
	struct world *w = world;
	if (w->c)
		claims_ready(w->c, q);
}

static void on_revoke(void *world, struct job *j, enum revoke_reason why)
{
	struct world *w = world;
	if (!claims_revoke(w->c, j))
		broken(w, "job %" PRIu64 ": taken back from nobody", j->id);
	model_of(w, j->id)->promised = false;
	note(w, "revoked", j->id, why);
}

static void on_ended(void *world, struct job *j, const struct job_outcome *o)
{
	struct world *w = world;
	struct job_model *m = model_of(w, j->id);
	if (m->ended)
		broken(w, "job %" PRIu64 " ended twice", m->id);
	m->ended = true;
	m->promised = false;
	w->ended_n++;
	note(w, "ended", m->id, o->end);
}

static void open_engine(struct world *w)
{
	static const char *const names[QUEUES] = {"one", "two"};
	struct queue_hooks hooks = {.context = w, .ready = on_ready, .revoke = on_revoke, .ended = on_ended};
	struct claim_calls calls = {w, now_ms, want_turn, wake, on_expired};
	struct err e;
	w->qs = queues_new(w->store, 0, w->seed, &hooks);
	if (queues_load(w->qs, w->now_ms, &e))
		broken(w, "%s", e.text);
	w->c = claims_new(w->qs, w->store, &calls);
	if (claims_load(w->c, &e))
		broken(w, "%s", e.text);
	for (int i = 0; i < QUEUES; i++)
		w->queues[i] = queues_get(w->qs, bytes_of("default"), bytes_of(names[i]));
}

/* What had ended durably, and nobody was told. */
static void learn_ends(struct world *w)
{
	for (unsigned i = 0; i < w->job_n; i++) {
		struct job_model *m = &w->jobs[i];
		struct store_key key = {.id = m->id};
		if (m->ended || queues_find(w->qs, m->id))
			continue;
		m->ended = w->store->ops->read(w->store, STORE_DONE, key, NULL, NULL, NULL) == E_OK ||
				   w->store->ops->read(w->store, STORE_DEAD, key, NULL, NULL, NULL) == E_OK;
		if (m->told && !m->ended)
			broken(w, "job %" PRIu64 " was acknowledged and is lost", m->id);
		w->ended_n++; /* or it was never durable */
		m->ended = true;
		m->promised = false;
	}
}

static void turn(struct world *w)
{
	w->want = false;
	claims_turn(w->c);
}

static void forget_submits(struct world *w)
{
	for (struct submitting *s; (s = w->submits);) {
		w->submits = s->next;
		free(s);
	}
}

static void crash(struct world *w)
{
	struct store *next;
	uint64_t durable = draw(w, 6);
	note(w, "crash", durable, 0);
	store_memory_crash(w->store, (unsigned)durable, &next);
	claims_free(w->c);
	w->c = NULL;
	queues_free(w->qs);
	forget_submits(w);
	w->store = next;
	for (int i = 0; i < CLIENTS; i++) {
		w->clients[i].wait = NULL; /* its connection broke */
		w->clients[i].gone = false;
	}
	store_memory_set_full(w->store, w->full);
	w->crashes++;
	open_engine(w);
	learn_ends(w);
}

/* ── clients ── */

static bool there(void *context)
{
	return !((struct client *)context)->gone;
}

static void receive(struct client *x, const struct claim_grant *g)
{
	struct world *w = x->w;
	struct job_model *m = model_of(w, g->job->id);
	if (x->gone)
		broken(w, "client %d has gone, and is granted job %" PRIu64, x->number, m->id);
	if (m->promised && w->now_ms < m->until_ms)
		broken(w, "job %" PRIu64 " is granted to client %d, and promised to %d", m->id, x->number, m->client);
	if (g->fence <= m->fence || m->ended)
		broken(w, "job %" PRIu64 ": fence %" PRIu64 " after %" PRIu64, m->id, g->fence, m->fence);
	*m = (struct job_model){m->id, g->fence, m->told, false, true, x->number, g->until_ms};
	if (x->held_n == HELD_MAX)
		memmove(x->held, x->held + 1, --x->held_n * sizeof *x->held);
	x->held[x->held_n++] = (struct held){m, g->fence};
	w->granted++;
	note(w, "granted", m->id, (uint64_t)x->number);
}

static void done(void *context, enum errcode code, const struct claim_grant *grants, size_t n)
{
	struct client *x = context;
	x->wait = NULL;
	for (size_t i = 0; i < n; i++)
		receive(x, &grants[i]);
	x->gone = false;
}

static void ask(struct client *x)
{
	struct world *w = x->w;
	struct claim_ask a = {.queues = w->queues,
		.queue_n = 1 + draw(w, QUEUES),
		.client = "sim",
		.max = 1 + (unsigned)draw(w, 4),
		.lease_ms = LEASE_MS,
		.wait_ms = (int64_t)draw(w, 3) * 7000,
		.there = there,
		.done = done,
		.context = x};
	if (!x->wait && claims_ask(w->c, &a, &x->wait, NULL) != E_OK)
		broken(w, "a claim is refused");
}

/* It goes, and that is seen now or later. */
static void go(struct client *x)
{
	if (!x->wait)
		return;
	x->gone = true;
	if (draw(x->w, 2)) {
		claims_forget(x->w->c, x->wait);
		x->wait = NULL;
		x->gone = false;
	}
}

static void acknowledged(void *context, enum errcode code)
{
	struct world *w = context;
	w->completed += code == E_OK;
}

static enum errcode act(struct client *x, const struct held *h)
{
	static const struct job_error error = {"BAD", "no", 1};
	struct world *w = x->w;
	switch (draw(w, 6)) {
	case 0:
		return claims_fail(w->c, h->job->id, h->fence, &error, acknowledged, w, NULL);
	case 1:
		return claims_release(w->c, h->job->id, h->fence, acknowledged, w, NULL);
	default:
		return claims_complete(w->c, h->job->id, h->fence, bytes_of("1"), acknowledged, w, NULL);
	}
}

/* Something that it has, or had. */
static void speak(struct client *x)
{
	struct world *w = x->w;
	int64_t until_ms = 0;
	if (x->held_n == 0)
		return;
	const struct held h = x->held[draw(w, x->held_n)];
	struct job_model *m = h.job;
	bool mine = m->promised && m->client == x->number && m->fence == h.fence && w->now_ms < m->until_ms;
	bool beat = draw(w, 2);
	enum errcode code = beat ? claims_heartbeat(w->c, m->id, h.fence, 0, &until_ms, NULL) : act(x, &h);
	note(w, beat ? "beat" : "end", m->id, code);
	if (code == E_OK && (m->fence != h.fence || m->ended))
		broken(w, "job %" PRIu64 ": an old fence is believed", m->id);
	if (code != E_OK && mine)
		broken(w, "job %" PRIu64 ": client %d is refused before its lease ran out", m->id, x->number);
	if (code)
		return;
	m->promised = beat;
	m->client = x->number;
	m->until_ms = until_ms;
}

/* ── jobs ── */

static void submitted(void *context, const struct submit_reply *reply)
{
	struct submitting *s = context;
	for (struct submitting **at = &s->w->submits; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	if (reply->code == E_OK && reply->ids[0] != s->job->id)
		broken(s->w, "an id that was not the next");
	s->job->told = reply->code == E_OK;
	free(s);
}

static void submit(struct world *w)
{
	struct job_spec spec;
	if (w->job_n == JOBS_MAX || w->job_n - w->ended_n >= LIVE_MOST)
		return;
	struct submitting *s = NEW(struct submitting);
	struct job_model *m = &w->jobs[w->job_n];
	*s = (struct submitting){w->submits, w, m};
	job_spec_init(&spec);
	spec.capability = bytes_of(draw(w, 2) ? "one" : "two");
	spec.input = bytes_of("{}");
	spec.priority = (int)draw(w, 10);
	spec.timeout_ms = 20000 + (int64_t)draw(w, 100000);
	w->submits = s;
	uint64_t last = queues_next_id(w->qs, w->now_ms);
	if (queues_submit(w->qs, &spec, 1, w->now_ms, submitted, s, NULL) != E_OK) {
		w->submits = s->next;
		free(s);
		return;
	}
	*m = (struct job_model){.id = last + 1};
	idmap_put(&w->by_id, m->id, m);
	w->job_n++;
}

static void cancel(struct world *w)
{
	if (w->job_n)
		queue_cancel(w->qs, w->jobs[draw(w, w->job_n)].id, w->now_ms, NULL, NULL, NULL);
}

static void pass(struct world *w, int64_t ms)
{
	w->now_ms += ms;
	queues_tick(w->qs, w->now_ms);
	claims_tick(w->c);
}

static void step(struct world *w)
{
	struct client *x = &w->clients[draw(w, CLIENTS)];
	switch (draw(w, 12)) {
	case 0:
	case 1:
		submit(w);
		break;
	case 2:
	case 3:
	case 4:
		ask(x);
		break;
	case 5:
		if (draw(w, 4) == 0)
			go(x);
		break;
	case 6:
		if (draw(w, 8) == 0)
			cancel(w);
		break;
	case 7:
		pass(w, (int64_t)draw(w, draw(w, 24) ? 500 : 12000));
		break;
	case 8:
		if (draw(w, 25) == 0)
			store_memory_set_full(w->store, w->full = !w->full);
		if (draw(w, 25) == 0)
			crash(w);
		break;
	default:
		speak(x);
	}
	if (w->want && draw(w, 4))
		turn(w);
	if (draw(w, 2))
		store_flush(w->store);
}

/* ── the end ── */

static bool count_row(void *context, const struct store_row *row)
{
	++*(unsigned *)context;
	return true;
}

/* One client that does its work, and time for the others' leases to run out. */
static void drain(struct world *w)
{
	struct client *x = &w->clients[0];
	unsigned rows = 0;
	store_memory_set_full(w->store, w->full = false);
	for (int i = 1; i < CLIENTS; i++)
		w->clients[i].gone = w->clients[i].wait != NULL;
	for (int n = 0; n < 2000; n++) {
		ask(x);
		pass(w, 2000);
		for (int i = 0; i < 3; i++) {
			turn(w);
			store_flush(w->store);
		}
		for (unsigned i = 0; i < x->held_n; i++)
			claims_complete(w->c, x->held[i].job->id, x->held[i].fence, bytes_of("1"), acknowledged, w, NULL);
		x->held_n = 0;
	}
	for (unsigned i = 0; i < w->job_n; i++)
		if (w->jobs[i].told && !w->jobs[i].ended)
			broken(w, "job %" PRIu64 " was acknowledged and never ended", w->jobs[i].id);
	w->store->ops->load(w->store, STORE_CLAIM, count_row, &rows, NULL);
	if (rows)
		broken(w, "%u rows of claims are left", rows);
}

static uint64_t run(uint64_t seed, uint64_t steps, bool trace, uint64_t sums[4])
{
	struct world *w = NEW(struct world);
	*w = (struct world){
		.seed = seed, .random = seed, .hash = 0xcbf29ce484222325, .trace = trace, .now_ms = 1760000000000};
	for (int i = 0; i < CLIENTS; i++)
		w->clients[i] = (struct client){.w = w, .number = i};
	if (store_memory_open(NULL, &w->store, NULL) != E_OK)
		broken(w, "no store");
	open_engine(w);
	for (; w->step < steps; w->step++)
		step(w);
	drain(w);
	sums[0] += w->granted;
	sums[1] += w->completed;
	sums[2] += w->expired;
	sums[3] += w->crashes;
	uint64_t hash = w->hash;
	store_close(w->store);
	claims_free(w->c);
	queues_free(w->qs);
	forget_submits(w);
	idmap_fini(&w->by_id);
	free(w);
	return hash;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = getenv("REEVE_LONG") ? 2000 : 100, steps = 4000, sums[4] = {0}, again[4] = {0},
			 hash = 0;
	bool trace = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			trace = true;
		else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
			first = strtoull(argv[++i], NULL, 10), seeds = 1;
		else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
			seeds = strtoull(argv[++i], NULL, 10);
		else if (i + 1 < argc && strcmp(argv[i], "--steps") == 0)
			steps = strtoull(argv[++i], NULL, 10);
	}
	for (uint64_t s = first; s < first + seeds; s++)
		hash ^= run(s, steps, trace, sums);
	printf("# %" PRIu64 " grants, %" PRIu64 " ends acknowledged, %" PRIu64 " leases ran out, %" PRIu64
		   " engines died, hash %016" PRIx64 "\n",
		sums[0], sums[1], sums[2], sums[3], hash);
	printf("ok 1 - what was promised was kept\n");
	bool same = run(first, steps, false, again) == run(first, steps, false, again);
	printf("%s 2 - one seed gives one history\n1..2\n", same ? "ok" : "not ok");
	return same ? 0 : 1;
}
