/* direct.c - reeve_call to a module of the same engine: the callee's handler runs on the caller's thread.
 *
 * A serial capability is never called like this: it is a hop, which dispatch orders. */
#include "module/parts.h"

#include "wire/jsontext.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct entry {
	struct unit *unit;
	unsigned index;
	const char *namespace, *name;
};

struct direct {
	pthread_rwlock_t lock;
	struct entry *entries;
	size_t n, room;
	unsigned turn;
};

struct direct *direct_new(void)
{
	struct direct *d = NEW(struct direct);
	pthread_rwlock_init(&d->lock, NULL);
	return d;
}

void direct_free(struct direct *d)
{
	pthread_rwlock_destroy(&d->lock);
	free(d->entries);
	free(d);
}

void direct_add(struct direct *d, struct unit *u)
{
	pthread_rwlock_wrlock(&d->lock);
	for (unsigned k = 0; k < u->abi.n; k++) {
		if (u->abi.capabilities[k].flags & REEVE_SERIAL)
			continue;
		if (d->n == d->room) {
			d->room = d->room ? d->room * 2 : 16;
			d->entries = mem_resize(d->entries, d->room * sizeof *d->entries);
		}
		d->entries[d->n++] = (struct entry){u, k, u->namespace, u->abi.capabilities[k].name};
	}
	pthread_rwlock_unlock(&d->lock);
}

void direct_remove(struct direct *d, struct unit *u)
{
	size_t kept = 0;
	pthread_rwlock_wrlock(&d->lock);
	for (size_t k = 0; k < d->n; k++)
		if (d->entries[k].unit != u)
			d->entries[kept++] = d->entries[k];
	d->n = kept;
	pthread_rwlock_unlock(&d->lock);
}

/* The unit does not end while it is entered. */
static bool enter(struct direct *d, const char *namespace, const char *name, struct entry *out)
{
	bool found = false;
	pthread_rwlock_rdlock(&d->lock);
	for (size_t k = 0; k < d->n && !found; k++) {
		struct entry *x = &d->entries[k];
		if (strcmp(x->name, name) != 0 || strcmp(x->namespace, namespace) != 0)
			continue;
		*out = *x;
		found = true;
		__atomic_fetch_add(&x->unit->direct_calls, 1, __ATOMIC_ACQ_REL);
	}
	pthread_rwlock_unlock(&d->lock);
	return found;
}

/* Under the lock: the control thread, which ends the unit, cannot see the last call leave before it has let go of it. */
static void leave(struct unit *u)
{
	pthread_mutex_lock(&u->lock);
	if (__atomic_sub_fetch(&u->direct_calls, 1, __ATOMIC_ACQ_REL) == 0 && u->closing)
		pthread_cond_broadcast(&u->control);
	pthread_mutex_unlock(&u->lock);
}

/* ── a task for each depth of each thread ── */

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread struct task *spare;

static void free_spares(void *first)
{
	for (struct task *t = spare, *next; t; t = next) {
		next = t->next_kept;
		attempt_fini(&t->attempt);
		pthread_mutex_destroy(&t->lock);
		pthread_cond_destroy(&t->change);
		buf_fini(&t->input);
		buf_fini(&t->result);
		free(t);
	}
	spare = NULL;
}

static void make_key(void)
{
	pthread_key_create(&key, free_spares);
}

static struct task *take_spare(void)
{
	struct task *t = spare;
	if (t) {
		spare = t->next_kept;
		return t;
	}
	t = NEW(struct task);
	attempt_init(&t->attempt);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->change, NULL);
	t->attempt.base.ops = &host_job_ops;
	t->place = TASK_RUNNING;
	pthread_once(&once, make_key);
	pthread_setspecific(key, t); /* so that the destructor runs */
	return t;
}

static void give_back(struct task *t)
{
	attempt_reset(&t->attempt);
	if (t->input.room > 1 << 16)
		buf_fini(&t->input);
	if (t->result.room > 1 << 16)
		buf_fini(&t->result);
	t->next_kept = spare;
	spare = t;
}

/* ── the call ── */

static void prepare(struct task *t, struct task *caller, const struct entry *x, const void *data, size_t size)
{
	struct attempt *a = &t->attempt;
	t->unit = x->unit;
	t->index = (uint16_t)x->index;
	t->capability = a->capability = &x->unit->abi.capabilities[x->index];
	t->root = caller->root;
	t->depth = caller->depth + 1;
	t->over = t->cancelling = t->end_kept = false;
	*t->blob = 0;
	a->number = a->fence = 0;
	a->count = 1;
	a->id[0] = 0;
	a->deadline_ms = caller->attempt.deadline_ms;
	attempt_set_trace(a, caller->attempt.traceparent, strlen(caller->attempt.traceparent));
	buf_clear(&t->input);
	buf_add(&t->input, data, size);
	a->input = (struct reeve_bytes){t->input.data, t->input.size};
}

/* The handler said REEVE_PENDING: somebody will call reeve_finish. */
static void wait_over(struct task *t)
{
	struct timespec until;
	pthread_mutex_lock(&t->lock);
	while (!t->over) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		if (pthread_cond_timedwait(&t->change, &t->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&t->lock);
		if (host_job_ops.cancelled(&t->attempt.base))
			task_cancel(t);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
}

/* As a hop would have said it: who is cancelled by the deadline has not answered in time. */
static void name_timeout(struct task *t)
{
	if (t->outcome != REEVE_E_CANCELLED || attempt_remaining_ms(&t->attempt.base) > 0)
		return;
	t->error.retryable = 1;
	snprintf(t->error.code, sizeof t->error.code, "timeout");
	snprintf(t->error.message, sizeof t->error.message, "%.128s did not answer in time", t->capability->name);
}

static int give_result(struct task *t, struct reeve_result **out)
{
	name_timeout(t);
	if (t->outcome == REEVE_OK) {
		*out = result_new(t->result.data, t->result.size);
		return *out ? REEVE_OK : REEVE_E_NO_MEMORY;
	}
	struct buf b = {0};
	buf_text(&b, "{\"code\":");
	buf_json_string(&b, bytes_of(t->error.code));
	buf_text(&b, ",\"message\":");
	buf_json_string(&b, bytes_of(t->error.message));
	buf_format(&b, ",\"retryable\":%s}", t->error.retryable ? "true" : "false");
	*out = result_new(b.data, b.size);
	buf_fini(&b);
	return *out ? REEVE_E_REMOTE : REEVE_E_NO_MEMORY;
}

int direct_call(
	struct task *caller, const char *capability, const void *data, size_t size, struct reeve_result **out, bool *found)
{
	struct entry x;
	*found = enter(caller->unit->host->direct, caller->root->unit->namespace, capability, &x);
	if (!*found)
		return REEVE_OK;
	struct unit *u = x.unit;
	int rc = REEVE_E_INVALID;
	if (size > HOST_INPUT_MAX) {
		rc = REEVE_E_TOO_LARGE;
	} else if (u->abi.capabilities[x.index].flags & REEVE_BINARY_INPUT || jsontext_check(data, size, NULL)) {
		struct task *t = take_spare();
		struct crumb_name kept;
		int outcome;
		prepare(t, caller, &x, data, size);
		crumb_push(t->capability->name, &kept);
		int returned = t->capability->handle(u->state, &t->attempt.base);
		crumb_pop(&kept);
		if (attempt_returned(&t->attempt, returned, &outcome))
			task_end(t, outcome);
		wait_over(t);
		rc = give_result(t, out);
		give_back(t);
	}
	leave(u);
	return rc;
}
