/* A schedule as it is written, in the configuration or over the API. */
#include "schedule/schedule.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static enum errcode at_member(const char *member, char pointer[64], enum errcode code)
{
	snprintf(pointer, 64, "/%s", member);
	return code;
}

/* ── when ── */

static enum errcode read_duration(
	const json_t *json, const char *name, int64_t min_ms, int64_t max_ms, int64_t *ms, char pointer[64], struct err *e)
{
	const char *text = text_of(json, name);
	if (!text)
		return E_OK;
	enum errcode code = units_duration(bytes_of(text), ms, e);
	if (!code && (*ms < min_ms || *ms > max_ms)) {
		char min[UNITS_TEXT_SIZE], max[UNITS_TEXT_SIZE];
		units_format_duration(min_ms, min);
		units_format_duration(max_ms, max);
		code = err_set(e, E_INVALID, "%s \"%s\": must be from %s to %s", name, text, min, max);
	}
	return code ? at_member(name, pointer, code) : E_OK;
}

static enum errcode read_time(const json_t *json, const char *name, int64_t *ms, char pointer[64], struct err *e)
{
	const char *text = text_of(json, name);
	enum errcode code = text ? rfc3339_parse(bytes_of(text), ms, e) : E_OK;
	return code ? at_member(name, pointer, code) : E_OK;
}

static enum errcode read_rule(const json_t *json, struct timing *t, char pointer[64], struct err *e)
{
	const char *every = text_of(json, "every"), *cron = text_of(json, "cron"), *zone = text_of(json, "timezone");
	if (!every == !cron)
		return err_set(e, E_INVALID, "a schedule has either `every` or `cron`%s", cron ? ", not both" : "");
	if (every && zone)
		return at_member("timezone", pointer,
			err_set(e, E_INVALID,
				"timezone \"%s\": belongs to `cron`; `every` counts elapsed time, the same in all zones", zone));
	enum errcode code = zone_find(bytes_of(zone ? zone : "UTC"), &t->zone, e);
	if (code)
		return at_member("timezone", pointer, code);
	if (every)
		return read_duration(json, "every", TIMING_EVERY_MIN_MS, UNITS_DURATION_MAX_MS, &t->every_ms, pointer, e);
	code = cron_parse(bytes_of(cron), &t->cron, e);
	return code ? at_member("cron", pointer, code) : E_OK;
}

enum errcode schedule_parse_timing(const json_t *json, struct timing *out, char pointer[64], struct err *e)
{
	struct timing t = {0};
	*pointer = 0;
	enum errcode code = read_rule(json, &t, pointer, e);
	if (!code)
		code = read_time(json, "start", &t.start_ms, pointer, e);
	if (!code)
		code = read_time(json, "end", &t.end_ms, pointer, e);
	if (!code && t.end_ms && t.end_ms < t.start_ms)
		code = at_member("end", pointer, err_set(e, E_INVALID, "end \"%s\": is before start", text_of(json, "end")));
	if (!code)
		*out = t;
	return code;
}

/* ── what ── */

static enum errcode read_job(struct schedule_definition *d, const json_t *job, char pointer[64], struct err *e)
{
	static const struct {
		const char *name, *why;
	} refused[] = {{"namespace", "stands beside `job`, for the schedule and what it makes"},
		{"run_at", "the schedule says when; `delay` may be added to that"},
		{"deadline", "is one moment for all of them; `ttl` and `timeout` count from each occurrence"},
		{"idempotency_key", "each occurrence makes one job already; with one key all would be the same job"},
		{"unique", "`overlap` says what happens while the job before has not ended"}};
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (json_object_get(job, refused[i].name))
			return at_member("job", pointer, err_set(e, E_INVALID, "job: %s: %s", refused[i].name, refused[i].why));
	d->makes_job = true;
	return E_OK;
}

static enum errcode read_what(struct schedule_definition *d, const json_t *json, char pointer[64], struct err *e)
{
	const json_t *job = json_object_get(json, "job"), *run = json_object_get(json, "run");
	const json_t *input = json_object_get(job ? job : run, "input");
	if (!job == !run)
		return err_set(e, E_INVALID, "a schedule has either `job` or `run`%s", job ? ", not both" : "");
	if (input && !json_is_object(input) && json_object_get(json, "time_as"))
		return at_member(
			"time_as", pointer, err_set(e, E_INVALID, "time_as: the input is no object, and has no members"));
	if (job)
		return read_job(d, job, pointer, e);
	if (d->jitter_ms)
		return at_member("jitter", pointer, err_set(e, E_INVALID, "jitter: is for jobs; a run begins at once"));
	const json_t *priority = json_object_get(run, "priority");
	d->pipeline = mem_text(text_of(run, "pipeline"));
	d->priority = priority ? (int)json_integer_value(priority) : JOB_PRIORITY_DEFAULT;
	return E_OK;
}

