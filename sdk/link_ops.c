/* link_ops.c - what a handler in a process may do: the host table of the link. */
#include "link.h"

#include "files.h"
#include "wire/jsontext.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUT_MANY = 1 << 20 }; /* above OUT_MANY unsent bytes logs are dropped */

struct link_result {
	struct reeve_result base;
	size_t size;
	char *data;
};

static struct link_job *of(struct reeve_job *job)
{
	return (struct link_job *)job;
}

static struct link_host *host_of(const struct reeve_instance *self)
{
	return (struct link_host *)self;
}

/* ── the instance ── */

static struct reeve_bytes link_config(const struct reeve_instance *self)
{
	const struct link_host *h = host_of(self);
	return (struct reeve_bytes){h->config.data, h->config.size};
}

static const char *link_instance_id(const struct reeve_instance *self)
{
	return host_of(self)->instance;
}

static size_t cut(const char *text, size_t most)
{
	size_t n = strnlen(text, most + 1);
	if (n > most)
		for (n = most; n && ((unsigned char)text[n] >> 6) == 2; n--)
			;
	return n;
}

static void put_log(
	struct link_host *h, uint64_t id, uint64_t fence, int severity, const char *event, const char *fields)
{
	struct message_log l = {.fence = fence, .severity = (uint32_t)severity};
	struct message_out out;

	l.event = (struct span){event, cut(event, 1024)};
	if (fields && strnlen(fields, HOST_LOG_MAX) < HOST_LOG_MAX && jsontext_is_object(fields, strlen(fields)))
		l.fields = (struct span){fields, strlen(fields)};
	message_put_log(&out, &l);
	pthread_mutex_lock(&h->lock);
	if (stream_out_size(&h->out) < OUT_MANY) {
		link_put(h, FRAME_LOG, id, &out, NULL, 0);
		link_wake(h);
	}
	pthread_mutex_unlock(&h->lock);
}

static void link_log(const struct reeve_instance *self, int severity, const char *event, const char *fields)
{
	put_log(host_of(self), 0, 0, severity, event, fields);
}

static int link_announce(
	struct reeve_instance *self, const char *name, const char *type, const char *address, const char *metadata)
{
	struct link_host *h = host_of(self);
	struct text json = {0};
	int rc = REEVE_OK;

	if (strcmp(type, "url") != 0 && strcmp(type, "ipc") != 0 && strcmp(type, "function") != 0)
		return REEVE_E_INVALID;
	if (metadata && !jsontext_is_object(metadata, strlen(metadata)))
		return REEVE_E_INVALID;
	text_put(&json, "{\"name\":");
	text_quote(&json, name, strlen(name));
	text_format(&json, ",\"type\":\"%s\",\"address\":", type);
	text_quote(&json, address, strlen(address));
	text_format(&json, ",\"metadata\":%s}", metadata ? metadata : "{}");
	if (json.failed || json.size > FRAME_PAYLOAD_MAX) {
		text_fini(&json);
		return REEVE_E_TOO_LARGE;
	}
	pthread_mutex_lock(&h->lock);
	if (h->announcement_n == LINK_ANNOUNCEMENTS) {
		rc = REEVE_E_TOO_LARGE;
		text_fini(&json);
	} else {
		link_put_json(h, FRAME_ANNOUNCE, &json);
		link_wake(h);
		h->announcements[h->announcement_n++] = json.data;
	}
	pthread_mutex_unlock(&h->lock);
	return rc;
}

/* ── items ── */

static struct link_kept *keep(uint64_t key, const void *data, size_t size)
{
	struct link_kept *k = malloc(sizeof *k + size);
	if (k) {
		*k = (struct link_kept){.key = key, .size = size};
		if (size)
			memcpy(k->data, data, size);
	}
	return k;
}

static int link_emit(struct reeve_job *job, uint64_t key, const void *data, size_t size)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;
	struct link_kept *k;
	int rc = REEVE_OK;

	if (size > HOST_ITEM_MAX)
		return REEVE_E_TOO_LARGE;
	if (!(j->a.capability->flags & REEVE_BINARY_OUTPUT) && !jsontext_check(data, size, NULL))
		return REEVE_E_INVALID;
	k = keep(key, data, size);
	if (!k)
		return REEVE_E_NO_MEMORY;
	pthread_mutex_lock(&h->lock);
	while (j->unanswered >= j->window && !atomic_load(&j->a.cancelled) && j->item_outcome == REEVE_OK)
		link_block(h, &j->wake);
	if (j->item_outcome != REEVE_OK)
		rc = j->item_outcome;
	else if (attempt_cancelled(job))
		rc = REEVE_E_CANCELLED;
	if (rc == REEVE_OK) {
		*j->items_end = k;
		j->items_end = &k->next;
		j->unanswered++;
		j->emitted++;
		link_put_simple(h, FRAME_ITEM, j->a.number, j->a.fence, (int64_t)key, (struct span){k->data, size});
		link_wake(h);
		k = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	free(k);
	return rc;
}

