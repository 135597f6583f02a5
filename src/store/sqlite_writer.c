#include "base/mem.h"
#include "store/sqlite.h"

#include <sys/prctl.h>
#include <time.h>

enum {
	GROUP_MAX = 4096, /* batches in one record */
	GROUP_BYTES = 4 << 20, /* of them, unless one alone has more */
	SKIP_MOST = 63,
};

static struct store_batch *batch_at(struct request *r)
{
	return container_of(r, struct store_batch, request);
}

static void fail_all(struct sqlite_store *s, struct request_list *group, enum errcode code)
{
	s->fail_code = code;
	for (struct request *r = group->first; r; r = r->next) {
		batch_at(r)->code = code;
		if (batch_at(r)->generation >= s->failed_before)
			s->failed_before = batch_at(r)->generation + 1;
	}
	if (code != E_NO_SPACE) /* no one can know what of it is on the disk */
		atomic_store(&s->dead, true);
}

/* The disk was full for the applier: it looks again now, and until there is space nothing new is taken. */
static enum errcode check_applier(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->refusing && s->threads) {
		s->retry = true;
		pthread_cond_signal(&s->apply_work);
		while (s->retry && !s->stopping)
			pthread_cond_wait(&s->work, &s->lock);
	}
	bool full = s->refusing;
	pthread_mutex_unlock(&s->lock);
	if (full && !s->threads) {
		apply_all(s);
		full = s->refusing = s->frozen || !ballast_take(&s->ballast);
	}
	return full ? E_NO_SPACE : E_OK;
}

