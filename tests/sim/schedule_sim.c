/* schedule_sim [--seed N] [--seeds N] [--steps N] [--trace]: random clocks, disks and deaths under schedules.
 *
 * Beside queue_sim, and in its manner: one seed gives one history, and its hash is printed. What must be true is a function of
 * the durable rows alone, so it is asked after every crash, and now and then in between:
 *  - no occurrence made two jobs, and what made one is among those that its schedule says are decided
 *  - every occurrence since the schedule's beginning has one answer: made, missed, skipped, or it waits
 *  - with `missed: all` and `overlap: allow` each of them has its job; with `skip` and `queue_one` no two jobs live at once
 *  - in the end, when nothing is in the way, everything up to now is decided */
#include "base/mem.h"
#include "base/rfc3339.h"
#include "schedule/schedule.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIVE_MAX = 8, NAMES_MAX = 1000, SEEN_MAX = 1 << 17 };

static const char *const rules[] = {"\"every\":\"15s\"", "\"every\":\"5m\"", "\"cron\":\"0 */2 * * *\"",
	"\"cron\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\"",
	"\"cron\":\"0 1,2,3 * * *\",\"timezone\":\"America/New_York\"", "\"every\":\"10m\",\"jitter\":\"2m\""};
static const char *const missed_words[] = {"once", "skip", "all"};
static const char *const overlap_words[] = {"skip", "allow", "queue_one", "cancel_previous"};

struct world {
	uint64_t seed, random, hash, step;
	bool trace, full, by_hand;
	int64_t now_ms;
	struct store *store;
	struct queues *queues;
	struct schedules *schedules;
	unsigned names; /* given so far */
	unsigned crashes, made, missed, skipped, fulls, back, checks;
};

/* ── chance, history ── */

static uint64_t draw(struct world *w, uint64_t below)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

static void note(struct world *w, const char *what, uint64_t a)
{
	w->hash = ((w->hash ^ (unsigned char)what[0]) * 0x100000001b3ULL ^ a) * 0x9e3779b97f4a7c15ULL;
	w->hash ^= w->hash >> 32;
	if (w->trace) {
		char text[RFC3339_SIZE];
		rfc3339_format(w->now_ms, text);
		printf("# %" PRIu64 " %s %s %" PRIu64 "\n", w->step, text, what, a);
	}
}