static int link_checkpoint(struct reeve_job *job, const void *data, size_t size)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;
	struct link_kept *k = size <= HOST_CHECKPOINT_MAX ? keep(0, data, size) : NULL;
	int rc;

	if (!k)
		return size > HOST_CHECKPOINT_MAX ? REEVE_E_TOO_LARGE : REEVE_E_NO_MEMORY;
	pthread_mutex_lock(&h->lock);
	rc = j->item_outcome;
	if (rc == REEVE_OK) {
		free(j->checkpoint);
		j->checkpoint = k;
		j->checkpoint_after = j->emitted;
		link_put_simple(h, FRAME_CHECKPOINT, j->a.number, j->a.fence, 0, (struct span){k->data, size});
		link_wake(h);
		k = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	free(k);
	return rc;
}

static int link_progress(struct reeve_job *job, int percent, const char *message)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;

	pthread_mutex_lock(&h->lock);
	link_progress_say(j, percent, message, message ? cut(message, HOST_MESSAGE_MAX) : 0);
	pthread_mutex_unlock(&h->lock);
	return attempt_cancelled(job) ? REEVE_E_CANCELLED : REEVE_OK;
}

static void link_job_log(struct reeve_job *job, int severity, const char *event, const char *fields)
{
	put_log(of(job)->host, of(job)->a.number, of(job)->a.fence, severity, event, fields);
}

static int link_finish(struct reeve_job *job, int result)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;
	int outcome, rc;

	rc = attempt_finish(&j->a, result, &outcome);
	if (rc != 1)
		return rc;
	attempt_drop_scratch(&j->a);
	pthread_mutex_lock(&h->lock);
	link_job_ended(h, j, outcome);
	link_wake(h);
	pthread_mutex_unlock(&h->lock);
	return REEVE_OK;
}

/* ── questions ── */

static void wait_for(struct link_host *h, struct link_waiter *w)
{
	struct link_waiter **at = &h->waiters;

	w->next = h->waiters;
	h->waiters = w;
	link_flush(h); /* here: by way of the I/O thread it would take twice as long */
	while (!w->done && !atomic_load(&w->job->a.cancelled))
		link_block(h, &w->job->wake);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!w->done)
		w->outcome = REEVE_E_CANCELLED;
}

static int link_blob(struct reeve_job *job, int fd, char *name, size_t size)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;
	struct link_waiter w = {.job = j, .fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return REEVE_E_INVALID;
	pthread_mutex_lock(&h->lock);
	w.number = ++h->numbers;
	if (h->online) {
		struct message_out out;
		int own = files_again(fd);
		message_put_simple(&out, &(struct message_simple){j->a.fence, (int64_t)w.number, {0}});
		if (own >= 0)
			link_put(h, FRAME_BLOB_PUT, j->a.number, &out, &own, 1);
	}
	wait_for(h, &w); /* offline: link_io sends it when it is online again */
	pthread_mutex_unlock(&h->lock);
	if (w.outcome == REEVE_OK && w.size >= size)
		w.outcome = REEVE_E_TOO_LARGE;
	if (w.outcome == REEVE_OK)
		memcpy(name, w.data, w.size + 1);
	free(w.data);
	return w.outcome;
}

static int link_call(
	struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out)
{
	struct link_job *j = of(job);
	struct link_host *h = j->host;
	struct message_call c = {
		.fence = j->a.fence, .capability = {capability, strlen(capability)}, .input = {data, size}};
	struct link_waiter w = {.job = j, .fd = -1};
	struct message_out message;
	struct link_result *result;

	if (size > HOST_INPUT_MAX)
		return REEVE_E_TOO_LARGE;
	if (c.capability.size > 128)
		return REEVE_E_INVALID;
	result = calloc(1, sizeof *result);
	if (!result)
		return REEVE_E_NO_MEMORY;
	pthread_mutex_lock(&h->lock);
	while (!h->online && !atomic_load(&j->a.cancelled))
		link_block(h, &h->came_online);
	c.call = w.number = ++h->numbers;
	message_put_call(&message, &c);
	link_put(h, FRAME_CALL, j->a.number, &message, NULL, 0);
	wait_for(h, &w);
	pthread_mutex_unlock(&h->lock);
	*result = (struct link_result){{&link_ops}, w.size, w.data};
	if (w.outcome == REEVE_OK || w.outcome == REEVE_E_REMOTE) {
		*out = &result->base;
	} else {
		free(w.data);
		free(result);
	}
	return w.outcome;
}

static struct reeve_bytes link_result_bytes(const struct reeve_result *result)
{
	const struct link_result *r = (const struct link_result *)result;
	return (struct reeve_bytes){r->data, r->size};
}

static void link_result_free(struct reeve_result *result)
{
	free(((struct link_result *)result)->data);
	free(result);
}

const struct reeve_host_ops link_ops = {
	.size = sizeof link_ops,
	.abi = REEVE_ABI,
	.config = link_config,
	.instance_id = link_instance_id,
	.log = link_log,
	.announce = link_announce,
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
	.blob = link_blob,
	.scratch = attempt_scratch,
	.progress = link_progress,
	.emit = link_emit,
	.checkpoint = link_checkpoint,
	.job_log = link_job_log,
	.finish = link_finish,
	.call = link_call,
	.result_bytes = link_result_bytes,
	.result_free = link_result_free,
};
