/* /v1/schedules: rules that make jobs at times. */
#include "api/schedules.h"

#include "base/mem.h"
#include "os/os_clock.h"
#include "wire/id.h"

#include <stdlib.h>
#include <string.h>

static void list_schedules(void *context, struct http_request *r);
static void show_schedule(void *context, struct http_request *r);
static void delete_schedule(void *context, struct http_request *r);
static void pause_schedule(void *context, struct http_request *r);
static void resume_schedule(void *context, struct http_request *r);
static void run_schedule(void *context, struct http_request *r);

#define BODY(name)                                                                                                     \
	"\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/" name "\"}}}},"
#define ANSWERS(status, name)                                                                                          \
	"\"x-query\":\"namespace\",\"responses\":{\"" status "\":{\"description\":\"done\",\"content\":{\"application/"    \
	"json\":{\"schema\":{\"$ref\":\"#/components/schemas/" name "\"}}}}}"

enum { DEFINITION_MAX_BYTES = JOB_INPUT_MAX_BYTES + 65536 };

const struct http_route schedule_routes[] = {
	{.method = "GET",
		.path = "/v1/schedules",
		.handle = list_schedules,
		.summary = "List schedules, by namespace and name",
		.doc =
			"\"x-query\":\"namespace limit cursor\",\"responses\":{\"200\":{\"description\":\"schedules\",\"content\":{"
			"\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Schedules\"}}}}}"},
	{.method = "POST",
		.path = "/v1/schedules",
		.handle = schedule_create,
		.body_max = DEFINITION_MAX_BYTES,
		.summary = "Create a schedule",
		.doc = BODY("ScheduleRequest") ANSWERS("201", "Schedule")},
	{.method = "POST",
		.path = "/v1/schedules/preview",
		.handle = schedule_preview,
		.body_max = 4096,
		.summary = "When a rule would happen; nothing is made",
		.doc = BODY("SchedulePreview") ANSWERS("200", "ScheduleTimes")},
	{.method = "GET",
		.path = "/v1/schedules/{schedule}",
		.handle = show_schedule,
		.summary = "Show a schedule, its next times and what it made last",
		.doc = ANSWERS("200", "Schedule")},
	{.method = "PUT",
		.path = "/v1/schedules/{schedule}",
		.handle = schedule_replace,
		.body_max = DEFINITION_MAX_BYTES,
		.summary = "Replace a schedule's definition",
		.doc = BODY("ScheduleRequest") ANSWERS("200", "Schedule")},
	{.method = "DELETE",
		.path = "/v1/schedules/{schedule}",
		.handle = delete_schedule,
		.summary = "Remove a schedule; what it made stays",
		.doc = "\"x-query\":\"namespace\""},
	{.method = "POST",
		.path = "/v1/schedules/{schedule}/pause",
		.handle = pause_schedule,
		.body_max = 1024,
		.summary = "Make nothing until it is resumed; survives restarts",
		.doc = ANSWERS("200", "Schedule")},
	{.method = "POST",
		.path = "/v1/schedules/{schedule}/resume",
		.handle = resume_schedule,
		.body_max = 1024,
		.summary = "Go on; `missed` says what becomes of the time in between",
		.doc = ANSWERS("200", "Schedule")},
	{.method = "POST",
		.path = "/v1/schedules/{schedule}/run",
		.handle = run_schedule,
		.body_max = 1024,
		.summary = "Make one more, now",
		.doc = ANSWERS("202", "ScheduleMade")},
	{0},
};

/* ── answers that wait for the disk ── */

static void saving_gone(void *data)
{
	((struct saving *)data)->request = NULL;
}

struct saving *saving_new(struct api *a, struct http_request *r, int status)
{
	struct saving *s = NEW(struct saving);
	*s = (struct saving){.api = a, .request = r, .status = status};
	http_set_data(r, s, saving_gone);
	return s;
}

void saving_free(struct saving *s)
{
	if (s->request)
		http_set_data(s->request, NULL, NULL);
	buf_fini(&s->answer);
	free(s->namespace);
	free(s->name);
	free(s);
}

void saving_done(void *context, enum errcode code)
{
	struct saving *s = context;
	const struct schedule *shown =
		s->name ? schedules_find(s->api->schedules, bytes_of(s->namespace), bytes_of(s->name)) : NULL;
	if (s->request && code)
		api_fail(s->request, code, "the change could not be stored: %s", err_word(code));
	else if (s->request && shown)
		api_reply_json(s->request, s->status, api_schedule_json(s->api, shown, true));
	else if (s->request)
		http_reply_buf(s->request, s->status, "application/json", &s->answer);
	saving_free(s);
}

