/* pipeline_sim [--seed N] [--seeds N] [--steps N] [--trace]: random workers, disks and deaths under pipelines and their runs.
 *
 * Beside queue_sim, and in its manner: one seed gives one history, and its hash is printed. Workers are functions of the
 * input, so the model knows what each run must end with, whatever happened on the way:
 *  - a run ends once, and one that was acknowledged is never lost
 *  - every item becomes one job, and stands in the gathered blob once, in order of the keys, with what became of it
 *  - items, items_failed and the result are those of the run's input; nothing of a run is left when it is over */
#include "base/mem.h"
#include "pipeline/pipeline.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNS_MAX = 6, ITEMS_MOST = 6, HELD_MAX = 12, CAPABILITIES = 5 };

static const char *const capabilities[CAPABILITIES] = {"parse", "classify", "sum", "left", "right"};
enum { PARSE, CLASSIFY, SUM, LEFT, RIGHT };

static const char *const definitions[] = {
	"{\"name\":\"mail\",\"steps\":[{\"id\":\"parse\",\"capability\":\"parse\"},"
	"{\"id\":\"classify\",\"capability\":\"classify\",\"each\":\"parse\",\"in_flight\":3},"
	"{\"id\":\"sum\",\"capability\":\"sum\",\"gather\":\"classify\"}]}",
	"{\"name\":\"branches\",\"output\":\"left\",\"steps\":[{\"id\":\"parse\",\"capability\":\"parse\"},"
	"{\"id\":\"left\",\"capability\":\"left\",\"after\":\"parse\"},"
	"{\"id\":\"classify\",\"capability\":\"classify\",\"each\":\"parse\",\"in_flight\":2},"
	"{\"id\":\"right\",\"capability\":\"right\",\"gather\":\"classify\"}]}"};

struct model_run { /* what a client asked for, and what must come of it */
	uint64_t id; /* 0: this place is free, or the start was not answered */
	bool starting, cancelled, over;
	int pipeline, items;
	bool fails; /* the parser refuses its input */
	unsigned started; /* which start this is */
};

struct held {
	uint64_t id, fence;
	int capability, emitted;
};

struct started { /* context of a start */
	struct world *w;
	int place;
	unsigned number;
};

struct world {
	uint64_t seed, random, hash, step;
	bool trace, full;
	int64_t now_ms;
	struct store *store;
	struct blobs *blobs;
	struct queues *qs;
	struct pipelines *ps;
	struct model_run runs[RUNS_MAX];
	struct started started[RUNS_MAX];
	struct held held[HELD_MAX];
	int held_n;
	unsigned starts, ends, crashes, items, cancels, fulls;
};

/* ── chance, history ── */

static uint64_t draw(struct world *w, uint64_t below)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

static void note(struct world *w, const char *what, uint64_t a, uint64_t b)
{
	w->hash = ((w->hash ^ (unsigned char)what[0]) * 0x100000001b3ULL ^ a) * 0x9e3779b97f4a7c15ULL;
	w->hash = (w->hash ^ b ^ w->hash >> 29) * 0xbf58476d1ce4e5b9ULL;
	w->hash ^= w->hash >> 32;
	if (w->trace)
		printf("%8" PRIu64 " %-10s %" PRIu64 " %" PRIu64 "\n", w->step, what, a, b);
}

static _Noreturn void broken(struct world *w, const char *format, ...)
{
	va_list args;
	fflush(stdout);
	fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ": ", w->seed, w->step);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

#define CHECK(w, condition, ...)                                                                                       \
	do {                                                                                                               \
		if (!(condition))                                                                                              \
			broken((w), __VA_ARGS__);                                                                                  \
	} while (0)

/* ── the wiring ── */

static void on_item(
	void *context, struct job *j, uint64_t key, struct bytes data, struct store_batch *b, uint64_t *becomes)
{
	struct world *w = context;
	pipelines_item(w->ps, j, key, data, b, becomes);
	note(w, "item", j->id, key);
}

static void on_ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	pipelines_ending(((struct world *)context)->ps, j, o, b);
}

