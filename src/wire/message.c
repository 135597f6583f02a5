#include "wire/message.h"

#include <string.h>

/* ── writing: numbers go to the head, spans become parts ── */

struct writer {
	struct message_out *out;
	char *at;
};

static struct writer begin(struct message_out *out)
{
	out->n = 1;
	return (struct writer){out, out->head};
}

static void number(struct writer *w, uint64_t value, int bytes)
{
	w->at = frame_put_number(w->at, value, bytes);
}

static void body(struct writer *w, struct span s)
{
	if (s.size)
		w->out->parts[w->out->n++] = (struct stream_part){s.data, s.size};
}

static void finish(struct writer *w)
{
	w->out->parts[0] = (struct stream_part){w->out->head, (size_t)(w->at - w->out->head)};
}

/* ── reading: `good` falls when the message is too short and stays down ── */

struct reader {
	const char *at, *end;
	bool good;
};

static struct reader open(const struct wire_message *m)
{
	return (struct reader){m->data, m->data + m->size, true};
}

static uint64_t take(struct reader *r, int bytes)
{
	uint64_t value;
	if (r->end - r->at < bytes) {
		r->good = false;
		r->at = r->end;
		return 0;
	}
	value = frame_number(r->at, bytes);
	r->at += bytes;
	return value;
}

static struct span take_span(struct reader *r, size_t size)
{
	struct span s = {r->at, size};
	if ((size_t)(r->end - r->at) < size) {
		r->good = false;
		return (struct span){0};
	}
	r->at += size;
	return s;
}

static bool ended(const struct reader *r) /* all was there, and nothing more */
{
	return r->good && r->at == r->end;
}

/* ── the types ── */

void message_put_job(struct message_out *out, const struct message_job *job)
{
	struct writer w = begin(out);
	number(&w, job->fence, 8);
	number(&w, (uint64_t)job->deadline_ms, 8);
	number(&w, job->attempt, 4);
	number(&w, job->capability, 2);
	number(&w, job->window, 2);
	number(&w, job->input_size, 4);
	number(&w, job->checkpoint.size, 4);
	number(&w, job->traceparent.size, 2);
	number(&w, job->blob.size, 1);
	number(&w, job->form, 1);
	if (job->form == MESSAGE_INLINE)
		body(&w, job->input);
	body(&w, job->checkpoint);
	body(&w, job->traceparent);
	body(&w, job->blob);
	finish(&w);
}

bool message_get_job(const struct wire_message *m, struct message_job *job)
{
	struct reader r = open(m);
	size_t checkpoint, traceparent, blob;
	int files;

	job->fence = take(&r, 8);
	job->deadline_ms = (int64_t)take(&r, 8);
	job->attempt = (uint32_t)take(&r, 4);
	job->capability = (uint16_t)take(&r, 2);
	job->window = (uint16_t)take(&r, 2);
	job->input_size = (uint32_t)take(&r, 4);
	checkpoint = take(&r, 4);
	traceparent = take(&r, 2);
	blob = take(&r, 1);
	job->form = (uint8_t)take(&r, 1);
	job->input = job->form == MESSAGE_INLINE ? take_span(&r, job->input_size) : (struct span){0};
	job->checkpoint = take_span(&r, checkpoint);
	job->traceparent = take_span(&r, traceparent);
	job->blob = take_span(&r, blob);
	files = (job->form == MESSAGE_BODY_FILE) + (blob > 0);
	return ended(&r) && job->form <= MESSAGE_BODY_FILE && m->file_n == files;
}

void message_put_result(struct message_out *out, const struct message_result *r)
{
	struct writer w = begin(out);
	number(&w, r->fence, 8);
	number(&w, (uint32_t)r->outcome, 4);
	number(&w, r->retryable, 1);
	number(&w, r->form, 1);
	number(&w, r->code.size, 2);
	number(&w, r->text.size, 2);
	number(&w, 0, 2);
	number(&w, r->result_size, 4);
	body(&w, r->code);
	body(&w, r->text);
	if (r->form == MESSAGE_INLINE)
		body(&w, r->result);
	finish(&w);
}

bool message_get_result(const struct wire_message *m, struct message_result *r)
{
	struct reader in = open(m);
	size_t code, text;

	r->fence = take(&in, 8);
	r->outcome = (int32_t)(uint32_t)take(&in, 4);
	r->retryable = (uint8_t)take(&in, 1);
	r->form = (uint8_t)take(&in, 1);
	code = take(&in, 2);
	text = take(&in, 2);
	take(&in, 2);
	r->result_size = (uint32_t)take(&in, 4);
	r->code = take_span(&in, code);
	r->text = take_span(&in, text);
	r->result = r->form == MESSAGE_INLINE ? take_span(&in, r->result_size) : (struct span){0};
	return ended(&in) && r->form <= MESSAGE_RESULT_FILE && m->file_n == (r->form >= MESSAGE_BODY_FILE) &&
		   r->outcome <= 0;
}

