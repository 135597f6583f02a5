/* submit_stream.c - POST /v1/jobs with a job a line (NDJSON), of any length: lines are submitted while the next ones come in.
 *
 *   piece ──► gathering ──take──► chunk ──parse (pool)──► specs ──submit──► commit ──► told ──► answer
 *     └─ paused above GATHER_MAX             one chunk at a time, at most CHUNK_LINES jobs in one commit
 *
 * Each line stands for itself: one that is wrong is refused, and the others are kept. The answer has a line for each, in
 * their order, and one that counts; it is gathered in a file without a name, since its length has no limit either. */
#include "api/api.h"

#include "base/mem.h"
#include "wire/id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHUNK_LINES = 200, /* jobs in one commit, while one is under way the next ones gather */
	CHUNK_BYTES = 256 << 10, /* then a chunk is full, too */
	GATHER_MAX = 1 << 20, /* then the client is paused, unless it is all one line */
	LINE_MAX_BYTES = 8 << 20, /* above that the client makes the blob */
	ANSWER_INLINE = 1 << 20,
};

struct line {
	uint64_t number; /* in the body, from 1 */
	size_t at, size; /* of its text in the chunk */
	size_t spec; /* index; while not refused */
	bool refused, existing;
	uint64_t job_id;
	size_t why, why_size; /* of the refusal, in `whys`: members of its line of the answer */
};

struct stream {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct buf gathering, chunk, whys, answer;
	size_t taken; /* of what was gathered: its beginning is in a chunk already */
	bool skipping; /* a line that is too long, up to its end */
	bool ended, busy;
	uint64_t line_n, submitted, existing, refused;
	struct line *lines; /* of the chunk */
	size_t n, parts; /* parts: submits under way */
	struct submission s; /* of the chunk: specs */
	char *namespace, *trace;
	const struct schema **schemas; /* of each spec */
	int fd; /* the answer, when it is long; -1 */
	uint64_t written;
	bool write_failed;
};

static void next_chunk(struct stream *t);

/* ── life ── */

static void drop_chunk(struct stream *t)
{
	submission_fini(&t->s);
	free(t->lines);
	free(t->schemas);
	t->s = (struct submission){0};
	t->lines = NULL;
	t->schemas = NULL;
	t->n = 0;
	buf_clear(&t->chunk);
	buf_clear(&t->whys);
}

static void stream_free(struct stream *t)
{
	drop_chunk(t);
	buf_fini(&t->gathering);
	buf_fini(&t->chunk);
	buf_fini(&t->whys);
	buf_fini(&t->answer);
	free(t->namespace);
	free(t->trace);
	mem_close_at(&t->fd);
	free(t);
}

static void client_gone(void *data)
{
	struct stream *t = data;
	t->request = NULL;
	if (!t->busy)
		stream_free(t);
}

/* ── the answer ── */

static void refuse(struct stream *t, struct line *l, const struct err *e, const char *pointer)
{
	l->refused = true;
	l->why = t->whys.size;
	buf_format(&t->whys, "\"code\":\"%s\",\"detail\":", err_word(e->code));
	buf_json_utf8(&t->whys, bytes_of(e->text));
	if (pointer && *pointer) {
		buf_text(&t->whys, ",\"pointer\":");
		buf_json_utf8(&t->whys, bytes_of(pointer));
	}
	l->why_size = t->whys.size - l->why;
}

static void tell_line(struct stream *t, const struct line *l)
{
	buf_format(&t->answer, "{\"line\":%" PRIu64, l->number);
	if (l->refused) {
		buf_text(&t->answer, ",\"status\":\"refused\",");
		buf_add(&t->answer, t->whys.data + l->why, l->why_size);
		buf_text(&t->answer, "}\n");
		t->refused++;
		return;
	}
	char id[ID_TEXT_SIZE];
	struct bytes namespace = t->s.specs[l->spec].namespace;
	id_format(l->job_id, id);
	buf_format(
		&t->answer, ",\"job_id\":\"%s\",\"status\":\"%s\",\"namespace\":", id, api_submitted_status(t->api, l->job_id));
	buf_json_utf8(&t->answer, namespace.size ? namespace : bytes_of("default"));
	buf_text(&t->answer, l->existing ? ",\"existing\":true}\n" : "}\n");
	*(l->existing ? &t->existing : &t->submitted) += 1;
}

