/* link_io.c - the thread that speaks: connects, says HELLO, reads every frame, writes what others have put. */
#include "link.h"

#include "describe.h"
#include "files.h"
#include "wire/jsontext.h"

#include <errno.h>
#include <poll.h>
#include <reeve/version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_FIRST_MS = 10, RETRY_MOST_MS = 1000, GIVE_UP_MS = 15 * 60 * 1000, LOOK_MS = 2, WELCOME_MAX = 2 << 20 };

int64_t link_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ── writing; with the lock held ── */

/* Offline nothing is put: what counts is said again after WELCOME. */
void link_put(struct link_host *h, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int n)
{
	if (h->online && io_put(&h->out, type, id, m, files, n))
		return;
	for (int i = 0; i < n; i++)
		close(files[i]);
}

void link_put_simple(struct link_host *h, uint8_t type, uint64_t id, uint64_t fence, int64_t number, struct span data)
{
	struct message_out m;
	message_put_simple(&m, &(struct message_simple){fence, number, data});
	link_put(h, type, id, &m, NULL, 0);
}

void link_put_json(struct link_host *h, uint8_t type, const struct text *json)
{
	struct message_out m = {.n = 1};
	m.parts[0] = (struct stream_part){json->data, json->size};
	if (!json->failed)
		link_put(h, type, 0, &m, NULL, 0);
}

void link_wake(struct link_host *h)
{
	uint64_t one = 1;

	if (!h->asleep || h->woken)
		return;
	h->woken = true;
	if (write(h->wake_fd, &one, sizeof one) < 0)
		h->woken = false;
}

void link_flush(struct link_host *h)
{
	if (h->online && !stream_out_empty(&h->out) && io_write(h->fd, &h->out) != 1)
		link_wake(h); /* it is full, or over: the I/O thread sees which */
}

/* ── the connection; with the lock held ── */

/* The engine will not answer these any more: whether a call was made nobody knows, so its handler decides. */
static void fail_calls(struct link_host *h)
{
	for (struct link_waiter *w = h->waiters; w; w = w->next) {
		if (w->fd >= 0 || w->done)
			continue;
		w->done = true;
		w->outcome = REEVE_E_AGAIN;
		pthread_cond_broadcast(&w->job->wake);
	}
}

static void disconnect(struct link_host *h)
{
	if (h->fd < 0)
		return;
	close(h->fd);
	h->fd = -1;
	h->online = false;
	io_forget(&h->in, &h->out);
	if (h->offline_since_ms == 0)
		h->offline_since_ms = link_now_ms();
	fail_calls(h);
	pthread_cond_broadcast(&h->quiet);
}

static void add_held(struct text *json, struct link_host *h)
{
	const char *comma = "";

	for (unsigned i = 0; i < LINK_BUCKETS; i++) {
		for (const struct link_job *j = h->table[i]; j; j = j->hash_next) {
			if (j->forgotten)
				continue;
			text_format(json, "%s{\"id\":\"%llu\",\"fence\":\"%llu\",\"started\":%s}", comma,
				(unsigned long long)j->a.number, (unsigned long long)j->a.fence,
				j->state == LINK_WAITING ? "false" : "true");
			comma = ",";
		}
	}
}

static bool put_hello(struct link_host *h)
{
	struct text json = {0};
	const char *platform = h->w->worker.platform, *schema = h->w->worker.config_schema;
	bool good;

	text_put(&json, "{\"token\":");
	text_quote(&json, h->token, strlen(h->token));
	text_put(&json, ",\"name\":");
	text_quote(&json, h->w->worker.name, strlen(h->w->worker.name));
	text_put(&json, ",\"version\":");
	text_quote(&json, h->w->worker.version, strlen(h->w->worker.version));
	text_put(&json, ",\"platform\":");
	text_quote(&json, platform ? platform : "", platform ? strlen(platform) : 0);
	if (schema && jsontext_check(schema, strlen(schema), NULL))
		text_format(&json, ",\"config_schema\":%s", schema);
	text_format(&json, ",\"sdk\":\"libreeve %s\",\"pid\":%d,\"ready\":%s,\"capabilities\":", reeve_version(),
		(int)getpid(), h->started ? "true" : "false");
	describe_capabilities(&json, h->w);
	text_put(&json, ",\"held\":[");
	add_held(&json, h);
	text_put(&json, "]}");
	good = !json.failed && stream_out_preface(&h->out, FRAME_FEATURE_DESCRIPTORS) &&
		   io_put_bytes(&h->out, FRAME_HELLO, 0, json.data, json.size);
	text_fini(&json);
	return good;
}

