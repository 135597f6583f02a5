/* work.c - the deliveries of a worker's session: what goes out for runner_ops, who holds what after a reconnect, who is lost. */
#include "link/parts.h"

#include "base/mem.h"
#include "blob/blob.h"
#include "wire/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct span span_of(struct bytes b)
{
	return (struct span){b.data, b.size};
}

int work_outcome(enum errcode code)
{
	switch (code) {
	case E_OK:
		return REEVE_OK;
	case E_INVALID:
		return REEVE_E_INVALID;
	case E_NOT_FOUND:
		return REEVE_E_NOT_FOUND;
	case E_FENCE:
	case E_CANCELLED:
		return REEVE_E_CANCELLED;
	case E_TOO_LARGE:
		return REEVE_E_TOO_LARGE;
	case E_STATE:
	case E_CONFLICT:
		return REEVE_E_STATE;
	case E_NO_MEMORY:
		return REEVE_E_NO_MEMORY;
	case E_INTERNAL:
		return REEVE_E_INTERNAL;
	default:
		return REEVE_E_AGAIN;
	}
}

/* ── handouts ── */

static struct handout *handout_new(struct link_worker *w, struct delivery *d)
{
	struct handout *h = w->free_handouts;

	if (h)
		w->free_handouts = h->next_free;
	else
		h = NEW(struct handout);
	memset(h, 0, offsetof(struct handout, why));
	h->d = d;
	h->id = d->id;
	h->fence = d->fence;
	d->runner_data = h;
	idmap_put(&w->handouts, h->id, h);
	return h;
}

/* It is no longer with the worker. Returns the delivery, which is dispatch's alone now. */
static struct delivery *handout_end(struct link_worker *w, struct handout *h)
{
	struct delivery *d = h->d;

	d->runner_data = NULL;
	if (idmap_get(&w->handouts, h->id) == h)
		idmap_remove(&w->handouts, h->id);
	h->d = NULL;
	h->next_free = w->free_handouts;
	w->free_handouts = h;
	w->credit = true;
	session_want_turn(w);
	return d;
}

/* NULL: it is over or was taken back; what the worker says about it is no longer of interest. */
struct handout *work_find(const struct link_worker *w, uint64_t id, uint64_t fence)
{
	struct handout *h = idmap_get(&w->handouts, id);
	return h && h->fence == fence && !h->storing ? h : NULL;
}

void work_finish(struct link_worker *w, struct handout *h, struct bytes result, const struct job_error *error)
{
	struct delivery *d = handout_end(w, h);
	d->events->finished(d, result, error);
}

void work_finish_badly(struct link_worker *w, struct handout *h, const char *code, int retryable, const char *message)
{
	struct job_error error = {.retryable = retryable};
	snprintf(error.code, sizeof error.code, "%s", code);
	snprintf(error.message, sizeof error.message, "%s", message);
	work_finish(w, h, (struct bytes){0}, &error);
}

bool work_can_put(const struct link_worker *w)
{
	return w->peer && !w->closed;
}

static void put_fence(struct link_worker *w, uint8_t type, uint64_t id, uint64_t fence)
{
	if (work_can_put(w))
		link_conn_put_simple(w->peer->conn, type, id, fence, 0);
}

/* ── out: runner_ops ── */

/* It cannot be handed over; told at the end of the turn, because dispatch does not expect an end inside of deliver(). */
static void refuse(struct link_worker *w, struct handout *h, const char *code, const char *why, const char *detail)
{
	h->refuse = code;
	snprintf(h->why, sizeof h->why, "%s%.150s", why, detail);
	w->refusals = true;
	session_want_turn(w);
}

