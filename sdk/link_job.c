#include "link.h"

#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY_KEPT = 64 << 10 };

static struct link_job **bucket(struct link_host *h, uint64_t id)
{
	return &h->table[(id ^ id >> 12 ^ id >> 22) % LINK_BUCKETS];
}

struct link_job *link_job_find(struct link_host *h, uint64_t id, uint64_t fence)
{
	struct link_job *j = *bucket(h, id);
	while (j && (j->a.number != id || j->a.fence != fence))
		j = j->hash_next;
	return j;
}

/* ── memory ── */

static struct link_job *new_job(struct link_host *h)
{
	struct link_job *j = h->free_jobs;

	if (j) {
		h->free_jobs = j->next;
		return j;
	}
	j = calloc(1, sizeof *j);
	if (!j)
		return NULL;
	attempt_init(&j->a);
	pthread_cond_init(&j->wake, NULL);
	j->a.base.ops = &link_ops;
	j->host = h;
	return j;
}

static void forget_kept(struct link_job *j)
{
	struct link_kept *k;

	while ((k = j->items)) {
		j->items = k->next;
		free(k);
	}
	free(j->checkpoint);
	j->checkpoint = NULL;
}

/* Out of the table, back to the free ones. */
static void recycle(struct link_host *h, struct link_job *j)
{
	struct link_job **at = bucket(h, j->a.number);

	if (j->cancelling) { /* its cancel function still looks at it: link_job_cancel comes back here */
		j->recycle = true;
		return;
	}
	while (*at && *at != j)
		at = &(*at)->hash_next;
	if (*at)
		*at = j->hash_next;
	if (j->state == LINK_ENDED)
		h->unsettled--;
	forget_kept(j);
	link_progress_forget(j);
	attempt_reset(&j->a);
	if (j->room > MEMORY_KEPT) {
		free(j->memory);
		j->memory = NULL;
		j->room = 0;
	}
	j->next = h->free_jobs;
	h->free_jobs = j;
	pthread_cond_broadcast(&h->quiet);
}

static void free_job(struct link_job *j)
{
	forget_kept(j);
	link_progress_forget(j);
	attempt_fini(&j->a);
	free(j->memory);
	pthread_cond_destroy(&j->wake);
	free(j);
}

void link_jobs_free(struct link_host *h)
{
	struct link_job *j;

	for (unsigned i = 0; i < LINK_BUCKETS; i++) {
		while ((j = h->table[i])) {
			h->table[i] = j->hash_next;
			free_job(j);
		}
	}
	while ((j = h->free_jobs)) {
		h->free_jobs = j->next;
		free_job(j);
	}
}

/* ── queues ── */

static void append(struct link_job **first, struct link_job ***last, struct link_job *j)
{
	j->next = NULL;
	if (!*first)
		*last = first;
	**last = j;
	*last = &j->next;
}

static struct link_job *pop(struct link_job **first)
{
	struct link_job *j = *first;
	if (j)
		*first = j->next;
	return j;
}

/* The next job that may run now; NULL: none. */
static struct link_job *pick(struct link_host *h)
{
	struct link_job *j;

	while ((j = pop(&h->ready))) {
		struct link_serial *s = &h->serial[j->capability];
		if (j->forgotten) {
			recycle(h, j);
		} else if (j->a.capability->flags & REEVE_SERIAL) {
			if (!s->busy) {
				s->busy = true;
				return j;
			}
			append(&s->first, &s->last, j);
		} else {
			return j;
		}
	}
	return NULL;
}

/* ── a JOB frame ── */

