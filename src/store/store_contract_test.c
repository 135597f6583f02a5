/* What store.h promises, on every store, without a loop: store_flush says when. */
#include "base/mem.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	bool sqlite;
	char directory[64];
	struct store *s;
	enum errcode codes[16]; /* of the commits, in the order of `done` */
	int who[16];
	int n;
	char heard[400]; /* what visitors saw */
};

struct told {
	struct fixture *f;
	int who;
};

static void open_store(struct fixture *f)
{
	struct err e;
	enum errcode code =
		f->sqlite ? store_sqlite_open(NULL, f->directory, &f->s, &e) : store_memory_open(NULL, &f->s, &e);
	if (code)
		print_message("%s\n", e.text);
	assert_int_equal(code, E_OK);
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	f->sqlite = *(const bool *)*state;
	if (f->sqlite) {
		snprintf(f->directory, sizeof f->directory, "/tmp/reeve-store-XXXXXX");
		assert_non_null(mkdtemp(f->directory));
	}
	open_store(f);
	*state = f;
	return 0;
}

static void remove_directory(const char *directory)
{
	static const char *const names[] = {
		"lock", "reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.commits", "reeve.ballast"};
	char path[100];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	store_close(f->s);
	if (f->sqlite)
		remove_directory(f->directory);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	struct store *next;
	if (f->sqlite) {
		store_close(f->s);
		open_store(f);
		return;
	}
	store_flush(f->s); /* the next handle's epoch refuses what came before */
	store_memory_again(f->s, &next);
	store_close(f->s);
	f->s = next;
}

static struct store_key key(uint64_t id, uint64_t sub)
{
	return (struct store_key){.id = id, .sub = sub};
}

static struct store_key text(const char *t)
{
	return (struct store_key){.text = bytes_of(t)};
}

static void done(void *context, enum errcode code)
{
	struct told *t = context;
	t->f->codes[t->f->n] = code;
	t->f->who[t->f->n++] = t->who;
	free(t);
}

static void commit(struct fixture *f, struct store_batch *b, int who)
{
	struct told *t = NEW(struct told);
	*t = (struct told){f, who};
	store_commit(f->s, b, done, t);
}

static void put(struct fixture *f, enum store_table table, struct store_key k, const char *head, const char *body)
{
	struct store_batch *b = store_batch_new();
	store_batch_put(b, table, k, bytes_of(head), bytes_of(body));
	commit(f, b, 0);
	store_flush(f->s);
	assert_int_equal(f->codes[--f->n], E_OK);
}

static void expect(struct fixture *f, enum store_table table, struct store_key k, const char *head, const char *body)
{
	scoped(buf_fini) struct buf h = {0}, b = {0};
	enum errcode code = f->s->ops->read(f->s, table, k, &h, &b, NULL);
	assert_int_equal(code, head ? E_OK : E_NOT_FOUND);
	if (!head)
		return;
	assert_true(bytes_equal(buf_bytes(&h), bytes_of(head)));
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(body)));
}

static bool hear(void *context, const struct store_row *row)
{
	struct fixture *f = context;
	size_t n = strlen(f->heard);
	snprintf(f->heard + n, sizeof f->heard - n, "%llu.%llu%.*s=%.*s/%llu%.*s ", (unsigned long long)row->key.id,
		(unsigned long long)row->key.sub, (int)row->key.text.size, row->key.text.data ? row->key.text.data : "",
		(int)row->head.size, row->head.data ? row->head.data : "", (unsigned long long)row->body_size,
		(int)row->body.size, row->body.data ? row->body.data : "");
	return true;
}

static void listed(void *context, enum errcode code)
{
	assert_int_equal(code, E_OK);
}

static const char *list(struct fixture *f, struct store_range range)
{
	f->heard[0] = 0;
	f->s->ops->list(f->s, &range, hear, listed, f);
	assert_string_equal(f->heard, ""); /* not from within the call */
	store_flush(f->s);
	return f->heard;
}

static void a_batch_is_durable_and_told_only_after_the_flush(void **state)
{
	struct fixture *f = *state;
	struct store_batch *b = store_batch_new();
	assert_true(store_batch_empty(b));
	store_batch_put(b, STORE_JOB, key(1, 0), bytes_of("h"), bytes_of("body"));
	assert_false(store_batch_empty(b));
	commit(f, b, 1);
	assert_int_equal(f->n, 0);
	expect(f, STORE_JOB, key(1, 0), NULL, NULL);
	store_flush(f->s);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->codes[0], E_OK);
	expect(f, STORE_JOB, key(1, 0), "h", "body");
}

