/* testworker.c - a worker for tests: one capability per thing that a handler can do, or do wrong.
 *
 * Built as a program and as a module. Options stand in the input, a flat JSON object; find_* below read it (it is our own
 * tests' input, so a search for "name": is enough). With "journal" in its configuration every execution is written down. */
#include "journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct state {
	const struct reeve_instance *self;
	atomic_int serial_now, serial_most, jobs;
	int journal; /* or -1 */
};

static const char *find_member(const struct reeve_job *job, const char *name)
{
	struct reeve_bytes in = reeve_input(job);
	char quoted[64];
	const char *p;

	snprintf(quoted, sizeof quoted, "\"%s\"", name);
	p = in.data ? strstr(in.data, quoted) : NULL;
	if (!p || !(p = strchr(p + strlen(quoted), ':')))
		return NULL;
	return p + 1 + strspn(p + 1, " ");
}

static long find_number(const struct reeve_job *job, const char *name, long otherwise)
{
	const char *p = find_member(job, name);
	return p ? strtol(p, NULL, 10) : otherwise;
}

static void find_text(const struct reeve_job *job, const char *name, const char *otherwise, char *out, size_t size)
{
	const char *p = find_member(job, name);
	if (p && *p == '"')
		snprintf(out, size, "%.*s", (int)strcspn(p + 1, "\""), p + 1);
	else
		snprintf(out, size, "%s", otherwise);
}

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* What it was given is what it gives. */
static int echo(void *state, struct reeve_job *job)
{
	struct reeve_bytes in = reeve_input(job);
	return in.data ? reeve_reply(job, in.data, in.size) : reeve_reply(job, "null", 4);
}

/* {"ms":n}: until then, or until it is cancelled. */
static int sleep_handler(void *state, struct reeve_job *job)
{
	long ms = find_number(job, "ms", 100);
	char text[64];

	for (long slept = 0; slept < ms; slept += 5) {
		if (reeve_cancelled(job))
			return REEVE_E_CANCELLED;
		pause_ms(5);
		if (slept % 100 == 0)
			reeve_progress(job, (int)(100 * slept / ms), "sleeping");
	}
	snprintf(text, sizeof text, "{\"slept_ms\":%ld}", ms);
	return reeve_reply(job, text, strlen(text));
}

/* {"ms":n}: until then, whoever may want it to end. */
static int deaf(void *state, struct reeve_job *job)
{
	for (long slept = 0, ms = find_number(job, "ms", 100); slept < ms; slept += 5)
		pause_ms(5);
	return reeve_reply(job, "\"deaf\"", 6);
}

/* {"code":"X","retryable":0|1,"message":"…","until":n}: fails; with `until`, the n-th attempt succeeds. */
static int fail(void *state, struct reeve_job *job)
{
	char code[64], message[128];

	if (find_number(job, "until", 0) > 0 && reeve_attempt(job) >= find_number(job, "until", 0))
		return reeve_reply(job, "\"at last\"", 9);
	find_text(job, "code", "TEST_FAILED", code, sizeof code);
	find_text(job, "message", "asked to fail", message, sizeof message);
	reeve_fail(job, code, (int)find_number(job, "retryable", 0), message);
	return REEVE_E_INTERNAL;
}

/* {"signal":n,"until":n}: ends the process (or the engine, as a module). */
static int crash(void *state, struct reeve_job *job)
{
	if (find_number(job, "until", 0) > 0 && reeve_attempt(job) >= find_number(job, "until", 0))
		return reeve_reply(job, "\"alive\"", 7);
	fprintf(stderr, "about to crash in attempt %d\n", reeve_attempt(job));
	raise((int)find_number(job, "signal", SIGSEGV));
	return REEVE_E_INTERNAL;
}

/* {"n":n,"from":k,"bytes":b,"crash_after":m}: n items with keys from..from+n-1, a checkpoint every 10; goes on from the last. */
static int emit(void *state, struct reeve_job *job)
{
	long n = find_number(job, "n", 10), from = find_number(job, "from", 0), bytes = find_number(job, "bytes", 0);
	long crash_after = find_number(job, "crash_after", 0);
	char *item = malloc(128 + (size_t)bytes), text[96];
	struct reeve_bytes resume = reeve_resume(job);
	long i = resume.data ? strtol(resume.data, NULL, 10) : 0, begun = i;
	int rc = item ? REEVE_OK : REEVE_E_NO_MEMORY;

	for (; rc == REEVE_OK && i < n; i++) {
		int head = snprintf(item, 64, "{\"key\":%ld,\"pad\":\"", from + i);
		memset(item + head, 'x', (size_t)bytes);
		memcpy(item + head + bytes, "\"}", 2);
		rc = reeve_emit(job, (uint64_t)(from + i), item, (size_t)head + (size_t)bytes + 2);
		if (rc == REEVE_OK && i % 10 == 9) {
			int size = snprintf(text, sizeof text, "%ld", i + 1);
			rc = reeve_checkpoint(job, text, (size_t)size);
		}
		if (crash_after && i + 1 == crash_after && reeve_attempt(job) == 1)
			raise(SIGKILL);
	}
	free(item);
	if (rc != REEVE_OK)
		return rc;
	snprintf(text, sizeof text, "{\"emitted\":%ld,\"resumed_at\":%ld}", n, begun);
	return reeve_reply(job, text, strlen(text));
}

