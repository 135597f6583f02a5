/* test_queue.h - for the unit tests of queue/: one queue "work" on a memory store, and what was heard of it.
 *
 * Nothing is durable before settle() says so; crash_and_restart() loses what was not. */
#pragma once
#include "queue/state.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t T0 = 1760000000000;

struct fixture {
	struct store *store;
	struct queues *qs;
	struct queue *q;
	struct queue_hooks hooks;
	int64_t now;
	/* what was heard */
	uint64_t ids[64];
	size_t id_n;
	bool existing[64];
	enum errcode submit_code, done_code;
	int done_n, ready_n, revoked_n, ended_n, lost_n;
	enum errcode lost_code;
	enum revoke_reason revoked;
	struct job_outcome last;
	char result[100];
};

__attribute__((unused)) static void on_ready(void *context, struct queue *q)
{
	((struct fixture *)context)->ready_n++;
}

__attribute__((unused)) static void on_revoke(void *context, struct job *j, enum revoke_reason why)
{
	struct fixture *f = context;
	f->revoked_n++;
	f->revoked = why;
}

__attribute__((unused)) static void on_ended(void *context, struct job *j, const struct job_outcome *o)
{
	struct fixture *f = context;
	f->ended_n++;
	f->last = *o;
	snprintf(f->result, sizeof f->result, "%.*s", (int)o->result.size, o->result.data);
}

__attribute__((unused)) static void on_lost(void *context, enum errcode code)
{
	struct fixture *f = context;
	f->lost_n++;
	f->lost_code = code;
}

__attribute__((unused)) static void on_submitted(void *context, const struct submit_reply *r)
{
	struct fixture *f = context;
	f->submit_code = r->code;
	for (size_t i = 0; i < r->n; i++) {
		f->existing[f->id_n] = r->existing[i];
		f->ids[f->id_n++] = r->ids[i];
	}
}

__attribute__((unused)) static void on_done(void *context, enum errcode code)
{
	struct fixture *f = context;
	f->done_n++;
	f->done_code = code;
}

__attribute__((unused)) static void open_queues(struct fixture *f)
{
	f->hooks =
		(struct queue_hooks){.context = f, .ready = on_ready, .revoke = on_revoke, .ended = on_ended, .lost = on_lost};
	f->qs = queues_new(f->store, 1, 42, &f->hooks);
	assert_int_equal(queues_load(f->qs, f->now, NULL), E_OK);
	f->q = queues_get(f->qs, (struct bytes){0}, bytes_of("work"));
}

__attribute__((unused)) static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->now = T0;
	store_memory_open(NULL, &f->store, NULL);
	open_queues(f);
	*state = f;
	return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	queues_free(f->qs);
	free(f);
	return 0;
}

__attribute__((unused)) static void settle(struct fixture *f)
{
	store_flush(f->store);
}

__attribute__((unused)) static void crash_and_restart(struct fixture *f)
{
	struct store *next;
	store_memory_crash(f->store, 0, &next);
	queues_free(f->qs);
	f->store = next;
	open_queues(f);
}

__attribute__((unused)) static struct job_spec spec(int priority)
{
	struct job_spec s;
	job_spec_init(&s);
	s.capability = bytes_of("work");
	s.input = bytes_of("{\"a\":1}");
	s.priority = priority;
	return s;
}

__attribute__((unused)) static uint64_t submit_spec(struct fixture *f, const struct job_spec *s)
{
	assert_int_equal(queues_submit(f->qs, s, 1, f->now, on_submitted, f, NULL), E_OK);
	settle(f);
	return f->ids[f->id_n - 1];
}

__attribute__((unused)) static uint64_t submit(struct fixture *f, int priority)
{
	struct job_spec s = spec(priority);
	return submit_spec(f, &s);
}

__attribute__((unused)) static struct job *lease(struct fixture *f)
{
	struct job *j = queue_lease(f->q, f->now, f);
	if (j)
		job_started(j, f->now);
	return j;
}

__attribute__((unused)) static const struct job_error again = {"busy", "try again", 1},
													  never = {"INVALID", "bad input", 0};

__attribute__((unused)) static enum errcode fail_job(struct fixture *f, struct job *j, const struct job_error *error)
{
	enum errcode code = queue_fail(f->qs, j->id, job_fence(f->qs, j), error, f->now, on_done, f, NULL);
	settle(f);
	return code;
}

__attribute__((unused)) static enum errcode complete(struct fixture *f, struct job *j)
{
	enum errcode code = queue_complete(f->qs, j->id, job_fence(f->qs, j), bytes_of("[7]"), f->now, on_done, f, NULL);
	settle(f);
	return code;
}

__attribute__((unused)) static struct queue_info info(struct fixture *f)
{
	struct queue_info i;
	queue_get_info(f->q, &i);
	return i;
}

__attribute__((unused)) static bool stored(struct fixture *f, enum store_table table, uint64_t id)
{
	return f->store->ops->read(f->store, table, (struct store_key){.id = id}, NULL, NULL, NULL) == E_OK;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