/* Pool. */
static void write_answer(struct stream *t)
{
	if (t->fd < 0)
		t->fd = open(t->api->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	t->write_failed |= t->fd < 0;
	for (size_t at = 0; !t->write_failed && at < t->answer.size;) {
		ssize_t n = write(t->fd, t->answer.data + at, t->answer.size - at);
		t->write_failed = n < 0 && errno != EINTR;
		at += n > 0 ? (size_t)n : 0;
	}
	t->written += t->answer.size;
	buf_clear(&t->answer);
}

static void write_last(void *context)
{
	write_answer(context);
}

static void written(void *context)
{
	struct stream *t = context;
	t->busy = false;
	if (!t->request) {
		stream_free(t);
	} else if (t->write_failed) {
		api_fail(
			t->request, E_IO, "%" PRIu64 " jobs were submitted, but the answer could not be written", t->submitted);
	} else {
		int fd = t->fd;
		t->fd = -1;
		http_reply_fd(t->request, 200, "application/x-ndjson", fd, t->written);
	}
}

static void finish(struct stream *t)
{
	buf_format(&t->answer,
		"{\"lines\":%" PRIu64 ",\"submitted\":%" PRIu64 ",\"existing\":%" PRIu64 ",\"refused\":%" PRIu64 "}\n",
		t->submitted + t->existing + t->refused, t->submitted, t->existing, t->refused);
	if (t->fd < 0) {
		http_reply_buf(t->request, 200, "application/x-ndjson", &t->answer);
		return;
	}
	t->busy = true;
	loop_work(t->api->loop, write_last, written, t);
}

/* ── submit ── */

struct part { /* of the lines of a chunk, in one submit */
	struct stream *stream;
	size_t n;
	size_t lines[];
};

static void chunk_done(struct stream *t)
{
	t->busy = false;
	if (!t->request) {
		stream_free(t);
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		tell_line(t, &t->lines[i]);
	drop_chunk(t);
	next_chunk(t);
}

static void part_over(struct part *p)
{
	struct stream *t = p->stream;
	free(p);
	if (--t->parts == 0)
		chunk_done(t);
}

static void submitted(void *context, const struct submit_reply *reply)
{
	struct part *p = context;
	struct err e;
	for (size_t i = 0; i < p->n; i++) {
		struct line *l = &p->stream->lines[p->lines[i]];
		if (reply->code) {
			err_set(&e, reply->code,
				reply->code == E_NO_SPACE ? "the disk is full: it was not kept" : "it could not be written to disk");
			refuse(p->stream, l, &e, NULL);
			continue;
		}
		l->job_id = reply->ids[i];
		l->existing = reply->existing && reply->existing[i];
	}
	part_over(p);
}

static struct part *part_new(struct stream *t, const size_t *lines, size_t n)
{
	struct part *p = mem_new(sizeof *p + n * sizeof *lines);
	p->stream = t;
	p->n = n;
	memcpy(p->lines, lines, n * sizeof *lines);
	t->parts++;
	return p;
}

/* All of them in one commit; where one of them cannot be, in halves, until it stands alone. */
static void submit(struct stream *t, const size_t *lines, size_t n)
{
	struct err e;
	struct part *p = part_new(t, lines, n);
	scoped(mem_free_at) struct job_spec *specs = mem_new(n * sizeof *specs);
	for (size_t i = 0; i < n; i++)
		specs[i] = t->s.specs[t->lines[lines[i]].spec];
	enum errcode code = queues_submit(t->api->queues, specs, n, loop_now_ms(t->api->loop), submitted, p, &e);
	if (!code)
		return;
	if (n == 1 || code == E_NO_SPACE) {
		for (size_t i = 0; i < n; i++)
			refuse(t, &t->lines[lines[i]], &e, NULL);
	} else {
		submit(t, lines, n / 2);
		submit(t, lines + n / 2, n - n / 2);
	}
	part_over(p);
}

static void submit_chunk(struct stream *t)
{
	size_t n = 0;
	scoped(mem_free_at) size_t *lines = mem_new((t->n + 1) * sizeof *lines);
	for (size_t i = 0; i < t->n; i++) {
		if (!t->lines[i].refused)
			lines[n++] = i;
	}
	t->parts = 1; /* until all are on their way: some are refused at once */
	if (n)
		submit(t, lines, n);
	if (--t->parts == 0)
		chunk_done(t);
}

/* ── a chunk ── */

/* Pool: against the schemas while the inputs are as they came; then blobs are made of large ones. */
static void check(void *context)
{
	struct stream *t = context;
	for (size_t i = 0; i < t->n; i++) {
		struct line *l = &t->lines[i];
		char pointer[300];
		if (l->refused)
			continue;
		struct job_spec *spec = &t->s.specs[l->spec];
		if (api_check_input(t->schemas[l->spec], spec, &t->s.status, pointer, &t->s.error))
			refuse(t, l, &t->s.error, pointer);
		else if (api_use_blob(t->api->blobs, &t->s, spec))
			refuse(t, l, &t->s.error, "/input/blob");
	}
}

/* What was read is submitted also when its client has gone, but not by a daemon that ends: the queues may have gone, too. */
static bool is_left_alone(const struct stream *t)
{
	return !t->request && *t->api->stopping;
}

static void checked(void *context)
{
	struct stream *t = context;
	if (is_left_alone(t))
		chunk_done(t);
	else
		submit_chunk(t);
}

static void parsed(void *context)
{
	struct stream *t = context;
	bool any = api_has_blobs(&t->s);
	if (is_left_alone(t)) {
		chunk_done(t);
		return;
	}
	t->schemas = mem_new((t->s.n + 1) * sizeof *t->schemas);
	for (size_t i = 0; i < t->s.n; i++) {
		t->schemas[i] = api_input_schema(t->api, t->s.specs[i].namespace, t->s.specs[i].capability);
		any |= t->schemas[i] != NULL;
	}
	if (any)
		loop_work(t->api->loop, check, checked, t);
	else
		submit_chunk(t);
}

/* Pool. */
static void parse(void *context)
{
	struct stream *t = context;
	if (t->answer.size > ANSWER_INLINE)
		write_answer(t);
	for (size_t i = 0; i < t->n; i++) {
		struct line *l = &t->lines[i];
		if (l->refused)
			continue;
		l->spec = t->s.n;
		if (submission_parse_line(&t->s, (struct bytes){t->chunk.data + l->at, l->size}))
			refuse(t, l, &t->s.error, t->s.pointer);
	}
}

static struct line *add_line(struct stream *t)
{
	if (t->n % 64 == 0)
		t->lines = mem_resize(t->lines, (t->n + 64) * sizeof *t->lines);
	struct line *l = &t->lines[t->n++];
	*l = (struct line){.number = t->line_n};
	return l;
}

static void too_long(struct stream *t)
{
	struct err e;
	err_set(&e, E_TOO_LARGE, "the line is longer than %d bytes; larger inputs go into a blob", LINE_MAX_BYTES);
	refuse(t, add_line(t), &e, NULL);
}

/* From `at` on of what was gathered, without its line break. */
static void take_line(struct stream *t, const char *text, size_t size)
{
	if (t->skipping) {
		t->skipping = false;
		return;
	}
	t->line_n++;
	size_t blank = 0;
	while (blank < size && strchr(" \t\r", text[blank]))
		blank++;
	if (blank == size)
		return;
	if (size > LINE_MAX_BYTES) {
		too_long(t);
		return;
	}
	struct line *l = add_line(t);
	l->at = t->chunk.size;
	l->size = size;
	buf_add(&t->chunk, text, size);
}

/* A line that goes on for too long is refused before its end is here. */
static void skip_line(struct stream *t)
{
	if (!t->skipping) {
		t->line_n++;
		too_long(t);
	}
	t->skipping = true;
}

static void drop_taken(struct stream *t)
{
	size_t left = t->gathering.size - t->taken;
	if (t->taken < left) /* a copy is worth it once it is shorter than what it makes room for */
		return;
	if (left)
		memmove(t->gathering.data, t->gathering.data + t->taken, left);
	t->gathering.size = left;
	t->taken = 0;
}

static size_t waiting(const struct stream *t)
{
	return t->gathering.size - t->taken;
}

/* Whole lines go into the chunk; the rest waits for more. */
static void take_lines(struct stream *t)
{
	bool full = false;
	while (waiting(t) && !(full = t->n == CHUNK_LINES || t->chunk.size >= CHUNK_BYTES)) {
		const char *at = t->gathering.data + t->taken, *stop = memchr(at, '\n', waiting(t));
		if (!stop && !t->ended)
			break;
		size_t size = stop ? (size_t)(stop - at) : waiting(t);
		take_line(t, at, size);
		t->taken += size + (stop != NULL);
	}
	if (!full && (t->skipping || waiting(t) > LINE_MAX_BYTES)) {
		skip_line(t);
		t->taken = t->gathering.size;
	}
	drop_taken(t);
}

static bool must_wait(const struct stream *t)
{
	return t->busy && waiting(t) >= GATHER_MAX;
}

static void next_chunk(struct stream *t)
{
	if (t->busy)
		return;
	if (waiting(t))
		take_lines(t);
	t->busy = t->n > 0;
	if (!t->ended && !must_wait(t))
		http_resume_body(t->request);
	if (!t->n) {
		if (t->ended && !waiting(t))
			finish(t);
		return;
	}
	t->s.now_ms = loop_now_ms(t->api->loop);
	t->s.allow = t->api->allow;
	t->s.namespace = bytes_of(t->namespace);
	t->s.traceparent = bytes_of(t->trace);
	loop_work(t->api->loop, parse, parsed, t);
}

/* ── the request ── */

static char *keep(struct bytes text)
{
	return text.size ? mem_copy(text.data, text.size) : NULL;
}

static struct stream *stream_of(struct api *a, struct http_request *r)
{
	struct stream *t = http_data(r);
	if (t)
		return t;
	t = NEW(struct stream);
	t->api = a;
	t->request = r;
	t->fd = -1;
	t->namespace = keep(http_query(r, "namespace"));
	t->trace = keep(api_traceparent(r));
	http_set_data(r, t, client_gone);
	return t;
}

bool api_submit_piece(void *context, struct http_request *r, struct bytes piece)
{
	if (!http_data(r) && http_header(r, "Idempotency-Key").size) {
		api_fail(
			r, E_INVALID, "the header Idempotency-Key is for one job; of many each has its own member idempotency_key");
		return true;
	}
	struct stream *t = stream_of(context, r);
	buf_add(&t->gathering, piece.data, piece.size);
	next_chunk(t);
	return !must_wait(t);
}

void api_submit_lines(void *context, struct http_request *r)
{
	struct stream *t = stream_of(context, r);
	t->ended = true;
	next_chunk(t);
}
