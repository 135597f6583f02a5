/* peers - drives one of other people's queues as client_bench drives Reeve; prints one JSON object.
 *
 *     peers PEER enqueue WHERE WINDOW THREADS SECONDS   WINDOW jobs at a time, each confirmed
 *     peers PEER e2e WHERE WINDOW SECONDS               at most WINDOW put and not yet taken and acknowledged
 *     peers PEER latency WHERE N                        one job each 5 ms: from the put to the consumer
 *     peers PEER fill WHERE N                           N jobs, 512 at a time
 *
 * Not part of the products: bench/queue compiles it where --peers asks for it. */
#include "peers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAYLOAD = 256, THREADS_MAX = 64, SAMPLES_MAX = 1 << 16, TAKE_MOST = 100 };

static const struct peer *const peers[] = {
	&peer_beanstalkd, &peer_redis, &peer_gearmand, &peer_nats, &peer_postgresql, &peer_rabbitmq};

bool peers_wake;

struct run {
	const struct peer *peer;
	const char *where;
	unsigned window;
	double seconds, took_s;
	unsigned long done;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t room;
	unsigned outstanding;
	bool over;
	long long samples[SAMPLES_MAX];
	unsigned sample_n;
};

static char payload[PAYLOAD + 1];

void give_up(const char *what, const char *why)
{
	fprintf(stderr, "peers: %s: %s\n", what, why);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ── enqueue ── */

static void *producer(void *context)
{
	struct run *r = context;
	void *c = r->peer->open(r->where);
	long long begun = now_ns(), until = begun + (long long)(r->seconds * 1e9), now;
	do {
		r->peer->put(c, payload, PAYLOAD, r->window);
		r->done += r->window;
		now = now_ns();
	} while (now < until);
	r->took_s = (double)(now - begun) / 1e9;
	return NULL;
}

static void enqueue(struct run *r, unsigned n)
{
	static struct run each[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	for (unsigned i = 0; i < n; i++) {
		each[i] = *r;
		if (pthread_create(&threads[i], NULL, producer, &each[i]))
			give_up("pthread_create", "failed");
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		r->done += each[i].done;
		r->took_s += each[i].took_s / n;
	}
}

static void fill(struct run *r, unsigned long jobs)
{
	void *c = r->peer->open(r->where);
	long long begun = now_ns();
	for (r->done = 0; r->done < jobs; r->done += r->window)
		r->peer->put(c, payload, PAYLOAD, r->window);
	r->took_s = (double)(now_ns() - begun) / 1e9;
}

/* ── end to end ── */

static void ignore(void *context, const char *body, size_t size)
{
	(void)context, (void)body, (void)size;
}

static void *consumer(void *context)
{
	struct run *r = context;
	void *c = r->peer->open(r->where);
	for (bool over = false; !over;) {
		unsigned n = r->peer->take(c, TAKE_MOST, ignore, NULL);
		pthread_mutex_lock(&r->lock);
		r->done += n;
		r->outstanding -= n;
		over = r->over && !r->outstanding;
		pthread_cond_signal(&r->room);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static void end_to_end(struct run *r)
{
	void *c = r->peer->open(r->where);
	long long begun = now_ns(), until = begun + (long long)(r->seconds * 1e9);
	pthread_t thread;
	if (pthread_create(&thread, NULL, consumer, r))
		give_up("pthread_create", "failed");
	while (now_ns() < until) {
		pthread_mutex_lock(&r->lock);
		while (r->outstanding == r->window)
			pthread_cond_wait(&r->room, &r->lock);
		unsigned n = r->window - r->outstanding;
		r->outstanding += n;
		pthread_mutex_unlock(&r->lock);
		r->peer->put(c, payload, PAYLOAD, n);
	}
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_mutex_unlock(&r->lock);
	pthread_join(thread, NULL);
	r->took_s = (double)(now_ns() - begun) / 1e9;
}

/* ── latency ── */

static void age(void *context, const char *body, size_t size)
{
	struct run *r = context;
	(void)size;
	if (r->sample_n < SAMPLES_MAX)
		r->samples[r->sample_n++] = now_ns() - strtoll(body, NULL, 10);
}

static void *one_by_one(void *context)
{
	struct run *r = context;
	void *c = r->peer->open(r->where);
	for (;;) {
		unsigned n = r->peer->take(c, 1, age, r);
		pthread_mutex_lock(&r->lock);
		bool over = r->over && !n;
		pthread_mutex_unlock(&r->lock);
		if (over)
			return NULL;
	}
}

static void latency(struct run *r, unsigned n)
{
	char body[PAYLOAD + 1];
	pthread_t thread;
	peers_wake = true;
	void *c = r->peer->open(r->where);
	if (pthread_create(&thread, NULL, one_by_one, r))
		give_up("pthread_create", "failed");
	for (unsigned i = 0; i < n; i++) {
		snprintf(body, sizeof body, "%019lld %0*d", now_ns(), PAYLOAD - 20, 0);
		r->peer->put(c, body, PAYLOAD, 1);
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_mutex_unlock(&r->lock);
	pthread_join(thread, NULL);
	r->done = n;
}

/* ── the command line ── */

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;
	return x < y ? -1 : x > y;
}

static void report(struct run *r)
{
	printf("{\"done\":%lu,\"per_s\":%.2f", r->done, r->took_s > 0 ? (double)r->done / r->took_s : 0);
	if (r->sample_n) {
		qsort(r->samples, r->sample_n, sizeof *r->samples, compare);
		printf(",\"p50_us\":%.3f,\"p99_us\":%.3f", (double)r->samples[r->sample_n / 2] / 1e3,
			(double)r->samples[r->sample_n * 99 / 100] / 1e3);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	static struct run r = {.lock = PTHREAD_MUTEX_INITIALIZER, .room = PTHREAD_COND_INITIALIZER};
	const char *mode = argc > 4 ? argv[2] : "";
	for (size_t i = 0; argc > 4 && i < sizeof peers / sizeof *peers; i++) {
		if (!strcmp(peers[i]->name, argv[1]))
			r.peer = peers[i];
	}
	if (!r.peer)
		give_up("usage", "peers PEER enqueue|e2e|latency|fill WHERE ...: see the top of main.c");
	r.where = argv[3];
	r.window = (unsigned)atoi(argv[4]);
	memset(payload, 'x', PAYLOAD);
	if (!strcmp(mode, "enqueue") && argc == 7) {
		r.seconds = strtod(argv[6], NULL);
		enqueue(&r, (unsigned)atoi(argv[5]));
	} else if (!strcmp(mode, "e2e") && argc == 6) {
		r.seconds = strtod(argv[5], NULL);
		end_to_end(&r);
	} else if (!strcmp(mode, "latency") && argc == 5) {
		latency(&r, (unsigned)atoi(argv[4]));
	} else if (!strcmp(mode, "fill") && argc == 5) {
		r.window = 512;
		fill(&r, strtoul(argv[4], NULL, 10));
	} else {
		give_up(mode, "is not a mode, or has other arguments");
	}
	report(&r);
	return 0;
}
