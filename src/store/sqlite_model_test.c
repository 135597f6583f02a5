/* The durable store and the one in memory are given the same, at random, and must say the same: while rows stand in the commit
 * log only, while they move into SQLite, and after a restart. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { STEPS = 4000, IDS = 12, SUBS = 3 };

struct fixture {
	char directory[64];
	struct store *s, *model;
	uint64_t random;
	bool flushed; /* nothing waits: what the model says is what is there */
	char said[2][20000];
	char *saying;
};

static const struct sqlite_options small = {
	.unsynced = true, .log_bytes = 64 << 10, .apply_bytes = 6000, .checkpoint_bytes = 40 << 10};

static unsigned pick(struct fixture *f, unsigned n)
{
	f->random = f->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(f->random >> 33) % n;
}

static void open_durable(struct fixture *f)
{
	struct err e;
	if (sqlite_open(NULL, f->directory, &small, &f->s, &e))
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	snprintf(f->directory, sizeof f->directory, "/tmp/reeve-model-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	open_durable(f);
	store_memory_open(NULL, &f->model, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.commits", "reeve.ballast"};
	store_close(f->s);
	store_close(f->model);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[100];
		snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
		unlink(path);
	}
	rmdir(f->directory);
	free(f);
	return 0;
}

static enum store_table any_table(struct fixture *f)
{
	static const enum store_table tables[] = {STORE_JOB, STORE_DONE, STORE_ITEM, STORE_SETTING};
	return tables[pick(f, ARRAY_SIZE(tables))];
}

static struct store_key any_key(struct fixture *f, enum store_table table)
{
	static const char *const names[] = {"a", "b", "ab", "a longer name", "z"};
	if (table == STORE_SETTING)
		return (struct store_key){.text = bytes_of(names[pick(f, ARRAY_SIZE(names))])};
	return (struct store_key){.id = 1 + pick(f, IDS), .sub = table == STORE_ITEM ? pick(f, SUBS) : 0};
}

static bool there(struct fixture *f, enum store_table table, struct store_key key)
{
	return f->model->ops->read(f->model, table, key, NULL, NULL, NULL) == E_OK;
}

/* One operation to both. The body's room changes, so that rows are small and large. */
static void add(struct fixture *f, struct store_batch *b[2])
{
	enum store_table table = any_table(f);
	struct store_key key = any_key(f, table);
	unsigned what = pick(f, 10), size = pick(f, 20) ? pick(f, 300) : pick(f, 9000);
	scoped(mem_free_at) char *body = mem_new(9000);
	char head[30];
	memset(body, 'a' + (int)pick(f, 26), size);
	snprintf(head, sizeof head, "h%u", pick(f, 100000));
	bool exists = store_batch_empty(b[0]) && f->flushed && there(f, table, key);
	for (int i = 0; i < 2; i++) {
		if (what < 5)
			store_batch_put(b[i], table, key, bytes_of(head), (struct bytes){body, size});
		else if (what < 7)
			store_batch_delete(b[i], table, key);
		else if (what == 7)
			store_batch_delete_all(b[i], STORE_ITEM, key.id + 1);
		else if (exists) /* as put_head asks for */
			store_batch_put_head(b[i], table, key, bytes_of(head));
	}
}

static void one_batch(struct fixture *f)
{
	struct store_batch *b[2] = {store_batch_new(), store_batch_new()};
	for (unsigned n = 1 + pick(f, 3); n; n--)
		add(f, b);
	store_commit(f->s, b[0], NULL, NULL);
	store_commit(f->model, b[1], NULL, NULL);
	if ((f->flushed = pick(f, 3) == 0)) {
		store_flush(f->s);
		store_flush(f->model);
	}
}

static bool hear(void *context, const struct store_row *row)
{
	struct fixture *f = context;
	size_t n = strlen(f->saying);
	snprintf(f->saying + n, sizeof f->said[0] - n, "%llu.%llu.%.*s=%.*s/%llu%c ", (unsigned long long)row->key.id,
		(unsigned long long)row->key.sub, (int)row->key.text.size, row->key.text.data ? row->key.text.data : "",
		(int)row->head.size, row->head.data, (unsigned long long)row->body_size,
		row->body.size ? row->body.data[row->body.size - 1] : '-');
	return true;
}

static void listed(void *context, enum errcode code)
{
	assert_int_equal(code, E_OK);
}

static void compare_a_list(struct fixture *f)
{
	struct store_range range = {.table = any_table(f), .bodies = true, .descending = pick(f, 2)};
	for (int i = 0; i < 2; i++) {
		struct store *s = i ? f->model : f->s;
		f->saying = f->said[i];
		f->saying[0] = 0;
		store_flush(s);
		s->ops->list(s, &range, hear, listed, f);
		store_flush(s);
	}
	f->flushed = true;
	assert_string_equal(f->said[0], f->said[1]);
}

static void compare_a_row(struct fixture *f)
{
	enum store_table table = any_table(f);
	struct store_key key = any_key(f, table);
	struct buf head[2] = {{0}}, body[2] = {{0}};
	enum errcode codes[2];
	for (int i = 0; i < 2; i++) {
		struct store *s = i ? f->model : f->s;
		store_flush(s);
		codes[i] = s->ops->read(s, table, key, &head[i], &body[i], NULL);
	}
	f->flushed = true;
	assert_int_equal(codes[0], codes[1]);
	assert_true(bytes_equal(buf_bytes(&head[0]), buf_bytes(&head[1])));
	assert_true(bytes_equal(buf_bytes(&body[0]), buf_bytes(&body[1])));
	for (int i = 0; i < 2; i++) {
		buf_fini(&head[i]);
		buf_fini(&body[i]);
	}
}

static void restart(struct fixture *f)
{
	store_close(f->s);
	store_flush(f->model);
	open_durable(f);
}

static void it_says_what_the_memory_store_says(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < STEPS; i++) {
		unsigned what = pick(f, 100);
		if (what < 60)
			one_batch(f);
		else if (what < 96)
			compare_a_row(f);
		else if (what < 99)
			compare_a_list(f);
		else
			restart(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_says_what_the_memory_store_says, setup, teardown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
