/* claim_bench.c - pulls jobs over HTTP and completes them: how fast the pull API is.
 *
 *   claim_bench SOCKET CAPABILITY JOBS CONNECTIONS MAX
 *
 * Each connection claims up to MAX jobs and completes them, one request each, or all in one when MAX is above 1, until JOBS are
 * done. Prints {"per_s":...}. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 8 << 20 };

struct client {
	pthread_t thread;
	int fd;
	char *answer, *request;
	size_t size;
};

static const char *path, *capability;
static atomic_long left;
static int most;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void open_connection(struct client *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
		fail(path);
	c->answer = malloc(ANSWER_MAX);
	c->request = malloc(ANSWER_MAX);
}

/* The answer's body, ended by a NUL. */
static const char *post(struct client *c, const char *to, const char *body)
{
	char head[200];
	size_t size = strlen(body),
		   n = (size_t)snprintf(head, sizeof head,
			   "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", to,
			   size);
	if (send(c->fd, head, n, MSG_MORE) < 0 || send(c->fd, body, size, 0) < 0)
		fail("send");
	for (c->size = 0;;) {
		ssize_t got = recv(c->fd, c->answer + c->size, ANSWER_MAX - 1 - c->size, 0);
		if (got <= 0)
			fail("recv");
		c->size += (size_t)got;
		c->answer[c->size] = 0;
		const char *end = strstr(c->answer, "\r\n\r\n"), *length = strstr(c->answer, "Content-Length: ");
		if (end && length && c->size >= (size_t)(end + 4 - c->answer) + strtoul(length + 16, NULL, 10))
			break;
	}
	if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "%s: %s\n", to, c->answer);
		exit(1);
	}
	return strstr(c->answer, "\r\n\r\n") + 4;
}

/* The next claim of an answer; false: no more. */
static bool next_claim(const char **at, char id[14], unsigned long long *fence)
{
	const char *job = strstr(*at, "\"job_id\":\""), *number = job ? strstr(job, "\"fence\":") : NULL;
	if (!number)
		return false;
	memcpy(id, job + 10, 13);
	id[13] = 0;
	*fence = strtoull(number + 8, NULL, 10);
	*at = number + 8;
	return true;
}

static long complete_all(struct client *c, const char *claims)
{
	char id[14];
	unsigned long long fence;
	long n = 0;
	char *to = c->request + sprintf(c->request, "{\"completions\":[");
	while (next_claim(&claims, id, &fence))
		to += sprintf(to, "%s{\"job_id\":\"%s\",\"fence\":%llu,\"result\":1}", n++ ? "," : "", id, fence);
	strcpy(to, "]}");
	if (n && strstr(post(c, "/v1/claims/complete", c->request), "\"error\"")) {
		fprintf(stderr, "%s\n", c->answer);
		exit(1);
	}
	return n;
}

static long complete_one(struct client *c, const char *claims)
{
	char id[14], to[64], body[64];
	unsigned long long fence;
	if (!next_claim(&claims, id, &fence))
		return 0;
	snprintf(to, sizeof to, "/v1/claims/%s/complete", id);
	snprintf(body, sizeof body, "{\"fence\":%llu,\"result\":1}", fence);
	post(c, to, body);
	return 1;
}

static void *pull(void *context)
{
	struct client *c = context;
	char ask[200];
	open_connection(c);
	snprintf(ask, sizeof ask, "{\"capabilities\":[\"%s\"],\"max\":%d,\"wait\":\"100ms\",\"client\":\"bench\"}",
		capability, most);
	while (left > 0) {
		const char *claims = post(c, "/v1/claims", ask);
		left -= most > 1 ? complete_all(c, claims) : complete_one(c, claims);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	if (argc != 6)
		return fprintf(stderr, "usage: claim_bench SOCKET CAPABILITY JOBS CONNECTIONS MAX\n"), 2;
	path = argv[1];
	capability = argv[2];
	long jobs = atol(argv[3]), n = atol(argv[4]);
	left = jobs;
	most = atoi(argv[5]);
	struct client *clients = calloc((size_t)n, sizeof *clients);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < n; i++)
		pthread_create(&clients[i].thread, NULL, pull, &clients[i]);
	for (long i = 0; i < n; i++)
		pthread_join(clients[i].thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("{\"per_s\":%.1f}\n", (double)jobs / s);
	return 0;
}
