/* run_host.c - the host table of `--run`: items to a file, blobs named, calls within the same worker. */
#include "run_host.h"

#include "files.h"
#include "sha256.h"
#include "wire/jsontext.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run_result {
	struct reeve_result base;
	struct text bytes;
};

/* ── the instance ── */

static struct reeve_bytes run_config(const struct reeve_instance *self)
{
	const struct run *r = (const struct run *)self;
	return (struct reeve_bytes){r->in.config.data, r->in.config.size};
}

static const char *run_instance_id(const struct reeve_instance *self)
{
	return "run";
}

static void print_log(struct run *r, int severity, const char *event, const char *fields)
{
	struct text line = {0};

	text_format(&line, "{\"severity\":%d,\"event\":", severity);
	text_quote(&line, event, strlen(event));
	if (fields && jsontext_is_object(fields, strlen(fields))) {
		text_put(&line, ",\"fields\":");
		text_put(&line, fields);
	}
	text_put(&line, "}\n");
	pthread_mutex_lock(&r->print);
	if (!line.failed)
		fwrite(line.data, 1, line.size, stderr);
	pthread_mutex_unlock(&r->print);
	text_fini(&line);
}

static void run_log(const struct reeve_instance *self, int severity, const char *event, const char *fields)
{
	print_log((struct run *)self, severity, event, fields);
}

static int run_announce(
	struct reeve_instance *self, const char *name, const char *type, const char *address, const char *metadata)
{
	return REEVE_OK;
}

/* ── the job ── */

static struct run_job *of(struct reeve_job *job)
{
	return (struct run_job *)job;
}

/* Names a file's content; keeps it where --blobs says. */
static int keep_blob(const struct run *r, int fd, char name[72])
{
	struct sha256 hash;
	char block[64 << 10], path[4096], part[4096];
	const char *directory = r->options->blobs;
	int from = files_again(fd), to = -1, rc = REEVE_E_INTERNAL;
	long n;

	if (from < 0)
		return REEVE_E_INVALID;
	if (directory) {
		snprintf(part, sizeof part, "%s/part.%d.XXXXXX", directory, (int)getpid());
		to = mkostemp(part, O_CLOEXEC);
	}
	sha256_init(&hash);
	while ((n = files_read(from, block, sizeof block)) > 0) {
		sha256_add(&hash, block, (size_t)n);
		if (to >= 0 && !files_write(to, block, (size_t)n))
			n = -2;
		if (n < 0)
			break;
	}
	memcpy(name, "sha256:", 7);
	sha256_end(&hash, name + 7);
	if (n == 0 && (!directory || (to >= 0 && snprintf(path, sizeof path, "%s/%s", directory, name + 7) > 0 &&
									 fchmod(to, 0600) == 0 && rename(part, path) == 0)))
		rc = REEVE_OK;
	else if (to >= 0)
		unlink(part);
	close(from);
	if (to >= 0)
		close(to);
	return rc;
}

static int run_blob(struct reeve_job *job, int fd, char *name, size_t size)
{
	char full[72];
	int rc = fd < 0 ? REEVE_E_INVALID : keep_blob(of(job)->run, fd, full);

	if (rc == REEVE_OK && size < sizeof full)
		return REEVE_E_TOO_LARGE;
	if (rc == REEVE_OK)
		memcpy(name, full, sizeof full);
	return rc;
}

static int run_progress(struct reeve_job *job, int percent, const char *message)
{
	return REEVE_OK;
}

/* White space between tokens may hold line breaks; inside strings JSON has none. So this keeps one item on one line. */
static void write_line(FILE *out, const char *data, size_t size)
{
	for (size_t from = 0; from < size;) {
		size_t n = 0;
		while (from + n < size && data[from + n] != '\n' && data[from + n] != '\r')
			n++;
		fwrite(data + from, 1, n, out);
		from += n;
		if (from < size) {
			fputc(' ', out);
			from++;
		}
	}
	fputc('\n', out);
}

static int run_emit(struct reeve_job *job, uint64_t key, const void *data, size_t size)
{
	struct run_job *j = of(job);
	bool binary = j->a.capability->flags & REEVE_BINARY_OUTPUT;
	int fresh;

	if (size > HOST_ITEM_MAX)
		return REEVE_E_TOO_LARGE;
	if (!binary && !jsontext_check(data, size, NULL))
		return REEVE_E_INVALID;
	if (reeve_cancelled(job))
		return REEVE_E_CANCELLED;
	pthread_mutex_lock(&j->run->print);
	fresh = keyset_add(&j->keys, key);
	if (fresh > 0 && !j->caller && !j->run->quiet) {
		if (binary)
			fwrite(data, 1, size, j->run->items);
		else
			write_line(j->run->items, data, size);
	}
	pthread_mutex_unlock(&j->run->print);
	return fresh < 0 ? REEVE_E_NO_MEMORY : REEVE_OK;
}

static int run_checkpoint(struct reeve_job *job, const void *data, size_t size)
{
	const struct run_job *j = of(job);
	const char *path = j->run->options->checkpoint;
	char part[4096];
	int fd, rc = REEVE_OK;

	if (size > HOST_CHECKPOINT_MAX)
		return REEVE_E_TOO_LARGE;
	if (!path || j->caller || j->run->quiet)
		return REEVE_OK;
	fflush(j->run->items);
	snprintf(part, sizeof part, "%s.part", path);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return REEVE_E_INTERNAL;
	if (!files_write(fd, data, size) || rename(part, path) < 0)
		rc = REEVE_E_INTERNAL;
	close(fd);
	return rc;
}

static void run_job_log(struct reeve_job *job, int severity, const char *event, const char *fields)
{
	print_log(of(job)->run, severity, event, fields);
}