static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	pipelines_ended(((struct world *)context)->ps, j, o);
}

static void define(struct world *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
		struct pipeline *p;
		struct err e;
		json_t *j = json_loads(definitions[i], 0, NULL);
		CHECK(w, pipeline_parse(j, &p, &e) == E_OK, "%s", e.text);
		json_decref(j);
		pipelines_define(w->ps, p);
	}
}

static void open_engine(struct world *w)
{
	static const struct queue_limits limits = {.max_attempts = 1000,
		.retry_delay_ms = 10,
		.retry_cap_ms = 50,
		.max_crashes = 1000,
		.timeout_ms = 100000,
		.keep_results_ms = 1000000000};
	struct queue_hooks hooks = {.context = w, .item = on_item, .ending = on_ending, .ended = on_ended};
	w->qs = queues_new(w->store, 1, w->seed, &hooks);
	queues_set_limits(w->qs, &limits);
	w->ps = pipelines_new(w->store, w->qs, w->blobs);
	CHECK(w, queues_load(w->qs, w->now_ms, NULL) == E_OK && pipelines_load(w->ps, w->now_ms, NULL) == E_OK, "load");
	define(w);
	w->held_n = 0;
}

/* ── what is left of a run, and what must be ── */

struct seen {
	struct world *w;
	const struct model_run *run;
	bool found, over;
};

/* What the workers make of item `key`: the classifier refuses every third. */
static void expected_line(char *out, size_t size, uint64_t key)
{
	if (key % 3 == 2)
		snprintf(out, size,
			"{\"key\":%" PRIu64 ",\"n\":%" PRIu64 ",\"error\":{\"code\":\"BAD\",\"message\":\"refused\"}}\n", key, key);
	else
		snprintf(out, size, "{\"key\":%" PRIu64 ",\"n\":%" PRIu64 ",\"twice\":%" PRIu64 "}\n", key, key, 2 * key);
}

static void check_blob(struct world *w, const struct model_run *r, const char *name)
{
	char expected[2048] = "", found[2048] = "", line[200];
	int fd;
	uint64_t bytes;
	for (int i = 0; i < r->items; i++) {
		expected_line(line, sizeof line, (uint64_t)i + 1);
		strcat(expected, line);
	}
	CHECK(w, name && blob_open(w->blobs, name, &fd, &bytes, NULL) == E_OK, "run %" PRIu64 ": has no blob", r->id);
	CHECK(w, read(fd, found, sizeof found - 1) >= 0, "read");
	close(fd);
	CHECK(w, !strcmp(found, expected), "run %" PRIu64 ": gathered\n%snot\n%s", r->id, found, expected);
}

static void check_completed(struct world *w, const struct model_run *r, const json_t *shown)
{
	int failed = 0;
	for (int key = 1; key <= r->items; key++)
		failed += key % 3 == 2;
	CHECK(w, !r->fails, "run %" PRIu64 ": completed, though its parser refuses", r->id);
	CHECK(w, json_integer_value(json_object_get(shown, "items")) == r->items,
		"run %" PRIu64 ": counts its items wrongly", r->id);
	CHECK(w, json_integer_value(json_object_get(shown, "items_failed")) == failed,
		"run %" PRIu64 ": counts its failures wrongly", r->id);
	check_blob(w, r, json_string_value(json_object_get(shown, "items_blob")));
	const char *by = json_string_value(json_object_get(json_object_get(shown, "result"), "by"));
	CHECK(w, by && !strcmp(by, r->pipeline ? "left" : "sum"), "run %" PRIu64 ": has the result of %s", r->id,
		by ? by : "nobody");
}

