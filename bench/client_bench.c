/* client_bench.c - drives a daemon as fast as it goes, for bench/queue and bench/call; prints one JSON object.
 *
 *     client_bench enqueue LINK CAPABILITY WINDOW THREADS SECONDS    confirmed submits
 *     client_bench e2e LINK CAPABILITY WINDOW THREADS SECONDS        until each job's outcome came back
 *     client_bench fill LINK CAPABILITY N                            N confirmed submits, 512 outstanding
 *     client_bench latency LINK CAPABILITY N                         one job each 5 ms; bench.age answers its age
 *     client_bench invoke LINK CAPABILITY N                          calls over the link
 *     client_bench http SOCKET CAPABILITY THREADS SECONDS            POST /v1/invoke, keep-alive
 *     client_bench disk DIR RECORDS SECONDS                          256 bytes RECORDS times, then one fdatasync
 *
 * WINDOW is how many are outstanding in each thread; every thread has a connection of its own. */
#include <reeve/client.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 256, THREADS_MAX = 64, SAMPLES_MAX = 1 << 20, FILL_WINDOW = 512 };

struct driver {
	const char *where, *capability;
	unsigned window;
	double seconds;
	unsigned long most; /* jobs; 0: as many as there is time for */
	int flags; /* of reeve_client_send */
	unsigned long done;
	double took_s;
	long long *samples; /* nanoseconds; NULL: not wanted */
	size_t sample_n;
};

static char payload[PAYLOAD];

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "client_bench: %s: %s\n", what, why);
	exit(1);
}

static struct reeve_client *open_client(const char *path)
{
	struct reeve_client *c;
	if (reeve_client_open(path, &c) != REEVE_OK)
		give_up(path, reeve_client_error(c));
	return c;
}

static void sample(struct driver *d, long long ns)
{
	if (d->samples && d->sample_n < SAMPLES_MAX)
		d->samples[d->sample_n++] = ns;
}

/* ── jobs ── */

static void send_one(struct driver *d, struct reeve_client *c)
{
	struct reeve_job_spec spec = REEVE_JOB_SPEC_INIT;
	uint64_t ticket;
	spec.capability = d->capability;
	spec.input = payload;
	spec.input_size = sizeof payload;
	if (reeve_client_send(c, &spec, d->flags, &ticket) != REEVE_OK)
		give_up("send", reeve_client_error(c));
}

/* One answer of those that count. */
static void take_one(struct driver *d, struct reeve_client *c)
{
	struct reeve_answer a;
	do {
		a.size = sizeof a;
		if (reeve_client_next(c, -1, &a) != REEVE_OK || a.code != REEVE_OK)
			give_up("answer", reeve_client_error(c));
	} while (d->flags && !a.over);
	if (d->flags && strcmp(a.outcome.state, "completed"))
		give_up(a.outcome.id, a.outcome.state);
}

static void *drive_jobs(void *driver)
{
	struct driver *d = driver;
	struct reeve_client *c = open_client(d->where);
	unsigned outstanding = 0;
	long long begun = now_ns(), until = begun + (long long)(d->seconds * 1e9), now;

	do {
		for (; outstanding < d->window && (!d->most || d->done + outstanding < d->most); outstanding++)
			send_one(d, c);
		take_one(d, c);
		outstanding--;
		d->done++;
		now = now_ns();
	} while (d->most ? d->done < d->most : now < until);
	d->took_s = (double)(now - begun) / 1e9;
	for (; outstanding; outstanding--)
		take_one(d, c);
	reeve_client_close(c);
	return NULL;
}

