/* host.c - the functions that a module's handlers call (wire/host.h), on whatever thread they call them. */
#include "module/parts.h"

#include "wire/jsontext.h"

#include <stdlib.h>
#include <unistd.h>

static struct task *task_of(const struct reeve_job *job)
{
	return (struct task *)job;
}

static struct loop *loop_of(const struct task *t)
{
	return t->unit->host->options.loop;
}

/* ── the instance ── */

static struct reeve_bytes host_config(const struct reeve_instance *self)
{
	const struct unit *u = (const struct unit *)self;
	return (struct reeve_bytes){u->config, strlen(u->config)};
}

static const char *host_instance_id(const struct reeve_instance *self)
{
	return ((const struct unit *)self)->id;
}

struct line { /* a log line, or a server's announcement, on its way to the loop */
	struct message message;
	struct unit *unit;
	struct task *task; /* NULL: the instance's */
	int severity;
	size_t event_size, fields_size, third_size, fourth_size;
	char text[];
};

static struct bytes piece(const struct line *l, size_t at, size_t size)
{
	return (struct bytes){l->text + at, size};
}

static void run_log(struct message *m)
{
	struct line *l = (struct line *)m;
	struct unit *u = l->unit;
	const struct module_options *o = &u->host->options;
	struct bytes event = piece(l, 0, l->event_size), fields = piece(l, l->event_size, l->fields_size);
	atomic_fetch_sub(&u->logs, 1);
	if (l->task)
		handover_tell_started(l->task);
	if (l->task && l->task->d)
		l->task->d->events->log(l->task->d, l->severity, event, fields);
	else if (u->instance)
		o->log(o->context, u->instance, l->severity, event, fields);
	free(l);
}

static struct line *line_new(struct unit *u, struct task *t, const char *a, const char *b, const char *c, size_t max)
{
	size_t an = strnlen(a, max), bn = b ? strnlen(b, max - an) : 0, cn = c ? strnlen(c, max - an - bn) : 0;
	struct line *l = malloc(sizeof *l + an + bn + cn + 1);
	if (!l)
		return NULL;
	*l = (struct line){.unit = u, .task = t, .event_size = an, .fields_size = bn, .third_size = cn};
	memcpy(l->text, a, an);
	if (bn)
		memcpy(l->text + an, b, bn);
	if (cn)
		memcpy(l->text + an + bn, c, cn);
	return l;
}

static void say(struct unit *u, struct task *t, int severity, const char *event, const char *fields)
{
	if (atomic_fetch_add(&u->logs, 1) >= MODULE_LOGS_MAX) {
		atomic_fetch_sub(&u->logs, 1);
		atomic_fetch_add(&u->logs_dropped, 1);
		return;
	}
	if (fields && !jsontext_is_object(fields, strnlen(fields, HOST_LOG_MAX)))
		fields = NULL;
	struct line *l = line_new(u, t, event, fields, NULL, HOST_LOG_MAX);
	if (!l)
		return;
	l->severity = severity;
	l->message.run = run_log;
	loop_post(u->host->options.loop, &l->message);
}

static void host_log(const struct reeve_instance *self, int severity, const char *event, const char *fields)
{
	say((struct unit *)self, NULL, severity, event, fields);
}

static void run_announce(struct message *m)
{
	struct line *l = (struct line *)m;
	const struct module_options *o = &l->unit->host->options;
	size_t third = l->event_size + l->fields_size, fourth = third + l->third_size;
	if (l->unit->instance && o->announce)
		o->announce(o->context, l->unit->instance, piece(l, 0, l->event_size), piece(l, l->event_size, l->fields_size),
			piece(l, third, l->third_size), l->fourth_size ? piece(l, fourth, l->fourth_size) : (struct bytes){0});
	free(l);
}

