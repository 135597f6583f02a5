/* /v1/pipelines: definitions, and the start of a run. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "wire/id.h"

#include <stdlib.h>
#include <string.h>

static void list_pipelines(void *context, struct http_request *r);
static void show_pipeline(void *context, struct http_request *r);
static void start_run(void *context, struct http_request *r);

#define START_BODY_MAX (64 << 20) /* an input above 1 MiB becomes a blob */

const struct http_route pipeline_routes[] = {
	{.method = "GET", .path = "/v1/pipelines", .handle = list_pipelines, .summary = "List pipelines"},
	{.method = "GET", .path = "/v1/pipelines/{pipeline}", .handle = show_pipeline, .summary = "Show a pipeline"},
	{.method = "POST",
		.path = "/v1/pipelines/{pipeline}/runs",
		.handle = start_run,
		.body_max = START_BODY_MAX,
		.summary = "Start a run"},
	{0},
};

/* The mode that whoever offers the capability declares; a definition knows only its name. */
static void add_modes(struct api *a, json_t *pipeline)
{
	size_t i;
	json_t *step;
	json_array_foreach(json_object_get(pipeline, "steps"), i, step)
	{
		const char *name = json_string_value(json_object_get(step, "capability"));
		const struct registry_entry *entry = registry_find(a->registry, bytes_of("default"), bytes_of(name));
		if (entry && entry->offer_n)
			json_object_set_new(step, "mode", json_string(registry_capability(&entry->offers[0])->mode));
	}
}

static json_t *pipeline_shown(struct api *a, const struct pipeline *p)
{
	json_t *j = pipeline_json(p);
	json_object_set_new(j, "mode", json_string("orchestration"));
	add_modes(a, j);
	return j;
}

static void list_pipelines(void *context, struct http_request *r)
{
	struct api *a = context;
	json_t *all = json_array();
	const struct pipeline *p;
	for (size_t i = 0; (p = pipelines_at(a->pipelines, i)); i++)
		json_array_append_new(all, pipeline_shown(a, p));
	api_reply_json(r, 200, json_pack("{s:o}", "pipelines", all));
}

static void show_pipeline(void *context, struct http_request *r)
{
	struct api *a = context;
	struct bytes name = http_param(r, "pipeline");
	const struct pipeline *p = pipelines_find(a->pipelines, name);
	if (p)
		api_reply_json(r, 200, pipeline_shown(a, p));
	else
		api_fail(r, E_NOT_FOUND, "there is no pipeline \"%.128s\"", name.data);
}

/* ── start ── */

struct starting {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone; a run that was started goes on */
	bool away; /* the pool or the pipelines have it */
	struct submission s; /* one spec: the input, and what it points into */
	struct run_spec spec;
	char *pipeline, *traceparent;
	struct buf namespace;
	enum errcode code; /* of the pool's work */
};

static void starting_free(struct starting *s)
{
	submission_fini(&s->s);
	buf_fini(&s->namespace);
	free(s->pipeline);
	free(s->traceparent);
	free(s);
}

static void client_gone(void *data)
{
	struct starting *s = data;
	s->request = NULL;
	if (!s->away)
		starting_free(s);
}

static void started(void *context, enum errcode code, uint64_t run_id)
{
	struct starting *s = context;
	struct http_request *r = s->request;
	s->away = false;
	if (!r) {
		starting_free(s);
	} else if (code) {
		api_fail(r, code,
			code == E_NO_SPACE ? "the disk is full: the run was not started" : "the run could not be stored: %s",
			err_word(code));
	} else {
		char text[ID_TEXT_SIZE];
		struct buf json = {0};
		id_format(run_id, text);
		buf_format(&json, "{\"run_id\":\"%s\",\"status\":\"running\"}", text);
		api_reply_buf(r, 202, &json);
	}
}

/* {"input":{...},"priority":5,"namespace":"..."}; `input` is passed on as it stands. */
static enum errcode read_spec(struct bytes body, struct run_spec *spec, struct buf *namespace, struct err *e)
{
	struct json_member members[8];
	size_t n = 0;
	enum errcode code = body.size ? json_span_members(body, members, ARRAY_SIZE(members), &n, e) : E_OK;
	for (size_t i = 0; !code && i < n; i++) {
		int64_t priority = 0;
		if (bytes_equal(members[i].key, bytes_of("input")))
			spec->input = members[i].value;
		else if (bytes_equal(members[i].key, bytes_of("namespace")))
			code = json_span_string(members[i].value, namespace)
					   ? E_OK
					   : err_set(e, E_INVALID, "namespace: a string is needed");
		else if (bytes_equal(members[i].key, bytes_of("priority")))
			code = json_span_integer(members[i].value, &priority) && priority >= 0 && priority <= JOB_PRIORITY_MAX
					   ? E_OK
					   : err_set(e, E_INVALID, "priority: a number from 0 to 9 is needed");
		else
			code = err_set(e, E_INVALID, "unknown member \"%.*s\"; known are input, priority, namespace",
				(int)members[i].key.size, members[i].key.data);
		if (!code && bytes_equal(members[i].key, bytes_of("priority")))
			spec->priority = (int)priority;
	}
	spec->namespace = buf_bytes(namespace);
	if (!code && spec->input.size && json_span_kind(spec->input) != '{')
		return err_set(e, E_INVALID, "input: a run's input is a JSON object");
	return code;
}

static void start_now(struct starting *s)
{
	s->away = true;
	s->spec.input = s->s.specs[0].input;
	if (pipelines_start(s->api->pipelines, &s->spec, loop_now_ms(s->api->loop), started, s, &s->s.error) == E_OK)
		return;
	s->away = false;
	http_problem(s->request, &s->s.error);
}

static void use_blobs(void *context)
{
	struct starting *s = context;
	s->code = api_use_blobs(s->api->blobs, &s->s);
}

static void blobs_used(void *context)
{
	struct starting *s = context;
	s->away = false;
	if (!s->request)
		starting_free(s);
	else if (s->code)
		http_problem_at(s->request, s->s.status ? s->s.status : http_status_of(s->code), &s->s.error, s->s.pointer);
	else
		start_now(s);
}

static void start_run(void *context, struct http_request *r)
{
	struct starting *s = NEW(struct starting);
	s->api = context;
	s->request = r;
	s->pipeline = api_text(http_param(r, "pipeline"));
	s->traceparent = api_text(api_traceparent(r));
	s->spec = (struct run_spec){
		.pipeline = bytes_of(s->pipeline), .traceparent = bytes_of(s->traceparent), .priority = JOB_PRIORITY_DEFAULT};
	http_take_body(r, &s->s.body);
	http_set_data(r, s, client_gone);
	if (read_spec(buf_bytes(&s->s.body), &s->spec, &s->namespace, &s->s.error) != E_OK) {
		http_problem(r, &s->s.error);
		return;
	}
	s->s.specs = mem_new(sizeof *s->s.specs);
	s->s.specs[0].input = s->spec.input;
	s->s.n = 1;
	if (!api_has_blobs(&s->s)) {
		start_now(s);
		return;
	}
	s->away = true;
	loop_work(s->api->loop, use_blobs, blobs_used, s);
}
