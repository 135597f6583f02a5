#include "run.h"

#include "run_host.h"
#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* SIGINT and SIGTERM cancel, on a thread of their own, as the daemon would; the second one ends the program. */
static void *wait_for_signal(void *run)
{
	struct run *r = run;
	sigset_t set;
	int which;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &which);
	pthread_mutex_lock(&r->turn);
	r->interrupted = true;
	if (r->current) {
		atomic_store(&r->current->a.cancelled, true);
		if (r->current->a.capability->cancel)
			r->current->a.capability->cancel(r->state, &r->current->a.base);
	}
	pthread_mutex_unlock(&r->turn);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (;;)
		pause();
	return NULL;
}

static void set_current(struct run *r, struct run_job *j)
{
	pthread_mutex_lock(&r->turn);
	r->current = j;
	if (j && r->interrupted)
		atomic_store(&j->a.cancelled, true);
	pthread_mutex_unlock(&r->turn);
}

static bool print_result(const struct run_job *j)
{
	const char *path = j->run->options->output;
	struct text result = {0};
	FILE *out = path ? fopen(path, "we") : stdout;
	bool good = out && run_add_result(&result, j) == REEVE_OK;

	if (good) {
		fwrite(result.data, 1, result.size, out);
		if (!(j->a.capability->flags & REEVE_BINARY_OUTPUT))
			fputc('\n', out);
		good = fflush(out) == 0;
	}
	if (!good)
		fprintf(stderr, "%s: the result cannot be written: %s\n", path ? path : "stdout", strerror(errno));
	if (out && path)
		fclose(out);
	text_fini(&result);
	return good;
}

static bool print_failure(const struct run_job *j)
{
	struct text line = {0};

	fflush(j->run->items);
	run_add_error(&line, &j->a);
	text_put(&line, "\n");
	if (!line.failed)
		fwrite(line.data, 1, line.size, stderr);
	text_fini(&line);
	return false;
}

/* One attempt, from input to printed result. */
static bool run_once(struct run *r, const struct reeve_capability *c, long number)
{
	struct run_job j;
	bool good;

	run_job_init(&j, r, c, (uint64_t)number);
	j.a.input = (struct reeve_bytes){r->in.inline_bytes.data, r->in.inline_bytes.size};
	j.a.checkpoint = (struct reeve_bytes){r->in.checkpoint.data, r->in.checkpoint.size};
	if (r->in.blob_fd >= 0)
		j.a.blob_fd = files_again(r->in.blob_fd);
	set_current(r, &j);
	good = run_job_run(&j) >= 0;
	set_current(r, NULL);
	if (!good)
		print_failure(&j);
	else if (!r->quiet)
		good = print_result(&j);
	run_job_fini(&j);
	return good;
}

static bool run_all(struct run *r, const struct reeve_capability *c)
{
	struct timespec from, to;
	double seconds;
	long n = r->options->repeat;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 1; i <= n; i++) {
		r->quiet = i < n;
		if (!run_once(r, c, i))
			return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	if (n > 1)
		fprintf(stderr, "{\"runs\":%ld,\"seconds\":%.6f,\"per_second\":%.1f}\n", n, seconds, (double)n / seconds);
	return true;
}

static bool start(struct run *r)
{
	int rc = r->w->worker.start ? r->w->worker.start(&r->base, &r->state) : REEVE_OK;

	if (rc != REEVE_OK)
		fprintf(stderr, "{\"code\":\"%s\",\"message\":\"the worker's start returned %d\",\"retryable\":false}\n",
			abi_outcome_word(rc), rc);
	return rc == REEVE_OK;
}

static void stop(struct run *r)
{
	if (r->w->worker.drain)
		r->w->worker.drain(r->state);
	if (r->w->worker.stop)
		r->w->worker.stop(r->state);
}

int run_capability(const struct abi_worker *w, const struct run_options *options)
{
	const struct reeve_capability *c = abi_find(w, options->capability);
	struct run r = {.base.ops = &run_ops,
		.w = w,
		.options = options,
		.items = stdout,
		.print = PTHREAD_MUTEX_INITIALIZER,
		.turn = PTHREAD_MUTEX_INITIALIZER};
	pthread_t signals;
	bool watched;
	sigset_t set;
	int code = 2;

	if (!c) {
		fprintf(
			stderr, "%s has no capability \"%s\"; --describe lists what it has\n", w->worker.name, options->capability);
		return 2;
	}
	if (options->items && !(r.items = fopen(options->items, "we"))) {
		fprintf(stderr, "--items %s: %s\n", options->items, strerror(errno));
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	watched = pthread_create(&signals, NULL, wait_for_signal, &r) == 0;
	if (run_input_read(&r.in, options, c)) {
		code = 1;
		if (start(&r)) {
			code = run_all(&r, c) ? 0 : 1;
			stop(&r);
		}
	}
	if (watched) {
		pthread_cancel(signals);
		pthread_join(signals, NULL);
	}
	if (options->items && fclose(r.items) != 0)
		code = 1;
	run_input_fini(&r.in);
	return code;
}