static int host_announce(
	struct reeve_instance *self, const char *name, const char *type, const char *address, const char *metadata)
{
	struct unit *u = (struct unit *)self;
	if (strcmp(type, "url") != 0 && strcmp(type, "ipc") != 0 && strcmp(type, "function") != 0)
		return REEVE_E_INVALID;
	size_t address_size = strlen(address), metadata_size = metadata ? strlen(metadata) : 0;
	if (strlen(name) + address_size + metadata_size > HOST_LOG_MAX)
		return REEVE_E_TOO_LARGE;
	if (metadata && !jsontext_is_object(metadata, metadata_size))
		return REEVE_E_INVALID;
	char *both = malloc(address_size + metadata_size + 1); /* the last two pieces are one for line_new */
	if (!both)
		return REEVE_E_NO_MEMORY;
	memcpy(both, address, address_size);
	memcpy(both + address_size, metadata ? metadata : "", metadata_size + 1);
	struct line *l = line_new(u, NULL, name, type, both, HOST_LOG_MAX + 16);
	free(both);
	if (!l)
		return REEVE_E_NO_MEMORY;
	l->third_size = address_size;
	l->fourth_size = metadata_size;
	l->message.run = run_announce;
	loop_post(u->host->options.loop, &l->message);
	return REEVE_OK;
}

/* ── the job ── */

static int host_cancelled(const struct reeve_job *job)
{
	const struct task *t = task_of(job);
	return attempt_cancelled(job) || (t->root != t && atomic_load(&t->root->attempt.cancelled));
}

static int host_input_open(struct reeve_job *job)
{
	struct task *t = task_of(job);
	int fd;
	uint64_t bytes;
	if (!*t->blob)
		return attempt_input_open(job);
	enum errcode code = blob_open(t->unit->host->options.blobs, t->blob, &fd, &bytes, NULL);
	if (code == E_OK)
		return fd;
	return code == E_NOT_FOUND ? REEVE_E_NOT_FOUND : REEVE_E_INTERNAL;
}

static int host_blob(struct reeve_job *job, int fd, char *name, size_t size)
{
	char stored[BLOB_NAME_SIZE];
	uint64_t bytes;
	if (fd < 0 || size < BLOB_NAME_SIZE - 8)
		return REEVE_E_INVALID;
	switch (blob_put_fd(task_of(job)->unit->host->options.blobs, fd, stored, &bytes, NULL)) {
	case E_OK:
		break;
	case E_TOO_LARGE:
		return REEVE_E_TOO_LARGE;
	case E_NO_SPACE:
		return REEVE_E_AGAIN;
	default:
		return REEVE_E_INTERNAL;
	}
	size_t n = strlen(stored);
	if (n >= size)
		return REEVE_E_TOO_LARGE;
	memcpy(name, stored, n + 1);
	return REEVE_OK;
}

struct piece { /* an item or a checkpoint on its way */
	struct message message;
	struct task *task;
	uint64_t key;
	size_t size;
	char data[];
};

static int send_piece(struct task *t, void (*run)(struct message *), uint64_t key, const void *data, size_t size)
{
	struct piece *p = malloc(sizeof *p + size + 1);
	if (!p)
		return REEVE_E_NO_MEMORY;
	*p = (struct piece){{NULL, run}, t, key, size};
	if (size)
		memcpy(p->data, data, size);
	loop_post(loop_of(t), &p->message);
	return REEVE_OK;
}

static void run_item(struct message *m)
{
	struct piece *p = (struct piece *)m;
	handover_tell_started(p->task);
	struct delivery *d = p->task->d;
	if (d)
		d->events->item(d, p->key, (struct bytes){p->data, p->size});
	free(p);
}

static int host_emit(struct reeve_job *job, uint64_t key, const void *data, size_t size)
{
	struct task *t = task_of(job);
	if (size > HOST_ITEM_MAX)
		return REEVE_E_TOO_LARGE;
	if (!jsontext_check(data, size, NULL))
		return REEVE_E_INVALID;
	if (t->root != t)
		return REEVE_OK; /* a call's items have no reader */
	pthread_mutex_lock(&t->lock);
	bool wait = t->out >= t->window;
	if (wait)
		unit_block(t->unit);
	while (t->out >= t->window && t->item_error == REEVE_OK && !atomic_load(&t->attempt.cancelled))
		pthread_cond_wait(&t->change, &t->lock);
	if (wait)
		unit_unblock(t->unit);
	int rc = t->item_error;
	if (rc == REEVE_OK && host_cancelled(job))
		rc = REEVE_E_CANCELLED;
	t->out += rc == REEVE_OK;
	pthread_mutex_unlock(&t->lock);
	return rc == REEVE_OK ? send_piece(t, run_item, key, data, size) : rc;
}

