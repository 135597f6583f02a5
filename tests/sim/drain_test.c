/* Two hundred thousand jobs come and go; what they leave on the disk is bounded by what is live. */
#include "base/mem.h"
#include "loop/loop.h"
#include "queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { JOBS = 200000, AT_ONCE = 1000, KEPT = 2000, INPUT = 256 };
#define DAY_MS	  (24LL * 3600 * 1000)
#define LEAST	  (5LL << 20) /* what is not worth giving back */
#define LOG_BYTES (20LL << 20)

struct fixture {
	char directory[64];
	struct loop *loop;
	struct store *store;
	struct queues *qs;
	int64_t now_ms;
	unsigned came;
};

static void setup(struct fixture *f)
{
	snprintf(f->directory, sizeof f->directory, "/tmp/reeve-drain-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->loop = loop_new();
	assert_int_equal(store_sqlite_open(f->loop, f->directory, &f->store, NULL), E_OK);
	f->qs = queues_new(f->store, 1, 1, &(struct queue_hooks){0});
	f->now_ms = loop_now_ms(f->loop);
	assert_int_equal(queues_load(f->qs, f->now_ms, NULL), E_OK);
}

static void teardown(struct fixture *f)
{
	char command[100];
	store_close(f->store);
	queues_free(f->qs);
	loop_free(f->loop);
	snprintf(command, sizeof command, "rm -r -- '%s'", f->directory);
	assert_int_equal(system(command), 0);
}

static void submitted(void *context, const struct submit_reply *reply)
{
	assert_int_equal(reply->code, E_OK);
	loop_stop(((struct fixture *)context)->loop);
}

static void submit(struct fixture *f, unsigned n)
{
	static char input[INPUT];
	static struct job_spec specs[AT_ONCE];
	memset(input, 'x', sizeof input);
	for (unsigned i = 0; i < n; i++) {
		job_spec_init(&specs[i]);
		specs[i].capability = bytes_of("a");
		specs[i].input = (struct bytes){input, sizeof input};
	}
	assert_int_equal(queues_submit(f->qs, specs, n, f->now_ms, submitted, f, NULL), E_OK);
	loop_run(f->loop);
}

static void completed(void *context, enum errcode code)
{
	struct fixture *f = context;
	assert_int_equal(code, E_OK);
	if (++f->came == AT_ONCE)
		loop_stop(f->loop);
}

static void drain(struct fixture *f, unsigned n)
{
	struct queue *q = queues_get(f->qs, (struct bytes){0}, bytes_of("a"));
	f->came = 0;
	for (unsigned i = 0; i < n; i++) {
		struct job *j = queue_lease(q, f->now_ms, f);
		assert_non_null(j);
		job_started(j, f->now_ms);
		queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of("{\"ok\":1}"), f->now_ms, completed, f, NULL);
	}
	loop_run(f->loop);
}

static bool count(void *context, const struct store_row *row)
{
	((struct fixture *)context)->came++;
	return true;
}

static void counted(void *context, enum errcode code)
{
	assert_int_equal(code, E_OK);
	loop_stop(((struct fixture *)context)->loop);
}

static unsigned results(struct fixture *f)
{
	f->came = 0;
	f->store->ops->list(f->store, &(struct store_range){.table = STORE_DONE}, count, counted, f);
	loop_run(f->loop);
	return f->came;
}

static void turn(struct fixture *f)
{
	queues_tick(f->qs, f->now_ms);
	uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
	usleep(1000);
}

static void the_files_stay_under_twice_what_is_live_after_a_drain(void **state)
{
	struct fixture f = {0};
	struct store_stats st;
	setup(&f);
	for (unsigned n = 0; n < JOBS; n += AT_ONCE)
		submit(&f, AT_ONCE);
	f.store->ops->stats(f.store, &st);
	uint64_t full = st.file_bytes + st.wal_bytes;
	for (unsigned n = 0; n < JOBS; n += AT_ONCE)
		drain(&f, AT_ONCE);
	assert_int_equal(results(&f), JOBS);
	f.now_ms += 8 * DAY_MS;
	for (int i = 0; i < 60000 && results(&f) > 0; i += 20)
		for (int k = 0; k < 20; k++)
			turn(&f);
	assert_int_equal(results(&f), 0);
	for (unsigned n = 0; n < KEPT; n += AT_ONCE)
		submit(&f, AT_ONCE); /* what is live now */
	int64_t live = (int64_t)KEPT * (INPUT + 100), file = INT64_MAX;
	for (int i = 0; i < 20000 && (file > 2 * live + LEAST || (int64_t)st.wal_bytes > LOG_BYTES);
		 i++) { /* it tidies when it is idle */
		turn(&f);
		f.store->ops->stats(f.store, &st);
		file = (int64_t)st.file_bytes;
	}
	print_message("full %llu KiB; then %lld KiB and a log of %llu KiB for %lld KiB of live data\n",
		(unsigned long long)full >> 10, (long long)file >> 10, (unsigned long long)st.wal_bytes >> 10,
		(long long)live >> 10);
	assert_true(full > 50 << 20);
	assert_true(file <= 2 * live + LEAST);
	assert_true((int64_t)st.wal_bytes <= LOG_BYTES);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_files_stay_under_twice_what_is_live_after_a_drain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
