/* send.c - a file as an answer: read ahead on the pool, so that the loop never waits for the disk. */
#include "http/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

struct sending {
	struct http_request *request; /* NULL: the answer is over; freed by whoever is last */
	struct loop *loop;
	int fd;
	uint64_t at, size; /* what the next read begins with; the whole */
	struct {
		char data[CHUNK];
		size_t n;
	} chunks[2]; /* one is sent while the other is read */
	unsigned current;
	size_t sent; /* of the current one */
	bool reading, failed; /* while reading, `failed`, `at` and the other chunk belong to the pool */
};

static void sending_free(struct sending *s)
{
	close(s->fd);
	free(s);
}

static void read_chunk(void *context) /* on the pool */
{
	struct sending *s = context;
	unsigned other = !s->current;
	uint64_t left = s->size - s->at;
	ssize_t n;
	do
		n = pread(s->fd, s->chunks[other].data, left < CHUNK ? left : CHUNK, (off_t)s->at);
	while (n < 0 && errno == EINTR);
	s->chunks[other].n = n > 0 ? (size_t)n : 0;
	s->failed = n <= 0; /* it cannot end before its size */
}

static void chunk_read(void *context)
{
	struct sending *s = context;
	s->reading = false;
	s->at += s->chunks[!s->current].n;
	if (s->request)
		server_resume(s->request);
	else
		sending_free(s);
}

static void read_ahead(struct sending *s)
{
	if (s->reading || s->failed || s->at == s->size || s->chunks[!s->current].n)
		return;
	s->reading = true;
	loop_work(s->loop, read_chunk, chunk_read, s);
}

static ssize_t give(void *context, uint64_t pos, char *to, size_t max)
{
	struct sending *s = context;
	if (s->request->dropped)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->sent == s->chunks[s->current].n && !s->reading && s->chunks[!s->current].n) {
		s->chunks[s->current].n = s->sent = 0;
		s->current = !s->current;
	}
	read_ahead(s);
	size_t left = s->chunks[s->current].n - s->sent, n = left < max ? left : max;
	if (n == 0) {
		if (!s->reading && s->failed)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		server_suspend(s->request);
		return 0;
	}
	memcpy(to, s->chunks[s->current].data + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void over(void *context)
{
	struct sending *s = context;
	s->request = NULL;
	if (!s->reading)
		sending_free(s);
}

struct MHD_Response *send_file(struct http_request *r, int fd, uint64_t size)
{
	if (size == 0) {
		close(fd);
		return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	}
	struct sending *s = NEW(struct sending);
	s->request = r;
	s->loop = r->server->loop;
	s->fd = fd;
	s->size = size;
	struct MHD_Response *response = MHD_create_response_from_callback(size, 32768, give, s, over);
	if (!response)
		abort(); /* only for want of memory */
	return response;
}