/* Input and checkpoint behind each other, each with a NUL. */
static bool copy_bodies(struct link_job *j, const struct message_job *m, int input_fd)
{
	size_t need = (size_t)m->input_size + m->checkpoint.size + 2;
	char *checkpoint;

	if (need > j->room) {
		char *grown = realloc(j->memory, need);
		if (!grown)
			return false;
		j->memory = grown;
		j->room = need;
	}
	if (m->form == MESSAGE_INLINE && m->input.size)
		memcpy(j->memory, m->input.data, m->input.size);
	if (m->form == MESSAGE_BODY_FILE) {
		lseek(input_fd, 0, SEEK_SET);
		if (files_read(input_fd, j->memory, m->input_size) != (long)m->input_size)
			return false;
	}
	j->memory[m->input_size] = 0;
	checkpoint = j->memory + m->input_size + 1;
	if (m->checkpoint.size)
		memcpy(checkpoint, m->checkpoint.data, m->checkpoint.size);
	checkpoint[m->checkpoint.size] = 0;
	if (m->form != MESSAGE_NONE)
		j->a.input = (struct reeve_bytes){j->memory, m->input_size};
	if (m->checkpoint.size)
		j->a.checkpoint = (struct reeve_bytes){checkpoint, m->checkpoint.size};
	return true;
}

static void fill(struct link_host *h, struct link_job *j, const struct message_job *m, uint64_t id)
{
	j->a.number = id;
	j->a.fence = m->fence;
	id_format(id, j->a.id);
	j->a.capability = &h->w->capabilities[m->capability];
	j->a.count = (int)m->attempt;
	j->a.deadline_ms = m->deadline_ms;
	attempt_set_trace(&j->a, m->traceparent.data, m->traceparent.size);
	j->capability = m->capability;
	j->state = LINK_WAITING;
	j->window = m->window ? m->window : 1;
	j->unanswered = 0;
	j->emitted = j->checkpoint_after = 0;
	j->items_end = &j->items;
	j->item_outcome = j->outcome = REEVE_OK;
	j->cancelling = j->forgotten = j->recycle = false;
	j->progress_ms = 0;
}

bool link_job_take(struct link_host *h, struct wire_message *m)
{
	struct message_job job;
	struct link_job *j;
	bool good;

	if (!message_get_job(m, &job) || job.capability >= h->w->n || job.input_size > HOST_INPUT_MAX)
		return false;
	if (h->draining) {
		link_put_simple(h, FRAME_GIVEN_BACK, m->id, job.fence, 0, (struct span){0});
		return true;
	}
	if (link_job_find(h, m->id, job.fence)) /* it is here already */
		return true;
	j = new_job(h);
	good = j && copy_bodies(j, &job, m->files[0]);
	if (!good) {
		if (j) {
			j->next = h->free_jobs;
			h->free_jobs = j;
		}
		return false;
	}
	fill(h, j, &job, m->id);
	if (job.blob.size) {
		j->a.blob_fd = m->files[m->file_n - 1];
		m->files[m->file_n - 1] = -1;
	}
	j->hash_next = *bucket(h, m->id);
	*bucket(h, m->id) = j;
	append(&h->ready, &h->ready_end, j);
	return true;
}

/* ── who begins with them ──
 * For handlers that take microseconds waking a thread costs more than they do, and threads that share them stand in each
 * other's way. So one is woken for all that came, and it wakes the next where handlers take long. Should a handler take
 * longer than those before it, the I/O thread sees within milliseconds that jobs wait behind it. */

void link_jobs_wake_one(struct link_host *h)
{
	if (!h->ready || h->idle <= h->threads_woken)
		return;
	h->threads_woken++;
	pthread_cond_signal(&h->work);
}

void link_jobs_wake(struct link_host *h)
{
	bool awake = h->thread_n > h->idle + h->blocked || h->threads_woken;
	if (!awake || h->mean_ns >= LINK_LONG_NS)
		link_jobs_wake_one(h);
}

void link_block(struct link_host *h, pthread_cond_t *until)
{
	h->blocked++;
	link_jobs_wake_one(h);
	pthread_cond_wait(until, &h->lock);
	h->blocked--;
}

bool link_jobs_wait(const struct link_host *h)
{
	return h->ready && h->idle > h->threads_woken;
}

/* ── the end ── */