/* Of words[0], the default, on; NULL ends them. */
static enum errcode read_word(
	const json_t *json, const char *name, const char *const *words, int *out, char pointer[64], struct err *e)
{
	const char *text = text_of(json, name);
	for (*out = 0; text && words[*out] && strcmp(words[*out], text) != 0; ++*out)
		;
	return words[*out] ? E_OK
					   : at_member(name, pointer, err_set(e, E_INVALID, "%s \"%.32s\" is not known", name, text));
}

static enum errcode read_policies(struct schedule_definition *d, const json_t *json, char pointer[64], struct err *e)
{
	static const char *const missed_words[] = {"once", "skip", "all", NULL};
	static const char *const overlap_words[] = {"skip", "allow", "queue_one", "cancel_previous", NULL};
	int missed, overlap;
	enum errcode code = read_word(json, "missed", missed_words, &missed, pointer, e);
	if (!code)
		code = read_word(json, "overlap", overlap_words, &overlap, pointer, e);
	if (code)
		return code;
	d->missed = (enum schedule_missed)missed;
	d->overlap = (enum schedule_overlap)overlap;
	return E_OK;
}

static enum errcode read_all(struct schedule_definition *d, const json_t *json, char pointer[64], struct err *e)
{
	const char *namespace = text_of(json, "namespace");
	const char *name = text_of(json, "name");
	if (!name)
		return err_set(e, E_INVALID, "a schedule needs a name");
	d->name = mem_text(name);
	d->namespace = mem_text(namespace ? namespace : "default");
	d->enabled = !json_is_false(json_object_get(json, "enabled"));
	d->grace_ms = SCHEDULE_GRACE_MS;
	enum errcode code = schedule_parse_timing(json, &d->timing, pointer, e);
	if (!code)
		code = read_policies(d, json, pointer, e);
	if (!code)
		code = read_duration(json, "grace", 0, UNITS_DURATION_MAX_MS, &d->grace_ms, pointer, e);
	if (!code)
		code = read_duration(json, "jitter", 0, SCHEDULE_JITTER_MAX_MS, &d->jitter_ms, pointer, e);
	return code ? code : read_what(d, json, pointer, e);
}

enum errcode schedule_parse(const json_t *json, struct schedule_definition **out, char pointer[64], struct err *e)
{
	struct schedule_definition *d = NEW(struct schedule_definition);
	*pointer = 0;
	d->json = json_deep_copy(json);
	enum errcode code = read_all(d, json, pointer, e);
	if (code)
		schedule_definition_free(d);
	else
		*out = d;
	return code;
}

/* ── what one occurrence makes ── */

static json_t *input_of(const struct schedule_definition *d, const json_t *what, int64_t at_ms)
{
	const char *name = text_of(d->json, "time_as");
	const json_t *given = json_object_get(what, "input");
	json_t *input = given ? json_copy((json_t *)given) : json_object();
	if (name) {
		char text[RFC3339_SIZE];
		rfc3339_format(at_ms, text);
		json_object_set_new(input, name, json_string(text));
	}
	return input;
}

char *schedule_job(const struct schedule_definition *d, int64_t at_ms)
{
	json_t *job = json_copy(json_object_get(d->json, "job"));
	json_object_set_new(job, "input", input_of(d, job, at_ms));
	char *text = json_dumps(job, JSON_COMPACT);
	json_decref(job);
	return text;
}

char *schedule_run_input(const struct schedule_definition *d, int64_t at_ms)
{
	json_t *input = input_of(d, json_object_get(d->json, "run"), at_ms);
	char *text = json_dumps(input, JSON_COMPACT);
	json_decref(input);
	return text;
}

void schedule_definition_free(struct schedule_definition *d)
{
	if (!d)
		return;
	free(d->name);
	free(d->namespace);
	free(d->pipeline);
	json_decref(d->json);
	free(d);
}