static void try_connect(struct link_host *h)
{
	h->fd = io_connect(h->path);
	if (h->fd < 0)
		return;
	h->in.resize = h->out.resize = io_resize;
	if (!put_hello(h))
		disconnect(h);
}

/* ── WELCOME ── */

static bool text_id(struct jsontext object, const char *name, uint64_t *id)
{
	struct jsontext v;
	char text[32];

	if (!jsontext_get(object, name, &v) || jsontext_string(v, text, sizeof text) <= 0)
		return false;
	*id = strtoull(text, NULL, 10);
	return true;
}

/* What the engine decided about the jobs that HELLO named: drops those it does not want, or resends what it did not answer. */
static void take_held(struct link_host *h, struct jsontext list, bool resend)
{
	struct jsontext key, held, keep;
	size_t at = 0;

	while (jsontext_next(list, &at, &key, &held)) {
		uint64_t id, fence;
		struct link_job *j;
		bool wanted = jsontext_get(held, "keep", &keep) && keep.size == 4;
		if (!text_id(held, "id", &id) || !text_id(held, "fence", &fence) || !(j = link_job_find(h, id, fence)))
			continue;
		if (resend && wanted)
			link_job_resend(h, j);
		else if (!resend && !wanted)
			link_job_drop(h, j);
	}
}

static bool take_config(struct link_host *h, struct jsontext welcome)
{
	struct jsontext v;
	int64_t n = 1;

	if (jsontext_get(welcome, "instance", &v))
		jsontext_string(v, h->instance, sizeof h->instance);
	if (jsontext_get(welcome, "concurrency", &v) && jsontext_int(v, &n) && n > 0 && n <= 1024)
		h->concurrency = (unsigned)n;
	if (jsontext_get(welcome, "config", &v))
		text_add(&h->config, v.data, v.size);
	else
		text_put(&h->config, "{}");
	return !h->config.failed;
}

static void resend_waiters(struct link_host *h)
{
	for (struct link_waiter *w = h->waiters; w; w = w->next) {
		struct message_out m;
		int own = w->fd >= 0 && !w->done ? files_again(w->fd) : -1;
		message_put_simple(&m, &(struct message_simple){w->job->a.fence, (int64_t)w->number, {0}});
		if (own >= 0)
			link_put(h, FRAME_BLOB_PUT, w->job->a.number, &m, &own, 1);
	}
}

static bool take_welcome(struct link_host *h, const struct wire_message *m)
{
	struct jsontext welcome = {m->data, m->size}, held = {0};

	if (h->online || m->size > WELCOME_MAX || !jsontext_is_object(m->data, m->size))
		return false;
	if (!h->welcomed && !take_config(h, welcome))
		return false;
	/* Dropping lets go of the lock while a cancel function runs; as long as we are offline nothing that happens meanwhile is
	 * put, so that nothing is put twice by the resending, which does not let go. */
	if (jsontext_get(welcome, "held", &held))
		take_held(h, held, false);
	h->online = true;
	h->offline_since_ms = 0;
	h->retry_ms = RETRY_FIRST_MS;
	for (unsigned i = 0; i < h->announcement_n; i++) {
		struct text json = {h->announcements[i], strlen(h->announcements[i]), 0, false};
		link_put_json(h, FRAME_ANNOUNCE, &json);
	}
	take_held(h, held, true);
	resend_waiters(h);
	if (h->draining)
		link_put_simple(h, FRAME_DRAIN, 0, 0, 0, (struct span){0});
	h->welcomed = true;
	pthread_cond_broadcast(&h->came_online);
	pthread_cond_signal(&h->main_wake);
	return true;
}

