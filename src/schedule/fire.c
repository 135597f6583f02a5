/* What is due: which of it was missed, whether what came before still lives, and the batch that answers it. */
#include "schedule/set.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <string.h>

enum { COUNT_MAX = 10000 }; /* what cron missed is counted one by one; more than that nobody needs to know */

/* Of what it made, something that has not ended; 0: nothing. */
static uint64_t living(const struct schedule *s)
{
	const struct schedule_maker *m = &s->set->maker;
	for (size_t i = 0; i < s->last_n; i++)
		if (m->lives(m->context, s->definition, s->last[i].id))
			return s->last[i].id;
	return 0;
}

static void cancel_living(const struct schedule *s)
{
	const struct schedule_maker *m = &s->set->maker;
	for (size_t i = 0; i < s->last_n; i++)
		if (m->lives(m->context, s->definition, s->last[i].id))
			m->cancel(m->context, s->definition, s->last[i].id);
}

static void remember(struct schedule *s, int64_t at_ms, int64_t now_ms, uint64_t id)
{
	s->last_n += s->last_n < SCHEDULE_LAST_MAX;
	memmove(s->last + 1, s->last, (s->last_n - 1) * sizeof *s->last);
	s->last[0] = (struct schedule_last){at_ms, now_ms, id};
}

/* The same for the same occurrence: whoever makes it, and however often it is tried. */
static int64_t jitter_ms(const struct schedule_definition *d, int64_t at_ms)
{
	uint64_t h = 14695981039346656037ULL ^ (uint64_t)at_ms; /* FNV-1a */
	for (const char *p = d->name; d->jitter_ms && *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ULL;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
	return d->jitter_ms ? (int64_t)((h ^ h >> 32) % (uint64_t)(d->jitter_ms + 1)) : 0;
}

static enum errcode make(struct schedule *s, int64_t at_ms, int64_t now_ms, struct commit *c, struct err *e)
{
	const struct schedule_maker *m = &s->set->maker;
	int64_t delay_ms = at_ms + jitter_ms(s->definition, at_ms) - now_ms;
	uint64_t id = 0;
	enum errcode code = m->make(m->context, s->definition, at_ms, delay_ms > 0 ? delay_ms : 0, commit_batch(c), &id, e);
	if (code)
		return code;
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	s->made++;
	remember(s, at_ms, now_ms, id);
	commit_tell(c, "schedule.fired", id, "for %s", text);
	return E_OK;
}

/* Makes it, or says why it could not: the occurrence has its answer either way. */
static void try_to_make(struct schedule *s, int64_t at_ms, int64_t now_ms, struct commit *c)
{
	struct err e;
	char text[RFC3339_SIZE];
	if (make(s, at_ms, now_ms, c, &e) == E_OK)
		return;
	rfc3339_format(at_ms, text);
	s->failed++;
	snprintf(s->error, sizeof s->error, "for %s: %.200s", text, e.text);
	commit_tell(c, "schedule.failed", 0, "%s", s->error);
}

static void wait_for(struct schedule *s, uint64_t id)
{
	s->waits_for = id;
	idmap_put(&s->set->waits, id, s);
}

void fire_forget_wait(struct schedule *s)
{
	if (s->waits_for)
		idmap_remove(&s->set->waits, s->waits_for);
	s->waits_for = 0;
}

static void skip(struct schedule *s, int64_t at_ms, struct commit *c)
{
	char text[RFC3339_SIZE];
	rfc3339_format(at_ms, text);
	s->skipped++;
	commit_tell(c, "schedule.skipped", living(s), "for %s: what was made before has not ended", text);
}

static void answer(struct schedule *s, int64_t at_ms, int64_t now_ms, struct commit *c)
{
	enum schedule_overlap overlap = s->definition->overlap;
	uint64_t before = living(s);
	if (overlap == SCHEDULE_OVERLAP_ALLOW || (!before && !s->waiting_ms)) {
		try_to_make(s, at_ms, now_ms, c);
	} else if (overlap == SCHEDULE_OVERLAP_CANCEL_PREVIOUS) {
		cancel_living(s);
		try_to_make(s, at_ms, now_ms, c);
	} else if (overlap == SCHEDULE_OVERLAP_QUEUE_ONE && !s->waiting_ms) {
		s->waiting_ms = at_ms;
		wait_for(s, before);
	} else {
		skip(s, at_ms, c);
	}
}

/* Occurrences after the moment that is returned are made; those before it, and after `decided`, were missed. */
static int64_t first_to_make(const struct schedule *s, int64_t last_ms, int64_t now_ms)
{
	const struct schedule_definition *d = s->definition;
	if (d->missed == SCHEDULE_MISSED_ALL)
		return timing_newest(&d->timing, s->decided_ms, last_ms, SCHEDULE_CATCH_UP_MAX);
	bool too_late = d->missed == SCHEDULE_MISSED_SKIP && now_ms - last_ms > d->grace_ms;
	return too_late ? last_ms : last_ms - 1;
}

static void count_missed(struct schedule *s, int64_t until_ms, struct commit *c)
{
	const struct timing *t = &s->definition->timing;
	size_t max = t->every_ms ? SIZE_MAX : COUNT_MAX, n = timing_count(t, s->decided_ms, until_ms, max);
	if (n == 0)
		return;
	s->missed += n;
	commit_tell(c, "schedule.missed", 0, "%s%zu occurrence%s: nobody was there in time", n == max ? "at least " : "", n,
		n == 1 ? "" : "s");
}

static void fired(void *context, enum errcode code)
{
	struct schedule *s = context;
	s->busy = false;
	if (!code)
		schedules_place(s);
}

static void send(struct schedule *s, struct commit *c)
{
	s->busy = true;
	schedules_place(s);
	record_put(s, false, commit_batch(c));
	commit_send(c, fired, s);
}

void fire_due(struct schedule *s, int64_t now_ms)
{
	const struct timing *t = &s->definition->timing;
	int64_t last = timing_last(t, s->decided_ms, now_ms);
	if (last == TIMING_NEVER)
		return;
	struct commit *c = commit_new(s);
	int64_t at = first_to_make(s, last, now_ms);
	count_missed(s, at, c);
	while ((at = timing_next(t, at)) <= last)
		answer(s, at, now_ms, c);
	s->decided_ms = last;
	send(s, c);
}

void fire_waiting(struct schedule *s, int64_t now_ms)
{
	uint64_t before = living(s);
	if (before) {
		wait_for(s, before);
		return;
	}
	struct commit *c = commit_new(s);
	int64_t at = s->waiting_ms;
	s->waiting_ms = 0;
	try_to_make(s, at, now_ms, c);
	send(s, c);
}

enum errcode schedules_run(struct schedules *ss, struct schedule *s, int64_t now_ms, uint64_t *id, schedule_done *done,
	void *context, struct err *e)
{
	struct commit *c = commit_new(s);
	enum errcode code = make(s, now_ms, now_ms, c, e);
	if (code) {
		commit_drop(c);
		return code;
	}
	*id = s->last[0].id;
	record_put(s, false, commit_batch(c));
	commit_send(c, done, context);
	return E_OK;
}