static void latency(struct driver *d, unsigned n)
{
	struct reeve_client *c = open_client(d->where);
	struct reeve_job_spec spec = REEVE_JOB_SPEC_INIT;
	char input[PAYLOAD];

	spec.capability = d->capability;
	spec.input = input;
	for (unsigned i = 0; i < n; i++) {
		struct reeve_answer a = {.size = sizeof a};
		uint64_t ticket;
		spec.input_size = (size_t)snprintf(input, sizeof input, "{\"at\":%lld,\"pad\":\"%0200d\"}", now_ns(), 0);
		if (reeve_client_send(c, &spec, REEVE_SEND_WAIT, &ticket) != REEVE_OK)
			give_up("send", reeve_client_error(c));
		while (!a.over)
			if (reeve_client_next(c, -1, &a) != REEVE_OK)
				give_up("answer", reeve_client_error(c));
		if (i >= n / 10) /* the first ones warm it up */
			sample(d, strtoll(a.outcome.result.data ? a.outcome.result.data : "0", NULL, 10));
		nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
	reeve_client_close(c);
}

/* ── calls ── */

static void invoke(struct driver *d, unsigned n)
{
	struct reeve_client *c = open_client(d->where);
	long long begun = now_ns();

	for (unsigned i = 0; i < n; i++) {
		struct reeve_outcome o = {.size = sizeof o};
		long long at = now_ns();
		if (reeve_client_invoke(c, d->capability, NULL, "{\"value\":1}", 11, 0, &o) != REEVE_OK)
			give_up(d->capability, reeve_client_error(c));
		sample(d, now_ns() - at);
	}
	d->done = n;
	d->took_s = (double)(now_ns() - begun) / 1e9;
	reeve_client_close(c);
}

/* Reads one whole response of HTTP/1.1 with a Content-Length. */
static void read_response(int fd)
{
	char text[8192];
	size_t have = 0, want = 0;

	while (!want || have < want) {
		ssize_t n = have < sizeof text - 1 ? read(fd, text + have, sizeof text - 1 - have) : -1;
		if (n <= 0)
			give_up("http", n ? strerror(errno) : "the daemon closed the connection");
		have += (size_t)n;
		text[have] = 0;
		char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
		if (end && strncmp(text, "HTTP/1.1 200", 12) != 0)
			give_up("http", text);
		if (end)
			want = (size_t)(end + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0);
	}
}

static void *drive_http(void *driver)
{
	struct driver *d = driver;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[512];
	long long begun = now_ns(), until = begun + (long long)(d->seconds * 1e9), now = begun;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", d->where);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		give_up(d->where, strerror(errno));
	int size = snprintf(request, sizeof request,
		"POST /v1/invoke/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 11\r\n\r\n{\"value\":1}",
		d->capability);
	while (now < until) {
		long long at = now;
		if (write(fd, request, (size_t)size) != size)
			give_up("http", strerror(errno));
		read_response(fd);
		now = now_ns();
		sample(d, now - at);
		d->done++;
	}
	d->took_s = (double)(now - begun) / 1e9;
	close(fd);
	return NULL;
}

/* ── the disk's own limit ── */

static void disk(struct driver *d, unsigned records)
{
	char path[512];
	snprintf(path, sizeof path, "%s/disk-limit", d->where);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	char *block = calloc(records, PAYLOAD);
	long long begun = now_ns(), until = begun + (long long)(d->seconds * 1e9), now = begun;

	if (fd < 0 || !block)
		give_up(path, strerror(errno));
	while (now < until) {
		long long at = now;
		if (write(fd, block, (size_t)records * PAYLOAD) < 0 || fdatasync(fd) != 0)
			give_up(path, strerror(errno));
		now = now_ns();
		sample(d, now - at);
		d->done += records;
	}
	d->took_s = (double)(now - begun) / 1e9;
	close(fd);
	unlink(path);
	free(block);
}

/* ── the command line ── */

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;
	return x < y ? -1 : x > y;
}

static void report(struct driver *d)
{
	printf("{\"done\":%lu,\"per_s\":%.2f", d->done, d->took_s > 0 ? (double)d->done / d->took_s : 0);
	if (d->sample_n) {
		qsort(d->samples, d->sample_n, sizeof *d->samples, compare);
		printf(",\"p50_us\":%.3f,\"p99_us\":%.3f", (double)d->samples[d->sample_n / 2] / 1e3,
			(double)d->samples[d->sample_n * 99 / 100] / 1e3);
	}
	printf("}\n");
}

/* Threads of the same kind; their sums and samples come together in *d. */
static void run_threads(struct driver *d, unsigned n, void *(*main_of)(void *))
{
	struct driver each[THREADS_MAX];
	pthread_t threads[THREADS_MAX];

	for (unsigned i = 0; i < n; i++) {
		each[i] = *d;
		if (n > 1)
			each[i].samples = NULL;
		if (pthread_create(&threads[i], NULL, main_of, &each[i]) != 0)
			give_up("pthread_create", "failed");
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		d->done += each[i].done;
		d->took_s += each[i].took_s / n;
	}
	if (n == 1)
		d->sample_n = each[0].sample_n;
}

static unsigned count_at(char **argv, int i, unsigned most)
{
	unsigned long n = strtoul(argv[i], NULL, 10);
	if (n < 1 || n > most)
		give_up(argv[i], "is out of range");
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct driver d = {.where = argc > 2 ? argv[2] : "", .capability = argc > 3 ? argv[3] : ""};

	memset(payload, 'x', sizeof payload);
	payload[0] = payload[sizeof payload - 1] = '"';
	d.samples = calloc(SAMPLES_MAX, sizeof *d.samples);
	if ((!strcmp(what, "enqueue") || !strcmp(what, "e2e")) && argc == 7) {
		d.window = count_at(argv, 4, 8000);
		d.seconds = strtod(argv[6], NULL);
		d.flags = what[1] == '2' ? REEVE_SEND_WAIT : 0;
		run_threads(&d, count_at(argv, 5, THREADS_MAX), drive_jobs);
	} else if (!strcmp(what, "fill") && argc == 5) {
		d.window = FILL_WINDOW;
		d.most = count_at(argv, 4, 100000000);
		run_threads(&d, 1, drive_jobs);
	} else if (!strcmp(what, "latency") && argc == 5) {
		latency(&d, count_at(argv, 4, 100000));
	} else if (!strcmp(what, "invoke") && argc == 5) {
		invoke(&d, count_at(argv, 4, SAMPLES_MAX));
	} else if (!strcmp(what, "http") && argc == 6) {
		d.seconds = strtod(argv[5], NULL);
		run_threads(&d, count_at(argv, 4, THREADS_MAX), drive_http);
	} else if (!strcmp(what, "disk") && argc == 5) {
		d.seconds = strtod(argv[4], NULL);
		disk(&d, count_at(argv, 3, 4096));
	} else {
		fprintf(stderr,
			"usage: client_bench enqueue|e2e|fill|latency|invoke|http|disk ...: see the top of client_bench.c\n");
		return 2;
	}
	report(&d);
	free(d.samples);
	return 0;
}
