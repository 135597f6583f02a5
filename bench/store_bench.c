/* store_bench [--json FILE] [--dir DIR] [--jobs N] [--rounds N]: queue and durable store in one process, on the real disk.
 *
 *   fdatasync   256-byte appends, one fdatasync each: what the disk can do, in the same run
 *   enqueue     n submits outstanding, each acknowledged when durable
 *   end to end  n jobs outstanding: submitted, leased, completed, the end durable
 *   waiting     RSS of N waiting jobs, the time to start with them, and to give one out
 *   keyed       the same where they are of KEYS tenants, which take turns
 *   pruning     N old results go while 64 jobs are outstanding: how long, how late the loop is, how many jobs meanwhile, and what
 *               is left of the files */
#include "base/mem.h"
#include "job/job_record.h"
#include "loop/loop.h"
#include "queue/queue.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 15, INPUT_BYTES = 256, KEYS = 100000 };

struct run {
	struct loop *loop;
	struct store *store;
	struct queues *qs;
	struct queue *q;
	bool to_the_end, stopping;
	uint64_t outstanding, done;
	double until;
};

static char input[INPUT_BYTES], directory[300];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double rss_mib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		abort();
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void clear(void)
{
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.commits", "reeve.ballast", "sync"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
}

static double fdatasync_rate(double seconds)
{
	char path[400];
	uint64_t n = 0;
	snprintf(path, sizeof path, "%s/sync", directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	double began = now();
	for (; now() < began + seconds; n++) {
		if (write(fd, input, sizeof input) != sizeof input || fdatasync(fd))
			abort();
	}
	double took = now() - began;
	close(fd);
	unlink(path);
	return (double)n / took;
}

static void open_all(struct run *r, const struct queue_hooks *hooks)
{
	struct err e;
	r->loop = loop_new();
	if (store_sqlite_open(r->loop, directory, &r->store, &e)) {
		fprintf(stderr, "store_bench: %s\n", e.text);
		exit(1);
	}
	r->qs = queues_new(r->store, 1, 1, hooks);
	if (queues_load(r->qs, loop_now_ms(r->loop), &e)) {
		fprintf(stderr, "store_bench: %s\n", e.text);
		exit(1);
	}
	r->q = queues_get(r->qs, (struct bytes){0}, bytes_of("bench.echo"));
}

static void close_all(struct run *r)
{
	store_close(r->store);
	queues_free(r->qs);
	loop_free(r->loop);
}

static void submit(struct run *r);

static void one_done(struct run *r)
{
	r->done++;
	r->outstanding--;
	if (!r->stopping && r->done % 64 == 0 && now() >= r->until)
		r->stopping = true;
	if (!r->stopping)
		submit(r);
	else if (!r->outstanding)
		loop_stop(r->loop);
}

static void on_completed(void *context, enum errcode code)
{
	if (code)
		abort();
	one_done(context);
}

static void on_submitted(void *context, const struct submit_reply *reply)
{
	struct run *r = context;
	if (reply->code)
		abort();
	if (!r->to_the_end) {
		one_done(r);
		return;
	}
	int64_t at = loop_now_ms(r->loop);
	struct job *j = queue_lease(r->q, at, r);
	job_started(j, at);
	queue_complete(r->qs, j->id, job_fence(r->qs, j), bytes_of("{\"ok\":true}"), at, on_completed, r, NULL);
}

static void submit(struct run *r)
{
	struct job_spec spec;
	job_spec_init(&spec);
	spec.capability = bytes_of("bench.echo");
	spec.input = (struct bytes){input, sizeof input};
	r->outstanding++;
	if (queues_submit(r->qs, &spec, 1, loop_now_ms(r->loop), on_submitted, r, NULL))
		abort();
}

static double rate(bool to_the_end, unsigned outstanding, double seconds, double *cpu_us)
{
	struct run r = {.to_the_end = to_the_end};
	clear();
	open_all(&r, NULL);
	double began = now(), cpu_began = cpu();
	r.until = began + seconds;
	while (r.outstanding < outstanding)
		submit(&r);
	loop_run(r.loop);
	double took = now() - began;
	*cpu_us = (cpu() - cpu_began) * 1e6 / (double)r.done;
	double per_second = (double)r.done / took;
	close_all(&r);
	return per_second;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void report(FILE *json, const char *setting, const char *test, const char *unit, double *v, int n)
{
	static bool any;
	qsort(v, (size_t)n, sizeof *v, ascending);
	printf("%-12s %-22s %12.2f %-14s (%.2f to %.2f)\n", setting, test, v[n / 2], unit, v[0], v[n - 1]);
	if (json)
		fprintf(json,
			"%s\n  {\"system\": \"reeve\", \"setting\": \"%s\", \"test\": \"%s\", \"unit\": \"%s\", \"median\": %.3f, "
			"\"min\": %.3f, \"max\": %.3f, \"runs\": %d}",
			any ? "," : "", setting, test, unit, v[n / 2], v[0], v[n - 1], n);
	any = true;
}

static void bench_rates(FILE *json, int rounds)
{
	static const unsigned widths[] = {1, 64, 512};
	double sync[ROUNDS_MAX], jobs[2][3][ROUNDS_MAX], us[2][3][ROUNDS_MAX], ratio[ROUNDS_MAX];
	for (int i = 0; i < rounds; i++) { /* interleaved: the machine is not the same from one minute to the next */
		sync[i] = fdatasync_rate(0.5);
		for (int w = 0; w < 3; w++) {
			jobs[0][w][i] = rate(false, widths[w], 1, &us[0][w][i]);
			jobs[1][w][i] = rate(true, widths[w], 1, &us[1][w][i]);
		}
		ratio[i] = jobs[0][0][i] / sync[i];
	}
	report(json, "disk", "fdatasync", "1/s", sync, rounds);
	report(json, "w1", "enqueue/fdatasync", "ratio", ratio, rounds);
	for (int end = 0; end < 2; end++) {
		for (int w = 0; w < 3; w++) {
			char setting[16];
			snprintf(setting, sizeof setting, "w%u", widths[w]);
			report(json, setting, end ? "end to end" : "enqueue", "jobs/s", jobs[end][w], rounds);
			report(json, setting, end ? "end to end cpu" : "enqueue cpu", "us/job", us[end][w], rounds);
		}
	}
}

/* ── a million that wait ── */

static void on_filled(void *context, const struct submit_reply *reply)
{
	struct run *r = context;
	if (reply->code)
		abort();
	r->done += reply->n;
	loop_stop(r->loop);
}

static void fill(struct run *r, uint64_t jobs, bool keyed)
{
	enum { AT_ONCE = 1000 };
	static struct job_spec specs[AT_ONCE];
	static char keys[AT_ONCE][16];
	for (int i = 0; i < AT_ONCE; i++) {
		job_spec_init(&specs[i]);
		specs[i].capability = bytes_of("bench.echo");
		specs[i].input = (struct bytes){input, sizeof input};
	}
	while (r->done < jobs) {
		for (uint64_t i = 0; keyed && i < AT_ONCE; i++) {
			snprintf(keys[i], sizeof keys[i], "tenant-%llu", (unsigned long long)((r->done + i) % KEYS));
			specs[i].key = bytes_of(keys[i]);
		}
		queues_submit(r->qs, specs, AT_ONCE, loop_now_ms(r->loop), on_filled, r, NULL);
		loop_run(r->loop);
	}
}

static void bench_waiting(FILE *json, const char *setting, uint64_t jobs, bool keyed)
{
	struct run r = {0};
	clear();
	open_all(&r, NULL);
	double before = rss_mib();
	fill(&r, jobs, keyed);
	double each = (rss_mib() - before) * (1 << 20) / (double)jobs;
	close_all(&r);
	report(json, setting, "memory of a job", "bytes", &each, 1);
	struct run again = {0};
	double began = now();
	open_all(&again, NULL);
	double took = now() - began, cpu_began = cpu();
	report(json, setting, "start with them", "s", &took, 1);
	for (uint64_t i = 0; i < jobs / 2; i++) {
		if (!queue_lease(again.q, loop_now_ms(again.loop), &again))
			abort();
	}
	double us = (cpu() - cpu_began) * 1e6 / (double)(jobs / 2);
	report(json, setting, "give one out, cpu", "us/job", &us, 1);
	close_all(&again);
}

/* ── old results go ── */

struct pruning {
	struct run run;
	struct loop_timer *timer;
	uint64_t first; /* id after the last old result */
	double began, took;
};

static void fill_results(struct run *r, uint64_t jobs)
{
	enum { AT_ONCE = 5000 };
	scoped(buf_fini) struct buf head = {0};
	int64_t at = loop_now_ms(r->loop), ago = at - 10LL * 24 * 3600 * 1000;
	struct job_record record = {.capability = bytes_of("bench.echo"),
		.state = JOB_COMPLETED,
		.attempts = 1,
		.submitted_at_ms = ago,
		.started_at_ms = ago,
		.finished_at_ms = ago,
		.keep_until_ms = at - 1};
	job_record_encode(&record, &head);
	for (uint64_t n = 0; n < jobs;) {
		struct store_batch *b = store_batch_new();
		for (int i = 0; i < AT_ONCE && n < jobs; i++, n++)
			store_batch_put(b, STORE_DONE, (struct store_key){.id = queues_next_id(r->qs, ago)}, buf_bytes(&head),
				(struct bytes){input, 100});
		store_commit(r->store, b, NULL, NULL);
		uv_run(loop_uv(r->loop), UV_RUN_NOWAIT);
	}
}

static bool see_first(void *context, const struct store_row *row)
{
	*(uint64_t *)context = row->key.id;
	return false;
}

static void tick(void *context)
{
	struct pruning *p = context;
	uint64_t oldest = UINT64_MAX;
	int64_t at = loop_now_ms(p->run.loop), wait = queues_tick(p->run.qs, at) - at;
	p->run.store->ops->scan(
		p->run.store, &(struct store_range){.table = STORE_DONE, .scan_max = 1}, see_first, &oldest, NULL);
	if (oldest >= p->first && !p->took) {
		p->took = now() - p->began;
		p->run.until = 0; /* the jobs under way are the last */
	}
	loop_timer_set(p->timer, wait < 1 ? 1 : wait > 100 ? 100 : wait);
}

/* Until the writer has been idle long enough to give back what is free. */
static double files_mib(struct run *r)
{
	struct store_stats st;
	uint64_t before = 0;
	for (int same = 0; same < 10;) {
		usleep(200000);
		uv_run(loop_uv(r->loop), UV_RUN_NOWAIT);
		r->store->ops->stats(r->store, &st);
		same = st.file_bytes + st.wal_bytes == before ? same + 1 : 0;
		before = st.file_bytes + st.wal_bytes;
	}
	return (double)before / (1 << 20);
}

/* The same jobs without any pruning: what of the lag is the machine's. */
static double lag_without(void)
{
	struct run r = {.to_the_end = true};
	struct loop_lag lag;
	clear();
	open_all(&r, NULL);
	loop_get_lag(r.loop, &lag, true);
	r.until = now() + 3;
	while (r.outstanding < 64)
		submit(&r);
	loop_run(r.loop);
	loop_get_lag(r.loop, &lag, false);
	close_all(&r);
	return (double)lag.p99_us;
}

static void bench_pruning(FILE *json, uint64_t jobs)
{
	double without = lag_without();
	struct pruning p = {.run.to_the_end = true, .run.until = now() + 1e9};
	struct loop_lag lag;
	clear();
	open_all(&p.run, NULL);
	fill_results(&p.run, jobs);
	double full = files_mib(&p.run);
	p.first = queues_next_id(p.run.qs, loop_now_ms(p.run.loop));
	p.timer = loop_timer_new(p.run.loop, tick, &p);
	loop_get_lag(p.run.loop, &lag, true);
	p.began = now();
	tick(&p);
	while (p.run.outstanding < 64)
		submit(&p.run);
	loop_run(p.run.loop);
	loop_get_lag(p.run.loop, &lag, false);
	double p99 = (double)lag.p99_us, max = (double)lag.max_us, rate = (double)p.run.done / p.took;
	loop_timer_free(p.timer);
	double left = files_mib(&p.run);
	close_all(&p.run);
	report(json, "pruning", "all of them", "s", &p.took, 1);
	report(json, "pruning", "loop lag p99", "us", &p99, 1);
	report(json, "no pruning", "loop lag p99", "us", &without, 1);
	report(json, "pruning", "loop lag max", "us", &max, 1);
	report(json, "pruning", "end to end w64", "jobs/s", &rate, 1);
	report(json, "pruning", "files before", "MiB", &full, 1);
	report(json, "pruning", "files after", "MiB", &left, 1);
}

int main(int argc, char **argv)
{
	const char *json_path = NULL, *parent = ".";
	uint64_t jobs = 1000000;
	int rounds = 3;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--json"))
			json_path = argv[i + 1];
		else if (!strcmp(argv[i], "--dir"))
			parent = argv[i + 1];
		else if (!strcmp(argv[i], "--jobs"))
			jobs = strtoull(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--rounds"))
			rounds = atoi(argv[i + 1]);
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || argc % 2 == 0) {
		fprintf(stderr, "usage: store_bench [--json FILE] [--dir DIR] [--jobs N] [--rounds 1-%d]\n", ROUNDS_MAX);
		return 2;
	}
	snprintf(directory, sizeof directory, "%s/store-bench-XXXXXX", parent);
	if (!mkdtemp(directory)) {
		perror(directory);
		return 1;
	}
	FILE *json = json_path ? fopen(json_path, "w") : NULL;
	if (json)
		fprintf(json, "[");
	if (jobs) {
		bench_waiting(json, "waiting", jobs, false);
		bench_waiting(json, "keyed", jobs, true);
		bench_pruning(json, jobs);
	}
	bench_rates(json, rounds);
	if (json) {
		fprintf(json, "\n]\n");
		fclose(json);
	}
	clear();
	rmdir(directory);
	return 0;
}