/* The record that was gathered finds its place: the log is overwritten where its rows are in SQLite. */
static enum errcode make_room(struct sqlite_store *s)
{
	enum errcode code = E_OK;
	if (!s->threads && !commit_log_fits(&s->log, s->released))
		apply_all(s);
	pthread_mutex_lock(&s->lock);
	while (!code && !commit_log_fits(&s->log, s->released)) {
		if (s->released == s->log.position) {
			code = commit_log_grow(&s->log); /* it is larger than all of it */
		} else if (s->refusing) {
			code = E_NO_SPACE;
		} else if (atomic_load(&s->dead) || !s->threads) {
			code = E_IO;
		} else {
			apply_urge(s);
			pthread_cond_wait(&s->work, &s->lock);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return code;
}

static enum errcode write_record(struct sqlite_store *s, struct request_list *group)
{
	enum errcode code = check_applier(s);
	for (struct request *r = group->first; !code && r; r = r->next)
		commit_log_add(&s->log, batch_at(r)->ops.data, batch_at(r)->ops.size);
	if (!code)
		code = make_room(s);
	if (!code)
		return commit_log_write(&s->log);
	commit_log_drop(&s->log);
	return code;
}

static void mark(struct sqlite_store *s, struct request_list *group)
{
	for (struct request *r = group->first; r; r = r->next) {
		batch_at(r)->code = E_OK;
		batch_at(r)->sequence = s->log.sequence;
		batch_at(r)->position = s->log.position;
		batch_at(r)->ends_commit = !r->next;
	}
}

static void count(struct sqlite_store *s, struct request_list *group)
{
	pthread_mutex_lock(&s->lock);
	s->stats.commits++;
	for (struct request *r = group->first; r; r = r->next) {
		s->stats.batches++;
		s->stats.rows_written += batch_at(r)->rows;
		s->stats.bytes_written += batch_at(r)->ops.size;
	}
	pthread_mutex_unlock(&s->lock);
}

/* An empty batch only waits for its turn: it needs no record. */
static bool has_rows(const struct request_list *group)
{
	for (struct request *r = group->first; r; r = r->next) {
		if (batch_at(r)->rows)
			return true;
	}
	return false;
}

void writer_commit(struct sqlite_store *s, struct request_list *group)
{
	enum errcode code = E_OK;
	/* The group is of one generation, or begins with what must fail with an earlier one: see writer_take. */
	if (batch_at(group->first)->generation < s->failed_before)
		code = s->fail_code;
	else if (atomic_load(&s->dead))
		code = s->fail_code ? s->fail_code : E_IO; /* or the applier found out */
	else if (has_rows(group))
		code = write_record(s, group);
	if (code || has_rows(group)) /* an empty one has found nothing out */
		atomic_store(&s->full, code == E_NO_SPACE);
	if (code) {
		fail_all(s, group, code);
		return;
	}
	mark(s, group);
	count(s, group);
}

/* The next group: every batch that waits, of one generation. Under the lock. */
static void writer_take(struct sqlite_store *s, struct request_list *group)
{
	size_t bytes = 0;
	request_list_init(group);
	for (int n = 0; s->waiting.first && n < GROUP_MAX; n++) {
		struct store_batch *next = batch_at(s->waiting.first);
		bytes += next->ops.size;
		if (group->first && (next->generation != batch_at(group->first)->generation || bytes > GROUP_BYTES))
			break;
		request_list_add(group, request_list_take(&s->waiting));
		s->waiting_n--;
	}
}

void wait_ms(pthread_cond_t *c, pthread_mutex_t *lock, int64_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	pthread_cond_timedwait(c, lock, &at);
}

/* ── how long to wait for more ── */

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Whoever was just answered is likely to come back at once: a client with its next job, a worker with the end of the one it
 * was given. To begin without them would make two groups that take turns, each waiting for the other's fsync. So where that
 * is worth it the writer waits, for as long as a commit takes at most, until as many batches wait as there were. Where they
 * do not come in that time it pays to go on, and to try again only now and then. */
struct rhythm {
	int64_t commit_ns; /* what a commit takes, a moving average */
	int64_t until_ns;
	unsigned expected; /* batches */
	unsigned skip, skipped; /* commits between two tries, after tries in vain */
};

static void rhythm_beat(struct rhythm *r, int64_t begun_ns, unsigned answered, unsigned waiting)
{
	int64_t now = now_ns();
	r->commit_ns += (now - begun_ns - r->commit_ns) / 8;
	r->until_ns = now + r->commit_ns;
	r->expected = answered + waiting;
}

/* Under the lock; returns with it. */
static void rhythm_wait(struct sqlite_store *s, struct rhythm *r)
{
	struct timespec at = {r->until_ns / 1000000000, r->until_ns % 1000000000};
	if (r->expected < 2 || s->waiting_n >= r->expected || r->skipped++ < r->skip)
		return;
	s->awaited = r->expected;
	while (!s->stopping && s->waiting_n < r->expected && now_ns() < r->until_ns)
		pthread_cond_timedwait(&s->work, &s->lock, &at);
	s->awaited = 1;
	r->skipped = 0;
	r->skip = s->waiting_n >= r->expected ? 0 : r->skip < SKIP_MOST ? r->skip * 2 + 1 : SKIP_MOST;
}

void *writer_main(void *store)
{
	struct sqlite_store *s = store;
	struct request_list group;
	struct rhythm rhythm = {0};
	prctl(PR_SET_TIMERSLACK, 1000); /* by default a wait lasts 50 us longer than asked */
	pthread_mutex_lock(&s->lock);
	for (;;) {
		rhythm_wait(s, &rhythm);
		while (!s->waiting.first && !s->stopping)
			pthread_cond_wait(&s->work, &s->lock);
		if (!s->waiting.first)
			break; /* stopping */
		unsigned n = s->waiting_n;
		writer_take(s, &group);
		n -= s->waiting_n;
		int64_t begun_ns = now_ns();
		s->writing = true;
		pthread_mutex_unlock(&s->lock);
		writer_commit(s, &group);
		deliver_add(&s->deliver, &group);
		pthread_mutex_lock(&s->lock);
		s->writing = false;
		rhythm_beat(&rhythm, begun_ns, n, s->waiting_n);
	}
	s->writer_over = true;
	pthread_cond_signal(&s->writer_gone);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