static void on_shown(void *context, enum errcode code, struct bytes json)
{
	struct seen *s = context;
	s->found = code == E_OK;
	if (!s->found)
		return;
	json_t *shown = json_loadb(json.data, json.size, 0, NULL);
	const char *status = json_string_value(json_object_get(shown, "status"));
	CHECK(s->w, status, "run %" PRIu64 ": shows no JSON", s->run->id);
	s->over = strcmp(status, "running") != 0;
	CHECK(s->w, s->over || !s->run->over, "run %" PRIu64 ": was over, and runs again", s->run->id);
	if (!strcmp(status, "completed"))
		check_completed(s->w, s->run, shown);
	if (!strcmp(status, "failed"))
		CHECK(s->w, s->run->fails, "run %" PRIu64 ": failed without a reason", s->run->id);
	if (!strcmp(status, "cancelled"))
		CHECK(s->w, s->run->cancelled, "run %" PRIu64 ": cancelled by nobody", s->run->id);
	json_decref(shown);
}

static void check_run(struct world *w, struct model_run *r)
{
	struct seen s = {.w = w, .run = r};
	if (!r->id)
		return;
	pipelines_show(w->ps, r->id, on_shown, &s);
	CHECK(w, s.found, "run %" PRIu64 ": was acknowledged and is lost", r->id);
	if (s.over && !r->over) {
		r->over = true;
		w->ends++;
		note(w, "over", r->id, 0);
	}
}

static bool count_row(void *context, const struct store_row *row)
{
	++*(int *)context;
	return true;
}

/* ── actions ── */

static void flush(struct world *w)
{
	store_flush(w->store);
	pipelines_tick(w->ps, w->now_ms);
	queues_tick(w->qs, w->now_ms);
	note(w, "flush", 0, 0);
}

static void crash(struct world *w)
{
	struct store *next;
	unsigned durable = w->full ? 0 : (unsigned)draw(w, 6);
	note(w, "ENGINE", durable, 0);
	w->crashes++;
	store_memory_crash(w->store, durable, &next);
	pipelines_free(w->ps);
	queues_free(w->qs);
	w->store = next;
	for (int i = 0; i < RUNS_MAX; i++)
		w->runs[i].starting = false; /* nobody will be told */
	open_engine(w);
}

static void on_started(void *context, enum errcode code, uint64_t run_id)
{
	struct started *s = context;
	struct model_run *r = &s->w->runs[s->place];
	note(s->w, "started", run_id, code);
	CHECK(s->w, code == E_OK || code == E_NO_SPACE, "start: refused with %s", err_word(code));
	CHECK(s->w, r->starting && r->started == s->number, "run %" PRIu64 ": its start was answered twice", run_id);
	r->starting = false;
	r->id = code ? 0 : run_id;
}

static void start(struct world *w)
{
	int place = (int)draw(w, RUNS_MAX);
	struct model_run *r = &w->runs[place];
	char input[64];
	if (r->starting || (r->id && !r->over))
		return;
	*r = (struct model_run){.starting = true, .started = ++w->starts, .pipeline = (int)draw(w, 2)};
	r->items = (int)draw(w, ITEMS_MOST + 1);
	r->fails = draw(w, 6) == 0;
	snprintf(input, sizeof input, "{\"items\":%d,\"fails\":%d}", r->items, r->fails);
	struct run_spec spec = {.pipeline = bytes_of(r->pipeline ? "branches" : "mail"), .input = bytes_of(input)};
	struct started *s = &w->started[place];
	*s = (struct started){w, place, r->started};
	note(w, "start", (uint64_t)r->items, r->fails);
	CHECK(w, pipelines_start(w->ps, &spec, w->now_ms, on_started, s, NULL) == E_OK, "start: refused");
}

static void cancel(struct world *w)
{
	struct model_run *r = &w->runs[draw(w, RUNS_MAX)];
	if (!r->id || r->over || draw(w, 4))
		return;
	enum errcode code = pipelines_cancel(w->ps, r->id, w->now_ms, NULL);
	CHECK(w, code == E_OK || code == E_STATE, "cancel: %s", err_word(code));
	r->cancelled |= code == E_OK;
	w->cancels += code == E_OK;
	note(w, "cancel", r->id, code);
}

