#include "base/mem.h"
#include "store/sqlite.h"

#include <sys/prctl.h>
#include <time.h>

enum {
	GROUP_MAX = 4096, /* batches in one transaction */
	IDLE_MS = 500,
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

static enum errcode commit_rows(struct sqlite_store *s, struct request_list *group)
{
	enum errcode code = db_begin(&s->write_db, s->store.epoch);
	for (struct request *r = group->first; !code && r; r = r->next)
		code = db_apply(&s->write_db, batch_at(r));
	if (!code)
		code = vacuum_within(s);
	if (!code)
		code = db_commit(&s->write_db);
	if (code)
		db_rollback(&s->write_db);
	return code;
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

/* An empty batch only waits for its turn: it needs no transaction. */
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
		code = s->fail_code ? s->fail_code : E_IO; /* or the checkpointer found out */
	else if (has_rows(group))
		code = commit_rows(s, group);
	if (code || has_rows(group)) /* an empty one has found nothing out */
		atomic_store(&s->full, code == E_NO_SPACE);
	if (code) {
		fail_all(s, group, code);
		return;
	}
	for (struct request *r = group->first; r; r = r->next)
		batch_at(r)->code = E_OK;
	count(s, group);
}

/* The next group: every batch that waits, of one generation. Under the lock. */
static void writer_take(struct sqlite_store *s, struct request_list *group)
{
	request_list_init(group);
	for (int n = 0; s->waiting.first && n < GROUP_MAX; n++) {
		if (group->first && batch_at(s->waiting.first)->generation != batch_at(group->first)->generation)
			break;
		request_list_add(group, request_list_take(&s->waiting));
		s->waiting_n--;
	}
}

static void wait_ms(pthread_cond_t *c, pthread_mutex_t *lock, int64_t ms)
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
 * is worth it the writer waits, for half of what a commit takes at most, until as many batches wait as there were. Where they
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
	r->until_ns = now + r->commit_ns / 2;
	r->expected = answered + waiting;
}

/* Under the lock; returns with it. */
static void rhythm_wait(struct sqlite_store *s, struct rhythm *r)
{
	struct timespec at = {r->until_ns / 1000000000, r->until_ns % 1000000000};
	if (r->expected < 2 || s->waiting_n >= r->expected || r->skipped++ < r->skip)
		return;
	s->awaited = r->expected;
	while (!s->stopping && !s->gate_wanted && s->waiting_n < r->expected && now_ns() < r->until_ns)
		pthread_cond_timedwait(&s->work, &s->lock, &at);
	s->awaited = 1;
	r->skipped = 0;
	r->skip = s->waiting_n >= r->expected ? 0 : r->skip < SKIP_MOST ? r->skip * 2 + 1 : SKIP_MOST;
}

static bool ready(const struct sqlite_store *s)
{
	return s->stopping || (s->waiting.first && !s->gate_wanted);
}

/* Under the lock; returns with it. Idle for a while: tidy up once, then sleep until there is work. */
static void wait_for_work(struct sqlite_store *s, bool *tidied)
{
	bool tidying = false;
	while (!ready(s)) {
		if (*tidied || s->gate_wanted) {
			pthread_cond_wait(&s->work, &s->lock);
			continue;
		}
		if (!tidying)
			wait_ms(&s->work, &s->lock, IDLE_MS);
		if (ready(s) || s->gate_wanted)
			continue;
		s->writing = true;
		pthread_mutex_unlock(&s->lock);
		bool more = vacuum_idle(s);
		pthread_mutex_lock(&s->lock);
		s->writing = false;
		tidying = more;
		*tidied = !more;
		s->idle = !more;
		pthread_cond_signal(&s->gate_free);
		pthread_cond_signal(&s->checkpoint_work);
	}
}

void *writer_main(void *store)
{
	struct sqlite_store *s = store;
	struct request_list group;
	struct rhythm rhythm = {0};
	bool tidied = true;
	prctl(PR_SET_TIMERSLACK, 1000); /* by default a wait lasts 50 us longer than asked */
	pthread_mutex_lock(&s->lock);
	for (;;) {
		rhythm_wait(s, &rhythm);
		wait_for_work(s, &tidied);
		if (!s->waiting.first)
			break; /* stopping */
		unsigned n = s->waiting_n;
		writer_take(s, &group);
		n -= s->waiting_n;
		int64_t begun_ns = now_ns();
		s->writing = true;
		s->idle = tidied = false;
		pthread_mutex_unlock(&s->lock);
		writer_commit(s, &group);
		deliver_add(&s->deliver, &group);
		pthread_mutex_lock(&s->lock);
		s->writing = false;
		rhythm_beat(&rhythm, begun_ns, n, s->waiting_n);
		if (s->gate_wanted)
			pthread_cond_signal(&s->gate_free);
		if (atomic_load(&s->full)) { /* what the WAL holds twice is space, too */
			s->idle = true;
			pthread_cond_signal(&s->checkpoint_work);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