static void run_checkpoint(struct message *m)
{
	struct piece *p = (struct piece *)m;
	struct task *t = p->task;
	handover_tell_started(t);
	if (t->d)
		t->d->events->checkpoint(t->d, (struct bytes){p->data, p->size});
	pthread_mutex_lock(&t->lock);
	t->checkpoints_out--;
	pthread_cond_broadcast(&t->change);
	pthread_mutex_unlock(&t->lock);
	free(p);
}

static int host_checkpoint(struct reeve_job *job, const void *data, size_t size)
{
	struct task *t = task_of(job);
	if (size > HOST_CHECKPOINT_MAX)
		return REEVE_E_TOO_LARGE;
	if (t->root != t)
		return REEVE_OK;
	if (host_cancelled(job))
		return REEVE_E_CANCELLED;
	pthread_mutex_lock(&t->lock);
	while (t->checkpoints_out >= MODULE_CHECKPOINTS_MAX) /* the loop always takes them: this ends */
		pthread_cond_wait(&t->change, &t->lock);
	t->checkpoints_out++;
	pthread_mutex_unlock(&t->lock);
	return send_piece(t, run_checkpoint, 0, data, size);
}

static void run_progress(struct message *m)
{
	struct piece *p = (struct piece *)m;
	struct task *t = p->task;
	char text[sizeof t->progress];
	pthread_mutex_lock(&t->lock);
	int percent = t->percent;
	memcpy(text, t->progress, sizeof text);
	t->progress_sent = false;
	pthread_mutex_unlock(&t->lock);
	handover_tell_started(t);
	if (t->d)
		t->d->events->progress(t->d, percent, bytes_of(text));
	free(p);
}

/* Only the latest counts: while one is on its way, it is changed. */
static int host_progress(struct reeve_job *job, int percent, const char *message)
{
	struct task *t = task_of(job);
	if (t->root != t)
		return REEVE_OK;
	pthread_mutex_lock(&t->lock);
	size_t n = strnlen(message ? message : "", HOST_MESSAGE_MAX);
	t->percent = percent;
	memcpy(t->progress, message ? message : "", n);
	t->progress[n] = 0;
	bool send = !t->progress_sent;
	t->progress_sent = true;
	pthread_mutex_unlock(&t->lock);
	return send ? send_piece(t, run_progress, 0, NULL, 0) : REEVE_OK;
}

static void host_job_log(struct reeve_job *job, int severity, const char *event, const char *fields)
{
	struct task *t = task_of(job);
	if (event)
		say(t->root->unit, t->root, severity, event, fields);
}

static int host_finish(struct reeve_job *job, int outcome)
{
	struct task *t = task_of(job);
	int end;
	int rc = attempt_finish(&t->attempt, outcome, &end);
	if (rc == 1)
		task_end(t, end);
	return rc < 0 ? rc : REEVE_OK;
}

const struct reeve_host_ops host_instance_ops = {
	.size = sizeof(struct reeve_host_ops),
	.abi = REEVE_ABI,
	.config = host_config,
	.instance_id = host_instance_id,
	.log = host_log,
	.announce = host_announce,
};

const struct reeve_host_ops host_job_ops = {
	.size = sizeof(struct reeve_host_ops),
	.abi = REEVE_ABI,
	.job_id = attempt_job_id,
	.fence = attempt_fence,
	.attempt = attempt_count,
	.traceparent = attempt_traceparent,
	.remaining_ms = attempt_remaining_ms,
	.cancelled = host_cancelled,
	.input = attempt_input,
	.resume = attempt_resume,
	.input_open = host_input_open,
	.reply = attempt_reply,
	.reply_file = attempt_reply_file,
	.fail = attempt_fail,
	.blob = host_blob,
	.scratch = attempt_scratch,
	.progress = host_progress,
	.emit = host_emit,
	.checkpoint = host_checkpoint,
	.job_log = host_job_log,
	.finish = host_finish,
	.call = host_call,
	.result_bytes = result_bytes,
	.result_free = result_free,
};