static void broken(const struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void broken(const struct world *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("not ok 1 - seed %" PRIu64 ", step %" PRIu64 ": ", w->seed, w->step);
	vprintf(format, args);
	printf("\n# again: schedule_sim --seed %" PRIu64 " --trace\n", w->seed);
	fflush(stdout);
	exit(1);
}

/* ── what schedules make: a job whose tag says of which schedule and occurrence it is ── */

static enum errcode make(void *context, const struct schedule_definition *d, int64_t at_ms, int64_t delay_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	struct world *w = context;
	char tags[200];
	struct job_spec spec;
	snprintf(tags, sizeof tags, "[\"%s\",\"%lld\",\"%s\"]", d->name, (long long)at_ms, w->by_hand ? "hand" : "rule");
	job_spec_init(&spec);
	spec.capability = bytes_of(d->name);
	spec.input = bytes_of("{}");
	spec.tags = bytes_of(tags);
	spec.due_at_ms = delay_ms ? w->now_ms + delay_ms : 0;
	*id = queues_submit_in(w->queues, b, &spec, w->now_ms);
	note(w, "make", (uint64_t)at_ms);
	return E_OK;
}

static bool lives(void *context, const struct schedule_definition *d, uint64_t id)
{
	return queues_find(((struct world *)context)->queues, id) != NULL;
}

static void cancel(void *context, const struct schedule_definition *d, uint64_t id)
{
	struct world *x = context;
	queue_cancel(x->queues, id, x->now_ms, NULL, NULL, NULL);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	struct world *w = context;
	schedules_ended(w->schedules, j->id, w->now_ms);
}

static void open_all(struct world *w)
{
	struct queue_hooks hooks = {.context = w, .ended = on_ended};
	struct schedule_maker maker = {w, make, lives, cancel};
	struct queue_limits limits = queue_default_limits;
	limits.keep_results_ms = 100LL * 365 * 24 * 3600 * 1000; /* the clock jumps, and all is counted in the end */
	w->queues = queues_new(w->store, 1, w->seed, &hooks);
	queues_set_limits(w->queues, &limits);
	w->schedules = schedules_new(w->queues, NULL, &maker);
	if (queues_load(w->queues, w->now_ms, NULL) || schedules_load(w->schedules, w->store, w->now_ms, NULL, NULL))
		broken(w, "what was stored cannot be read");
}

/* ── what must be true of the durable rows ── */

struct tally { /* of the jobs of one schedule */
	uint64_t by_rule, by_hand, live;
	int64_t last_ms; /* the latest occurrence that made one */
};

struct check {
	struct world *world;
	uint64_t *seen; /* hashes of name and occurrence, open addressing */
	struct tally *tallies; /* by the schedule's number */
};

static bool add_seen(struct check *c, struct bytes what)
{
	uint64_t h = 14695981039346656037ULL;
	for (size_t i = 0; i < what.size; i++)
		h = (h ^ (unsigned char)what.data[i]) * 1099511628211ULL;
	h += !h;
	size_t i = (h ^ h >> 32) % SEEN_MAX;
	for (; c->seen[i]; i = (i + 1) % SEEN_MAX)
		if (c->seen[i] == h)
			return false;
	c->seen[i] = h;
	return true;
}

static bool count_job(void *context, const struct store_row *row)
{
	struct check *c = context;
	struct job_view v;
	char tags[200], how[8];
	unsigned number;
	long long at_ms;
	if (job_view_decode(row->table, row->key.id, row->head, &v, NULL))
		broken(c->world, "a job's row cannot be read");
	snprintf(tags, sizeof tags, "%.*s", (int)v.tags.size, v.tags.data);
	if (sscanf(tags, "[\"s%u\",\"%lld\",\"%4s\"]", &number, &at_ms, how) != 3 || number >= NAMES_MAX)
		broken(c->world, "a job without its tags: %s", tags);
	struct tally *t = &c->tallies[number];
	if (strcmp(how, "hand") == 0) {
		t->by_hand++;
		return true;
	}
	if (!add_seen(c, v.tags))
		broken(c->world, "two jobs of one occurrence: %s", tags);
	t->by_rule++;
	t->live += row->table == STORE_JOB;
	t->last_ms = at_ms > t->last_ms ? at_ms : t->last_ms;
	return true;
}

static int64_t number(const json_t *head, const char *name)
{
	return json_integer_value(json_object_get(head, name));
}

static void check_counts(
	struct world *w, const struct tally *t, const struct schedule_definition *d, const json_t *head)
{
	int64_t made = number(head, "made"), missed = number(head, "missed"), skipped = number(head, "skipped");
	int64_t waits = number(head, "waiting") != 0, decided_ms = number(head, "decided");
	size_t all = timing_count(&d->timing, number(head, "created"), decided_ms, SIZE_MAX);
	if (t->last_ms > decided_ms)
		broken(w, "%s: made a job for %lld, and says that only what is up to %lld is decided", d->name,
			(long long)t->last_ms, (long long)decided_ms);
	if ((uint64_t)made != t->by_rule + t->by_hand)
		broken(w, "%s: says it made %lld, %llu jobs are there", d->name, (long long)made,
			(unsigned long long)(t->by_rule + t->by_hand));
	if (all != t->by_rule + (uint64_t)(missed + skipped + waits))
		broken(w, "%s: of %zu occurrences %llu were made, %lld missed, %lld skipped, %lld wait", d->name, all,
			(unsigned long long)t->by_rule, (long long)missed, (long long)skipped, (long long)waits);
	if ((d->overlap == SCHEDULE_OVERLAP_SKIP || d->overlap == SCHEDULE_OVERLAP_QUEUE_ONE) && t->live > 1)
		broken(w, "%s: %llu of its jobs live at once", d->name, (unsigned long long)t->live);
	if (d->overlap == SCHEDULE_OVERLAP_ALLOW && skipped)
		broken(w, "%s: %lld were skipped", d->name, (long long)skipped);
	if (d->overlap == SCHEDULE_OVERLAP_ALLOW && d->missed == SCHEDULE_MISSED_ALL && missed &&
		all <= SCHEDULE_CATCH_UP_MAX)
		broken(w, "%s: %lld were missed", d->name, (long long)missed);
}

static bool check_row(void *context, const struct store_row *row)
{
	struct check *c = context;
	struct world *w = c->world;
	json_t *head = json_loadb(row->head.data, row->head.size, 0, NULL);
	json_t *body = json_loadb(row->body.data, row->body.size, 0, NULL);
	struct schedule_definition *d = NULL;
	char pointer[64];
	if (!head || !body || schedule_parse(body, &d, pointer, NULL))
		broken(w, "a schedule's row cannot be read");
	const struct tally *t = &c->tallies[atoi(d->name + 1)];
	check_counts(w, t, d, head);
	w->made += (unsigned)t->by_rule;
	w->missed += (unsigned)number(head, "missed");
	w->skipped += (unsigned)number(head, "skipped");
	schedule_definition_free(d);
	json_decref(head);
	json_decref(body);
	return true;
}

static void check(struct world *w)
{
	static uint64_t seen[SEEN_MAX];
	static struct tally tallies[NAMES_MAX];
	static const enum store_table tables[] = {STORE_JOB, STORE_DONE, STORE_DEAD};
	struct check c = {w, seen, tallies};
	memset(seen, 0, sizeof seen);
	memset(tallies, 0, sizeof tallies);
	w->checks++;
	w->made = w->missed = w->skipped = 0;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		struct store_range range = {.table = tables[t]};
		w->store->ops->scan(w->store, &range, count_job, &c, NULL);
	}
	struct store_range all = {.table = STORE_SCHEDULE, .bodies = true};
	w->store->ops->scan(w->store, &all, check_row, &c, NULL);
}

