/* Definitions of schedules, and rules that are only tried. Zones are files, and an input may be large: read on the pool. */
#include "api/schedules.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "os/os_clock.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct defining {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	bool away; /* the pool has it */
	struct buf body;
	char *namespace; /* ?namespace= */
	char *replaces; /* the name in the path; or NULL: a new one */
	struct schedule_definition *definition;
	json_t *times; /* of a preview */
	int64_t now_ms;
	struct err error;
	int status; /* of the answer to the error; 0: by its code */
	char pointer[300];
};

static void defining_free(struct defining *d)
{
	buf_fini(&d->body);
	free(d->namespace);
	free(d->replaces);
	schedule_definition_free(d->definition);
	json_decref(d->times);
	free(d);
}

static void defining_gone(void *data)
{
	struct defining *d = data;
	d->request = NULL;
	if (!d->away)
		defining_free(d);
}

static struct defining *defining_new(struct api *a, struct http_request *r)
{
	struct defining *d = NEW(struct defining);
	struct bytes namespace = http_query(r, "namespace");
	d->api = a;
	d->request = r;
	d->away = true;
	d->now_ms = os_clock_ms();
	d->namespace = namespace.size ? api_text(namespace) : NULL;
	http_take_body(r, &d->body);
	http_set_data(r, d, defining_gone);
	return d;
}

