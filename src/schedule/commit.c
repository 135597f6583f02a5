/* commit.c - a batch on its way to the disk, and the events that are published when it is there. */
#include "schedule/set.h"

#include "base/mem.h"
#include "event/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct told {
	const char *type;
	uint64_t id;
	char *message;
};

struct commit {
	struct list link; /* in schedules.commits */
	struct schedule *schedule;
	struct store_batch *batch;
	schedule_done *done;
	void *context;
	struct told *told;
	size_t n;
};

struct commit *commit_new(struct schedule *s)
{
	struct commit *c = NEW(struct commit);
	c->schedule = s;
	c->batch = store_batch_new();
	return c;
}

struct store_batch *commit_batch(struct commit *c)
{
	return c->batch;
}

void commit_tell(struct commit *c, const char *type, uint64_t id, const char *format, ...)
{
	char message[300];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	c->told = mem_resize(c->told, (c->n + 1) * sizeof *c->told);
	c->told[c->n++] = (struct told){type, id, mem_text(message)};
}

static void commit_free(struct commit *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->told[i].message);
	free(c->told);
	free(c);
}

void commit_drop(struct commit *c)
{
	store_batch_free(c->batch);
	commit_free(c);
}

static void publish(const struct commit *c)
{
	const struct schedule_definition *d = c->schedule->definition;
	for (size_t i = 0; i < c->n; i++)
		event_publish(c->schedule->set->events, c->schedule->set->now_ms,
			&(struct event){.type = c->told[i].type,
				.job_id = d->makes_job ? c->told[i].id : 0,
				.run_id = d->makes_job ? 0 : c->told[i].id,
				.namespace = bytes_of(d->namespace),
				.schedule = bytes_of(d->name),
				.message = bytes_of(c->told[i].message)});
}

static void durable(void *context, enum errcode code)
{
	struct commit *c = context;
	struct schedule *s = c->schedule;
	list_remove(&c->link);
	if (!code)
		publish(c);
	if (c->done)
		c->done(c->context, code);
	commit_free(c);
	schedules_unref(s);
}

void commit_send(struct commit *c, schedule_done *done, void *context)
{
	struct schedules *ss = c->schedule->set;
	c->done = done;
	c->context = context;
	c->schedule->batches++;
	list_append(&ss->commits, &c->link);
	queues_commit(ss->queues, take(c->batch), durable, c);
}

void commit_abandon_all(struct schedules *ss)
{
	list_each(&ss->commits, at)
	{
		struct commit *c = container_of(at, struct commit, link);
		schedules_unref(c->schedule);
		commit_free(c);
	}
}
