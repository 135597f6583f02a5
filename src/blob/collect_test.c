/* What nothing names goes, and nothing else: step by step, with crashes at any of them, against a model. */
#include "blob/collect.h"

#include "base/mem.h"
#include "blob/parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { CONTENTS = 12, IDS = 4 };
#define DAY_MS (24LL * 3600 * 1000)

struct step {
	void (*work)(void *context), (*done)(void *context);
	void *context;
};

struct world {
	char directory[64];
	struct blobs *blobs;
	struct store *store;
	struct blob_collector *collector;
	struct step steps[4]; /* for the pool */
	int step_n;
	bool worked; /* the first of them; its `done` is still to come */
	bool busy, collecting;
	struct blob_collection last;
	uint64_t random;
	char names[CONTENTS][BLOB_NAME_SIZE];
	char contents[CONTENTS][200];
};

static unsigned rnd(struct world *w, unsigned n)
{
	w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(w->random >> 33) % n;
}

/* ── the world ── */

static bool is_busy(void *context)
{
	return ((struct world *)context)->busy;
}

static void pool(void *context, void (*work)(void *), void (*done)(void *), void *work_context)
{
	struct world *w = context;
	w->steps[w->step_n++] = (struct step){work, done, work_context};
}

static void open_collector(struct world *w)
{
	struct blob_collector_options o = {.store = w->store,
		.blobs = w->blobs,
		.keep_unused_ms = DAY_MS,
		.busy = is_busy,
		.pool = pool,
		.context = w,
		.delete_step = 1};
	w->collector = blob_collector_new(&o);
	w->step_n = 0;
	w->collecting = w->worked = false;
}

static void put(struct world *w, int k)
{
	struct blob_writer *writer;
	assert_int_equal(blob_writer_open(w->blobs, &writer, NULL), E_OK);
	for (const char *at = w->contents[k]; *at; at++) /* byte by byte: names are found across pieces */
		assert_int_equal(blob_writer_add(writer, at, 1, NULL), E_OK);
	assert_int_equal(blob_writer_close(writer, w->names[k], NULL, NULL), E_OK);
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);
	snprintf(w->directory, sizeof w->directory, "collect-test-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	assert_int_equal(blobs_open(w->directory, 1 << 20, &w->blobs, NULL), E_OK);
	assert_int_equal(store_memory_open(NULL, &w->store, NULL), E_OK);
	open_collector(w);
	for (int k = 0; k < CONTENTS; k++) { /* every third names an earlier one */
		snprintf(w->contents[k], sizeof w->contents[k], "content %d %s", k, k % 3 == 2 ? w->names[k / 2] : "");
		put(w, k);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];
	blob_collector_stop(w->collector);
	store_close(w->store);
	blob_collector_free(w->collector);
	blobs_close(w->blobs);
	snprintf(command, sizeof command, "rm -r -- '%s'", w->directory);
	free(w);
	return system(command);
}

static bool exists(const struct world *w, int k)
{
	char path[PATH_MAX];
	blobs_path(w->blobs, w->names[k], "", path);
	return access(path, F_OK) == 0;
}

/* Every file was used two days earlier than it says. */
static void time_passes(struct world *w)
{
	for (unsigned folder = 0; folder < BLOB_FOLDERS; folder++) {
		char path[PATH_MAX];
		blobs_folder(w->blobs, folder, path);
		DIR *d = opendir(path);
		for (struct dirent *entry; d && (entry = readdir(d));) {
			struct timespec at[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 2 * DAY_MS / 1000}};
			utimensat(dirfd(d), entry->d_name, at, 0);
		}
		if (d)
			closedir(d);
	}
}

/* ── the collector's steps, one at a time ── */

static void collected(void *context, const struct blob_collection *r)
{
	struct world *w = context;
	w->collecting = false;
	w->last = *r;
}

static void begin(struct world *w)
{
	if (w->collecting)
		return;
	w->collecting = true;
	assert_int_equal(blob_collect(w->collector, DAY_MS, collected, w, NULL), E_OK);
}

static void pool_step(struct world *w)
{
	if (!w->step_n)
		return;
	if (!w->worked) {
		w->worked = true;
		w->steps[0].work(w->steps[0].context);
		return;
	}
	struct step s = w->steps[0];
	w->worked = false;
	w->step_n--;
	memmove(w->steps, w->steps + 1, (size_t)w->step_n * sizeof *w->steps);
	s.done(s.context);
}

static void to_the_end(struct world *w)
{
	while (w->collecting) {
		pool_step(w);
		store_flush(w->store);
	}
}

static void collect_all(struct world *w)
{
	begin(w);
	to_the_end(w);
}

/* ── rows ── */