/* ── what happens ── */

static void create(struct world *w)
{
	char text[400], pointer[64];
	struct schedule_definition *d;
	if (schedules_at(w->schedules, ALIVE_MAX - 1) || w->names == NAMES_MAX)
		return;
	snprintf(text, sizeof text,
		"{\"name\":\"s%u\",%s,\"missed\":\"%s\",\"overlap\":\"%s\",\"grace\":\"30s\",\"job\":{\"capability\":\"x\"}}",
		w->names++, rules[draw(w, ARRAY_SIZE(rules))], missed_words[draw(w, 3)], overlap_words[draw(w, 4)]);
	json_t *json = json_loads(text, 0, NULL);
	if (schedule_parse(json, &d, pointer, NULL) ||
		schedules_put(w->schedules, d, SCHEDULE_FROM_API, w->now_ms, NULL, NULL, NULL))
		broken(w, "%s was refused", text);
	json_decref(json);
	note(w, "create", w->names);
}

static struct schedule *some(struct world *w)
{
	size_t n = 0;
	while (schedules_at(w->schedules, n))
		n++;
	return n ? schedules_at(w->schedules, draw(w, n)) : NULL;
}

static void change(struct world *w)
{
	struct schedule *s = some(w);
	struct schedule_info info;
	uint64_t id;
	if (!s)
		return;
	schedule_get_info(s, &info);
	switch (draw(w, 4)) {
	case 0:
		note(w, "remove", 0);
		schedules_remove(w->schedules, s, NULL, NULL, NULL);
		break;
	case 1:
		w->by_hand = true;
		schedules_run(w->schedules, s, w->now_ms, &id, NULL, NULL, NULL);
		w->by_hand = false;
		break;
	default:
		note(w, "pause", !info.paused);
		schedules_pause(w->schedules, s, !info.paused, w->now_ms, NULL, NULL);
	}
}

static void end_a_job(struct world *w)
{
	struct schedule *s = some(w);
	struct schedule_info info;
	if (!s)
		return;
	schedule_get_info(s, &info);
	struct queue *q = queues_get(w->queues, (struct bytes){0}, bytes_of(info.definition->name));
	struct job *j = queue_lease(q, w->now_ms, w);
	if (!j)
		return;
	note(w, "end", j->id);
	job_started(j, w->now_ms);
	queue_complete(w->queues, j->id, job_fence(w->queues, j), bytes_of("1"), w->now_ms, NULL, NULL, NULL);
}

/* Seconds, mostly; sometimes hours, seldom weeks, and back. */
static void pass(struct world *w)
{
	static const int64_t most[] = {2000, 2000, 2000, 90000, 90000, 3 * 3600000, 3600000, 2LL * 86400000};
	int64_t by = (int64_t)draw(w, (uint64_t)most[draw(w, ARRAY_SIZE(most))]);
	if (draw(w, 40) == 0) {
		w->back++;
		by = -by;
	}
	w->now_ms += by;
	note(w, "pass", (uint64_t)by);
}

static void tick(struct world *w)
{
	queues_tick(w->queues, w->now_ms);
	int64_t next = schedules_tick(w->schedules, w->now_ms);
	note(w, "tick", (uint64_t)next);
}

