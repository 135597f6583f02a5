#include "client.h"
#include "spec.h"
#include "text.h"
#include "wire/host.h"
#include "wire/id.h"
#include "wire/jsontext.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <reeve/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OUTSTANDING_MAX = 16384, FLUSH_BYTES = 128 << 10, WELCOME_MS = 10000 };

/* ── errors ── */

int client_refuse(struct reeve_client *c, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(c->error, sizeof c->error, format, args);
	va_end(args);
	return code;
}

static int hang_up(struct reeve_client *c, const char *why)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	io_forget(&c->in, &c->out);
	c->outstanding = 0;
	return client_refuse(c, REEVE_E_AGAIN, "%s", why);
}

int client_refuse_memory(struct reeve_client *c)
{
	return client_refuse(c, REEVE_E_NO_MEMORY, "no memory");
}

/* ── the connection ── */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The next message within the time. REEVE_PENDING: none came. */
static int next_message(struct reeve_client *c, int64_t timeout_ms, struct wire_message *m)
{
	int64_t until_ms = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;

	for (;;) {
		const char *why = "the daemon closed the connection";
		int got, wrote;
		if (c->fd < 0)
			return REEVE_E_AGAIN;
		got = stream_in_next(&c->in, m, &why);
		if (got < 0)
			return hang_up(c, why);
		if (got > 0)
			return REEVE_OK;
		wrote = io_write(c->fd, &c->out);
		/* To wait in the read itself saves a poll and a read in vain. */
		got = wrote < 0 ? -1 : io_read(c->fd, &c->in, wrote > 0 && timeout_ms < 0);
		if (got < 0)
			return hang_up(c, why);
		if (got == 0) {
			struct pollfd p = {c->fd, (short)(wrote ? POLLIN : POLLIN | POLLOUT), 0};
			int64_t left = timeout_ms < 0 ? -1 : until_ms - now_ms();
			if (timeout_ms >= 0 && left <= 0)
				return REEVE_PENDING;
			poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		}
	}
}

/* An ERROR frame, or one that cannot come. */
int client_take_other(struct reeve_client *c, const struct wire_message *m)
{
	struct jsontext object = {m->data, m->size}, v;
	char text[256] = "the daemon sent a frame that may not come here";

	if (m->type == FRAME_ERROR && jsontext_is_object(m->data, m->size) && jsontext_get(object, "message", &v))
		jsontext_string(v, text, sizeof text);
	return hang_up(c, text);
}

static int greet(struct reeve_client *c)
{
	struct text hello = {0};
	struct wire_message m;
	int rc;

	text_format(&hello, "{\"role\":\"client\",\"sdk\":\"libreeve %s\",\"pid\":%d}", reeve_version(), (int)getpid());
	rc = !hello.failed && stream_out_preface(&c->out, FRAME_FEATURE_DESCRIPTORS) &&
				 io_put_bytes(&c->out, FRAME_HELLO, 0, hello.data, hello.size)
			 ? REEVE_OK
			 : client_refuse_memory(c);
	text_fini(&hello);
	if (rc == REEVE_OK)
		rc = next_message(c, WELCOME_MS, &m);
	if (rc == REEVE_PENDING)
		return hang_up(c, "the daemon did not answer within 10 seconds");
	if (rc == REEVE_OK && m.type != FRAME_WELCOME)
		return client_take_other(c, &m);
	return rc;
}

REEVE_PUBLIC int reeve_client_open(const char *path, struct reeve_client **out)
{
	struct reeve_client *c = out ? calloc(1, sizeof *c) : NULL;
	const char *socket = getenv("REEVE_SOCKET");
	char full[256];

	if (!c) {
		if (out)
			*out = NULL;
		return out ? REEVE_E_NO_MEMORY : REEVE_E_INVALID;
	}
	*out = c;
	c->in.resize = c->out.resize = io_resize;
	if (!path)
		snprintf(full, sizeof full, "%s.link", socket && *socket ? socket : "/run/reeve/reeve.sock");
	c->fd = io_connect(path ? path : full);
	if (c->fd >= 0)
		fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) & ~O_NONBLOCK); /* whoever must not wait says so in the call */
	if (c->fd < 0)
		return client_refuse(c, REEVE_E_AGAIN, "no daemon at %s: %s", path ? path : full, strerror(errno));
	return greet(c);
}

REEVE_PUBLIC void reeve_client_close(struct reeve_client *c)
{
	if (!c)
		return;
	hang_up(c, "");
	free(c->body);
	free(c);
}