bool saving_refused(struct api *a, struct http_request *r)
{
	struct store_stats stats;
	a->store->ops->stats(a->store, &stats);
	if (stats.full)
		api_fail(r, E_NO_SPACE, "the disk is full: nothing was changed");
	return stats.full;
}

/* ── look ── */

/* The cursor is the last one shown, "NAMESPACE/NAME": they come in that order. */
static bool is_after(const struct schedule_definition *d, struct bytes cursor, struct buf *key)
{
	buf_clear(key);
	buf_format(key, "%s/%s", d->namespace, d->name);
	const char *slash = memchr(cursor.data ? cursor.data : "", '/', cursor.size);
	if (!slash)
		return true;
	size_t n = (size_t)(slash - cursor.data);
	int c = strncmp(d->namespace, cursor.data, n);
	if (!c && d->namespace[n])
		c = 1;
	return c > 0 || (c == 0 && strcmp(d->name, slash + 1) > 0);
}

static void list_schedules(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes namespace = http_query(r, "namespace"), cursor = http_query(r, "cursor");
	scoped(buf_fini) struct buf key = {0};
	unsigned limit;
	if (!api_limit(r, &limit))
		return;
	json_t *all = json_array(), *last = json_null();
	struct schedule *s;
	for (size_t i = 0; (s = schedules_at(a->schedules, i)); i++) {
		struct schedule_info info;
		schedule_get_info(s, &info);
		if ((namespace.size && !bytes_equal(namespace, bytes_of(info.definition->namespace))) ||
			!is_after(info.definition, cursor, &key))
			continue;
		if (json_array_size(all) == limit)
			break;
		json_array_append_new(all, api_schedule_json(a, s, false));
		json_decref(last);
		last = json_string(key.data);
	}
	if (!s) {
		json_decref(last);
		last = json_null();
	}
	api_reply_json(r, 200, json_pack("{s:o, s:o}", "schedules", all, "cursor", last));
}

static struct schedule *find(struct api *a, struct http_request *r)
{
	struct bytes namespace = http_query(r, "namespace"), name = http_param(r, "schedule");
	struct schedule *s = schedules_find(a->schedules, namespace, name);
	if (!s)
		api_fail(r, E_NOT_FOUND, "there is no schedule \"%.*s\" in namespace \"%.*s\"",
			(int)(name.size < JOB_NAME_MAX ? name.size : JOB_NAME_MAX), name.data,
			(int)(namespace.size ? namespace.size < JOB_NAME_MAX ? namespace.size : JOB_NAME_MAX : 7),
			namespace.size ? namespace.data : "default");
	return s;
}

static void show_schedule(void *context, struct http_request *r)
{
	struct schedule *s = find(context, r);
	if (s)
		api_reply_json(r, 200, api_schedule_json(context, s, true));
}

/* ── change ── */

static void delete_schedule(void *context, struct http_request *r)
{
	struct api *a = context;
	struct schedule *s = find(a, r);
	struct err e;
	if (!s || saving_refused(a, r))
		return;
	struct saving *saving = saving_new(a, r, 200);
	buf_text(&saving->answer, "{\"removed\":true}");
	if (schedules_remove(a->schedules, s, saving_done, saving, &e) == E_OK)
		return;
	http_problem(r, &e);
	saving_free(saving);
}

static void set_paused(struct api *a, struct http_request *r, bool paused)
{
	struct schedule *s = find(a, r);
	struct schedule_info info;
	if (!s || saving_refused(a, r))
		return;
	schedule_get_info(s, &info);
	struct saving *saving = saving_new(a, r, 200);
	saving->namespace = mem_text(info.definition->namespace);
	saving->name = mem_text(info.definition->name);
	schedules_pause(a->schedules, s, paused, os_clock_ms(), saving_done, saving);
}

static void pause_schedule(void *context, struct http_request *r)
{
	set_paused(context, r, true);
}

static void resume_schedule(void *context, struct http_request *r)
{
	set_paused(context, r, false);
}

static void run_schedule(void *context, struct http_request *r)
{
	struct api *a = context;
	struct schedule *s = find(a, r);
	struct schedule_info info;
	struct err e;
	char text[ID_TEXT_SIZE];
	uint64_t id;
	if (!s || saving_refused(a, r))
		return;
	struct saving *saving = saving_new(a, r, 202);
	schedule_get_info(s, &info);
	if (schedules_run(a->schedules, s, os_clock_ms(), &id, saving_done, saving, &e) != E_OK) {
		http_problem(r, &e);
		saving_free(saving);
		return;
	}
	id_format(id, text);
	buf_format(&saving->answer, "{\"%s\":\"%s\"}", info.definition->makes_job ? "job_id" : "run_id", text);
}