static void put_result(struct link_host *h, struct link_job *j)
{
	struct attempt *a = &j->a;
	struct message_result r = {.fence = a->fence, .outcome = j->outcome, .form = MESSAGE_NONE};
	struct message_out out;
	int fd = -1;

	if (j->outcome != REEVE_OK) {
		r.retryable = a->retryable != 0;
		r.code = (struct span){a->code, strlen(a->code)};
		r.text = (struct span){a->message, strlen(a->message)};
	} else if (a->reply_fd >= 0) {
		r.form = MESSAGE_RESULT_FILE;
		fd = files_again(a->reply_fd);
	} else if (a->replied && a->reply_size > FRAME_INLINE_MAX) {
		r.form = a->reply_size > HOST_RESULT_MAX ? MESSAGE_RESULT_FILE : MESSAGE_BODY_FILE;
		r.result_size = (uint32_t)a->reply_size;
		fd = files_memory("reeve-result", a->reply, a->reply_size);
	} else if (a->replied) {
		r.form = MESSAGE_INLINE;
		r.result_size = (uint32_t)a->reply_size;
		r.result = (struct span){a->reply, a->reply_size};
	}
	if (r.form >= MESSAGE_BODY_FILE && fd < 0) {
		r = (struct message_result){.fence = a->fence, .outcome = REEVE_E_INTERNAL, .retryable = 1};
		r.code = (struct span){"internal", 8};
		r.text = (struct span){"the result could not be put into a file", 39};
	}
	message_put_result(&out, &r);
	link_put(h, FRAME_RESULT, a->number, &out, &fd, fd >= 0);
}

static void free_serial(struct link_host *h, struct link_job *j)
{
	struct link_serial *s = &h->serial[j->capability];
	struct link_job *next;

	if (!(j->a.capability->flags & REEVE_SERIAL))
		return;
	s->busy = false;
	next = pop(&s->first);
	if (next) {
		append(&h->ready, &h->ready_end, next);
		link_jobs_wake_one(h);
	}
}

void link_job_ended(struct link_host *h, struct link_job *j, int outcome)
{
	/* Its cancel function may still look at it, unless it is that function which finishes it. */
	while (j->cancelling && !pthread_equal(pthread_self(), j->canceller))
		pthread_cond_wait(&j->wake, &h->lock);
	if (outcome < 0)
		attempt_explain(&j->a, outcome);
	j->outcome = outcome;
	j->state = LINK_ENDED;
	h->running--;
	h->unsettled++;
	free_serial(h, j);
	if (j->forgotten) {
		recycle(h, j);
		return;
	}
	if (h->online) {
		put_result(h, j);
		if (j->a.number >> 63) /* a call: nobody will say SETTLED */
			recycle(h, j);
	}
	pthread_cond_broadcast(&h->quiet);
}

void link_job_settled(struct link_host *h, struct link_job *j)
{
	if (j->state == LINK_ENDED)
		recycle(h, j);
}

void link_job_drop(struct link_host *h, struct link_job *j)
{
	if (j->state == LINK_ENDED)
		recycle(h, j);
	else
		link_job_cancel(h, j, true);
}

/* ── while it runs ── */

void link_job_cancel(struct link_host *h, struct link_job *j, bool forget)
{
	void (*cancel)(void *, struct reeve_job *) = j->a.capability->cancel;

	if (forget)
		j->forgotten = true;
	if (j->state == LINK_ENDED) {
		if (forget)
			recycle(h, j);
		return;
	}
	atomic_store(&j->a.cancelled, true);
	pthread_cond_broadcast(&j->wake);
	pthread_cond_broadcast(&h->came_online);
	if (j->state != LINK_RUNNING || !cancel || j->cancelling)
		return;
	j->cancelling = true;
	j->canceller = pthread_self();
	pthread_mutex_unlock(&h->lock);
	cancel(h->state, &j->a.base);
	pthread_mutex_lock(&h->lock);
	j->cancelling = false;
	pthread_cond_broadcast(&j->wake);
	if (j->recycle)
		recycle(h, j);
}

static struct link_job *find_uncancelled(struct link_host *h)
{
	for (unsigned i = 0; i < LINK_BUCKETS; i++)
		for (struct link_job *j = h->table[i]; j; j = j->hash_next)
			if (j->state != LINK_ENDED && !atomic_load(&j->a.cancelled))
				return j;
	return NULL;
}

void link_job_cancel_all(struct link_host *h)
{
	struct link_job *j;

	while ((j = find_uncancelled(h))) /* from the beginning each time: the lock is let go meanwhile */
		link_job_cancel(h, j, false);
}

