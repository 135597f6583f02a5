/* bench_worker.c - what the benchmarks give their jobs and calls to: handlers that do as little as can be measured.
 *
 * Built as a program and as a module from this one source. All times are of CLOCK_MONOTONIC, which is the same for every
 * process of a machine. Inputs are the benchmarks' own, so numbers in them are found by searching. */
#include <reeve/worker.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long number(struct reeve_bytes in, const char *name, long long otherwise)
{
	const char *at = in.data ? strstr(in.data, name) : NULL;
	at = at ? strchr(at, ':') : NULL;
	return at ? strtoll(at + 1, NULL, 10) : otherwise;
}

static int empty(void *state, struct reeve_job *job)
{
	return REEVE_OK;
}

/* {"at":ns}: how many nanoseconds ago that was. */
static int age(void *state, struct reeve_job *job)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%lld", now_ns() - number(reeve_input(job), "\"at\"", 0));
	return reeve_reply(job, text, (size_t)n);
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;
	return x < y ? -1 : x > y;
}

/* n calls, each timed (the clock's own 20 to 40 ns are in it). */
static int measure(struct reeve_job *job, const char *name, long long *each, long long n)
{
	static const char input[] = "{\"value\":1}";
	char text[160];
	long long begun = now_ns(), last = begun;

	for (long long i = 0; i < n; i++) {
		struct reeve_result *result = NULL;
		int rc = reeve_call(job, name, input, sizeof input - 1, &result);
		reeve_result_free(result);
		if (rc != REEVE_OK)
			return rc;
		long long now = now_ns();
		each[i] = now - last;
		last = now;
	}
	long long all = last - begun;
	qsort(each, (size_t)n, sizeof *each, compare);
	int size = snprintf(text, sizeof text, "{\"p50_ns\":%lld,\"p99_ns\":%lld,\"each_ns\":%.1f}", each[n / 2],
		each[n * 99 / 100], (double)all / (double)n);
	return reeve_reply(job, text, (size_t)size);
}

/* {"n":n,"to":0|1}: calls bench.empty.module (0) or bench.empty.process (1) n times by reeve_call. */
static int call(void *state, struct reeve_job *job)
{
	struct reeve_bytes in = reeve_input(job);
	long long n = number(in, "\"n\"", 1000), *each;
	const char *name = number(in, "\"to\"", 0) ? "bench.empty.process" : "bench.empty.module";

	if (n < 1 || n > 10000000)
		return REEVE_E_INVALID;
	each = calloc((size_t)n, sizeof *each);
	if (!each)
		return REEVE_E_NO_MEMORY;
	int rc = measure(job, name, each, n);
	free(each);
	return rc;
}

/* {"dir":"…"}: the first attempt writes when it dies, and dies; the second answers how many nanoseconds ago that was. */
static int die(void *state, struct reeve_job *job)
{
	struct reeve_bytes in = reeve_input(job);
	const char *dir = in.data ? strstr(in.data, "\"dir\"") : NULL;
	char path[512], text[32] = "";
	FILE *f;

	if (!dir)
		return REEVE_E_INVALID;
	dir += strlen("\"dir\"");
	dir += strspn(dir, ": \"");
	snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(dir, "\""), dir, reeve_job_id(job));
	f = fopen(path, reeve_attempt(job) == 1 ? "w" : "r");
	if (!f)
		return REEVE_E_INTERNAL;
	if (reeve_attempt(job) == 1) {
		fprintf(f, "%lld", now_ns());
		fclose(f);
		raise(SIGKILL);
	}
	if (!fgets(text, sizeof text, f))
		text[0] = 0;
	fclose(f);
	int n = snprintf(text, sizeof text, "%lld", now_ns() - strtoll(text, NULL, 10));
	return reeve_reply(job, text, (size_t)n);
}

#define CAPABILITY(symbol, text, function)                                                                             \
	static const struct reeve_capability symbol = {.size = sizeof(struct reeve_capability),                            \
		.name = text,                                                                                                  \
		.version = "1.0.0",                                                                                            \
		.summary = "For benchmarks: " text ".",                                                                        \
		.mode = "transactional",                                                                                       \
		.handle = function}

/* The placement stands in the name, so that both can be in one daemon and each be asked for. */
#ifdef REEVE_BENCH_MODULE
#define PLACEMENT "module"
#else
#define PLACEMENT "process"
#endif

CAPABILITY(c_empty, "bench.empty." PLACEMENT, empty);
CAPABILITY(c_age, "bench.age." PLACEMENT, age);
CAPABILITY(c_call, "bench.call." PLACEMENT, call);
CAPABILITY(c_die, "bench.die." PLACEMENT, die);

static const struct reeve_capability *const capabilities[] = {&c_empty, &c_age, &c_call, &c_die, NULL};

const struct reeve_worker reeve_export = {
	.size = sizeof(struct reeve_worker),
	.abi = REEVE_ABI,
	.name = "bench_worker",
	.version = "1.0.0",
	.capabilities = capabilities,
};
