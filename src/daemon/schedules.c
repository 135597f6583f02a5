/* What a schedule makes: a job, or a run of a pipeline. And where schedules come from at the start. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "os/os_clock.h"

#include <stdlib.h>

/* As if it were submitted when the delay is over: its own delay and its ttl count from then. */
static enum errcode make_job(struct daemon *d, const struct schedule_definition *s, int64_t at_ms, int64_t delay_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	scoped(mem_free_at) char *text = schedule_job(s, at_ms);
	struct submission job;
	int64_t now_ms = clock_now(d), due_ms = now_ms + delay_ms;
	enum errcode code = job_template_parse(&job, bytes_of(s->namespace), d->api.allow, text, due_ms);
	if (!code && delay_ms && !job.specs[0].due_at_ms)
		job.specs[0].due_at_ms = due_ms;
	if (code)
		err_set(e, code, "%s", job.error.text);
	else if ((code = queues_has_room(d->queues, &job.specs[0], now_ms, e)) == E_OK)
		*id = queues_submit_in(d->queues, b, &job.specs[0], now_ms);
	submission_fini(&job);
	return code;
}

static enum errcode start_run(struct daemon *d, const struct schedule_definition *s, int64_t at_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	scoped(mem_free_at) char *input = schedule_run_input(s, at_ms);
	struct run_spec run = {.namespace = bytes_of(s->namespace),
		.pipeline = bytes_of(s->pipeline),
		.input = bytes_of(input),
		.priority = s->priority};
	return pipelines_start_in(d->pipelines, b, &run, clock_now(d), id, e);
}

static enum errcode make(void *context, const struct schedule_definition *s, int64_t at_ms, int64_t delay_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	return s->makes_job ? make_job(context, s, at_ms, delay_ms, b, id, e) : start_run(context, s, at_ms, b, id, e);
}

static bool lives(void *context, const struct schedule_definition *s, uint64_t id)
{
	struct daemon *d = context;
	return s->makes_job ? queues_find(d->queues, id) != NULL : pipelines_lives(d->pipelines, id);
}

static void cancel(void *context, const struct schedule_definition *s, uint64_t id)
{
	struct daemon *d = context;
	if (s->makes_job)
		queue_cancel(d->queues, id, clock_now(d), NULL, NULL, NULL);
	else
		pipelines_cancel(d->pipelines, id, clock_now(d), NULL);
}

static void on_refused(struct bytes key, const struct err *why)
{
	log_write(LOG_LEVEL_ERROR, "schedule_refused", "schedule=%.*s error=\"%s\"", (int)key.size, key.data, why->text);
}

void schedules_open(struct daemon *d)
{
	struct schedule_maker maker = {d, make, lives, cancel};
	d->schedules = schedules_new(d->queues, d->events, &maker);
}

enum errcode schedules_read(struct daemon *d, struct err *e)
{
	enum errcode code = schedules_load(d->schedules, d->store, os_clock_ms(), on_refused, e);
	if (!code)
		schedules_take_settings(d, d->settings);
	return code;
}

void schedules_take_settings(struct daemon *d, struct settings *s)
{
	struct err e;
	if (schedules_declare(d->schedules, s->schedules, s->schedule_n, os_clock_ms(), &e) != E_OK)
		log_write(LOG_LEVEL_ERROR, "schedules_refused", "error=\"%s\"", e.text);
	s->schedule_n = 0;
}