static void crash(struct world *w)
{
	struct store *next;
	w->crashes++;
	note(w, "crash", 0);
	store_memory_crash(w->store, (unsigned)draw(w, 6), &next);
	schedules_free(w->schedules);
	queues_free(w->queues);
	w->store = next;
	store_memory_set_full(w->store, w->full);
	check(w);
	open_all(w);
}

static void fill(struct world *w)
{
	w->full = !w->full;
	w->fulls += w->full;
	store_memory_set_full(w->store, w->full);
	note(w, "full", w->full);
}

static void step(struct world *w)
{
	uint64_t what = draw(w, 100);
	if (what < 30)
		pass(w);
	else if (what < 60)
		tick(w);
	else if (what < 75)
		store_flush(w->store);
	else if (what < 88)
		end_a_job(w);
	else if (what < 91)
		create(w);
	else if (what < 95)
		change(w);
	else if (what < 97)
		crash(w);
	else if (w->full || draw(w, 4) == 0)
		fill(w);
}

/* Nothing is in the way any more: everything up to now is decided. */
static void settle(struct world *w)
{
	struct schedule *s;
	struct schedule_info info;
	if (w->full)
		fill(w);
	for (int i = 0; i < 50; i++) {
		w->now_ms += 1000;
		tick(w);
		store_flush(w->store);
		for (size_t k = 0; (s = schedules_at(w->schedules, k)); k++) {
			schedule_get_info(s, &info);
			if (info.paused)
				schedules_pause(w->schedules, s, false, w->now_ms, NULL, NULL);
		}
	}
	check(w);
	for (size_t k = 0; (s = schedules_at(w->schedules, k)); k++) {
		schedule_get_info(s, &info);
		if (info.next_ms <= queues_now(w->queues))
			broken(w, "%s: is still to be made", info.definition->name);
	}
}

static uint64_t run(uint64_t seed, uint64_t steps, bool trace, struct world *sum)
{
	struct world w = {.seed = seed, .random = seed * 0x9e3779b97f4a7c15ULL, .trace = trace};
	w.now_ms = 1774740000000 + (int64_t)draw(&w, 86400000); /* 2026-03-28: Berlin's clocks change soon */
	store_memory_open(NULL, &w.store, NULL);
	open_all(&w);
	for (w.step = 0; w.step < steps; w.step++) {
		step(&w);
		if (w.step % 100 == 0)
			check(&w);
	}
	settle(&w);
	store_close(w.store);
	schedules_free(w.schedules);
	queues_free(w.queues);
	sum->crashes += w.crashes;
	sum->made += w.made;
	sum->missed += w.missed;
	sum->skipped += w.skipped;
	sum->fulls += w.fulls;
	sum->back += w.back;
	sum->checks += w.checks;
	return w.hash;
}

static int run_all(uint64_t first, uint64_t seeds, uint64_t steps, bool trace)
{
	struct world sum = {0}, again = {0};
	uint64_t hash = 0;
	printf("1..2\n");
	for (uint64_t seed = first; seed < first + seeds; seed++)
		hash ^= run(seed, steps, trace, &sum) * (2 * seed + 1);
	printf("# %" PRIu64 " seeds of %" PRIu64 " steps, hash %016" PRIx64 "\n", seeds, steps, hash);
	printf("# made %u missed %u skipped %u; engine crashes %u full disks %u clocks back %u; looked %u times\n",
		sum.made, sum.missed, sum.skipped, sum.crashes, sum.fulls, sum.back, sum.checks);
	printf("ok 1 - every occurrence has one answer, and makes one job at most\n");
	bool same = run(first, steps, false, &again) == run(first, steps, false, &again);
	printf("%s 2 - the same seed gives the same history\n", same ? "ok" : "not ok");
	return same ? 0 : 1;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = getenv("REEVE_LONG") ? 500 : 8, steps = 2000;
	bool trace = false;
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (!strcmp(argv[i], "--seed") && more) {
			first = strtoull(argv[++i], NULL, 10);
			seeds = 1;
		} else if (!strcmp(argv[i], "--seeds") && more) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--steps") && more) {
			steps = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--trace")) {
			trace = true;
		} else {
			fprintf(stderr, "usage: schedule_sim [--seed N] [--seeds N] [--steps N] [--trace]\n");
			return 2;
		}
	}
	return run_all(first, seeds, steps, trace);
}
