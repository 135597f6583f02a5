/* job_filter.c - ?capability= &namespace= &key= &tag= &code= &older_than=: which jobs a request means. */
#include "api/api.h"

#include "base/json_span.h"
#include "base/mem.h"

#include <stdlib.h>

static char *text_of(struct http_request *r, const char *name)
{
	struct bytes value = http_query(r, name);
	return value.size ? mem_copy(value.data, value.size) : NULL;
}

bool job_filter_read(struct http_request *r, int64_t now_ms, struct job_filter *out)
{
	int64_t age_ms;
	if (!api_duration(r, "older_than", 0, JOB_TIME_MAX_MS, &age_ms))
		return false;
	*out = (struct job_filter){.namespace = text_of(r, "namespace"),
		.capability = text_of(r, "capability"),
		.key = text_of(r, "key"),
		.tag = text_of(r, "tag"),
		.code = text_of(r, "code"),
		.finished_before_ms = age_ms ? now_ms - age_ms : INT64_MAX};
	return true;
}

static bool has_tag(struct bytes tags, const char *wanted)
{
	struct bytes tag;
	size_t at = 0;
	bool found = false;
	while (!found && tags.size && json_span_next(tags, &at, &tag)) {
		scoped(buf_fini) struct buf text = {0};
		found = json_span_string(tag, &text) && bytes_equal(buf_bytes(&text), bytes_of(wanted));
	}
	return found;
}

static bool old_enough(const struct job_filter *f, const struct job_view *v)
{
	return f->finished_before_ms == INT64_MAX || (v->finished_at_ms && v->finished_at_ms <= f->finished_before_ms);
}

bool job_filter_fits(const struct job_filter *f, const struct job_view *v)
{
	struct bytes namespace = v->namespace.size ? v->namespace : bytes_of("default");
	return (!f->namespace || bytes_equal(namespace, bytes_of(f->namespace))) &&
		   (!f->capability || bytes_equal(v->capability, bytes_of(f->capability))) &&
		   (!f->key || bytes_equal(v->key, bytes_of(f->key))) && (!f->code || strcmp(v->error.code, f->code) == 0) &&
		   old_enough(f, v) && (!f->tag || has_tag(v->tags, f->tag));
}

void job_filter_fini(struct job_filter *f)
{
	free(f->namespace);
	free(f->capability);
	free(f->key);
	free(f->tag);
	free(f->code);
}