/* ── the other frames ── */

static void start_drain(struct link_host *h, int64_t grace_ms)
{
	if (h->draining)
		return;
	h->draining = true;
	h->grace_ms = grace_ms;
	link_job_give_back(h);
	pthread_cond_signal(&h->main_wake);
}

static struct link_waiter *find_waiter(struct link_host *h, uint64_t number)
{
	struct link_waiter *w = h->waiters;
	while (w && w->number != number)
		w = w->next;
	return w && !w->done ? w : NULL;
}

static void answer(struct link_waiter *w, int outcome, const char *data, size_t size)
{
	w->data = malloc(size + 1);
	if (w->data) {
		if (size)
			memcpy(w->data, data, size);
		w->data[size] = 0;
		w->size = size;
	}
	w->outcome = w->data ? outcome : REEVE_E_NO_MEMORY;
	w->done = true;
	pthread_cond_broadcast(&w->job->wake);
}

static bool take_call_result(struct link_host *h, const struct wire_message *m)
{
	struct message_answer a;
	struct link_waiter *w;
	struct text error = {0};

	if (!message_get_answer(m, &a))
		return false;
	w = find_waiter(h, a.subject);
	if (!w)
		return true;
	if (!a.state) {
		answer(w, REEVE_OK, a.result.data, a.result.size);
		return true;
	}
	text_put(&error, "{\"code\":");
	text_quote(&error, a.code.data, a.code.size);
	text_put(&error, ",\"message\":");
	text_quote(&error, a.text.data, a.text.size);
	text_format(&error, ",\"retryable\":%s}", a.retryable ? "true" : "false");
	if (a.code.size == 9 && memcmp(a.code.data, "not_found", 9) == 0)
		answer(w, REEVE_E_NOT_FOUND, "", 0);
	else
		answer(w, error.failed ? REEVE_E_NO_MEMORY : REEVE_E_REMOTE, error.data, error.size);
	text_fini(&error);
	return true;
}

static bool take_simple(struct link_host *h, const struct wire_message *m)
{
	struct message_simple s;
	struct link_job *j;
	struct link_waiter *w;

	if (!message_get_simple(m, &s))
		return false;
	if (m->type == FRAME_BLOB_NAME) {
		w = find_waiter(h, s.fence);
		if (w)
			answer(w, (int)s.number, s.data.data, s.data.size);
		return true;
	}
	if (m->type == FRAME_DRAIN) {
		start_drain(h, s.number);
		return true;
	}
	j = link_job_find(h, m->id, s.fence);
	if (!j)
		return true;
	if (m->type == FRAME_SETTLED)
		link_job_settled(h, j);
	else if (m->type == FRAME_ITEM_DONE)
		link_job_item_done(j, (int)s.number);
	else
		link_job_cancel(h, j, m->type == FRAME_FORGET);
	return true;
}

static bool take_ping(struct link_host *h, const struct wire_message *m)
{
	link_put_simple(h, FRAME_PONG, m->id, 0, h->healthy, (struct span){h->why, strlen(h->why)});
	h->ping = true;
	pthread_cond_signal(&h->main_wake);
	return true;
}

static bool take(struct link_host *h, struct wire_message *m)
{
	if (!h->online && m->type != FRAME_WELCOME && m->type != FRAME_ERROR)
		return false;
	switch (m->type) {
	case FRAME_WELCOME:
		return take_welcome(h, m);
	case FRAME_JOB:
		return link_job_take(h, m);
	case FRAME_SETTLED:
	case FRAME_CANCEL:
	case FRAME_FORGET:
	case FRAME_ITEM_DONE:
	case FRAME_BLOB_NAME:
	case FRAME_DRAIN:
		return take_simple(h, m);
	case FRAME_CALL_RESULT:
		return take_call_result(h, m);
	case FRAME_PING:
		return take_ping(h, m);
	case FRAME_ERROR:
		h->gave_up |= !h->online; /* HELLO was refused: it would be again */
		if (h->gave_up)
			start_drain(h, 0);
		return false;
	default:
		return frame_name(m->type) == NULL; /* what may be ignored is */
	}
}

