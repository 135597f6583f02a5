#include "queue/state.h"

#include <stdlib.h>

static void fill_more(const struct job_more *m, struct job_record *r)
{
	r->parent_id = m->parent_id;
	r->item_key = m->item_key;
	r->fence_floor = m->fence_floor;
	r->expires_at_ms = m->expires_at_ms;
	r->deadline_ms = m->deadline_ms;
	r->retry_delay_ms = (uint64_t)m->retry_delay_ms;
	r->retry_cap_ms = (uint64_t)m->retry_cap_ms;
	r->unique_states = m->unique_states;
	if (m->unique_states)
		r->unique_name = (struct bytes){(const char *)m->unique_name, sizeof m->unique_name};
	r->streams = m->streams;
	r->retryable = m->retryable;
	r->batch_id = m->group ? m->group->id : 0;
	if (m->text) {
		r->tags = (struct bytes){m->text, m->tags_size};
		r->traceparent = (struct bytes){m->text + m->tags_size, m->trace_size};
		r->callback = (struct bytes){m->text + m->tags_size + m->trace_size, m->callback_size};
	}
	if (m->error) {
		r->error_code = (struct bytes){m->error, m->code_size};
		r->error_message = (struct bytes){m->error + m->code_size, m->message_size};
	}
}

void head_fill(const struct job *j, struct job_record *r)
{
	*r = (struct job_record){.submitted_at_ms = j->submitted_at_ms,
		.due_at_ms = j->due_at_ms == j->submitted_at_ms ? 0 : j->due_at_ms,
		.run_id = j->run_id,
		.step = j->step,
		.timeout_ms = j->timeout_ms,
		.max_attempts = j->max_attempts,
		.attempts = j->attempts,
		.crashes = j->crashes,
		.priority = j->priority,
		.capability = j->queue->info.capability};
	if (!bytes_equal(j->queue->info.namespace, bytes_of("default")))
		r->namespace = j->queue->info.namespace;
	r->key = tenant_key(j);
	if (j->more)
		fill_more(j->more, r);
}

void head_put(struct store_batch *b, const struct job *j, struct bytes input, bool with_body)
{
	struct job_record r;
	scoped(buf_fini) struct buf head = {0};
	head_fill(j, &r);
	if (j->state == JOB_PROCESSING && j->lease->started_at_ms) /* only attempts that failed are written */
		r.attempts--;
	buf_reserve(&head, 500);
	job_record_encode(&r, &head);
	if (with_body)
		store_batch_put(b, STORE_JOB, (struct store_key){.id = j->id}, buf_bytes(&head), input);
	else
		store_batch_put_head(b, STORE_JOB, (struct store_key){.id = j->id}, buf_bytes(&head));
}

static void apply_more(struct job *j, const struct job_record *r)
{
	struct job_more *m = queues_more(j);
	m->parent_id = r->parent_id;
	m->item_key = r->item_key;
	m->fence_floor = r->fence_floor;
	m->expires_at_ms = r->expires_at_ms;
	m->deadline_ms = r->deadline_ms;
	m->retry_delay_ms = (int64_t)r->retry_delay_ms;
	m->retry_cap_ms = (int64_t)r->retry_cap_ms;
	if (r->unique_name.size == sizeof m->unique_name) {
		m->unique_states = (uint16_t)r->unique_states;
		memcpy(m->unique_name, r->unique_name.data, sizeof m->unique_name);
	}
	m->streams = r->streams;
	m->retryable = r->retryable;
	if (r->key.size)
		tenant_join(j, r->key);
	m->tags_size = (uint16_t)r->tags.size;
	m->trace_size = (uint16_t)r->traceparent.size;
	m->callback_size = (uint16_t)r->callback.size;
	group_join(j, r->batch_id);
	const struct bytes texts[] = {r->tags, r->traceparent, r->callback};
	size_t size = r->tags.size + r->traceparent.size + r->callback.size;
	char *at = m->text = size ? mem_resize(NULL, size) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].size)
			at = mempcpy(at, texts[i].data, texts[i].size);
	}
}

static void set_error(struct job *j, struct bytes code, struct bytes message)
{
	struct job_more *m = queues_more(j);
	free(m->error);
	m->error = mem_resize(NULL, code.size + message.size + 1);
	m->code_size = (uint16_t)code.size;
	m->message_size = (uint16_t)message.size;
	memcpy(m->error, code.data, code.size);
	memcpy(m->error + code.size, message.data, message.size);
}

void head_set_error(struct job *j, const struct job_error *error)
{
	set_error(j, bytes_of(error->code), bytes_of(error->message));
	j->more->retryable = error->retryable != 0;
}

static bool has_more(const struct job_record *r)
{
	return r->parent_id || r->fence_floor || r->expires_at_ms || r->deadline_ms || r->retry_delay_ms ||
		   r->retry_cap_ms || r->unique_states || r->streams || r->tags.size || r->traceparent.size ||
		   r->error_code.size || r->callback.size || r->batch_id || r->key.size;
}

void head_apply(struct job *j, const struct job_record *r)
{
	j->submitted_at_ms = r->submitted_at_ms;
	j->due_at_ms = r->due_at_ms ? r->due_at_ms : r->submitted_at_ms;
	j->run_id = r->run_id;
	j->step = (uint32_t)r->step;
	j->timeout_ms = (uint32_t)r->timeout_ms;
	j->max_attempts = (uint16_t)r->max_attempts;
	j->attempts = (uint16_t)r->attempts;
	j->crashes = (uint16_t)r->crashes;
	j->priority = (uint8_t)r->priority;
	if (has_more(r))
		apply_more(j, r);
	kin_join(j);
	if (r->error_code.size)
		set_error(j, r->error_code, r->error_message.size ? r->error_message : bytes_of(""));
}
