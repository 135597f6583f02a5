/* queue_sim [--seed N] [--seeds N] [--steps N] [--long] [--trace] */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RARE = 400 }; /* one step in so many is drawn from the rare ones */

static const struct sim_action *const common[] = {client_actions, worker_actions, keeper_actions, NULL};
static const struct sim_action *const rare[] = {rare_actions, NULL};

static const struct sim_action *draw(struct world *w, const struct sim_action *const *tables)
{
	unsigned all = 0;
	for (const struct sim_action *const *t = tables; *t; t++)
		for (const struct sim_action *a = *t; a->name; a++)
			all += a->weight;
	unsigned at = (unsigned)sim_random(w, all);
	for (;; tables++) {
		for (const struct sim_action *a = *tables; a->name; a++) {
			if (at < a->weight)
				return a;
			at -= a->weight;
		}
	}
}

static uint64_t run(uint64_t seed, uint64_t steps, bool trace, uint64_t counts[DIDS])
{
	struct world w;
	world_init(&w, seed, trace);
	for (w.step = 0; w.step < steps; w.step++) {
		draw(&w, sim_random(&w, RARE) ? common : rare)->run(&w);
		if (w.step % 16 == 0)
			model_check(&w);
	}
	for (int i = 0; i < DIDS; i++)
		counts[i] += w.counts[i];
	world_fini(&w);
	return w.hash;
}

static const char *const did[DIDS] = {"submits", "leases", "completions", "failures", "crashes", "timeouts", "cancels",
	"engine crashes", "stale", "items", "reclaims", "full disks", "replays", "purges", "moves", "limits",
	"held by rates", "too long", "existing"};

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = 20, steps = 50000, counts[DIDS] = {0}, again[DIDS] = {0}, hash = 0;
	bool trace = false;
	if (getenv("REEVE_LONG"))
		seeds = 400;
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (!strcmp(argv[i], "--seed") && more) {
			first = strtoull(argv[++i], NULL, 10);
			seeds = 1;
		} else if (!strcmp(argv[i], "--seeds") && more) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--steps") && more) {
			steps = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--long")) {
			seeds = 400;
		} else if (!strcmp(argv[i], "--trace")) {
			trace = true;
		} else {
			fprintf(stderr, "usage: queue_sim [--seed N] [--seeds N] [--steps N] [--long] [--trace]\n");
			return 2;
		}
	}
	printf("1..2\n");
	double began = seconds();
	for (uint64_t seed = first; seed < first + seeds; seed++)
		hash ^= run(seed, steps, trace, counts) * (2 * seed + 1);
	double took = seconds() - began;
	printf("# %" PRIu64 " seeds of %" PRIu64 " steps, %.0f steps/s, hash %016" PRIx64 "\n", seeds, steps,
		(double)(seeds * steps) / took, hash);
	putchar('#');
	for (int i = 0; i < DIDS; i++)
		printf(" %s %" PRIu64, did[i], counts[i]);
	putchar('\n');
	printf("ok 1 - every invariant held at every step\n");
	uint64_t once = run(first, steps, false, again), twice = run(first, steps, false, again);
	printf("%s 2 - the same seed gives the same history\n", once == twice ? "ok" : "not ok");
	return once == twice ? 0 : 1;
}
