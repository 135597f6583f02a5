/* The set: sorted by name, and a heap of what is to come. */
#include "schedule/set.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 10000, TICK_MAX = 32 /* schedules that one tick fires */ };

struct schedules *schedules_new(struct queues *queues, struct events *events, const struct schedule_maker *maker)
{
	struct schedules *ss = NEW(struct schedules);
	ss->queues = queues;
	ss->events = events;
	ss->maker = *maker;
	list_init(&ss->commits);
	return ss;
}

static void schedule_free(struct schedule *s)
{
	schedule_definition_free(s->definition);
	free(s);
}

void schedules_free(struct schedules *ss)
{
	if (!ss)
		return;
	commit_abandon_all(ss);
	for (size_t i = 0; i < ss->n; i++)
		schedule_free(ss->all[i]);
	free(ss->all);
	heap_fini(&ss->due);
	idmap_fini(&ss->waits);
	free(ss);
}

void schedules_unref(struct schedule *s)
{
	if (--s->batches == 0 && s->removed)
		schedule_free(s);
}

static void touch(struct schedules *ss, int64_t now_ms)
{
	if (now_ms > ss->now_ms)
		ss->now_ms = now_ms;
}

/* ── by name ── */

static int compare(struct bytes a, struct bytes b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	int c = n ? memcmp(a.data, b.data, n) : 0;
	return c ? c : (a.size > b.size) - (a.size < b.size);
}

/* Where it is, or belongs. */
static size_t place_of(const struct schedules *ss, struct bytes namespace, struct bytes name, bool *found)
{
	size_t low = 0, high = ss->n;
	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		const struct schedule_definition *d = ss->all[middle]->definition;
		int c = compare(bytes_of(d->namespace), namespace);
		if (!c)
			c = compare(bytes_of(d->name), name);
		if (c < 0) {
			low = middle + 1;
		} else {
			high = middle;
			*found = c == 0;
		}
	}
	return *found ? high : low;
}

struct schedule *schedules_find(struct schedules *ss, struct bytes namespace, struct bytes name)
{
	bool found;
	size_t at = place_of(ss, namespace.size ? namespace : bytes_of("default"), name, &found);
	return found ? ss->all[at] : NULL;
}

struct schedule *schedules_at(struct schedules *ss, size_t i)
{
	return i < ss->n ? ss->all[i] : NULL;
}

static void insert(struct schedules *ss, struct schedule *s)
{
	bool found;
	size_t at = place_of(ss, bytes_of(s->definition->namespace), bytes_of(s->definition->name), &found);
	if (ss->n == ss->room) {
		ss->room = ss->room ? ss->room * 2 : 16;
		ss->all = mem_resize(ss->all, ss->room * sizeof(struct schedule *));
	}
	memmove(ss->all + at + 1, ss->all + at, (ss->n - at) * sizeof(struct schedule *));
	ss->all[at] = s;
	ss->n++;
	s->set = ss;
}

static void take_out(struct schedule *s)
{
	struct schedules *ss = s->set;
	bool found;
	size_t at = place_of(ss, bytes_of(s->definition->namespace), bytes_of(s->definition->name), &found);
	memmove(ss->all + at, ss->all + at + 1, (ss->n - at - 1) * sizeof(struct schedule *));
	ss->n--;
	s->removed = true;
	fire_forget_wait(s);
	schedules_place(s);
}

/* ── time ── */

static int64_t next_of(const struct schedule *s)
{
	return timing_next(&s->definition->timing, s->decided_ms);
}

void schedules_place(struct schedule *s)
{
	bool can = !s->paused && !s->busy && !s->removed && s->definition->enabled;
	int64_t next = !can ? TIMING_NEVER : s->waiting_ms && !s->waits_for ? s->set->now_ms : next_of(s);
	if (next == TIMING_NEVER)
		heap_remove(&s->set->due, &s->due);
	else
		heap_put(&s->set->due, &s->due, next, 0);
}

int64_t schedules_tick(struct schedules *ss, int64_t now_ms)
{
	struct heap_node *first;
	int left = TICK_MAX;
	touch(ss, now_ms);
	for (; left && (first = heap_first(&ss->due)) && first->key <= ss->now_ms; left--) {
		struct schedule *s = container_of(first, struct schedule, due);
		if (s->waiting_ms && !s->waits_for) {
			fire_waiting(s, ss->now_ms);
			schedules_place(s);
		} else {
			fire_due(s, ss->now_ms);
		}
	}
	first = heap_first(&ss->due);
	if (first && first->key < ss->now_ms + IDLE_MS)
		return first->key > ss->now_ms ? first->key : ss->now_ms;
	return ss->now_ms + IDLE_MS;
}

void schedules_ended(struct schedules *ss, uint64_t id, int64_t now_ms)
{
	struct schedule *s = idmap_remove(&ss->waits, id);
	touch(ss, now_ms);
	if (!s)
		return;
	s->waits_for = 0;
	schedules_place(s);
}

/* ── changes ── */

static void save(struct schedule *s, bool with_definition, schedule_done *done, void *context)
{
	struct commit *c = commit_new(s);
	record_put(s, with_definition, commit_batch(c));
	commit_send(c, done, context);
}

static void add(struct schedules *ss, struct schedule_definition *d, enum schedule_origin origin, schedule_done *done,
	void *context)
{
	struct schedule *s = NEW(struct schedule);
	s->definition = d;
	s->origin = origin;
	s->created_at_ms = s->decided_ms = ss->now_ms;
	insert(ss, s);
	schedules_place(s);
	save(s, true, done, context);
}