/* The input's bytes in a sealed memory file: too many to send along. */
static int memory_file(struct bytes data)
{
	int fd = memfd_create("reeve-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	while (fd >= 0 && done < data.size) {
		ssize_t n = write(fd, data.data + done, data.size - done);
		if (n < 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

/* The descriptors of a JOB. False: refused. */
static bool job_files(struct link_worker *w, struct handout *h, struct message_job *job, int files[2], int *n)
{
	struct delivery *d = h->d;
	struct err e;
	uint64_t bytes;

	*n = 0;
	if (d->input.size > FRAME_INLINE_MAX) {
		files[*n] = memory_file(d->input);
		if (files[*n] < 0) {
			refuse(w, h, "internal", "its input could not be put into a memory file: ", strerror(errno));
			return false;
		}
		++*n;
		job->form = MESSAGE_BODY_FILE;
	}
	if (d->blob[0]) {
		if (!w->blobs) {
			refuse(w, h, "blob_not_found", "there is no store for blobs, but the input names ", d->blob);
			return false;
		}
		if (blob_open(w->blobs, d->blob, &files[*n], &bytes, &e) != E_OK) {
			refuse(w, h, "blob_not_found", "", e.text);
			if (*n)
				close(files[0]);
			return false;
		}
		++*n;
	}
	return true;
}

void link_worker_deliver(struct link_worker *w, struct delivery *d)
{
	struct handout *h = handout_new(w, d);
	struct message_job job = {.fence = d->fence,
		.deadline_ms = d->deadline_ms,
		.attempt = d->attempt,
		.capability = d->capability,
		.window = (uint16_t)(d->item_window ? d->item_window : w->item_window),
		.form = d->input.data ? MESSAGE_INLINE : MESSAGE_NONE,
		.input_size = (uint32_t)d->input.size,
		.input = span_of(d->input),
		.checkpoint = span_of(d->checkpoint),
		.traceparent = span_of(d->traceparent),
		.blob = span_of(bytes_of(d->blob))};
	struct message_out out;
	int files[FRAME_DESCRIPTORS_MAX], n;

	if (!work_can_put(w) || !w->ready) {
		refuse(w, h, "", "the worker is not connected", "");
		return;
	}
	if (!job_files(w, h, &job, files, &n))
		return;
	message_put_job(&out, &job);
	link_conn_put(w->peer->conn, FRAME_JOB, d->id, &out, files, n);
}

void link_worker_cancel(struct link_worker *w, struct delivery *d)
{
	struct handout *h = d->runner_data;

	if (!h || h->cancelled)
		return;
	h->cancelled = true;
	put_fence(w, FRAME_CANCEL, h->id, h->fence);
}

void link_worker_forget(struct link_worker *w, struct delivery *d)
{
	struct handout *h = d->runner_data;

	if (!h)
		return;
	put_fence(w, FRAME_FORGET, h->id, h->fence);
	handout_end(w, h);
}

void link_worker_item_done(struct link_worker *w, struct delivery *d, enum errcode code)
{
	const struct handout *h = d->runner_data;

	if (h && work_can_put(w))
		link_conn_put_simple(w->peer->conn, FRAME_ITEM_DONE, h->id, h->fence, work_outcome(code));
}

void link_worker_settled(struct link_worker *w, uint64_t id, uint64_t fence)
{
	put_fence(w, FRAME_SETTLED, id, fence);
}

void link_worker_call_done(
	struct link_worker *w, struct delivery *d, uint64_t call_id, struct bytes result, const struct job_error *error)
{
	struct message_answer a = {.subject = call_id, .state = error != NULL, .result = span_of(result)};
	struct message_out out;

	if (!d->runner_data || !work_can_put(w))
		return;
	if (error) {
		a.retryable = error->retryable != 0;
		a.code = span_of(bytes_of(error->code));
		a.text = span_of(bytes_of(error->message));
	}
	message_put_answer(&out, &a);
	link_conn_put(w->peer->conn, FRAME_CALL_RESULT, d->id, &out, NULL, 0);
}

/* ── all at once ── */

/* The handouts as a list of their own, because telling about one may change the table. */
static struct handout **all(const struct link_worker *w, size_t *n)
{
	struct handout **list = mem_new((w->handouts.n + 1) * sizeof *list), *h;
	size_t at = 0;

	*n = 0;
	while ((h = idmap_next(&w->handouts, &at)))
		list[(*n)++] = h;
	return list;
}

void work_lose(struct link_worker *w, struct handout *h, const struct job_error *error)
{
	bool started = h->started;
	struct delivery *d = handout_end(w, h);
	d->events->lost(d, started ? error : NULL);
}

void link_worker_lose(struct link_worker *w, const struct job_error *error)
{
	static const struct job_error gone = {"lost", "the worker is gone", 1};
	size_t n;

	w->refs++; /* whoever is told something may close us */
	if (w->peer)
		link_conn_hear(w->peer->conn);
	scoped(mem_free_at) struct handout **list = all(w, &n);
	for (size_t i = 0; i < n; i++)
		if (list[i]->d)
			work_lose(w, list[i], error ? error : &gone);
	session_unref(w);
}

void work_turn(struct link_worker *w)
{
	if (w->refusals) {
		size_t n;
		scoped(mem_free_at) struct handout **list = all(w, &n);
		w->refusals = false;
		for (size_t i = 0; i < n && !w->closed; i++) {
			if (!list[i]->d || !list[i]->refuse)
				continue;
			if (*list[i]->refuse)
				work_finish_badly(w, list[i], list[i]->refuse, 0, list[i]->why);
			else
				work_lose(w, list[i], NULL);
		}
	}
	if (w->credit && !w->closed) {
		w->credit = false;
		if (w->events.credit)
			w->events.credit(w->events.context);
	}
}

void work_fini(struct link_worker *w)
{
	struct handout *h;

	while ((h = w->free_handouts)) {
		w->free_handouts = h->next_free;
		free(h);
	}
	idmap_fini(&w->handouts);
}

/* ── HELLO: who holds what ── */

/* One job that the worker holds. True: it keeps it. */
static bool keep_held(struct link_worker *w, const struct hello_held *held)
{
	struct handout *h = idmap_get(&w->handouts, held->id);
	struct delivery *d;

	if (h && h->fence == held->fence)
		return true;
	if (h || !w->events.held)
		return false;
	d = w->events.held(w->events.context, held->id, held->fence, held->started);
	if (!d || w->closed)
		return false;
	h = handout_new(w, d);
	h->started = held->started;
	return true;
}

static bool names(const struct hello *hello, const struct handout *h)
{
	for (size_t i = 0; i < hello->held_n; i++)
		if (hello->held[i].id == h->id && hello->held[i].fence == h->fence)
			return true;
	return false;
}

void work_resume(struct link_worker *w, const struct hello *hello, struct buf *held_json)
{
	static const struct job_error gone = {"lost", "the worker no longer has it", 1};
	size_t n;
	struct handout **list;

	for (size_t i = 0; i < hello->held_n && !w->closed; i++) {
		const struct hello_held *held = &hello->held[i];
		bool keep = keep_held(w, held);
		buf_format(held_json, "%s{\"id\":\"%llu\",\"fence\":\"%llu\",\"keep\":%s}", i ? "," : "",
			(unsigned long long)held->id, (unsigned long long)held->fence, keep ? "true" : "false");
	}
	if (w->closed)
		return;
	list = all(w, &n);
	for (size_t i = 0; i < n && !w->closed; i++) {
		struct handout *h = list[i];
		if (!h->d || h->storing)
			continue;
		if (!names(hello, h))
			work_lose(w, h, &gone);
		else if (h->cancelled)
			put_fence(w, FRAME_CANCEL, h->id, h->fence);
	}
	free(list);
}