static void every_table_keeps_rows_over_a_reopen_and_the_epoch_grows(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = f->s->epoch;
	assert_true(epoch > 0);
	for (int t = 0; t < STORE_TABLES; t++) {
		bool named = t == STORE_KEY || t == STORE_SETTING || t == STORE_SCHEDULE,
			 pair = t == STORE_ITEM || t == STORE_ATTEMPT || t == STORE_MEMBER;
		put(f, t, named ? text("name") : key(INT64_MAX, pair ? UINT64_MAX : 0), "head", "body");
	}
	reopen(f);
	assert_true(f->s->epoch > epoch);
	for (int t = 0; t < STORE_TABLES; t++) {
		bool named = t == STORE_KEY || t == STORE_SETTING || t == STORE_SCHEDULE,
			 pair = t == STORE_ITEM || t == STORE_ATTEMPT || t == STORE_MEMBER;
		expect(f, t, named ? text("name") : key(INT64_MAX, pair ? UINT64_MAX : 0), "head", "body");
	}
}

static void done_comes_in_the_order_of_the_commits_and_thens_after_it(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 4; i++) {
		struct store_batch *b = store_batch_new();
		struct told *t = NEW(struct told);
		*t = (struct told){f, i * 10 + 1};
		store_batch_then(b, done, t);
		if (i != 2) /* an empty one waits for its turn, too */
			store_batch_put(b, STORE_JOB, key((uint64_t)i + 1, 0), bytes_of("h"), (struct bytes){0});
		commit(f, b, i * 10);
	}
	store_flush(f->s);
	static const int order[] = {0, 1, 10, 11, 20, 21, 30, 31};
	assert_int_equal(f->n, 8);
	assert_memory_equal(f->who, order, sizeof order);
}

static void a_batch_applies_its_operations_in_order(void **state)
{
	struct fixture *f = *state;
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_JOB, key(1, 0), bytes_of("a"), bytes_of("x"));
	store_batch_delete(b, STORE_JOB, key(1, 0));
	store_batch_put(b, STORE_JOB, key(1, 0), bytes_of("b"), bytes_of("y"));
	store_batch_put(b, STORE_JOB, key(1, 0), bytes_of("c"), bytes_of("zz"));
	store_batch_delete(b, STORE_DONE, key(9, 0)); /* was never there */
	commit(f, b, 0);
	store_flush(f->s);
	expect(f, STORE_JOB, key(1, 0), "c", "zz");
}

static void put_head_keeps_the_body(void **state)
{
	struct fixture *f = *state;
	scoped(mem_free_at) char *large = mem_new(100001);
	memset(large, 'x', 100000);
	put(f, STORE_JOB, key(1, 0), "old", large);
	put(f, STORE_ITEM, key(1, 5), "old", "item");
	struct store_batch *b = store_batch_new();
	store_batch_put_head(b, STORE_JOB, key(1, 0), bytes_of("a longer head"));
	store_batch_put_head(b, STORE_ITEM, key(1, 5), bytes_of("n"));
	commit(f, b, 0);
	store_flush(f->s);
	expect(f, STORE_JOB, key(1, 0), "a longer head", large);
	expect(f, STORE_ITEM, key(1, 5), "n", "item");
}

static void delete_all_takes_every_sub_of_one_id(void **state)
{
	struct fixture *f = *state;
	put(f, STORE_ITEM, key(1, 9), "h", "");
	for (uint64_t sub = 0; sub < 5; sub++)
		put(f, STORE_ITEM, key(2, sub), "h", "");
	put(f, STORE_ITEM, key(3, 0), "h", "");
	struct store_batch *b = store_batch_new();
	store_batch_delete_all(b, STORE_ITEM, 2);
	commit(f, b, 0);
	store_flush(f->s);
	assert_string_equal(list(f, (struct store_range){.table = STORE_ITEM}), "1.9=h/0 3.0=h/0 ");
}

static void lists_go_both_ways_from_a_key_within_an_id_and_up_to_a_number(void **state)
{
	struct fixture *f = *state;
	for (uint64_t id = 1; id <= 3; id++) {
		put(f, STORE_DONE, key(id, 0), "h", "xy");
		put(f, STORE_ITEM, key(id, 1), "a", "");
		put(f, STORE_ITEM, key(id, 1ULL << 63), "b", "z");
	}
	assert_string_equal(list(f, (struct store_range){.table = STORE_DONE}), "1.0=h/2 2.0=h/2 3.0=h/2 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_DONE, .from.id = 2, .bodies = true}), "2.0=h/2xy 3.0=h/2xy ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_DONE, .descending = true, .scan_max = 2}), "3.0=h/2 2.0=h/2 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_DONE, .descending = true, .from.id = 2}), "2.0=h/2 1.0=h/2 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_ITEM, .id = 2}), "2.1=a/0 2.9223372036854775808=b/1 ");
	assert_string_equal(list(f, (struct store_range){.table = STORE_ITEM, .id = 2, .descending = true}),
		"2.9223372036854775808=b/1 2.1=a/0 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_ITEM, .id = 2, .from = key(2, 2)}), "2.9223372036854775808=b/1 ");
	assert_string_equal(list(f, (struct store_range){.table = STORE_ITEM, .from = key(2, 2), .scan_max = 2}),
		"2.9223372036854775808=b/1 3.1=a/0 ");
}