static void commit_row(struct world *w, enum store_table table, uint64_t id, int k, enum store_table old)
{
	struct store_batch *b = store_batch_new();
	char body[200];
	snprintf(body, sizeof body, "{\"blob\":\"%s\"}", w->names[k]);
	if (old != STORE_TABLES)
		store_batch_delete(b, old, (struct store_key){.id = id});
	if (table == STORE_RUN) /* named in its head */
		store_batch_put(b, table, (struct store_key){.id = id}, bytes_of(body), (struct bytes){0});
	else
		store_batch_put(b, table, (struct store_key){.id = id}, bytes_of("h"), bytes_of(body));
	store_commit(w->store, b, NULL, NULL);
}

struct seen {
	struct world *w;
	int names; /* bit k: a durable row names content k */
	int64_t ids; /* which have a row in the table asked for */
	int of[IDS];
};

static void note(struct seen *s, uint64_t id, const char *name)
{
	for (int k = 0; k < CONTENTS; k++) {
		if (strcmp(name, s->w->names[k]) == 0) {
			s->names |= 1 << k;
			s->of[id] = k;
			s->ids |= 1LL << id;
		}
	}
}

static bool look(void *context, const struct store_row *row)
{
	struct seen *s = context;
	scoped(buf_fini) struct buf body = {0};
	struct bytes text = row->head;
	if (row->table != STORE_RUN) {
		s->w->store->ops->read(s->w->store, row->table, row->key, NULL, &body, NULL);
		text = buf_bytes(&body);
	}
	char name[BLOB_NAME_SIZE] = {0};
	memcpy(name, memmem(text.data, text.size, "sha256:", 7), BLOB_FULL_SIZE);
	note(s, row->key.id, name);
	return true;
}

static const enum store_table tables[] = {STORE_JOB, STORE_DEAD, STORE_DONE, STORE_RUN};

static void nothing_that_is_named_is_missing(struct world *w)
{
	struct seen s = {.w = w};
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		w->store->ops->load(w->store, tables[t], look, &s, NULL);
	for (int k = CONTENTS - 1; k >= 0; k--) {
		if (!(s.names & 1 << k))
			continue;
		if (!exists(w, k))
			fail_msg("content %d is named and gone", k);
		if (k % 3 == 2)
			s.names |= 1 << k / 2;
	}
}

/* ── cases ── */

static void what_nothing_names_goes_and_what_is_named_stays(void **state)
{
	struct world *w = *state;
	commit_row(w, STORE_JOB, 1, 0, STORE_TABLES);
	commit_row(w, STORE_RUN, 2, 5, STORE_TABLES); /* names content 2, which names content 1 */
	store_flush(w->store);
	time_passes(w);
	collect_all(w);
	for (int k = 0; k < CONTENTS; k++)
		assert_int_equal(exists(w, k), k == 0 || k == 1 || k == 2 || k == 5);
	assert_int_equal(w->last.candidates, CONTENTS);
	assert_int_equal(w->last.deleted, CONTENTS - 4);
	assert_false(w->last.given_up);
	struct blob_stats st;
	blobs_get_stats(w->blobs, &st);
	assert_int_equal(st.n, 4);
	assert_int_equal(st.collected, CONTENTS - 4);
}

static void one_that_was_just_used_stays(void **state)
{
	struct world *w = *state;
	time_passes(w);
	put(w, 3); /* again: shared by content */
	assert_int_equal(blob_use(w->blobs, w->names[8], NULL), E_OK); /* names content 4 */
	collect_all(w);
	for (int k = 0; k < CONTENTS; k++)
		assert_int_equal(exists(w, k), k == 3 || k == 4 || k == 8);
}

static void one_that_is_used_or_named_while_the_collection_runs_stays(void **state)
{
	struct world *w = *state;
	time_passes(w);
	begin(w);
	for (int i = 0; i < 600; i++) /* past the walk */
		pool_step(w);
	put(w, 7);
	while (w->step_n) /* past the roots: the scan begins */
		pool_step(w);
	for (int i = 0; i < 8; i++) /* past the items */
		store_flush(w->store);
	commit_row(w, STORE_ITEM, 1, 10, STORE_TABLES); /* by a worker, which asks nobody */
	to_the_end(w);
	for (int k = 0; k < CONTENTS; k++)
		assert_int_equal(exists(w, k), k == 7 || k == 10);
}

static void nothing_is_deleted_while_names_may_be_in_memory_alone(void **state)
{
	struct world *w = *state;
	time_passes(w);
	w->busy = true;
	collect_all(w);
	assert_true(w->last.given_up);
	w->busy = false;
	begin(w);
	for (int i = 0; i < 900; i++)
		pool_step(w);
	w->busy = true; /* in the middle */
	to_the_end(w);
	assert_true(w->last.given_up);
	for (int k = 0; k < CONTENTS; k++)
		assert_true(exists(w, k));
}

