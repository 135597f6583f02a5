/* link_host.c - the life of a worker that is a process: welcome, start, ready; drain, stop, exit. */
#include "link.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { TOKEN_MAX = 128, SETTLE_MS = 10000, CHECK_MS = 100 };

/* $REEVE_TOKEN, or the first line of $REEVE_TOKEN_FILE. Malloced; NULL: neither, or no memory. */
static char *read_token(void)
{
	const char *direct = getenv("REEVE_TOKEN"), *path = getenv("REEVE_TOKEN_FILE");
	char text[TOKEN_MAX + 2] = "";
	int fd;

	if (direct)
		return strdup(direct);
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return NULL;
	if (files_read(fd, text, TOKEN_MAX) < 0)
		text[0] = 0;
	close(fd);
	text[strcspn(text, "\r\n")] = 0;
	return strdup(text);
}

static bool init(struct link_host *h, const struct abi_worker *w)
{
	sigset_t set;

	*h = (struct link_host){.base.ops = &link_ops,
		.w = w,
		.path = getenv("REEVE_LINK"),
		.fd = -1,
		.concurrency = 1,
		.healthy = true,
		.retry_ms = 10};
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->came_online, NULL);
	pthread_cond_init(&h->main_wake, NULL);
	h->mean_ns = LINK_LONG_NS; /* until it is known */
	pthread_cond_init(&h->work, NULL);
	pthread_cond_init(&h->quiet, NULL);
	h->offline_since_ms = link_now_ms();
	h->token = read_token();
	h->serial = calloc(w->n + 1, sizeof *h->serial);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by all threads: only signal_fd sees them */
	signal(SIGPIPE, SIG_IGN);
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return h->token && h->serial && h->wake_fd >= 0 && h->signal_fd >= 0;
}

static void fini(struct link_host *h)
{
	link_jobs_free(h);
	for (unsigned i = 0; i < h->announcement_n; i++)
		free(h->announcements[i]);
	text_fini(&h->config);
	free(h->serial);
	free(h->threads);
	free(h->token);
	if (h->wake_fd >= 0)
		close(h->wake_fd);
	if (h->signal_fd >= 0)
		close(h->signal_fd);
	pthread_cond_destroy(&h->came_online);
	pthread_cond_destroy(&h->main_wake);
	pthread_cond_destroy(&h->work);
	pthread_cond_destroy(&h->quiet);
	pthread_mutex_destroy(&h->lock);
}

static void wait_at_most(struct link_host *h, pthread_cond_t *c, int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += (time_t)(ms / 1000) + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(c, &h->lock, &t);
}

/* ── start ── */

static void say_failed(struct link_host *h, int rc)
{
	struct text json = {0};

	text_format(
		&json, "{\"code\":\"%s\",\"message\":\"the worker's start function returned %d\"}", abi_outcome_word(rc), rc);
	link_put_json(h, FRAME_FAILED, &json);
	link_flush(h);
	text_fini(&json);
}

static bool start_threads(struct link_host *h)
{
	h->threads = calloc(h->concurrency, sizeof *h->threads);
	if (!h->threads)
		return false;
	for (; h->thread_n < h->concurrency; h->thread_n++)
		if (pthread_create(&h->threads[h->thread_n], NULL, link_job_thread, h) != 0)
			break;
	return h->thread_n > 0;
}

/* With the lock held. False: it must exit. */
static bool start(struct link_host *h)
{
	int rc = REEVE_OK;

	while (!h->welcomed && !h->draining)
		pthread_cond_wait(&h->main_wake, &h->lock);
	if (!h->welcomed)
		return false;
	pthread_mutex_unlock(&h->lock);
	if (h->w->worker.start)
		rc = h->w->worker.start(&h->base, &h->state);
	pthread_mutex_lock(&h->lock);
	if (rc == REEVE_OK && !start_threads(h)) {
		if (h->w->worker.stop) {
			pthread_mutex_unlock(&h->lock);
			h->w->worker.stop(h->state);
			pthread_mutex_lock(&h->lock);
		}
		rc = REEVE_E_NO_MEMORY;
	}
	if (rc != REEVE_OK) {
		say_failed(h, rc);
		return false;
	}
	h->started = true;
	link_put_simple(h, FRAME_READY, 0, 0, 0, (struct span){0});
	link_flush(h);
	return true;
}

/* ── while it serves ── */

static void check_health(struct link_host *h)
{
	char why[sizeof h->why] = "";
	bool healthy;

	h->ping = false;
	if (!h->w->worker.healthy)
		return;
	pthread_mutex_unlock(&h->lock);
	healthy = h->w->worker.healthy(h->state, why, sizeof why) == REEVE_OK;
	why[sizeof why - 1] = 0;
	pthread_mutex_lock(&h->lock);
	h->healthy = healthy;
	memcpy(h->why, why, sizeof why);
}

static void serve(struct link_host *h)
{
	while (!h->draining) {
		if (h->ping)
			check_health(h);
		else
			pthread_cond_wait(&h->main_wake, &h->lock);
	}
}

/* ── drain and stop ── */

/* Handlers get their grace, then they are cancelled; who then does not end is ended by the keeper. */
static void wait_for_handlers(struct link_host *h)
{
	int64_t since_ms = link_now_ms();

	while (h->running || h->ready) {
		if (h->gave_up || (h->grace_ms < INT64_MAX && link_now_ms() - since_ms >= h->grace_ms))
			link_job_cancel_all(h);
		wait_at_most(h, &h->quiet, CHECK_MS);
	}
}

static void wait_for_settling(struct link_host *h)
{
	int64_t until_ms = link_now_ms() + SETTLE_MS;

	while (h->unsettled && !h->gave_up && link_now_ms() < until_ms)
		wait_at_most(h, &h->quiet, CHECK_MS);
}

static void callback(struct link_host *h, void (*function)(void *state))
{
	if (!function)
		return;
	pthread_mutex_unlock(&h->lock);
	function(h->state);
	pthread_mutex_lock(&h->lock);
}

static void stop(struct link_host *h)
{
	wait_for_handlers(h);
	callback(h, h->w->worker.drain);
	wait_for_settling(h);
	link_put_simple(h, FRAME_BYE, 0, 0, 0, (struct span){0});
	link_flush(h);
}

static void join_all(struct link_host *h)
{
	h->closing = true;
	pthread_cond_broadcast(&h->work);
	link_wake(h);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->thread_n; i++)
		pthread_join(h->threads[i], NULL);
	pthread_join(h->io, NULL);
	pthread_mutex_lock(&h->lock);
}

int link_serve(const struct abi_worker *w)
{
	struct link_host *h = malloc(sizeof *h);
	int code = 1;
	bool started = false;

	if (h && init(h, w)) {
		pthread_mutex_lock(&h->lock);
		if (pthread_create(&h->io, NULL, link_io_run, h) == 0) {
			started = start(h);
			if (!h->welcomed) /* told to stop, or refused, before anything began */
				code = h->gave_up ? 3 : 0;
			if (started) {
				serve(h);
				stop(h);
				code = h->gave_up ? 3 : 0;
			}
			join_all(h);
			if (started)
				callback(h, w->worker.stop);
		}
		pthread_mutex_unlock(&h->lock);
	}
	if (h)
		fini(h);
	free(h);
	return code;
}
