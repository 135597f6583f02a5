#include "http/internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

void http_add_header(struct http_request *r, const char *name, const char *value)
{
	assert(!r->replied && r->header_n < REQUEST_HEADER_MAX);
	r->headers[r->header_n].name = mem_text(name);
	r->headers[r->header_n++].value = mem_text(value);
}

/* libmicrohttpd takes an answer only from within its own call: a suspended request is woken and asked again. */
static void answer(struct http_request *r, int status, const char *content_type, struct MHD_Response *response)
{
	assert(!r->replied && "a request is answered once");
	if (!response)
		abort(); /* only for want of memory */
	r->replied = true;
	r->body_paused = false;
	r->status = status;
	r->response = response;
	if (content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (unsigned i = 0; i < r->header_n; i++)
		MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
	server_resume(r);
}

void http_reply(struct http_request *r, int status, const char *content_type, struct bytes body)
{
	answer(
		r, status, content_type, MHD_create_response_from_buffer(body.size, (void *)body.data, MHD_RESPMEM_MUST_COPY));
}

void http_reply_buf(struct http_request *r, int status, const char *content_type, struct buf *body)
{
	size_t size = body->size;
	answer(r, status, content_type, MHD_create_response_from_buffer(size, buf_take(body), MHD_RESPMEM_MUST_FREE));
}

void http_reply_json(struct http_request *r, int status, struct bytes json)
{
	http_reply(r, status, "application/json", json);
}

void http_reply_fd(struct http_request *r, int status, const char *content_type, int fd, uint64_t size)
{
	answer(r, status, content_type, send_file(r, fd, size));
}

/* libmicrohttpd asks for more. Nothing there: it sleeps until the next write. */
static ssize_t stream_read(void *request, uint64_t pos, char *to, size_t max)
{
	struct http_request *r = request;
	size_t waiting = r->out.size - r->out_at, n = waiting < max ? waiting : max;
	if (r->dropped)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0) {
		if (r->stream_closed)
			return r->stream_cut ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
		server_suspend(r);
		return 0;
	}
	memcpy(to, r->out.data + r->out_at, n);
	r->out_at += n;
	waiting -= n;
	if (waiting == 0) {
		if (r->out.room > STREAM_LOW)
			buf_fini(&r->out);
		buf_clear(&r->out);
		r->out_at = 0;
	}
	if (r->drained && waiting < STREAM_LOW) {
		void (*drained)(void *) = r->drained;
		r->drained = NULL;
		drained(r->data);
	}
	return (ssize_t)n;
}

void http_stream_open(struct http_request *r, int status, const char *content_type)
{
	http_add_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	answer(r, status, content_type, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, stream_read, r, NULL));
}

bool http_stream_write(struct http_request *r, struct bytes data)
{
	assert(r->replied && !r->stream_closed);
	if (r->out_at > STREAM_LOW && r->out_at * 2 > r->out.size) { /* what was sent makes room */
		r->out.size -= r->out_at;
		memmove(r->out.data, r->out.data + r->out_at, r->out.size);
		r->out_at = 0;
	}
	buf_add(&r->out, data.data, data.size);
	server_resume(r);
	return r->out.size - r->out_at < STREAM_FULL;
}

void http_stream_on_drain(struct http_request *r, void (*drained)(void *data))
{
	r->drained = drained;
}

void http_stream_close(struct http_request *r)
{
	r->stream_closed = true;
	server_resume(r);
}

void http_stream_abort(struct http_request *r)
{
	r->stream_cut = true;
	http_stream_close(r);
}
