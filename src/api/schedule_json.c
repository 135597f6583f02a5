/* A schedule as the API shows it: its definition, how far it is, and when alone also what is to come and what it made last. */
#include "api/api.h"

#include "base/rfc3339.h"
#include "wire/id.h"

enum { NEXT_SHOWN = 5 };

static json_t *time_json(int64_t ms) /* null: never */
{
	char text[RFC3339_SIZE];
	if (ms <= 0 || ms == TIMING_NEVER)
		return json_null();
	rfc3339_format(ms, text);
	return json_string(text);
}

json_t *api_times_json(const struct timing *t, int64_t after_ms, size_t n)
{
	json_t *times = json_array();
	for (size_t i = 0; i < n && (after_ms = timing_next(t, after_ms)) <= JOB_TIME_MAX_MS; i++) {
		char local[RFC3339_SIZE];
		rfc3339_format_at(after_ms, timing_offset(t, after_ms), local);
		json_array_append_new(times, json_pack("{s:o, s:s}", "at", time_json(after_ms), "local", local));
	}
	return times;
}

static json_t *last_json(struct api *a, const struct schedule_info *i)
{
	json_t *all = json_array();
	for (size_t k = 0; k < i->last_n; k++) {
		const struct schedule_last *l = &i->last[k];
		char id[ID_TEXT_SIZE];
		id_format(l->id, id);
		json_t *one = json_pack("{s:o, s:o}", "occurrence", time_json(l->at_ms), "made_at", time_json(l->made_at_ms));
		json_object_set_new(one, i->definition->makes_job ? "job_id" : "run_id", json_string(id));
		if (i->definition->makes_job) {
			const char *status = api_status_of(a, l->id); /* perhaps it is forgotten */
			json_object_set_new(one, "status", status ? json_string(status) : json_null());
		}
		json_array_append_new(all, one);
	}
	return all;
}

/* It may be large, and of many. */
static void leave_out_input(json_t *json)
{
	static const char *const what[] = {"job", "run"};
	for (size_t i = 0; i < 2; i++) {
		json_t *copy = json_copy(json_object_get(json, what[i]));
		if (!copy)
			continue;
		json_object_del(copy, "input");
		json_object_set_new(json, what[i], copy);
	}
}

json_t *api_schedule_json(struct api *a, const struct schedule *s, bool alone)
{
	struct schedule_info i;
	schedule_get_info(s, &i);
	json_t *json = json_copy(i.definition->json);
	if (!alone)
		leave_out_input(json);
	json_object_set_new(json, "namespace", json_string(i.definition->namespace));
	json_object_set_new(json, "origin", json_string(i.origin == SCHEDULE_FROM_CONFIG ? "config" : "api"));
	json_object_set_new(json, "enabled", json_boolean(i.definition->enabled));
	json_object_set_new(json, "paused", json_boolean(i.paused));
	json_object_set_new(json, "created_at", time_json(i.created_at_ms));
	json_object_set_new(json, "next_at", i.paused ? json_null() : time_json(i.next_ms));
	json_object_set_new(json, "last_at", time_json(i.last_n ? i.last[0].at_ms : 0));
	json_object_set_new(json, "waiting", time_json(i.waiting_ms));
	json_object_set_new(json, "fired_total", json_integer((json_int_t)i.made));
	json_object_set_new(json, "missed_total", json_integer((json_int_t)i.missed));
	json_object_set_new(json, "skipped_total", json_integer((json_int_t)i.skipped));
	json_object_set_new(json, "failed_total", json_integer((json_int_t)i.failed));
	json_object_set_new(json, "last_error", *i.error ? json_string(i.error) : json_null());
	if (alone) {
		size_t n = i.paused || i.next_ms == TIMING_NEVER ? 0 : NEXT_SHOWN;
		json_object_set_new(json, "next", api_times_json(&i.definition->timing, i.next_ms - 1, n));
		json_object_set_new(json, "last", last_json(a, &i));
	}
	return json;
}