static json_t *body_json(struct defining *d)
{
	json_error_t where;
	const char *text = d->body.size ? d->body.data : "";
	json_t *json = json_loadb(text, d->body.size, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		err_set(
			&d->error, E_INVALID, "the body is not JSON: line %d, column %d: %s", where.line, where.column, where.text);
	else if (!json_is_object(json))
		err_set(&d->error, E_INVALID, "the body is not a JSON object");
	if (d->error.code == E_OK)
		return json;
	json_decref(json);
	return NULL;
}

static enum errcode check_schema(struct defining *d, const char *schema_text, json_t *json)
{
	struct schema *schema;
	enum errcode code = schema_open(bytes_of(schema_text), &schema, &d->error);
	if (code)
		return code;
	code = schema_check(schema, json, false, d->pointer, &d->error);
	schema_close(schema);
	return code;
}

static void fill_in(struct defining *d, json_t *json)
{
	if (d->namespace && !json_object_get(json, "namespace"))
		json_object_set_new(json, "namespace", json_string(d->namespace));
	if (d->replaces && !json_object_get(json, "name"))
		json_object_set_new(json, "name", json_string(d->replaces));
}

static enum errcode check_name(struct defining *d)
{
	if (!d->replaces || strcmp(d->replaces, d->definition->name) == 0)
		return E_OK;
	snprintf(d->pointer, sizeof d->pointer, "/name");
	return err_set(
		&d->error, E_INVALID, "name \"%s\": must be that of the path, \"%.128s\"", d->definition->name, d->replaces);
}

/* The input against the capability's schema is checked by the loop, which knows who serves what. */
static enum errcode check_template(struct defining *d)
{
	struct submission job;
	if (!d->definition->makes_job)
		return E_OK;
	scoped(mem_free_at) char *text = schedule_job(d->definition, d->now_ms);
	enum errcode code = job_template_parse(&job, bytes_of(d->definition->namespace), d->api->allow, text, d->now_ms);
	if (!code && api_has_blobs(&job))
		code = api_use_blobs(d->api->blobs, &job);
	if (code) {
		d->error = job.error;
		d->status = job.status;
		snprintf(d->pointer, sizeof d->pointer, "/job%.200s", job.pointer);
	}
	submission_fini(&job);
	return code;
}

static void read_definition(void *context)
{
	struct defining *d = context;
	json_t *json = body_json(d);
	char pointer[64] = "";
	if (!json)
		return;
	fill_in(d, json);
	enum errcode code = check_schema(d, schedule_schema, json);
	if (!code && (code = schedule_parse(json, &d->definition, pointer, &d->error)))
		snprintf(d->pointer, sizeof d->pointer, "%s", pointer);
	if (!code)
		code = check_name(d);
	if (!code)
		code = check_template(d);
	if (code == E_NOT_FOUND) /* the zone, not the resource */
		d->error.code = E_INVALID;
	json_decref(json);
}

static void refuse(struct defining *d)
{
	http_problem_at(d->request, d->status ? d->status : http_status_of(d->error.code), &d->error,
		d->pointer[0] ? d->pointer : NULL);
}

static bool input_fits(struct defining *d)
{
	struct submission job;
	char pointer[300];
	int status = 0;
	if (!d->definition->makes_job)
		return true;
	scoped(mem_free_at) char *text = schedule_job(d->definition, d->now_ms);
	job_template_parse(&job, bytes_of(d->definition->namespace), d->api->allow, text, d->now_ms);
	const struct job_spec *spec = &job.specs[0];
	enum errcode code =
		api_check_input(api_input_schema(d->api, spec->namespace, spec->capability), spec, &status, pointer, &d->error);
	if (code)
		snprintf(d->pointer, sizeof d->pointer, "/job%.200s", pointer);
	d->status = status;
	submission_fini(&job);
	return code == E_OK;
}

static bool pipeline_is_there(struct defining *d)
{
	const struct schedule_definition *s = d->definition;
	if (s->makes_job || pipelines_find(d->api->pipelines, bytes_of(s->pipeline)))
		return true;
	snprintf(d->pointer, sizeof d->pointer, "/run/pipeline");
	err_set(&d->error, E_INVALID, "there is no pipeline \"%s\"", s->pipeline);
	return false;
}

/* What the path and the set say of it. */
static bool may_be(struct defining *d)
{
	const struct schedule_definition *s = d->definition;
	bool there = schedules_find(d->api->schedules, bytes_of(s->namespace), bytes_of(s->name)) != NULL;
	if (there && !d->replaces)
		err_set(&d->error, E_CONFLICT, "there is a schedule \"%s\" in namespace \"%s\" already; PUT replaces it",
			s->name, s->namespace);
	else if (!there && d->replaces)
		err_set(&d->error, E_NOT_FOUND, "there is no schedule \"%s\" in namespace \"%s\"; POST /v1/schedules makes one",
			s->name, s->namespace);
	return d->error.code == E_OK;
}

static void put(struct defining *d)
{
	struct api *a = d->api;
	struct http_request *r = d->request;
	struct err e;
	struct saving *s = saving_new(a, r, d->replaces ? 200 : 201);
	d->request = NULL; /* it is s that is told when the request ends */
	s->namespace = mem_text(d->definition->namespace);
	s->name = mem_text(d->definition->name);
	if (schedules_put(a->schedules, take(d->definition), SCHEDULE_FROM_API, os_clock_ms(), saving_done, s, &e) == E_OK)
		return;
	http_problem(r, &e);
	saving_free(s);
}

static void definition_read(void *context)
{
	struct defining *d = context;
	if (d->request && (d->error.code || !may_be(d) || !pipeline_is_there(d) || !input_fits(d)))
		refuse(d);
	else if (d->request && !saving_refused(d->api, d->request))
		put(d);
	d->away = false;
	if (!d->request)
		defining_free(d);
}

void schedule_create(void *context, struct http_request *r)
{
	struct api *a = context;
	loop_work(a->loop, read_definition, definition_read, defining_new(a, r));
}

void schedule_replace(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name = http_param(r, "schedule");
	struct defining *d = defining_new(a, r);
	d->replaces = api_text(name);
	loop_work(a->loop, read_definition, definition_read, d);
}

/* ── when would it be? ── */

static const char preview_schema[] =
	"{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"every\":{\"type\":\"string\"},\"cron\":{\"type\":\"string\"},\"timezone\":{\"type\":\"string\"},"
	"\"start\":{\"type\":\"string\"},\"end\":{\"type\":\"string\"},"
	"\"from\":{\"type\":\"string\",\"format\":\"date-time\"},"
	"\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}}}";

static void read_preview(void *context)
{
	struct defining *d = context;
	json_t *json = body_json(d);
	struct timing timing;
	char pointer[64] = "";
	int64_t from_ms = d->now_ms;
	if (!json)
		return;
	const json_t *count = json_object_get(json, "count"), *from = json_object_get(json, "from");
	enum errcode code = check_schema(d, preview_schema, json);
	if (!code && (code = schedule_parse_timing(json, &timing, pointer, &d->error)))
		snprintf(d->pointer, sizeof d->pointer, "%s", pointer);
	if (!code && from)
		rfc3339_parse(bytes_of(json_string_value(from)), &from_ms, NULL); /* the schema's format has checked it */
	if (!code)
		d->times = api_times_json(&timing, from_ms - 1, count ? (size_t)json_integer_value(count) : 5);
	if (code == E_NOT_FOUND)
		d->error.code = E_INVALID;
	json_decref(json);
}

static void preview_read(void *context)
{
	struct defining *d = context;
	d->away = false;
	if (!d->request)
		defining_free(d);
	else if (d->error.code)
		refuse(d);
	else
		api_reply_json(d->request, 200, json_pack("{s:O}", "times", d->times));
}

void schedule_preview(void *context, struct http_request *r)
{
	struct api *a = context;
	loop_work(a->loop, read_preview, preview_read, defining_new(a, r));
}