static void say_error(struct link_host *h, const char *why)
{
	struct text json = {0};

	text_put(&json, "{\"code\":\"protocol\",\"message\":");
	text_quote(&json, why, strlen(why));
	text_put(&json, "}");
	if (!json.failed && io_put_bytes(&h->out, FRAME_ERROR, 0, json.data, json.size))
		io_write(h->fd, &h->out);
	text_fini(&json);
}

/* Everything that is there. */
static void read_all(struct link_host *h)
{
	int got = 1;

	while (h->fd >= 0 && got > 0) {
		struct wire_message m;
		const char *why = NULL;
		int whole = 1;
		got = io_read(h->fd, &h->in, false);
		while (got > 0 && whole > 0 && (whole = stream_in_next(&h->in, &m, &why)) > 0) {
			bool good = take(h, &m);
			for (int i = 0; i < m.file_n; i++)
				if (m.files[i] >= 0)
					close(m.files[i]);
			if (!good) {
				why = "a frame is malformed, or may not come here";
				whole = -1;
			}
		}
		link_jobs_wake(h);
		if (whole < 0)
			say_error(h, why);
		if (got < 0 || whole < 0)
			disconnect(h);
	}
}

/* ── the thread ── */

static int wait_ms(struct link_host *h, int64_t *retry_at)
{
	int64_t now_ms = link_now_ms();

	if (h->fd >= 0)
		return link_progress_wait_ms(h, link_jobs_wait(h) ? LOOK_MS : h->draining ? 100 : -1);
	if (now_ms >= *retry_at) {
		try_connect(h);
		h->retry_ms = h->retry_ms * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : h->retry_ms * 2;
		*retry_at =
			now_ms + h->retry_ms / 2 + (int64_t)(getpid() % 97) * h->retry_ms / 194; /* not all at the same time */
	}
	if (!h->gave_up && now_ms - h->offline_since_ms > GIVE_UP_MS) {
		h->gave_up = true;
		start_drain(h, 0);
	}
	return h->fd >= 0 ? -1 : (int)(*retry_at - now_ms);
}

static void take_signal(struct link_host *h)
{
	struct signalfd_siginfo info;

	while (read(h->signal_fd, &info, sizeof info) == sizeof info) {
		if (!h->draining)
			link_put_simple(h, FRAME_DRAIN, 0, 0, 0, (struct span){0});
		start_drain(h, INT64_MAX);
	}
}

void *link_io_run(void *host)
{
	struct link_host *h = host;
	int64_t retry_at = 0;
	uint64_t n;
	int ready;

	pthread_mutex_lock(&h->lock);
	while (!h->closing) {
		struct pollfd polls[3] = {{.fd = h->wake_fd, .events = POLLIN}, {.fd = h->signal_fd, .events = POLLIN}};
		int timeout = wait_ms(h, &retry_at);

		link_progress_tell(h);
		if (h->fd >= 0 && io_write(h->fd, &h->out) < 0) {
			disconnect(h);
			continue;
		}
		polls[2].fd = h->fd;
		polls[2].events = (short)(POLLIN | (stream_out_empty(&h->out) ? 0 : POLLOUT));
		h->asleep = true;
		pthread_mutex_unlock(&h->lock);
		ready = poll(polls, h->fd >= 0 ? 3 : 2, timeout);
		pthread_mutex_lock(&h->lock);
		h->asleep = false;
		if (ready == 0)
			link_jobs_wake_one(h);
		if (h->woken) {
			h->woken = read(h->wake_fd, &n, sizeof n) < 0 && errno == EINTR;
		}
		if (polls[1].revents)
			take_signal(h);
		if (h->fd >= 0 && polls[2].revents)
			read_all(h);
	}
	if (h->fd >= 0)
		io_write(h->fd, &h->out);
	disconnect(h);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}