void message_put_simple(struct message_out *out, const struct message_simple *s)
{
	struct writer w = begin(out);
	number(&w, s->fence, 8);
	number(&w, (uint64_t)s->number, 8);
	body(&w, s->data);
	finish(&w);
}

bool message_get_simple(const struct wire_message *m, struct message_simple *s)
{
	struct reader r = open(m);
	s->fence = take(&r, 8);
	s->number = (int64_t)take(&r, 8);
	s->data = take_span(&r, (size_t)(r.end - r.at));
	return ended(&r) && m->file_n == (m->type == FRAME_BLOB_PUT);
}

void message_put_log(struct message_out *out, const struct message_log *l)
{
	struct writer w = begin(out);
	number(&w, l->fence, 8);
	number(&w, l->severity, 4);
	number(&w, l->event.size, 2);
	number(&w, l->fields.size, 2);
	body(&w, l->event);
	body(&w, l->fields);
	finish(&w);
}

bool message_get_log(const struct wire_message *m, struct message_log *l)
{
	struct reader r = open(m);
	size_t event, fields;

	l->fence = take(&r, 8);
	l->severity = (uint32_t)take(&r, 4);
	event = take(&r, 2);
	fields = take(&r, 2);
	l->event = take_span(&r, event);
	l->fields = take_span(&r, fields);
	return ended(&r) && m->file_n == 0;
}

void message_put_call(struct message_out *out, const struct message_call *c)
{
	struct writer w = begin(out);
	number(&w, c->fence, 8);
	number(&w, c->call, 8);
	number(&w, (uint64_t)c->timeout_ms, 8);
	number(&w, c->capability.size, 2);
	number(&w, c->namespace.size, 2);
	number(&w, c->input.size, 4);
	body(&w, c->capability);
	body(&w, c->namespace);
	body(&w, c->input);
	finish(&w);
}

bool message_get_call(const struct wire_message *m, struct message_call *c)
{
	struct reader r = open(m);
	size_t capability, namespace, input;

	c->fence = take(&r, 8);
	c->call = take(&r, 8);
	c->timeout_ms = (int64_t)take(&r, 8);
	capability = take(&r, 2);
	namespace = take(&r, 2);
	input = take(&r, 4);
	c->capability = take_span(&r, capability);
	c->namespace = take_span(&r, namespace);
	c->input = take_span(&r, input);
	return ended(&r) && m->file_n == 0 && capability > 0;
}

void message_put_answer(struct message_out *out, const struct message_answer *a)
{
	struct writer w = begin(out);
	number(&w, a->subject, 8);
	number(&w, a->state, 1);
	number(&w, a->retryable, 1);
	number(&w, a->code.size, 2);
	number(&w, a->text.size, 2);
	number(&w, 0, 2);
	number(&w, a->result.size, 4);
	body(&w, a->code);
	body(&w, a->text);
	body(&w, a->result);
	finish(&w);
}

bool message_get_answer(const struct wire_message *m, struct message_answer *a)
{
	struct reader r = open(m);
	size_t code, text, result;

	a->subject = take(&r, 8);
	a->state = (uint8_t)take(&r, 1);
	a->retryable = (uint8_t)take(&r, 1);
	code = take(&r, 2);
	text = take(&r, 2);
	take(&r, 2);
	result = take(&r, 4);
	a->code = take_span(&r, code);
	a->text = take_span(&r, text);
	a->result = take_span(&r, result);
	return ended(&r) && m->file_n == 0;
}

void message_put_control(struct message_out *out, const struct message_control *c)
{
	struct writer w = begin(out);
	number(&w, c->job, 8);
	number(&w, c->operation, 1);
	number(&w, (uint8_t)c->priority, 1);
	number(&w, c->namespace.size, 2);
	number(&w, c->capability.size, 2);
	number(&w, 0, 2);
	body(&w, c->namespace);
	body(&w, c->capability);
	finish(&w);
}

bool message_get_control(const struct wire_message *m, struct message_control *c)
{
	struct reader r = open(m);
	size_t namespace, capability;

	c->job = take(&r, 8);
	c->operation = (uint8_t)take(&r, 1);
	c->priority = (int8_t)take(&r, 1);
	namespace = take(&r, 2);
	capability = take(&r, 2);
	take(&r, 2);
	c->namespace = take_span(&r, namespace);
	c->capability = take_span(&r, capability);
	return ended(&r) && m->file_n == 0;
}

static size_t rare_size(const struct message_spec *s)
{
	bool any =
		s->deadline_ms || s->retry_delay_ms || s->retry_cap_ms || s->unique_states || s->callback.size || s->batch;
	return any ? MESSAGE_SPEC_RARE + s->unique_key.size + MESSAGE_SPEC_RARE_2 + s->callback.size : 0;
}

