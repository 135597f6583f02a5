/* thread.c - the threads of a unit: one that loads, starts and stops the worker, and those that run its handlers. */
#include "module/parts.h"

#include "sdk/files.h"
#include "os/os_clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Signals are the loop's affair; only the fatal ones may arrive here. */
static bool spawn(pthread_t *out, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	static const int ours[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	for (size_t k = 0; k < ARRAY_SIZE(ours); k++)
		sigdelset(&all, ours[k]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(out, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

/* ── handlers ── */

static bool serial(const struct task *t)
{
	return t->capability->flags & REEVE_SERIAL;
}

static struct task *next_task(struct unit *u) /* under u->lock */
{
	list_each(&u->queue, at)
	{
		struct task *t = container_of(at, struct task, link);
		if (serial(t) && u->serial_busy[t->index])
			continue;
		if (serial(t))
			u->serial_busy[t->index] = true;
		list_remove(at);
		t->place = TASK_RUNNING;
		return t;
	}
	return NULL;
}

static void run_task(struct task *t)
{
	struct unit *u = t->unit;
	struct attempt *a = &t->attempt;
	int outcome;
	if (t->timeout_ms >= 0)
		a->deadline_ms = os_clock_ms() + t->timeout_ms;
	atomic_store_explicit(&t->begun, true, memory_order_release);
	crumb_set(a->number >> 63 ? 0 : a->number, a->fence, (uint32_t)a->count, t->capability->name);
	int rc = t->capability->handle(u->state, &a->base);
	crumb_clear();
	if (attempt_returned(a, rc, &outcome))
		task_end(t, outcome);
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Under u->lock, which it lets go meanwhile. The loop wakes one thread; that one wakes the next where it is worth it. */
static void run_unlocked(struct unit *u, struct task *t)
{
	bool wake = u->mean_ns >= UNIT_LONG_NS && !list_empty(&u->queue) && unit_may_wake(u);
	pthread_mutex_unlock(&u->lock);
	if (wake)
		pthread_cond_signal(&u->work);
	int64_t begun_ns = now_ns();
	run_task(t);
	int64_t took_ns = now_ns() - begun_ns;
	pthread_mutex_lock(&u->lock);
	u->mean_ns += (took_ns - u->mean_ns) / 8;
}

void unit_block(struct unit *u)
{
	pthread_mutex_lock(&u->lock);
	u->blocked++;
	bool wake = !list_empty(&u->queue) && unit_may_wake(u);
	pthread_mutex_unlock(&u->lock);
	if (wake)
		pthread_cond_signal(&u->work);
}

void unit_unblock(struct unit *u)
{
	pthread_mutex_lock(&u->lock);
	u->blocked--;
	pthread_mutex_unlock(&u->lock);
}

static void *handler(void *argument)
{
	struct unit *u = argument;
	crumb_enter(u->host->crumbs, u->id);
	pthread_mutex_lock(&u->lock);
	for (;;) {
		struct task *t = next_task(u);
		if (t) {
			run_unlocked(u, t);
			continue;
		}
		if (u->closing)
			break;
		u->idle++;
		pthread_cond_wait(&u->work, &u->lock);
		u->idle--;
		if (u->woken)
			u->woken--;
	}
	crumb_leave(); /* before the count: the last one out lets the unit and all else go */
	u->threads--;
	pthread_cond_broadcast(&u->control);
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

/* ── the end of a task ── */

static void blob_result(struct task *t, const char *name)
{
	buf_clear(&t->result);
	buf_format(&t->result, "{\"blob\":\"%s\"}", name);
}

static enum errcode store_reply(struct task *t, char name[BLOB_NAME_SIZE], struct err *e)
{
	struct attempt *a = &t->attempt;
	struct blobs *blobs = t->unit->host->options.blobs;
	struct blob_writer *w;
	uint64_t bytes;
	if (a->reply_fd >= 0)
		return blob_put_fd(blobs, a->reply_fd, name, &bytes, e);
	enum errcode code = blob_writer_open(blobs, &w, e);
	if (code != E_OK)
		return code;
	code = blob_writer_add(w, a->reply, a->reply_size, e);
	if (code != E_OK) {
		blob_writer_abort(w);
		return code;
	}
	return blob_writer_close(w, name, &bytes, e);
}

static void set_error(struct task *t, const char *code, int retryable, const char *message)
{
	t->error.retryable = retryable;
	snprintf(t->error.code, sizeof t->error.code, "%s", code);
	snprintf(t->error.message, sizeof t->error.message, "%s", message);
}

/* What came of it: as the link's host would say it, so that both placements give the same. */
static void compose(struct task *t, int outcome)
{
	struct attempt *a = &t->attempt;
	struct err e;
	char name[BLOB_NAME_SIZE];
	buf_clear(&t->result);
	t->outcome = outcome;
	if (outcome != REEVE_OK) {
		attempt_explain(a, outcome);
		set_error(t, a->code, a->retryable, a->message);
	} else if (!a->replied) {
		buf_text(&t->result, "null");
	} else if (a->reply_fd < 0 && a->reply_size <= HOST_RESULT_MAX && !(t->capability->flags & REEVE_BINARY_OUTPUT)) {
		buf_add(&t->result, a->reply, a->reply_size);
	} else if (store_reply(t, name, &e) == E_OK) {
		blob_result(t, name);
	} else {
		t->outcome = REEVE_E_INTERNAL;
		set_error(t, "internal", 1, e.text);
	}
	if (a->scratch) {
		files_remove_tree(a->scratch);
		free(a->scratch);
		a->scratch = NULL;
	}
}

static void release_serial(struct task *t)
{
	struct unit *u = t->unit;
	if (!serial(t) || t->root != t)
		return;
	pthread_mutex_lock(&u->lock);
	u->serial_busy[t->index] = false;
	bool wake = !list_empty(&u->queue) && unit_may_wake(u);
	pthread_mutex_unlock(&u->lock);
	if (wake)
		pthread_cond_signal(&u->work);
}

static void tell_end(struct task *t)
{
	if (t->root == t) {
		loop_post(t->unit->host->options.loop, &t->finished);
		return;
	}
	pthread_mutex_lock(&t->lock); /* a direct call: its caller waits when the handler said REEVE_PENDING */
	t->over = true;
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
}

void task_end(struct task *t, int outcome)
{
	compose(t, outcome);
	release_serial(t);
	pthread_mutex_lock(&t->lock);
	if (t->cancelling && pthread_equal(t->canceller, pthread_self())) {
		t->end_kept = true; /* reeve_finish from within cancel(): whoever called cancel tells the end */
		pthread_mutex_unlock(&t->lock);
		return;
	}
	while (t->cancelling)
		pthread_cond_wait(&t->change, &t->lock);
	pthread_mutex_unlock(&t->lock);
	tell_end(t);
}

/* ── cancel ── */

static bool take_back(struct task *t) /* it was not begun */
{
	struct unit *u = t->unit;
	pthread_mutex_lock(&u->lock);
	bool queued = t->place == TASK_QUEUED;
	if (queued) {
		list_remove(&t->link);
		t->place = TASK_OVER;
		t->lost = true;
	}
	pthread_mutex_unlock(&u->lock);
	if (queued)
		loop_post(u->host->options.loop, &t->finished);
	return queued;
}

static bool may_call_cancel(struct task *t) /* under t->lock: true once; the end then waits for us */
{
	pthread_mutex_lock(&t->attempt.lock);
	bool running = t->attempt.phase != ATTEMPT_ENDED;
	pthread_mutex_unlock(&t->attempt.lock);
	if (!running || t->cancelling || !t->capability->cancel)
		return false;
	t->cancelling = true;
	t->canceller = pthread_self();
	return true;
}

void task_cancel(struct task *t)
{
	if (t->root == t && take_back(t))
		return;
	bool before = atomic_exchange(&t->attempt.cancelled, true);
	pthread_mutex_lock(&t->lock);
	pthread_cond_broadcast(&t->change);
	bool call = !before && may_call_cancel(t);
	pthread_mutex_unlock(&t->lock);
	if (!call)
		return;
	t->capability->cancel(t->unit->state, &t->attempt.base);
	pthread_mutex_lock(&t->lock);
	bool tell = t->end_kept;
	t->cancelling = t->end_kept = false;
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
	if (tell)
		tell_end(t);
}

/* ── control ── */

static bool load(struct unit *u, struct err *e)
{
	const struct module_options *o = &u->host->options;
	if (load_worker(u->path, u->entry, u->host->scratch, &u->abi, e) != E_OK)
		return false;
	u->serial_busy = mem_new((u->abi.n + 1) * sizeof *u->serial_busy);
	return !u->abi.worker.config_schema ||
		   o->check_config(o->context, u->abi.worker.config_schema, bytes_of(u->config), e) == E_OK;
}

static bool start_handlers(struct unit *u)
{
	u->handlers = mem_new(u->concurrency * sizeof *u->handlers);
	for (unsigned k = 0; k < u->concurrency; k++) {
		if (!spawn(&u->handlers[k], handler, u))
			return false;
		pthread_detach(u->handlers[k]);
		pthread_mutex_lock(&u->lock);
		u->threads++;
		pthread_mutex_unlock(&u->lock);
	}
	return true;
}

static bool start(struct unit *u, char *why, size_t size)
{
	int rc = REEVE_OK;
	crumb_set(0, 0, 0, "(start)");
	if (u->abi.worker.start)
		rc = u->abi.worker.start(&u->base, &u->state);
	crumb_clear();
	if (rc != REEVE_OK) {
		snprintf(why, size, "start of %s returned %d (%s)", u->abi.worker.name, rc, abi_outcome_word(rc));
		return false;
	}
	if (!start_handlers(u)) {
		snprintf(why, size, "no more threads can be made");
		return false;
	}
	return true;
}

static void stop(struct unit *u, bool started)
{
	pthread_mutex_lock(&u->lock);
	u->closing = true;
	pthread_cond_broadcast(&u->work);
	while (u->threads || u->direct_calls)
		pthread_cond_wait(&u->control, &u->lock);
	pthread_mutex_unlock(&u->lock);
	if (!started)
		return;
	crumb_set(0, 0, 0, "(stop)");
	if (u->abi.worker.drain)
		u->abi.worker.drain(u->state);
	if (u->abi.worker.stop)
		u->abi.worker.stop(u->state);
	crumb_clear();
}

/* Returns the next order, or UNIT_NONE when it is time to ask for health. */
static enum unit_order wait_order(struct unit *u, bool running)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	int64_t interval_ms = u->health_interval_ms > 100 ? u->health_interval_ms : 100;
	until.tv_sec += interval_ms / 1000;
	until.tv_nsec += interval_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	int rc = 0;
	pthread_mutex_lock(&u->lock);
	while (u->order == UNIT_NONE && rc == 0)
		rc = running && u->abi.worker.healthy ? pthread_cond_timedwait(&u->control, &u->lock, &until)
											  : pthread_cond_wait(&u->control, &u->lock);
	enum unit_order order = u->order;
	u->order = UNIT_NONE;
	pthread_mutex_unlock(&u->lock);
	return order;
}

static void ask_health(struct unit *u)
{
	char why[256] = "";
	crumb_set(0, 0, 0, "(healthy)");
	bool ok = u->abi.worker.healthy(u->state, why, sizeof why) >= 0;
	crumb_clear();
	why[sizeof why - 1] = 0;
	unit_post(u, unit_health, ok, why);
}

static void *control(void *argument)
{
	struct unit *u = argument;
	bool started = false;
	struct err e;
	crumb_enter(u->host->crumbs, u->id);
	crumb_set(0, 0, 0, "(load)"); /* constructors of the file run */
	bool ok = load(u, &e);
	crumb_clear();
	unit_post(u, unit_loaded, ok, ok ? "" : e.text);
	for (;;) {
		enum unit_order order = wait_order(u, started);
		if (order == UNIT_START) {
			char why[400] = "";
			started = start(u, why, sizeof why);
			unit_post(u, unit_started, started, why);
		} else if (order == UNIT_STOP) {
			break;
		} else {
			ask_health(u);
		}
	}
	stop(u, started);
	crumb_leave();
	unit_post(u, unit_stopped, true, ""); /* the loop frees u: nothing of it may be touched after this */
	return NULL;
}

bool unit_begin(struct unit *u)
{
	pthread_t thread;
	if (!spawn(&thread, control, u))
		return false;
	pthread_detach(thread);
	return true;
}