/* {"capability":"test.echo","input":{…}}: calls it with the input given (flat, to the last brace); answers what came back. */
static int call(void *state, struct reeve_job *job)
{
	char name[128];
	const char *input = find_member(job, "input");
	struct reeve_bytes out;
	struct reeve_result *result = NULL;
	size_t size = input ? (size_t)(strrchr(input, '}') - input) : 2;
	int rc;

	find_text(job, "capability", "test.echo", name, sizeof name);
	rc = reeve_call(job, name, input ? input : "{}", size, &result);
	out = reeve_result_bytes(result);
	if (rc == REEVE_OK)
		rc = reeve_reply(job, out.data, out.size);
	else if (rc == REEVE_E_REMOTE)
		reeve_fail(job, "CALLEE_FAILED", 0, out.data);
	reeve_result_free(result);
	return rc;
}

/* Never two at once: answers the most that were ever in here together. */
static int serial(void *state, struct reeve_job *job)
{
	struct state *s = state;
	int now = atomic_fetch_add(&s->serial_now, 1) + 1;
	char text[32];

	if (now > atomic_load(&s->serial_most))
		atomic_store(&s->serial_most, now);
	pause_ms(find_number(job, "ms", 2));
	atomic_fetch_sub(&s->serial_now, 1);
	snprintf(text, sizeof text, "{\"most\":%d}", atomic_load(&s->serial_most));
	return reeve_reply(job, text, strlen(text));
}

static void *finish_later(void *argument)
{
	struct reeve_job *job = argument;
	pause_ms(find_number(job, "ms", 20));
	reeve_reply(job, "{\"finished\":\"later\"}", 20);
	reeve_finish(job, REEVE_OK);
	return NULL;
}

static int pending(void *state, struct reeve_job *job)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, finish_later, job) != 0)
		return REEVE_E_INTERNAL;
	pthread_detach(thread);
	return REEVE_PENDING;
}

/* Reads its input as a file; {"store":1} answers the name of a blob of the same content, {"file":1} replies with it as a file. */
static int blob(void *state, struct reeve_job *job)
{
	char block[4096], text[256], name[96] = "";
	unsigned long long bytes = 0, sum = 0;
	int fd = reeve_input_open(job), rc = REEVE_OK;
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = read(fd, block, sizeof block)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum += (unsigned char)block[i];
		bytes += (unsigned long long)n;
	}
	if (find_number(job, "file", 0))
		rc = reeve_reply_file(job, fd);
	else if (find_number(job, "store", 0))
		rc = reeve_blob(job, fd, name, sizeof name);
	close(fd);
	if (rc != REEVE_OK || find_number(job, "file", 0))
		return rc;
	snprintf(text, sizeof text, "{\"bytes\":%llu,\"sum\":%llu,\"name\":\"%s\"}", bytes, sum, name);
	return reeve_reply(job, text, strlen(text));
}

/* {"bytes":n}: a JSON string of n letters. */
static int big(void *state, struct reeve_job *job)
{
	size_t n = (size_t)find_number(job, "bytes", 100);
	char *text = malloc(n + 2);
	int rc = text ? REEVE_OK : REEVE_E_NO_MEMORY;

	if (rc == REEVE_OK) {
		memset(text, 'y', n + 2);
		text[0] = text[n + 1] = '"';
		rc = reeve_reply(job, text, n + 2);
	}
	free(text);
	return rc;
}

/* Bytes that are no text. */
static int binary(void *state, struct reeve_job *job)
{
	return reeve_reply(job, "\xff\xfe\0x", 4);
}

static int config(void *state, struct reeve_job *job)
{
	struct state *s = state;
	struct reeve_bytes c = reeve_config(s->self);
	return reeve_reply(job, c.data, c.size);
}