void link_job_item_done(struct link_job *j, int outcome)
{
	struct link_kept *k = j->items;

	if (!k)
		return;
	j->items = k->next;
	if (!j->items)
		j->items_end = &j->items;
	free(k);
	j->unanswered--;
	if (outcome < 0 && j->item_outcome == REEVE_OK)
		j->item_outcome = outcome;
	pthread_cond_broadcast(&j->wake);
}

static void put_checkpoint(struct link_host *h, struct link_job *j)
{
	struct span data = {j->checkpoint->data, j->checkpoint->size};
	link_put_simple(h, FRAME_CHECKPOINT, j->a.number, j->a.fence, 0, data);
}

void link_job_resend(struct link_host *h, struct link_job *j)
{
	uint64_t number = j->emitted - j->unanswered; /* of the first unanswered item, from 0 */
	bool told = !j->checkpoint;

	if (j->state == LINK_WAITING)
		return;
	link_put_simple(h, FRAME_STARTED, j->a.number, j->a.fence, 0, (struct span){0});
	for (struct link_kept *k = j->items; k; k = k->next, number++) {
		if (!told && number >= j->checkpoint_after) {
			put_checkpoint(h, j);
			told = true;
		}
		link_put_simple(h, FRAME_ITEM, j->a.number, j->a.fence, (int64_t)k->key, (struct span){k->data, k->size});
	}
	if (!told)
		put_checkpoint(h, j);
	if (j->state == LINK_ENDED) {
		put_result(h, j);
		if (j->a.number >> 63)
			recycle(h, j);
	}
}

/* A job for which a handler is free is as good as begun (the daemon shows it as processing); only those behind it go back. */
void link_job_give_back(struct link_host *h)
{
	unsigned n = h->thread_n > h->running ? h->thread_n - h->running : 0;
	struct link_job *begun = NULL, **begun_end = NULL, *j;

	for (; n && (j = pop(&h->ready)); n--)
		append(&begun, &begun_end, j);
	for (unsigned i = 0; i <= h->w->n; i++) {
		while ((j = pop(i < h->w->n ? &h->serial[i].first : &h->ready))) {
			link_put_simple(h, FRAME_GIVEN_BACK, j->a.number, j->a.fence, 0, (struct span){0});
			recycle(h, j);
		}
	}
	while ((j = pop(&begun)))
		append(&h->ready, &h->ready_end, j);
}

/* ── the handler threads ── */

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void run(struct link_host *h, struct link_job *j)
{
	int64_t begun_ns, took_ns;
	int outcome = REEVE_E_CANCELLED, result;

	j->state = LINK_RUNNING;
	h->running++;
	if (atomic_load(&j->a.cancelled)) { /* it never begins */
		link_job_ended(h, j, outcome);
		return;
	}
	/* Before the handler runs the engine must know: a job that kills its worker is counted, those that waited are not. */
	link_put_simple(h, FRAME_STARTED, j->a.number, j->a.fence, 0, (struct span){0});
	link_flush(h);
	if (h->mean_ns >= LINK_LONG_NS)
		link_jobs_wake_one(h);
	pthread_mutex_unlock(&h->lock);
	begun_ns = now_ns();
	result = j->a.capability->handle(h->state, &j->a.base);
	took_ns = now_ns() - begun_ns;
	if (attempt_returned(&j->a, result, &outcome)) {
		attempt_drop_scratch(&j->a);
		pthread_mutex_lock(&h->lock);
		link_job_ended(h, j, outcome);
	} else {
		pthread_mutex_lock(&h->lock);
	}
	h->mean_ns += (took_ns - h->mean_ns) / 8;
}

void *link_job_thread(void *host)
{
	struct link_host *h = host;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		struct link_job *j = pick(h);
		if (j) {
			run(h, j);
			continue;
		}
		link_flush(h);
		if (h->closing)
			break;
		h->idle++;
		pthread_cond_wait(&h->work, &h->lock);
		h->idle--;
		if (h->threads_woken)
			h->threads_woken--;
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}
