/* work_in.c - what a worker says about its jobs, checked and told to delivery->events. */
#include "link/parts.h"

#include "base/mem.h"
#include "blob/blob.h"
#include "wire/host.h"
#include "wire/jsontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct bytes bytes_at(struct span s)
{
	return (struct bytes){s.data, s.size};
}

static struct span span_of(struct bytes b)
{
	return (struct span){b.data, b.size};
}

/* ── the attempt's end ── */

struct storing { /* a result, or a file of the handler, on its way into a blob */
	struct link_worker *worker;
	uint64_t id, fence, request;
	int fd;
	char name[BLOB_NAME_SIZE];
	uint64_t bytes;
	struct err e;
	enum errcode code;
	bool result; /* else BLOB_PUT */
};

static void store_work(void *context)
{
	struct storing *s = context;
	s->code = blob_put_fd(s->worker->blobs, s->fd, s->name, &s->bytes, &s->e);
}

static void put_blob_name(struct link_worker *w, const struct storing *s)
{
	struct message_out out;
	struct message_simple m = {s->request, work_outcome(s->code), {0}};

	m.data = span_of(bytes_of(s->code == E_OK ? s->name : s->e.text));
	message_put_simple(&out, &m);
	if (work_can_put(w))
		link_conn_put(w->peer->conn, FRAME_BLOB_NAME, s->id, &out, NULL, 0);
}

static void store_done(void *context)
{
	struct storing *s = context;
	struct link_worker *w = s->worker;
	struct handout *h = w->closed ? NULL : idmap_get(&w->handouts, s->id);
	char result[BLOB_NAME_SIZE + 16];

	close(s->fd);
	if (!w->closed && !s->result) {
		put_blob_name(w, s);
	} else if (h && h->fence == s->fence && h->storing) {
		h->storing = false;
		if (s->code == E_OK) {
			int n = snprintf(result, sizeof result, "{\"blob\":\"%s\"}", s->name);
			work_finish(w, h, (struct bytes){result, (size_t)n}, NULL);
		} else {
			work_finish_badly(w, h, err_word(s->code), s->code != E_TOO_LARGE, s->e.text);
		}
	}
	free(s);
	session_unref(w);
}

/* Takes fd. */
static void store(struct link_worker *w, uint64_t id, uint64_t fence, uint64_t request, int fd, bool result)
{
	struct storing *s = NEW(struct storing);

	*s = (struct storing){.worker = w, .id = id, .fence = fence, .request = request, .fd = fd, .result = result};
	w->refs++;
	if (w->blobs) {
		loop_work(w->loop, store_work, store_done, s);
		return;
	}
	s->code = err_set(&s->e, E_UNAVAILABLE, "there is no store for blobs");
	store_done(s);
}

/* A body that came as a memory file: mapped would trust the worker not to cut it, so it is copied. Malloced; NULL: it is not
 * what was announced. */
static char *read_body(int fd, size_t size)
{
	char *data = mem_new(size + 1);
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);
		if (n <= 0) {
			free(data);
			return NULL;
		}
		done += (size_t)n;
	}
	return data;
}

static bool binary_output(const struct link_worker *w, const struct handout *h)
{
	const struct instance *i = w->instance;
	return h->d->capability < i->capability_n && (i->capabilities[h->d->capability].flags & REEVE_BINARY_OUTPUT);
}

/* A job's result is JSON everywhere, so bytes become a blob: as a module's do. */
static void keep_binary(struct link_worker *w, struct handout *h, struct bytes result)
{
	int fd = memfd_create("result", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, result.data, result.size, 0) != (ssize_t)result.size) {
		if (fd >= 0)
			close(fd);
		work_finish_badly(w, h, "no_memory", 1, "there is no memory to keep the result in");
		return;
	}
	h->storing = true;
	store(w, h->id, h->fence, 0, fd, true);
}

static void finish_well(struct link_worker *w, struct handout *h, struct bytes result)
{
	if (result.size > JOB_RESULT_MAX_BYTES)
		work_finish_badly(w, h, "too_large", 0, "the worker's result is longer than 1 MiB; it should have been a file");
	else if (result.size == 0)
		work_finish(w, h, (struct bytes){"null", 4}, NULL);
	else if (binary_output(w, h))
		keep_binary(w, h, result);
	else if (!jsontext_check(result.data, result.size, NULL))
		work_finish_badly(w, h, "invalid_result", 0, "the worker's result is not JSON");
	else
		work_finish(w, h, result, NULL);
}

static void fail(struct link_worker *w, struct handout *h, const struct message_result *r)
{
	struct job_error error = {.retryable = r->retryable};

	snprintf(error.code, sizeof error.code, "%.*s", (int)r->code.size, r->code.size ? r->code.data : "");
	snprintf(error.message, sizeof error.message, "%.*s", (int)r->text.size, r->text.size ? r->text.data : "");
	if (r->outcome == REEVE_E_CANCELLED && !r->code.size)
		snprintf(error.code, sizeof error.code, "cancelled");
	work_finish(w, h, (struct bytes){0}, &error);
}