static void a_second_collection_waits_for_the_first(void **state)
{
	struct world *w = *state;
	struct err e;
	begin(w);
	assert_int_equal(blob_collect(w->collector, 0, collected, w, &e), E_CONFLICT);
	to_the_end(w);
}

/* ── at random ── */

static void move_row(struct world *w)
{
	struct seen s = {.w = w};
	enum store_table from = tables[rnd(w, 3)], to = tables[rnd(w, 3)];
	uint64_t id = rnd(w, IDS);
	w->store->ops->load(w->store, from, look, &s, NULL);
	if (from != to && s.ids & 1LL << id)
		commit_row(w, to, id, s.of[id], from);
}

static void delete_row(struct world *w)
{
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, tables[rnd(w, 4)], (struct store_key){.id = rnd(w, IDS)});
	store_commit(w->store, b, NULL, NULL);
}

/* What it names is there before it is. */
static void put_all(struct world *w, int k)
{
	if (k % 3 == 2)
		put_all(w, k / 2);
	put(w, k);
}

/* As the API does it: what is named is used first. */
static void submit(struct world *w)
{
	int k = (int)rnd(w, CONTENTS);
	if (blob_use(w->blobs, w->names[k], NULL) == E_OK)
		commit_row(w, rnd(w, 4) ? STORE_JOB : STORE_RUN, rnd(w, IDS), k, STORE_TABLES);
	else
		put_all(w, k);
}

static void crash(struct world *w)
{
	struct store *next;
	blob_collector_stop(w->collector);
	store_memory_crash(w->store, rnd(w, 4), &next);
	blob_collector_free(w->collector);
	blobs_close(w->blobs);
	w->store = next;
	assert_int_equal(blobs_open(w->directory, 1 << 20, &w->blobs, NULL), E_OK);
	open_collector(w);
}

static void work(struct world *w)
{
	for (unsigned n = 1 + rnd(w, 300); n && w->step_n; n--)
		pool_step(w);
	store_flush(w->store); /* a table of the scan */
}

static void act(struct world *w)
{
	unsigned what = rnd(w, 200);
	if (what == 0)
		crash(w);
	else if (what < 10 &&
			 !w->collecting) /* while one runs, what it looks for is of a fixed age, and no use becomes older than it */
		time_passes(w);
	else if (what < 25)
		submit(w);
	else if (what < 45)
		delete_row(w);
	else if (what < 65)
		move_row(w);
	else if (what < 75)
		begin(w);
	else
		work(w);
}

static void nothing_that_a_durable_row_names_is_ever_missing_whatever_happens_when(void **state)
{
	struct world *w = *state;
	unsigned deleted = 0;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		w->random = seed;
		for (int i = 0; i < 250; i++) {
			w->last.deleted = 0;
			act(w);
			deleted += (unsigned)w->last.deleted;
			nothing_that_is_named_is_missing(w);
		}
	}
	print_message("%u blobs were deleted\n", deleted);
	assert_true(deleted > 100); /* or it showed nothing */
	to_the_end(w);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		struct store_batch *b = store_batch_new();
		for (uint64_t id = 0; id < IDS; id++)
			store_batch_delete(b, tables[t], (struct store_key){.id = id});
		store_commit(w->store, b, NULL, NULL);
	}
	store_flush(w->store);
	time_passes(w);
	collect_all(w);
	for (int k = 0; k < CONTENTS; k++)
		assert_false(exists(w, k));
}

/* ── names ── */

static void count_name(void *context, const char *name)
{
	++*(int *)context;
}

static void names_are_found_wherever_they_stand_and_however_they_are_cut(void **state)
{
	struct world *w = *state;
	scoped(buf_fini) struct buf text = {0};
	int n = 0;
	buf_format(&text, "sha256:sha256:no %s%s {\"x\":\"%s\"} sha256:0123", w->names[0], w->names[1], w->names[2]);
	blob_each_name(buf_bytes(&text), count_name, &n);
	assert_int_equal(n, 3);
	for (size_t cut = 1; cut < 200; cut++) {
		struct name_scan s = {0};
		n = 0;
		for (size_t at = 0; at < text.size; at += cut)
			name_scan(&s, (struct bytes){text.data + at, text.size - at < cut ? text.size - at : cut}, count_name, &n);
		assert_int_equal(n, 3);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_nothing_names_goes_and_what_is_named_stays),
		TEST(one_that_was_just_used_stays),
		TEST(one_that_is_used_or_named_while_the_collection_runs_stays),
		TEST(nothing_is_deleted_while_names_may_be_in_memory_alone),
		TEST(a_second_collection_waits_for_the_first),
		TEST(nothing_that_a_durable_row_names_is_ever_missing_whatever_happens_when),
		TEST(names_are_found_wherever_they_stand_and_however_they_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
