/* /openapi.json: made from the route tables, so it cannot leave a route out. Schemas stand in openapi_schemas.c. */
#include "api/openapi.h"

#include "base/mem.h"

#include <reeve/version.h>
#include <ctype.h>
#include <stdlib.h>

static void show_openapi(void *context, struct http_request *r);

const struct http_route openapi_routes[] = {
	{.method = "GET", .path = "/openapi.json", .handle = show_openapi, .summary = "This document (OpenAPI 3.1)"},
	{0},
};

/* "getV1JobsJobId": unique, since method and path are. */
static char *operation_id(const struct http_route *route)
{
	struct buf b = {0};
	bool upper = false;
	for (const char *at = route->method; *at; at++)
		buf_format(&b, "%c", tolower((unsigned char)*at));
	for (const char *at = route->path; *at; at++) {
		if (!isalnum((unsigned char)*at)) {
			upper = true;
			continue;
		}
		buf_format(&b, "%c", upper ? toupper((unsigned char)*at) : *at);
		upper = false;
	}
	return buf_take(&b);
}

static void add_parameter(json_t *list, const char *where, const char *name, size_t size)
{
	json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", name, size, "in", where, "required",
									strcmp(where, "path") == 0, "schema", "type", "string"));
}

static json_t *parameters(const struct http_route *route, const char *query)
{
	json_t *list = json_array();
	for (const char *at = route->path; (at = strchr(at, '{')); at++)
		add_parameter(list, "path", at + 1, strcspn(at + 1, "}"));
	for (size_t n; query && *query; query += n + (query[n] == ' ')) {
		n = strcspn(query, " ");
		add_parameter(list, "query", query, n);
	}
	return list;
}

static json_t *responses(void)
{
	return json_pack("{s:{s:s, s:{s:{s:{}}}}}", "200", "description", "done", "content", "application/json", "schema");
}

static json_t *operation(const struct http_route *route)
{
	struct buf text = {0};
	scoped(mem_free_at) char *id = operation_id(route);
	buf_format(&text, "{%s}", route->doc ? route->doc : "");
	json_t *o = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	buf_fini(&text);
	if (!o)
		abort(); /* a doc that is no JSON: the test of this file finds it */
	json_object_set_new(o, "operationId", json_string(id));
	json_object_set_new(o, "summary", json_string(route->summary));
	json_object_set_new(o, "parameters", parameters(route, json_string_value(json_object_get(o, "x-query"))));
	json_object_del(o, "x-query");
	if (!json_object_get(o, "responses"))
		json_object_set_new(o, "responses", responses());
	if (!json_object_get(o, "requestBody") && (route->body_max > 1024 || route->body))
		json_object_set_new(o, "requestBody",
			json_pack(
				"{s:{s:{s:{}}}}", "content", route->body ? "application/octet-stream" : "application/json", "schema"));
	json_object_set_new(
		json_object_get(o, "responses"), "default", json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
	return o;
}

static void add_route(json_t *paths, const struct http_route *route)
{
	char method[8] = "";
	json_t *path = json_object_get(paths, route->path);
	for (size_t i = 0; route->method[i] && i < sizeof method - 1; i++)
		method[i] = (char)tolower((unsigned char)route->method[i]);
	if (!path) {
		path = json_object();
		json_object_set_new(paths, route->path, path);
	}
	json_object_set_new(path, method, operation(route));
}

json_t *openapi_document(void)
{
	json_t *paths = json_object();
	for (const struct http_route *const *table = api_routes; *table; table++) {
		for (const struct http_route *route = *table; route->method; route++)
			if (!route->body_types) /* a variant of one that follows */
				add_route(paths, route);
	}
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title", "Reeve", "version",
		REEVE_VERSION, "description", "The HTTP API of one node; docs/reference/http-api.md explains it.", "paths",
		paths, "components", openapi_components());
}

static void show_openapi(void *context, struct http_request *r)
{
	api_reply_json(r, 200, openapi_document());
}
