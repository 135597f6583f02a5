/* hop.c - a handler's call that goes over the loop and dispatch, and the results of calls. */
#include "module/parts.h"

#include "os/os_clock.h"

#include <stdlib.h>
#include <time.h>

struct hop { /* a call under way: the handler waits on its root task's lock */
	struct message message;
	struct task *task; /* the root */
	struct hop *next; /* loop: in task->hops */
	uint64_t id;
	atomic_int refs;
	bool done; /* under task->lock, with what follows */
	struct reeve_result *result;
	int outcome;
	size_t capability_size, input_size;
	char text[];
};

struct result {
	struct reeve_result base;
	size_t size;
	char data[];
};

static atomic_ullong last_id;

struct reeve_result *result_new(const void *data, size_t size)
{
	struct result *r = malloc(sizeof *r + size + 1);
	if (!r)
		return NULL;
	r->base.ops = &host_job_ops;
	r->size = size;
	if (size)
		memcpy(r->data, data, size);
	r->data[size] = 0;
	return &r->base;
}

struct reeve_bytes result_bytes(const struct reeve_result *result)
{
	const struct result *r = (const struct result *)result;
	return (struct reeve_bytes){r->data, r->size};
}

void result_free(struct reeve_result *result)
{
	free(result);
}

static void hop_unref(struct hop *h)
{
	if (atomic_fetch_sub(&h->refs, 1) > 1)
		return;
	free(h->result);
	free(h);
}

/* ── loop ── */

static void answer(struct hop *h, int outcome, struct reeve_result *result)
{
	pthread_mutex_lock(&h->task->lock);
	h->done = true;
	h->outcome = outcome;
	h->result = result;
	pthread_cond_broadcast(&h->task->change);
	pthread_mutex_unlock(&h->task->lock);
	hop_unref(h);
}

static void run_hop(struct message *m)
{
	struct hop *h = (struct hop *)m;
	struct task *t = h->task;
	if (!t->d) {
		answer(h, REEVE_E_CANCELLED, NULL);
		return;
	}
	handover_tell_started(t);
	h->next = t->hops;
	t->hops = h;
	t->d->events->call(t->d, h->id, (struct bytes){h->text, h->capability_size},
		(struct bytes){h->text + h->capability_size, h->input_size});
}

void hop_answer(struct task *t, uint64_t id, struct bytes result, const struct job_error *error)
{
	struct hop **at = &t->hops;
	while (*at && (*at)->id != id)
		at = &(*at)->next;
	struct hop *h = *at;
	if (!h)
		return;
	*at = h->next;
	struct buf b = {0};
	if (error) {
		buf_text(&b, "{\"code\":");
		buf_json_string(&b, bytes_of(error->code));
		buf_text(&b, ",\"message\":");
		buf_json_string(&b, bytes_of(error->message));
		buf_format(&b, ",\"retryable\":%s}", error->retryable ? "true" : "false");
		result = buf_bytes(&b);
	}
	struct reeve_result *r = result_new(result.data, result.size);
	answer(h, !r ? REEVE_E_NO_MEMORY : error ? REEVE_E_REMOTE : REEVE_OK, r); /* as the link's host */
	buf_fini(&b);
}

void hop_drop(struct task *t)
{
	while (t->hops) {
		struct hop *h = t->hops;
		t->hops = h->next;
		answer(h, REEVE_E_CANCELLED, NULL);
	}
}

/* ── the handler's thread ── */

static void wait_answer(struct hop *h, struct task *root)
{
	struct timespec until = {.tv_sec = INT64_MAX / 1000000000};
	if (root->attempt.deadline_ms != INT64_MAX) {
		until.tv_sec = root->attempt.deadline_ms / 1000;
		until.tv_nsec = root->attempt.deadline_ms % 1000 * 1000000;
	}
	int rc = 0;
	pthread_mutex_lock(&root->lock);
	while (!h->done && rc == 0 && !atomic_load(&root->attempt.cancelled))
		rc = pthread_cond_timedwait(&root->change, &root->lock, &until);
	pthread_mutex_unlock(&root->lock);
}

int hop_call(struct task *t, const char *capability, const void *data, size_t size, struct reeve_result **out)
{
	struct task *root = t->root;
	size_t name_size = strnlen(capability, JOB_NAME_MAX + 1);
	if (name_size > JOB_NAME_MAX || size > HOST_INPUT_MAX)
		return REEVE_E_TOO_LARGE;
	struct hop *h = calloc(1, sizeof *h + name_size + size + 1);
	if (!h)
		return REEVE_E_NO_MEMORY;
	h->message.run = run_hop;
	h->task = root;
	h->id = atomic_fetch_add(&last_id, 1) + 1;
	atomic_init(&h->refs, 2);
	h->capability_size = name_size;
	h->input_size = size;
	memcpy(h->text, capability, name_size);
	if (size)
		memcpy(h->text + name_size, data, size);
	loop_post(root->unit->host->options.loop, &h->message);
	unit_block(root->unit);
	wait_answer(h, root);
	unit_unblock(root->unit);
	pthread_mutex_lock(&root->lock);
	int outcome = h->done ? h->outcome : REEVE_E_CANCELLED;
	if (h->done && (outcome == REEVE_OK || outcome == REEVE_E_REMOTE)) {
		*out = h->result;
		h->result = NULL;
	}
	pthread_mutex_unlock(&root->lock);
	hop_unref(h);
	return outcome;
}

int host_call(struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out)
{
	struct task *t = (struct task *)job;
	bool found = false;
	if (t->depth + 1 >= HOST_CALL_DEPTH)
		return REEVE_E_STATE;
	if (job->ops->cancelled(job))
		return REEVE_E_CANCELLED;
	int rc = direct_call(t, capability, data, size, out, &found);
	return found ? rc : hop_call(t, capability, data, size, out);
}