size_t message_spec_size(const struct message_spec *s)
{
	return MESSAGE_SPEC_HEAD + s->capability.size + s->namespace.size + s->input.size + s->key.size + s->tags.size +
		   s->traceparent.size + s->fair_key.size + rare_size(s);
}

static char *put_span(char *out, struct span s)
{
	if (s.size)
		memcpy(out, s.data, s.size);
	return out + s.size;
}

static char *put_rare(char *out, const struct message_spec *s)
{
	out = frame_put_number(out, (uint64_t)s->deadline_ms, 8);
	out = frame_put_number(out, (uint64_t)s->retry_delay_ms, 8);
	out = frame_put_number(out, (uint64_t)s->retry_cap_ms, 8);
	out = frame_put_number(out, (uint64_t)s->unique_period_ms, 8);
	out = frame_put_number(out, s->unique_states, 2);
	out = frame_put_number(out, s->unique_key.size, 2);
	out = put_span(out, s->unique_key);
	out = frame_put_number(out, s->batch, 8);
	out = frame_put_number(out, s->callback.size, 2);
	return put_span(out, s->callback);
}

char *message_put_spec(char *out, const struct message_spec *s)
{
	out = frame_put_number(out, s->input.size, 4);
	out = frame_put_number(out, s->capability.size, 2);
	out = frame_put_number(out, s->namespace.size, 2);
	out = frame_put_number(out, s->key.size, 2);
	out = frame_put_number(out, s->tags.size, 2);
	out = frame_put_number(out, s->traceparent.size, 2);
	out = frame_put_number(out, s->priority, 1);
	out = frame_put_number(out, 0, 1);
	out = frame_put_number(out, (uint64_t)s->due_at_ms, 8);
	out = frame_put_number(out, (uint64_t)s->expires_at_ms, 8);
	out = frame_put_number(out, (uint64_t)s->timeout_ms, 8);
	out = frame_put_number(out, s->max_attempts, 4);
	out = frame_put_number(out, s->fair_key.size, 2);
	out = frame_put_number(out, rare_size(s), 2);
	out = put_span(out, s->capability);
	out = put_span(out, s->namespace);
	out = put_span(out, s->input);
	out = put_span(out, s->key);
	out = put_span(out, s->tags);
	out = put_span(out, s->traceparent);
	out = put_span(out, s->fair_key);
	return rare_size(s) ? put_rare(out, s) : out;
}

/* `size` bytes; what a later version has put behind its own is not looked at. */
static void take_rare(struct reader *r, size_t size, struct message_spec *s)
{
	struct span all = take_span(r, size);
	struct reader rare = {all.data, all.data + all.size, r->good && size >= MESSAGE_SPEC_RARE};
	s->deadline_ms = (int64_t)take(&rare, 8);
	s->retry_delay_ms = (int64_t)take(&rare, 8);
	s->retry_cap_ms = (int64_t)take(&rare, 8);
	s->unique_period_ms = (int64_t)take(&rare, 8);
	s->unique_states = (uint16_t)take(&rare, 2);
	s->unique_key = take_span(&rare, take(&rare, 2));
	if (rare.good && rare.at < rare.end) { /* an earlier client says no more */
		s->batch = take(&rare, 8);
		s->callback = take_span(&rare, take(&rare, 2));
	}
	r->good = rare.good;
}

bool message_get_spec(const struct wire_message *m, size_t *at, struct message_spec *s)
{
	struct reader r = {m->data + *at, m->data + m->size, *at <= m->size};
	size_t input, sizes[5], fair_key, rare;

	*s = (struct message_spec){0};
	if (!r.good)
		return false;
	input = take(&r, 4);
	for (int i = 0; i < 5; i++)
		sizes[i] = take(&r, 2);
	s->priority = (uint8_t)take(&r, 1);
	take(&r, 1);
	s->due_at_ms = (int64_t)take(&r, 8);
	s->expires_at_ms = (int64_t)take(&r, 8);
	s->timeout_ms = (int64_t)take(&r, 8);
	s->max_attempts = (uint32_t)take(&r, 4);
	fair_key = take(&r, 2);
	rare = take(&r, 2);
	s->capability = take_span(&r, sizes[0]);
	s->namespace = take_span(&r, sizes[1]);
	s->input = take_span(&r, input);
	s->key = take_span(&r, sizes[2]);
	s->tags = take_span(&r, sizes[3]);
	s->traceparent = take_span(&r, sizes[4]);
	s->fair_key = take_span(&r, fair_key);
	if (rare)
		take_rare(&r, rare, s);
	*at = (size_t)(r.at - m->data);
	return r.good;
}