static void lease(struct world *w)
{
	int capability = (int)draw(w, CAPABILITIES);
	if (w->held_n == HELD_MAX)
		return;
	struct job *j = queue_lease(queues_get(w->qs, (struct bytes){0}, bytes_of(capabilities[capability])), w->now_ms, w);
	if (!j)
		return;
	job_started(j, w->now_ms);
	w->held[w->held_n++] = (struct held){.id = j->id, .fence = job_fence(w->qs, j), .capability = capability};
	note(w, "lease", j->id, (uint64_t)capability);
}

static int64_t number_in(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at ? strtoll(at + strlen(name) + 2, NULL, 10) : -1;
}

static enum errcode end(struct world *w, struct held *h, const char *result)
{
	static const struct job_error bad = {"BAD", "refused", 0};
	return result ? queue_complete(w->qs, h->id, h->fence, bytes_of(result), w->now_ms, NULL, NULL, NULL)
				  : queue_fail(w->qs, h->id, h->fence, &bad, w->now_ms, NULL, NULL, NULL);
}

/* One step of the parser: an item, or the end. It fails in the middle when its input says so. */
static bool parse(struct world *w, struct held *h, struct job *j, const char *input)
{
	char item[32];
	int items = (int)number_in(input, "items");
	if (h->emitted == items / 2 && number_in(input, "fails") == 1) {
		end(w, h, NULL);
		return true;
	}
	if (h->emitted == items) {
		end(w, h, "{\"by\":\"parse\"}");
		return true;
	}
	if (pipelines_emit_waits(w->ps, j))
		return false;
	uint64_t key = (uint64_t)++h->emitted;
	snprintf(item, sizeof item, "{\"n\":%" PRIu64 "}", key);
	queue_item(w->qs, h->id, h->fence, key, bytes_of(item), w->now_ms, NULL, NULL, NULL);
	w->items++;
	return false;
}

static void classify(struct world *w, struct held *h, const char *input)
{
	char result[64];
	int64_t n = number_in(input, "n");
	snprintf(result, sizeof result, "{\"twice\":%" PRId64 "}", 2 * n);
	end(w, h, n % 3 == 2 ? NULL : result);
}

static void work(struct world *w)
{
	if (!w->held_n)
		return;
	int i = (int)draw(w, (uint64_t)w->held_n);
	struct held *h = &w->held[i];
	struct job *j = queues_find(w->qs, h->id);
	bool done = true;
	scoped(buf_fini) struct buf input = {0};
	char result[32];
	note(w, "work", h->id, (uint64_t)h->emitted);
	if (j && j->state == JOB_PROCESSING && job_fence(w->qs, j) == h->fence) {
		enum errcode code = job_read_input(w->qs, j, &input, NULL);
		CHECK(w, code == E_OK, "job %" PRIu64 " (%s): its input is gone", h->id, capabilities[h->capability]);
		snprintf(result, sizeof result, "{\"by\":\"%s\"}", capabilities[h->capability]);
		if (h->capability == SUM || h->capability == RIGHT)
			CHECK(w, strstr(input.data, "\"parse\":{\"by\":\"parse\"}"),
				"job %" PRIu64 ": gathers without the parser's result", h->id);
		if (draw(w, 12) == 0)
			queue_crashed(w->qs, h->id, h->fence, &(struct job_error){"crashed", "signal 9", 1}, (struct bytes){0},
				w->now_ms, NULL);
		else if (h->capability == PARSE)
			done = parse(w, h, j, input.data);
		else if (h->capability == CLASSIFY)
			classify(w, h, input.data);
		else
			end(w, h, result);
	}
	if (done)
		w->held[i] = w->held[--w->held_n];
}

static void look(struct world *w)
{
	check_run(w, &w->runs[draw(w, RUNS_MAX)]);
}

static void pass_time(struct world *w)
{
	w->now_ms += (int64_t)draw(w, 300);
}

static void fill_disk(struct world *w)
{
	w->full = !w->full && draw(w, 100) < 10;
	w->fulls += w->full;
	store_memory_set_full(w->store, w->full);
}

static const struct {
	unsigned weight;
	void (*run)(struct world *w);
} actions[] = {{200, flush}, {6, crash}, {60, start}, {20, cancel}, {300, lease}, {400, work}, {60, look},
	{60, pass_time}, {15, fill_disk}};