/* What says when, or whether, it happens. */
static bool same_times(const struct schedule_definition *a, const struct schedule_definition *b)
{
	static const char *const members[] = {"every", "cron", "timezone", "start", "end"};
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *of_a = json_object_get(a->json, members[i]), *of_b = json_object_get(b->json, members[i]);
		if (!of_a != !of_b || (of_a && !json_equal(of_a, of_b)))
			return false;
	}
	return a->enabled == b->enabled;
}

static void replace(
	struct schedule *s, struct schedule_definition *d, enum schedule_origin origin, schedule_done *done, void *context)
{
	if (!same_times(s->definition, d)) {
		if (s->set->now_ms > s->decided_ms)
			s->decided_ms = s->set->now_ms;
		s->waiting_ms = 0;
		fire_forget_wait(s);
	}
	if (s->definition->makes_job != d->makes_job)
		s->last_n = 0; /* ids of jobs are not those of runs */
	schedule_definition_free(s->definition);
	s->definition = d;
	s->origin = origin;
	schedules_place(s);
	save(s, true, done, context);
}

static enum errcode check_origin(const struct schedule *s, struct err *e)
{
	if (s->origin == SCHEDULE_FROM_API)
		return E_OK;
	return err_set(e, E_CONFLICT,
		"schedule \"%s\": stands in the configuration, and is changed or removed there; it can be paused",
		s->definition->name);
}

enum errcode schedules_put(struct schedules *ss, struct schedule_definition *d, enum schedule_origin origin,
	int64_t now_ms, schedule_done *done, void *context, struct err *e)
{
	struct schedule *s = schedules_find(ss, bytes_of(d->namespace), bytes_of(d->name));
	enum errcode code = E_OK;
	touch(ss, now_ms);
	if (s && origin == SCHEDULE_FROM_API)
		code = check_origin(s, e);
	else if (!s && ss->n >= SCHEDULES_MAX)
		code = err_set(e, E_LIMIT, "there are %d schedules already, which is the limit", SCHEDULES_MAX);
	if (code)
		schedule_definition_free(d);
	else if (s)
		replace(s, d, origin, done, context);
	else
		add(ss, d, origin, done, context);
	return code;
}

static void remove_now(struct schedule *s, schedule_done *done, void *context)
{
	struct commit *c = commit_new(s);
	take_out(s);
	record_delete(s, commit_batch(c));
	commit_send(c, done, context);
}

enum errcode schedules_remove(
	struct schedules *ss, struct schedule *s, schedule_done *done, void *context, struct err *e)
{
	enum errcode code = check_origin(s, e);
	if (!code)
		remove_now(s, done, context);
	return code;
}

void schedules_pause(
	struct schedules *ss, struct schedule *s, bool paused, int64_t now_ms, schedule_done *done, void *context)
{
	touch(ss, now_ms);
	s->paused = paused;
	schedules_place(s);
	save(s, false, done, context);
}

static struct schedule *namesake(struct schedules *ss, const struct schedule_definition *d)
{
	return schedules_find(ss, bytes_of(d->namespace), bytes_of(d->name));
}

static void remove_undeclared(struct schedules *ss, struct schedule_definition *const *definitions, size_t n)
{
	for (size_t i = 0; i < ss->n; i++)
		ss->all[i]->declared = ss->all[i]->origin == SCHEDULE_FROM_API;
	for (size_t i = 0; i < n; i++) {
		struct schedule *s = namesake(ss, definitions[i]);
		if (s)
			s->declared = true;
	}
	for (size_t i = ss->n; i-- > 0;)
		if (!ss->all[i]->declared)
			remove_now(ss->all[i], NULL, NULL);
}

enum errcode schedules_declare(
	struct schedules *ss, struct schedule_definition **definitions, size_t n, int64_t now_ms, struct err *e)
{
	enum errcode code = E_OK;
	remove_undeclared(ss, definitions, n);
	for (size_t i = 0; i < n; i++) {
		struct schedule_definition *d = definitions[i];
		struct schedule *s = namesake(ss, d);
		if (s && s->origin == SCHEDULE_FROM_CONFIG && json_equal(s->definition->json, d->json))
			schedule_definition_free(d);
		else if (schedules_put(ss, d, SCHEDULE_FROM_CONFIG, now_ms, NULL, NULL, e) != E_OK)
			code = E_LIMIT;
	}
	return code;
}

/* ── after a restart ── */

struct load {
	struct schedules *set;
	void (*refused)(struct bytes key, const struct err *why);
};

static bool load_row(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct schedule *s = NULL;
	struct err e;
	if (record_read(row, &s, &e) == E_OK) {
		insert(l->set, s);
		schedules_place(s);
	} else if (l->refused) {
		l->refused(row->key.text, &e);
	}
	return true;
}

enum errcode schedules_load(struct schedules *ss, struct store *store, int64_t now_ms,
	void (*refused)(struct bytes key, const struct err *why), struct err *e)
{
	struct load l = {ss, refused};
	struct store_range all = {.table = STORE_SCHEDULE, .bodies = true};
	touch(ss, now_ms);
	return store->ops->scan(store, &all, load_row, &l, e);
}

void schedule_get_info(const struct schedule *s, struct schedule_info *out)
{
	*out = (struct schedule_info){.definition = s->definition,
		.origin = s->origin,
		.paused = s->paused,
		.created_at_ms = s->created_at_ms,
		.next_ms = s->definition->enabled ? next_of(s) : TIMING_NEVER,
		.waiting_ms = s->waiting_ms,
		.made = s->made,
		.missed = s->missed,
		.skipped = s->skipped,
		.failed = s->failed,
		.last = s->last,
		.last_n = s->last_n,
		.error = s->error};
}