static int run_finish(struct reeve_job *job, int result)
{
	struct run_job *j = of(job);
	int outcome, rc = attempt_finish(&j->a, result, &outcome);

	if (rc == 1) {
		pthread_mutex_lock(&j->a.lock);
		j->outcome = outcome;
		pthread_cond_broadcast(&j->ended);
		pthread_mutex_unlock(&j->a.lock);
	}
	return rc < 0 ? rc : REEVE_OK;
}

/* ── running ── */

static int run_call(
	struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out);

static struct reeve_bytes run_result_bytes(const struct reeve_result *result)
{
	const struct run_result *r = (const struct run_result *)result;
	return (struct reeve_bytes){r->bytes.data, r->bytes.size};
}

static void run_result_free(struct reeve_result *result)
{
	text_fini(&((struct run_result *)result)->bytes);
	free(result);
}

const struct reeve_host_ops run_ops = {
	.size = sizeof run_ops,
	.abi = REEVE_ABI,
	.config = run_config,
	.instance_id = run_instance_id,
	.log = run_log,
	.announce = run_announce,
	.job_id = attempt_job_id,
	.fence = attempt_fence,
	.attempt = attempt_count,
	.traceparent = attempt_traceparent,
	.remaining_ms = attempt_remaining_ms,
	.cancelled = attempt_cancelled,
	.input = attempt_input,
	.resume = attempt_resume,
	.input_open = attempt_input_open,
	.reply = attempt_reply,
	.reply_file = attempt_reply_file,
	.fail = attempt_fail,
	.blob = run_blob,
	.scratch = attempt_scratch,
	.progress = run_progress,
	.emit = run_emit,
	.checkpoint = run_checkpoint,
	.job_log = run_job_log,
	.finish = run_finish,
	.call = run_call,
	.result_bytes = run_result_bytes,
	.result_free = run_result_free,
};

void run_job_init(struct run_job *j, struct run *r, const struct reeve_capability *c, uint64_t number)
{
	memset(j, 0, sizeof *j);
	attempt_init(&j->a);
	pthread_cond_init(&j->ended, NULL);
	j->a.base.ops = &run_ops;
	j->a.capability = c;
	j->a.number = number;
	id_format(number, j->a.id);
	j->a.fence = 1;
	j->a.count = 1;
	j->run = r;
}

void run_job_fini(struct run_job *j)
{
	keyset_fini(&j->keys);
	pthread_cond_destroy(&j->ended);
	attempt_fini(&j->a);
}

int run_job_run(struct run_job *j)
{
	int outcome = REEVE_OK;

	if (!attempt_returned(&j->a, j->a.capability->handle(j->run->state, &j->a.base), &outcome)) {
		pthread_mutex_lock(&j->a.lock);
		while (j->a.phase != ATTEMPT_ENDED)
			pthread_cond_wait(&j->ended, &j->a.lock);
		outcome = j->outcome;
		pthread_mutex_unlock(&j->a.lock);
	}
	if (outcome < 0)
		attempt_explain(&j->a, outcome);
	return outcome;
}

void run_add_error(struct text *out, const struct attempt *a)
{
	text_put(out, "{\"code\":");
	text_quote(out, a->code, strlen(a->code));
	text_put(out, ",\"message\":");
	text_quote(out, a->message, strlen(a->message));
	text_format(out, ",\"retryable\":%s}", a->retryable ? "true" : "false");
}

/* The result as the daemon would keep it: the reply, a blob's name, or null. */
int run_add_result(struct text *out, const struct run_job *j)
{
	char name[72];
	int rc;

	if (j->a.reply_fd >= 0) {
		rc = keep_blob(j->run, j->a.reply_fd, name);
		if (rc != REEVE_OK)
			return rc;
		text_format(out, "{\"blob\":\"%s\"}", name);
	} else if (j->a.replied) {
		text_add(out, j->a.reply, j->a.reply_size);
	} else {
		text_put(out, j->a.capability->flags & REEVE_BINARY_OUTPUT ? "" : "null");
	}
	return out->failed ? REEVE_E_NO_MEMORY : REEVE_OK;
}

static int run_call(
	struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out)
{
	struct run_job *caller = of(job), callee;
	const struct reeve_capability *c = abi_find(caller->run->w, capability);
	struct run_result *result;
	int rc;

	if (!c)
		return REEVE_E_NOT_FOUND;
	if (size > HOST_INPUT_MAX)
		return REEVE_E_TOO_LARGE;
	for (const struct run_job *j = caller; j; j = j->caller)
		if (j->a.capability == c && (c->flags & REEVE_SERIAL))
			return REEVE_E_STATE;
	if (caller->depth + 1 >= HOST_CALL_DEPTH || (!(c->flags & REEVE_BINARY_INPUT) && !jsontext_check(data, size, NULL)))
		return REEVE_E_INVALID;
	result = calloc(1, sizeof *result);
	if (!result)
		return REEVE_E_NO_MEMORY;
	run_job_init(&callee, caller->run, c, caller->a.number);
	callee.caller = caller;
	callee.depth = caller->depth + 1;
	callee.a.input = (struct reeve_bytes){data, size};
	result->base.ops = &run_ops;
	rc = run_job_run(&callee) < 0 ? REEVE_E_REMOTE : run_add_result(&result->bytes, &callee);
	if (rc == REEVE_E_REMOTE)
		run_add_error(&result->bytes, &callee.a);
	run_job_fini(&callee);
	if (rc != REEVE_OK && rc != REEVE_E_REMOTE) {
		run_result_free(&result->base);
		return rc;
	}
	*out = &result->base;
	return rc;
}