static void act(struct world *w)
{
	unsigned all = 0, i = 0;
	for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
		all += actions[k].weight;
	unsigned at = (unsigned)draw(w, all);
	while (at >= actions[i].weight)
		at -= actions[i++].weight;
	actions[i].run(w);
}

/* Undisturbed, everything ends, and nothing is left behind. */
static void drain(struct world *w)
{
	w->full = false;
	store_memory_set_full(w->store, false);
	for (int i = 0; i < 20000; i++) {
		flush(w);
		lease(w);
		work(w);
		w->now_ms += 20;
	}
	for (int i = 0; i < RUNS_MAX; i++) {
		check_run(w, &w->runs[i]);
		CHECK(w, !w->runs[i].id || w->runs[i].over, "run %" PRIu64 ": does not end", w->runs[i].id);
	}
	int jobs = 0, items = 0;
	w->store->ops->load(w->store, STORE_JOB, count_row, &jobs, NULL);
	w->store->ops->load(w->store, STORE_ITEM, count_row, &items, NULL);
	CHECK(w, jobs == 0 && items == 0, "%d jobs and %d items are left when every run is over", jobs, items);
}

/* ── seeds ── */

static uint64_t run(uint64_t seed, uint64_t steps, bool trace, const char *directory, struct world *sum)
{
	struct world w = {.seed = seed, .random = seed * 7919 + 1, .trace = trace, .now_ms = 1760000000000};
	CHECK(&w, blobs_open(directory, 1 << 30, &w.blobs, NULL) == E_OK, "blobs");
	store_memory_open(NULL, &w.store, NULL);
	open_engine(&w);
	for (w.step = 0; w.step < steps; w.step++)
		act(&w);
	drain(&w);
	store_close(w.store);
	pipelines_free(w.ps);
	queues_free(w.qs);
	blobs_close(w.blobs);
	sum->starts += w.starts;
	sum->ends += w.ends;
	sum->crashes += w.crashes;
	sum->items += w.items;
	sum->cancels += w.cancels;
	sum->fulls += w.fulls;
	return w.hash;
}

static int run_all(uint64_t first, uint64_t seeds, uint64_t steps, bool trace, const char *directory)
{
	struct world sum = {0}, again = {0};
	uint64_t hash = 0;
	printf("1..2\n");
	for (uint64_t seed = first; seed < first + seeds; seed++)
		hash ^= run(seed, steps, trace, directory, &sum) * (2 * seed + 1);
	printf("# %" PRIu64 " seeds of %" PRIu64 " steps, hash %016" PRIx64 "\n", seeds, steps, hash);
	printf("# starts %u ends %u items %u cancels %u engine crashes %u full disks %u\n", sum.starts, sum.ends, sum.items,
		sum.cancels, sum.crashes, sum.fulls);
	printf("ok 1 - every run ended as its input says\n");
	bool same = run(first, steps, false, directory, &again) == run(first, steps, false, directory, &again);
	printf("%s 2 - the same seed gives the same history\n", same ? "ok" : "not ok");
	return same ? 0 : 1;
}

static void remove_directory(const char *directory)
{
	pid_t child = fork();
	if (child == 0)
		execlp("rm", "rm", "-rf", directory, (char *)NULL);
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = getenv("REEVE_LONG") ? 500 : 15, steps = 10000;
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
			fprintf(stderr, "usage: pipeline_sim [--seed N] [--seeds N] [--steps N] [--trace]\n");
			return 2;
		}
	}
	char memory[] = "/dev/shm/reeve-pipeline-sim-XXXXXX", disk[] = "/tmp/reeve-pipeline-sim-XXXXXX";
	char *directory = mkdtemp(memory); /* a blob is fsynced, which is not what is tried here */
	if (!directory && !(directory = mkdtemp(disk))) {
		perror("mkdtemp");
		return 1;
	}
	int code = run_all(first, seeds, steps, trace, directory);
	remove_directory(directory);
	return code;
}
