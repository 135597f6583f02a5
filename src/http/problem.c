#include "http/internal.h"

#include <stdio.h>

/* The one table from what went wrong to a status. */
int http_status_of(enum errcode code)
{
	static const short statuses[] = {
		[E_OK] = 200,
		[E_INVALID] = 400,
		[E_NOT_FOUND] = 404,
		[E_CONFLICT] = 409,
		[E_STATE] = 409,
		[E_FENCE] = 409,
		[E_TOO_LARGE] = 413,
		[E_LIMIT] = 429,
		[E_NO_SPACE] = 507,
		[E_IO] = 500,
		[E_TIMEOUT] = 504,
		[E_UNAVAILABLE] = 503,
		[E_DENIED] = 403,
		[E_CANCELLED] = 409,
		[E_NO_MEMORY] = 503,
		[E_INTERNAL] = 500,
	};
	return code < sizeof statuses / sizeof *statuses && statuses[code] ? statuses[code] : 500;
}

void http_problem(struct http_request *r, const struct err *e)
{
	http_problem_at(r, http_status_of(e->code), e, NULL);
}

void http_problem_at(struct http_request *r, int status, const struct err *e, const char *pointer)
{
	http_problem_with(r, status, e, pointer, NULL, 1);
}

void http_problem_with(struct http_request *r, int status, const struct err *e, const char *pointer,
	const char *members, unsigned retry_after_s)
{
	char after[16];
	struct buf *b = &r->problem;
	buf_clear(b);
	buf_text(b, "{\"type\":\"about:blank\",\"title\":");
	buf_json_string(b, bytes_of(MHD_get_reason_phrase_for((unsigned)status)));
	buf_format(b, ",\"status\":%d,\"code\":\"%s\",\"detail\":", status, err_word(e->code));
	buf_json_utf8(b, bytes_of(e->text));
	if (pointer) {
		buf_text(b, ",\"pointer\":");
		buf_json_utf8(b, bytes_of(pointer));
	}
	if (members)
		buf_text(b, members);
	buf_text(b, "}\n");
	snprintf(after, sizeof after, "%u", retry_after_s);
	if (status == 429 || status == 503)
		http_add_header(r, "Retry-After", after);
	http_reply(r, status, "application/problem+json", buf_bytes(b));
}