static const char *take_result(struct link_worker *w, struct wire_message *m)
{
	struct message_result r;
	struct handout *h;
	char *body;

	if (!message_get_result(m, &r) || (r.form == MESSAGE_BODY_FILE && r.result_size > JOB_RESULT_MAX_BYTES))
		return "RESULT is malformed";
	h = work_find(w, m->id, r.fence);
	if (!h)
		return NULL;
	if (r.outcome != REEVE_OK) {
		fail(w, h, &r);
	} else if (r.form == MESSAGE_RESULT_FILE) {
		h->storing = true;
		store(w, h->id, h->fence, 0, m->files[0], true);
		m->files[0] = -1;
	} else if (r.form == MESSAGE_BODY_FILE) {
		body = read_body(m->files[0], r.result_size);
		if (body)
			finish_well(w, h, (struct bytes){body, r.result_size});
		else
			work_finish_badly(w, h, "invalid_result", 1, "the worker's result is shorter than it said");
		free(body);
	} else {
		finish_well(w, h, bytes_at(r.result));
	}
	return NULL;
}

/* ── while it runs ── */

static const char *take_item(struct link_worker *w, struct handout *h, const struct message_simple *s)
{
	uint64_t key = (uint64_t)s->number;

	if (s->data.size > JOB_ITEM_MAX_BYTES)
		return "an item is longer than 1 MiB";
	if (!binary_output(w, h) && !jsontext_check(s->data.data, s->data.size, NULL)) {
		link_worker_item_done(w, h->d, E_INVALID);
		return NULL;
	}
	h->d->events->item(h->d, key, bytes_at(s->data));
	return NULL;
}

static const char *take_call(struct link_worker *w, struct wire_message *m)
{
	struct message_call c;
	struct handout *h;

	if (!message_get_call(m, &c) || c.capability.size > JOB_NAME_MAX)
		return "CALL is malformed";
	h = work_find(w, m->id, c.fence);
	if (h)
		h->d->events->call(h->d, c.call, bytes_at(c.capability), bytes_at(c.input));
	return NULL;
}

static const char *take_job_log(struct link_worker *w, const struct wire_message *m)
{
	struct message_log l;
	struct handout *h;

	if (!message_get_log(m, &l))
		return "LOG is malformed";
	h = work_find(w, m->id, l.fence);
	if (h)
		h->d->events->log(h->d, (int)l.severity, bytes_at(l.event), bytes_at(l.fields));
	return NULL;
}

static void take_started(struct handout *h)
{
	if (h->started)
		return;
	h->started = true;
	h->d->events->started(h->d);
}

/* The frames that are a fence, a number and bytes. */
static const char *take_simple(struct link_worker *w, struct wire_message *m)
{
	struct message_simple s;
	struct handout *h;

	if (!message_get_simple(m, &s))
		return "a frame about a job is malformed";
	h = work_find(w, m->id, s.fence);
	if (!h)
		return NULL;
	switch (m->type) {
	case FRAME_STARTED:
		take_started(h);
		return NULL;
	case FRAME_GIVEN_BACK:
		if (h->started)
			return "a job that was started cannot be given back";
		work_lose(w, h, NULL);
		return NULL;
	case FRAME_ITEM:
		return take_item(w, h, &s);
	case FRAME_CHECKPOINT:
		if (s.data.size > HOST_CHECKPOINT_MAX)
			return "a checkpoint is longer than 1 MiB";
		h->d->events->checkpoint(h->d, bytes_at(s.data));
		return NULL;
	case FRAME_PROGRESS:
		h->d->events->progress(h->d, s.number < 0 ? 0 : s.number > 100 ? 100 : (int)s.number, bytes_at(s.data));
		return NULL;
	default: /* BLOB_PUT */
		store(w, m->id, s.fence, (uint64_t)s.number, m->files[0], false);
		m->files[0] = -1;
		return NULL;
	}
}

const char *work_message(struct link_worker *w, struct wire_message *m)
{
	switch (m->type) {
	case FRAME_RESULT:
		return take_result(w, m);
	case FRAME_CALL:
		return take_call(w, m);
	case FRAME_LOG:
		return take_job_log(w, m);
	case FRAME_STARTED:
	case FRAME_GIVEN_BACK:
	case FRAME_ITEM:
	case FRAME_CHECKPOINT:
	case FRAME_PROGRESS:
	case FRAME_BLOB_PUT:
		return take_simple(w, m);
	default:
		return frame_name(m->type) ? "a worker may not send this frame" : NULL; /* ignorable */
	}
}