REEVE_PUBLIC const char *reeve_client_error(const struct reeve_client *c)
{
	return c ? c->error : "";
}

/* ── submitting ── */

static bool body_room(struct reeve_client *c, size_t size)
{
	char *grown = size > c->body_room ? realloc(c->body, size) : c->body;
	if (!grown)
		return false;
	c->body = grown;
	c->body_room = size > c->body_room ? size : c->body_room;
	return true;
}

static int put_submit(
	struct reeve_client *c, const struct reeve_job_spec *specs, size_t n, uint32_t flags, uint64_t ticket)
{
	size_t size = MESSAGE_SUBMIT_HEAD;
	char *at;
	int rc;

	for (size_t i = 0; i < n; i++) {
		struct message_spec s;
		rc = spec_read(&specs[i], &s, c->error, sizeof c->error);
		if (rc != REEVE_OK)
			return rc;
		size += message_spec_size(&s);
		if (size > FRAME_MESSAGE_MAX)
			return client_refuse(c, REEVE_E_TOO_LARGE, "one submit may have 4 MiB in all; submit fewer jobs at once");
	}
	if (!body_room(c, size))
		return client_refuse_memory(c);
	at = frame_put_number(frame_put_number(c->body, n, 4), flags, 4);
	for (size_t i = 0; i < n; i++) {
		struct message_spec s;
		spec_read(&specs[i], &s, c->error, sizeof c->error);
		at = message_put_spec(at, &s);
	}
	return io_put_bytes(&c->out, FRAME_SUBMIT, ticket, c->body, size) ? REEVE_OK : client_refuse_memory(c);
}

/* ── answers ── */

static int take_refused(struct reeve_client *c, const struct wire_message *m)
{
	struct message_simple s;

	if (!message_get_simple(m, &s) || s.number >= 0)
		return client_take_other(c, m);
	return client_refuse(c, (int)s.number, "%.*s", (int)(s.data.size < 500 ? s.data.size : 500), s.data.data);
}

