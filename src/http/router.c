#include "http/internal.h"

#include <stdio.h>
#include <strings.h>

/* Does `path` (raw) fit the pattern? Segments of parameters are noted raw; nothing is decoded before a route is chosen. */
static bool fits(const char *pattern, const char *path, struct pair *params, unsigned *n)
{
	*n = 0;
	while (*pattern && *path) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		const char *close = strchr(pattern, '}');
		size_t size = strcspn(path, "/");
		if (!size || *n == REQUEST_PARAM_MAX)
			return false;
		params[(*n)++] = (struct pair){{pattern + 1, (size_t)(close - pattern - 1)}, {path, size}};
		pattern = close + 1;
		path += size;
	}
	return !*pattern && !*path;
}

static bool same_method(const char *of_route, const char *asked)
{
	return strcmp(of_route, strcmp(asked, "HEAD") == 0 ? "GET" : asked) == 0;
}

/* "application/x-ndjson; charset=utf-8" is one of "application/x-ndjson application/jsonl". */
static bool takes_body(const struct http_route *route, struct http_request *r)
{
	if (!route->body_types)
		return true;
	struct bytes type = http_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);
	size_t size = type.size ? strcspn(type.data, "; \t") : 0;
	for (const char *at = route->body_types; size && *at;) {
		size_t n = strcspn(at, " ");
		if (n == size && strncasecmp(at, type.data, n) == 0)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

static enum errcode decode_params(struct http_request *r, struct err *e)
{
	for (unsigned i = r->param_n; i-- > 0;) { /* from the last: a NUL is written behind each */
		struct bytes *v = &r->params[i].value;
		*v = uri_decode_segment(r->uri + (v->data - r->uri), v->size);
		if (!v->data)
			return err_set(e, E_INVALID, "part %u of the URL's path is not UTF-8 without NUL when decoded", i + 1);
	}
	return E_OK;
}

static void note_method(char *allow, size_t size, const char *method)
{
	size_t n = strlen(allow);
	if (!strstr(allow, method))
		snprintf(allow + n, size - n, "%s%s%s", n ? ", " : "", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum errcode router_match(struct http_request *r, const char *method, char *allow, size_t allow_size, struct err *e)
{
	allow[0] = 0;
	for (const struct http_route *const *table = r->server->o.routes; *table; table++) {
		for (const struct http_route *route = *table; route->method; route++) {
			if (!fits(route->path, r->uri, r->params, &r->param_n))
				continue;
			if (same_method(route->method, method) && takes_body(route, r)) {
				r->route = route;
				return decode_params(r, e);
			}
			note_method(allow, allow_size, route->method);
		}
	}
	r->param_n = 0;
	if (allow[0])
		return err_set(e, E_STATE, "%s takes %s, not %.16s", r->uri, allow, method);
	return err_set(e, E_NOT_FOUND, "there is nothing at %.200s; /openapi.json lists what there is", r->uri);
}
