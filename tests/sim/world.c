#include "sim.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const sim_names[SIM_QUEUES][2] = {{"default", "email.parse"}, {"default", "work"}, {"other", "work"}};
const int sim_space[SIM_QUEUES] = {0, 0, 1};

uint64_t sim_random(struct world *w, uint64_t below)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

bool sim_chance(struct world *w, unsigned percent)
{
	return sim_random(w, 100) < percent;
}

void sim_note(struct world *w, const char *what, uint64_t a, uint64_t b)
{
	uint64_t h = w->hash;
	h = (h ^ (uint64_t)(unsigned char)what[0]) * 0x100000001b3ULL;
	h = (h ^ a) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ b ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
	w->hash = h ^ h >> 32;
	if (w->trace)
		printf("%8" PRIu64 " %" PRId64 " %-10s %" PRIu64 " %" PRIu64 "\n", w->step, w->now_ms, what, a, b);
}

void sim_broken(struct world *w, const char *format, ...)
{
	va_list args;
	fflush(stdout);
	fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ": ", w->seed, w->step);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

void world_open_queues(struct world *w)
{
	static const struct queue_limits limits = {.max_attempts = 3,
		.retry_delay_ms = 40,
		.retry_cap_ms = 200,
		.max_crashes = SIM_CRASHES_MAX,
		.timeout_ms = 500,
		.keep_results_ms = SIM_KEEP_MS};
	struct err e = {0};
	w->qs = queues_new(w->store, 1, w->seed, &w->hooks);
	if (queues_load(w->qs, w->now_ms, &e))
		sim_broken(w, "load: %s", e.text);
	for (int i = 0; i < SIM_QUEUES; i++) {
		w->queues[i] = queues_get(w->qs, bytes_of(sim_names[i][0]), bytes_of(sim_names[i][1]));
		queue_set_limits(w->queues[i], &limits);
	}
}

void world_init(struct world *w, uint64_t seed, bool trace)
{
	*w = (struct world){.seed = seed, .random = seed * 7919 + 1, .trace = trace, .now_ms = 1760000000000};
	list_init(&w->live);
	list_init(&w->asked);
	hooks_init(w);
	store_memory_open(NULL, &w->store, NULL);
	world_open_queues(w);
}

/* What nobody will be told any more. */
static void drop_asked(struct world *w)
{
	list_each(&w->asked, l) free(l);
	list_init(&w->asked);
}

void world_fini(struct world *w)
{
	struct sim_job *j;
	store_memory_set_full(w->store, false);
	store_close(w->store);
	queues_free(w->qs);
	drop_asked(w);
	for (size_t at = 0; (j = idmap_next(&w->jobs, &at));)
		free(j);
	idmap_fini(&w->jobs);
}

void world_crash(struct world *w)
{
	struct store *next;
	unsigned durable = (unsigned)sim_random(w, 8);
	if (sim_chance(w, 30))
		durable = 0;
	sim_note(w, "ENGINE", durable, 0);
	store_memory_crash(w->store, w->full ? 0 : durable, &next);
	queues_free(w->qs);
	drop_asked(w);
	w->store = next;
	if (sim_chance(w, 30)) /* the clock is another after the restart */
		w->now_ms -= (int64_t)sim_random(w, 5000);
	world_open_queues(w);
	model_restarted(w);
}