/* SUBMITTED is u32 n, u32 0, n ids, n bytes "it was there before". */
static bool get_ids(struct reeve_client *c, const struct wire_message *m, size_t n, char (*ids)[REEVE_ID_SIZE])
{
	if (m->size != 8 + n * 9 || frame_number(m->data, 4) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		id_format(frame_number(m->data + 8 + 8 * i, 8), ids[i]);
	memset(c->existing, 0, n / 8 + 1);
	for (size_t i = 0; i < n; i++)
		c->existing[i / 8] |= (unsigned char)((m->data[8 + 8 * n + i] & 1) << i % 8);
	return true;
}

REEVE_PUBLIC int reeve_client_existing(const struct reeve_client *c, size_t i)
{
	return c && i < CLIENT_SUBMIT_MAX ? c->existing[i / 8] >> i % 8 & 1 : 0;
}

static const char *const states[] = {
	"scheduled", "pending", "processing", "processing", "completed", "failed", "cancelled"};

/* A copy with a NUL behind it, as reeve_bytes promise; in c->body, whose room was made. */
static struct reeve_bytes keep(char **at, struct span s)
{
	struct reeve_bytes kept = {*at, s.size};
	if (s.size)
		memcpy(*at, s.data, s.size);
	(*at)[s.size] = 0;
	*at += s.size + 1;
	return kept;
}

int client_keep_json(struct reeve_client *c, const struct wire_message *m, struct reeve_bytes *json)
{
	char *at;

	if (!body_room(c, m->size + 1))
		return client_refuse_memory(c);
	at = c->body;
	*json = keep(&at, (struct span){m->data, m->size});
	return REEVE_OK;
}

static bool get_outcome(struct reeve_client *c, const struct wire_message *m, struct reeve_outcome *o)
{
	struct message_answer a;

	if (!message_get_answer(m, &a) || !body_room(c, a.result.size + a.code.size + a.text.size + 3))
		return false;
	memset(o, 0, sizeof *o);
	o->size = sizeof *o;
	id_format(a.subject, o->id);
	if (m->type == FRAME_OUTCOME)
		snprintf(
			o->state, sizeof o->state, "%s", a.state < sizeof states / sizeof *states ? states[a.state] : "unknown");
	else
		snprintf(o->state, sizeof o->state, "%s", a.state ? "failed" : "completed");
	char *at = c->body;
	o->result = keep(&at, a.result);
	o->code = keep(&at, a.code);
	o->message = keep(&at, a.text);
	o->retryable = a.retryable;
	return true;
}

/* As much of it as the caller's struct has room for. */
static int give(struct reeve_client *c, const struct wire_message *m, struct reeve_outcome *out)
{
	struct reeve_outcome o;
	uint32_t size = out->size;

	if (!get_outcome(c, m, &o))
		return client_take_other(c, m);
	memcpy(out, &o, size < sizeof o ? size : sizeof o);
	out->size = size;
	return REEVE_OK;
}

/* The answer to one blocking request. Those to tickets must not be lost, so none may be outstanding. */
int client_ask(struct reeve_client *c, uint64_t ticket, int64_t timeout_ms, struct wire_message *m)
{
	for (;;) {
		int rc = next_message(c, timeout_ms, m);
		if (rc == REEVE_PENDING)
			return hang_up(c, "the daemon did not answer in time");
		if (rc != REEVE_OK)
			return rc;
		if (m->type == FRAME_ERROR)
			return client_take_other(c, m);
		if (m->id == ticket)
			return m->type == FRAME_REFUSED ? take_refused(c, m) : REEVE_OK;
	}
}

int client_begin(struct reeve_client *c)
{
	if (!c)
		return REEVE_E_INVALID;
	if (c->fd < 0)
		return REEVE_E_AGAIN;
	if (c->outstanding)
		return client_refuse(
			c, REEVE_E_STATE, "%u answers are outstanding: take them by reeve_client_next first", c->outstanding);
	c->error[0] = 0;
	return REEVE_OK;
}

REEVE_PUBLIC int reeve_client_submit(
	struct reeve_client *c, const struct reeve_job_spec *specs, size_t n, char (*ids)[REEVE_ID_SIZE])
{
	struct wire_message m;
	int rc = client_begin(c);

	if (rc != REEVE_OK)
		return rc;
	if (!specs || !ids || n < 1 || n > CLIENT_SUBMIT_MAX)
		return client_refuse(c, REEVE_E_INVALID, "submit takes 1 to %d jobs, not %zu", CLIENT_SUBMIT_MAX, n);
	rc = put_submit(c, specs, n, 0, c->tickets += 2);
	if (rc == REEVE_OK)
		rc = client_ask(c, c->tickets, -1, &m);
	if (rc == REEVE_OK && (m.type != FRAME_SUBMITTED || !get_ids(c, &m, n, ids)))
		rc = client_take_other(c, &m);
	return rc;
}

int client_job_id(struct reeve_client *c, const char *id, uint64_t *job)
{
	if (!id || id_parse(id, strlen(id), job) < 0)
		return client_refuse(
			c, REEVE_E_INVALID, "\"%.40s\" is no job's id: those have 13 letters and digits", id ? id : "");
	return REEVE_OK;
}

static int put_question(struct reeve_client *c, uint8_t type, const char *id, int64_t number)
{
	uint64_t job;
	int rc = client_job_id(c, id, &job);

	if (rc != REEVE_OK)
		return rc;
	return io_put_simple(&c->out, type, c->tickets += 2, job, number, (struct span){0}) ? REEVE_OK
																						: client_refuse_memory(c);
}

REEVE_PUBLIC int reeve_client_wait(
	struct reeve_client *c, const char *id, int64_t timeout_ms, struct reeve_outcome *outcome)
{
	struct wire_message m;
	int rc = client_begin(c);

	if (rc == REEVE_OK && (!outcome || outcome->size < offsetof(struct reeve_outcome, result)))
		rc = client_refuse(c, REEVE_E_INVALID, "the outcome has no size: set .size = sizeof(struct reeve_outcome)");
	if (rc == REEVE_OK)
		rc = put_question(c, FRAME_WAIT, id, timeout_ms);
	if (rc == REEVE_OK)
		rc = client_ask(c, c->tickets, -1, &m);
	if (rc == REEVE_OK)
		rc = m.type == FRAME_OUTCOME ? give(c, &m, outcome) : client_take_other(c, &m);
	return rc;
}

REEVE_PUBLIC int reeve_client_show(struct reeve_client *c, const char *id, struct reeve_bytes *json)
{
	struct wire_message m;
	int rc = client_begin(c);

	if (rc == REEVE_OK)
		rc = put_question(c, FRAME_SHOW, id, 0);
	if (rc == REEVE_OK)
		rc = client_ask(c, c->tickets, -1, &m);
	if (rc == REEVE_OK && m.type != FRAME_SHOWN)
		rc = client_take_other(c, &m);
	return rc == REEVE_OK ? client_keep_json(c, &m, json) : rc;
}

REEVE_PUBLIC int reeve_client_invoke(struct reeve_client *c, const char *capability, const char *namespace_,
	const void *input, size_t size, int64_t timeout_ms, struct reeve_outcome *outcome)
{
	struct message_call call = {
		.timeout_ms = timeout_ms, .capability = span_of(capability), .namespace = span_of(namespace_)};
	struct message_out out;
	struct wire_message m;
	int rc = client_begin(c);

	if (rc != REEVE_OK)
		return rc;
	if (!outcome || outcome->size < offsetof(struct reeve_outcome, result))
		return client_refuse(c, REEVE_E_INVALID, "the outcome has no size: set .size = sizeof(struct reeve_outcome)");
	if (!capability || call.capability.size > 128 || call.namespace.size > 128 || (!input && size) ||
		size > HOST_INPUT_MAX)
		return client_refuse(c, REEVE_E_INVALID, "a call needs a capability, and at most 1 MiB of input");
	call.input = (struct span){input, size};
	message_put_call(&out, &call);
	rc = io_put(&c->out, FRAME_CALL, c->tickets += 2, &out, NULL, 0) ? client_ask(c, c->tickets, -1, &m)
																	 : client_refuse_memory(c);
	if (rc == REEVE_OK)
		rc = m.type == FRAME_CALL_RESULT ? give(c, &m, outcome) : client_take_other(c, &m);
	return rc == REEVE_OK && outcome->state[0] == 'f' ? REEVE_E_REMOTE : rc;
}

/* ── many at once ── */

REEVE_PUBLIC int reeve_client_send(
	struct reeve_client *c, const struct reeve_job_spec *spec, int flags, uint64_t *ticket)
{
	uint32_t wire_flags = flags & REEVE_SEND_WAIT ? MESSAGE_SUBMIT_WAIT : 0;
	int rc;

	if (!c || !ticket)
		return REEVE_E_INVALID;
	if (c->fd < 0)
		return REEVE_E_AGAIN;
	if (c->outstanding + 2 > OUTSTANDING_MAX)
		return client_refuse(
			c, REEVE_E_STATE, "%d answers are outstanding: take some by reeve_client_next", OUTSTANDING_MAX);
	rc = put_submit(c, spec, 1, wire_flags, c->tickets + 2 + wire_flags);
	if (rc != REEVE_OK)
		return rc;
	c->tickets += 2;
	*ticket = c->tickets + wire_flags;
	c->outstanding += wire_flags ? 2 : 1;
	return stream_out_size(&c->out) > FLUSH_BYTES ? reeve_client_flush(c) : REEVE_OK;
}

REEVE_PUBLIC int reeve_client_flush(struct reeve_client *c)
{
	if (!c)
		return REEVE_E_INVALID;
	if (c->fd < 0)
		return REEVE_E_AGAIN;
	return io_write(c->fd, &c->out) < 0 ? hang_up(c, "the daemon closed the connection") : REEVE_OK;
}

REEVE_PUBLIC int reeve_client_next(struct reeve_client *c, int64_t timeout_ms, struct reeve_answer *answer)
{
	struct reeve_answer a = {0};
	struct wire_message m;
	int rc;

	if (!c || !answer || answer->size < offsetof(struct reeve_answer, outcome))
		return REEVE_E_INVALID;
	if (!c->outstanding && c->fd >= 0)
		return client_refuse(c, REEVE_E_STATE, "no answer is outstanding");
	rc = next_message(c, timeout_ms, &m);
	if (rc != REEVE_OK)
		return rc;
	a.ticket = m.id;
	if (m.type == FRAME_SUBMITTED && get_ids(c, &m, 1, &a.outcome.id)) {
		c->outstanding--;
	} else if (m.type == FRAME_OUTCOME && get_outcome(c, &m, &a.outcome)) {
		a.over = 1;
		c->outstanding--;
	} else if (m.type == FRAME_REFUSED) {
		a.code = take_refused(c, &m);
		a.over = 1;
		c->outstanding -= m.id & 1 ? 2 : 1; /* with REEVE_SEND_WAIT two answers were to come */
	} else {
		return client_take_other(c, &m);
	}
	a.size = answer->size;
	memcpy(answer, &a, a.size < sizeof a ? a.size : sizeof a);
	return REEVE_OK;
}