/* Writes a file into the scratch directory; answers the directory, which is gone when the job has ended. */
static int scratch(void *state, struct reeve_job *job)
{
	const char *path = reeve_scratch(job);
	char text[512];
	int fd;

	if (!path)
		return REEVE_E_INTERNAL;
	snprintf(text, sizeof text, "%s/file", path);
	fd = open(text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return REEVE_E_INTERNAL;
	close(fd);
	snprintf(text, sizeof text, "{\"path\":\"%s\"}", path);
	return reeve_reply(job, text, strlen(text));
}

/* What a handler is told about its job. */
static int about(void *state, struct reeve_job *job)
{
	char text[512];
	int64_t left = reeve_remaining_ms(job);
	snprintf(text, sizeof text,
		"{\"id\":\"%s\",\"fence\":%llu,\"attempt\":%d,\"remaining_ms\":%lld,\"traceparent\":\"%s\"}", reeve_job_id(job),
		(unsigned long long)reeve_fence(job), reeve_attempt(job), left < INT64_MAX ? (long long)left : -1ll,
		reeve_traceparent(job));
	reeve_job_log(job, REEVE_LOG_INFO, "about", text);
	return reeve_reply(job, text, strlen(text));
}

static const char *const tags[] = {"testing", NULL};

#define CAPABILITY(symbol, text, function, ...)                                                                        \
	static int function##_journaled(void *state, struct reeve_job *job)                                                \
	{                                                                                                                  \
		return journal_run(((struct state *)state)->journal, text, function, state, job);                              \
	}                                                                                                                  \
	static const struct reeve_capability symbol = {.size = sizeof(struct reeve_capability),                            \
		.name = "test." text,                                                                                          \
		.version = "1.0.0",                                                                                            \
		.summary = "For tests: " text ".",                                                                             \
		.mode = "transactional",                                                                                       \
		.tags = tags,                                                                                                  \
		.handle = function##_journaled,                                                                                \
		##__VA_ARGS__}

CAPABILITY(c_echo, "echo", echo, .flags = REEVE_IDEMPOTENT);
CAPABILITY(c_sleep, "sleep", sleep_handler);
CAPABILITY(c_deaf, "deaf", deaf);
CAPABILITY(c_fail, "fail", fail,
	.errors = "[{\"code\":\"TEST_FAILED\",\"description\":\"It was asked to.\",\"retryable\":false}]");
CAPABILITY(c_crash, "crash", crash);
CAPABILITY(c_emit, "emit", emit, .flags = REEVE_STREAM);
CAPABILITY(c_call, "call", call);
CAPABILITY(c_serial, "serial", serial, .flags = REEVE_SERIAL);
CAPABILITY(c_pending, "pending", pending);
CAPABILITY(c_blob, "blob", blob, .flags = REEVE_BINARY_INPUT);
CAPABILITY(c_big, "big", big);
CAPABILITY(c_binary, "binary", binary, .flags = REEVE_BINARY_OUTPUT);
CAPABILITY(c_config, "config", config);
CAPABILITY(c_scratch, "scratch", scratch);
CAPABILITY(c_about, "about", about);

static const struct reeve_capability *const capabilities[] = {&c_echo, &c_sleep, &c_deaf, &c_fail, &c_crash, &c_emit,
	&c_call, &c_serial, &c_pending, &c_blob, &c_big, &c_binary, &c_config, &c_scratch, &c_about, NULL};

static int start(struct reeve_instance *self, void **out)
{
	struct state *s = calloc(1, sizeof *s);
	struct reeve_bytes c = reeve_config(self);

	if (!s)
		return REEVE_E_NO_MEMORY;
	if (c.data && strstr(c.data, "\"start\":\"fail\"")) {
		free(s);
		return REEVE_E_INVALID;
	}
	if (c.data && strstr(c.data, "\"start\":\"crash\""))
		raise(SIGSEGV);
	if (c.data && strstr(c.data, "\"announce\":"))
		reeve_announce(self, "http", "url", "http://127.0.0.1:8081", "{\"health\":\"/health\"}");
	s->self = self;
	s->journal = journal_open(c.data);
	*out = s;
	reeve_log(self, REEVE_LOG_INFO, "started", "{\"by\":\"testworker\"}");
	return REEVE_OK;
}

static void stop(void *state)
{
	struct state *s = state;
	if (s->journal >= 0)
		close(s->journal);
	free(s);
}

/* Unhealthy while the file that its configuration names as "sick" is there. */
static int healthy(void *state, char *why, size_t size)
{
	struct state *s = state;
	struct reeve_bytes c = reeve_config(s->self);
	const char *at = c.data ? strstr(c.data, "\"sick\":\"") : NULL;
	char path[256];

	if (!at)
		return REEVE_OK;
	snprintf(path, sizeof path, "%.*s", (int)strcspn(at + 8, "\""), at + 8);
	if (access(path, F_OK) != 0)
		return REEVE_OK;
	snprintf(why, size, "there is a file %s", path);
	return REEVE_E_INTERNAL;
}

const struct reeve_worker reeve_export = {
	.size = sizeof(struct reeve_worker),
	.abi = REEVE_ABI,
	.name = "testworker",
	.version = "1.0.0",
	.config_schema = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}",
	.capabilities = capabilities,
	.start = start,
	.stop = stop,
	.healthy = healthy,
};