static void text_keys_are_listed_in_order_of_their_bytes(void **state)
{
	struct fixture *f = *state;
	put(f, STORE_SETTING, text("b"), "2", "");
	put(f, STORE_SETTING, text("a"), "1", "");
	put(f, STORE_SETTING, text("ab"), "3", "");
	assert_string_equal(list(f, (struct store_range){.table = STORE_SETTING}), "0.0a=1/0 0.0ab=3/0 0.0b=2/0 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_SETTING, .from = text("ab")}), "0.0ab=3/0 0.0b=2/0 ");
	assert_string_equal(
		list(f, (struct store_range){.table = STORE_SETTING, .descending = true}), "0.0b=2/0 0.0ab=3/0 0.0a=1/0 ");
}

static bool hear_one(void *context, const struct store_row *row)
{
	hear(context, row);
	return false;
}

static void load_gives_heads_and_stops_when_the_visitor_says_so(void **state)
{
	struct fixture *f = *state;
	put(f, STORE_JOB, key(2, 0), "b", "body");
	put(f, STORE_JOB, key(1, 0), "a", "");
	assert_int_equal(f->s->ops->load(f->s, STORE_JOB, hear, f, NULL), E_OK);
	assert_string_equal(f->heard, "1.0=a/0 2.0=b/4 ");
	f->heard[0] = 0;
	assert_int_equal(f->s->ops->load(f->s, STORE_JOB, hear_one, f, NULL), E_OK);
	assert_string_equal(f->heard, "1.0=a/0 ");
}

static void look_up(void *context, struct store_reader *r)
{
	struct fixture *f = context;
	scoped(buf_fini) struct buf body = {0};
	assert_int_equal(store_reader_get(r, STORE_JOB, key(1, 0), NULL, &body, NULL), E_OK);
	assert_string_equal(body.data, "body");
	assert_int_equal(store_reader_get(r, STORE_JOB, key(7, 0), NULL, &body, NULL), E_NOT_FOUND);
	struct store_range all = {.table = STORE_JOB};
	assert_int_equal(store_reader_scan(r, &all, hear, f, NULL), E_OK);
}

static void looked_up(void *context)
{
	((struct fixture *)context)->n = 5;
}

static void a_query_sees_what_was_told_durable(void **state)
{
	struct fixture *f = *state;
	put(f, STORE_JOB, key(1, 0), "h", "body");
	f->s->ops->query(f->s, look_up, looked_up, f);
	assert_int_equal(f->n, 0);
	store_flush(f->s);
	assert_int_equal(f->n, 5);
	assert_string_equal(f->heard, "1.0=h/4 ");
	f->n = 0;
}

/* Another node takes over: in SQLite's case by whatever means the commit log has a greater epoch. */
static void take_over(struct fixture *f, struct store **other)
{
	*other = NULL;
	if (!f->sqlite) {
		store_memory_again(f->s, other);
		return;
	}
	char path[100];
	uint64_t epoch = f->s->epoch + 1;
	snprintf(path, sizeof path, "%s/reeve.commits", f->directory);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &epoch, sizeof epoch, sizeof epoch), sizeof epoch);
	close(fd);
}

static void a_commit_of_an_older_epoch_is_refused_for_ever(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	put(f, STORE_JOB, key(1, 0), "h", "");
	take_over(f, &other);
	for (int i = 0; i < 2; i++) {
		struct store_batch *b = store_batch_new();
		store_batch_delete(b, STORE_JOB, key(1, 0));
		commit(f, b, 0);
		store_flush(f->s);
		assert_int_equal(f->codes[i], E_FENCE);
	}
	expect(f, STORE_JOB, key(1, 0), "h", "");
	store_close(other);
}

static void close_makes_durable_what_waits_and_tells(void **state)
{
	struct fixture *f = *state;
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_JOB, key(1, 0), bytes_of("h"), (struct bytes){0});
	commit(f, b, 0);
	reopen(f);
	assert_int_equal(f->n, 1);
	expect(f, STORE_JOB, key(1, 0), "h", "");
}

static const bool no, yes = true;
#define ON(name, sqlite)                                                                                               \
	{                                                                                                                  \
		sqlite ? #name "_sqlite" : #name "_memory", name, setup, teardown, (void *)(sqlite ? &yes : &no)               \
	}
#define TEST(name) ON(name, 0), ON(name, 1)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_is_durable_and_told_only_after_the_flush),
		TEST(every_table_keeps_rows_over_a_reopen_and_the_epoch_grows),
		TEST(done_comes_in_the_order_of_the_commits_and_thens_after_it),
		TEST(a_batch_applies_its_operations_in_order),
		TEST(put_head_keeps_the_body),
		TEST(delete_all_takes_every_sub_of_one_id),
		TEST(lists_go_both_ways_from_a_key_within_an_id_and_up_to_a_number),
		TEST(text_keys_are_listed_in_order_of_their_bytes),
		TEST(load_gives_heads_and_stops_when_the_visitor_says_so),
		TEST(a_query_sees_what_was_told_durable),
		TEST(a_commit_of_an_older_epoch_is_refused_for_ever),
		TEST(close_makes_durable_what_waits_and_tells),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
