#include "job/job_record.h"

#include <stddef.h>

enum kind { NUMBER, FLAG, BYTES };

struct field { /* where field number i + 1 lives in the struct */
	uint16_t offset;
	uint8_t kind;
};

/* The order gives the numbers: append only. */
#define AT(type, member, kind)                                                                                         \
	{                                                                                                                  \
		offsetof(struct type, member), kind                                                                            \
	}
static const struct field job_fields[] = {
	AT(job_record, namespace, BYTES),
	AT(job_record, capability, BYTES),
	AT(job_record, tags, BYTES),
	AT(job_record, traceparent, BYTES),
	AT(job_record, submitted_at_ms, NUMBER),
	AT(job_record, due_at_ms, NUMBER),
	AT(job_record, expires_at_ms, NUMBER),
	AT(job_record, run_id, NUMBER),
	AT(job_record, parent_id, NUMBER),
	AT(job_record, item_key, NUMBER),
	AT(job_record, step, NUMBER),
	AT(job_record, timeout_ms, NUMBER),
	AT(job_record, max_attempts, NUMBER),
	AT(job_record, attempts, NUMBER),
	AT(job_record, crashes, NUMBER),
	AT(job_record, priority, NUMBER),
	AT(job_record, fence_floor, NUMBER),
	AT(job_record, streams, FLAG),
	AT(job_record, retryable, FLAG),
	AT(job_record, error_code, BYTES),
	AT(job_record, error_message, BYTES),
	AT(job_record, state, NUMBER),
	AT(job_record, started_at_ms, NUMBER),
	AT(job_record, finished_at_ms, NUMBER),
	AT(job_record, keep_until_ms, NUMBER),
	AT(job_record, callback, BYTES),
	AT(job_record, batch_id, NUMBER),
	AT(job_record, deadline_ms, NUMBER),
	AT(job_record, retry_delay_ms, NUMBER),
	AT(job_record, retry_cap_ms, NUMBER),
	AT(job_record, unique_name, BYTES),
	AT(job_record, unique_states, NUMBER),
	AT(job_record, key, BYTES),
};
static const struct field attempt_fields[] = {
	AT(attempt_record, started_at_ms, NUMBER),
	AT(attempt_record, ended_at_ms, NUMBER),
	AT(attempt_record, retryable, FLAG),
	AT(attempt_record, code, BYTES),
	AT(attempt_record, message, BYTES),
};
static const struct field key_fields[] = {
	AT(key_record, job_id, NUMBER),
	AT(key_record, detail, NUMBER),
	AT(key_record, expires_at_ms, NUMBER),
};
static const struct field callback_fields[] = {
	AT(callback_record, target, BYTES),
	AT(callback_record, namespace, BYTES),
	AT(callback_record, type, BYTES),
	AT(callback_record, error, BYTES),
	AT(callback_record, job_id, NUMBER),
	AT(callback_record, batch_id, NUMBER),
	AT(callback_record, created_at_ms, NUMBER),
	AT(callback_record, since_ms, NUMBER),
	AT(callback_record, next_at_ms, NUMBER),
	AT(callback_record, last_at_ms, NUMBER),
	AT(callback_record, attempts, NUMBER),
	AT(callback_record, status, NUMBER),
	AT(callback_record, failed, FLAG),
};
static const struct field batch_record_fields[] = {
	AT(batch_record, namespace, BYTES),
	AT(batch_record, name, BYTES),
	AT(batch_record, failed_ids, BYTES),
	AT(batch_record, created_at_ms, NUMBER),
	AT(batch_record, finished_at_ms, NUMBER),
	AT(batch_record, completed, NUMBER),
	AT(batch_record, failed, NUMBER),
	AT(batch_record, cancelled, NUMBER),
	AT(batch_record, max_failures, NUMBER),
	AT(batch_record, total, NUMBER),
	AT(batch_record, then_id, NUMBER),
	AT(batch_record, state, NUMBER),
};
static const struct field batch_definition_fields[] = {
	AT(batch_definition, callback, BYTES),
	AT(batch_definition, then, BYTES),
};
static const struct field member_record_fields[] = {
	AT(member_record, total, NUMBER),
	AT(member_record, closed, FLAG),
};
struct item_record {
	uint64_t becomes;
};
static const struct field item_fields[] = {AT(item_record, becomes, NUMBER)};

#define COUNT(array) (sizeof(array) / sizeof *(array))
_Static_assert(COUNT(job_fields) < 64, "a tag is one byte");

static char *put_varint(char *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (char)(value | 0x80);
		value >>= 7;
	}
	*at++ = (char)value;
	return at;
}

/* NULL: truncated, or more than 64 bits. */
static const char *get_varint(const char *at, const char *end, uint64_t *value)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
		uint64_t byte = (unsigned char)*at++;
		if (shift == 63 && byte > 1)
			return NULL;
		v |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = v;
			return at;
		}
	}
	return NULL;
}

static char *encode_field(const struct field *f, unsigned number, const void *r, char *at)
{
	const void *member = (const char *)r + f->offset;
	if (f->kind == BYTES) {
		struct bytes b;
		memcpy(&b, member, sizeof b);
		if (!b.size)
			return at;
		*at++ = (char)(number << 1 | 1);
		at = put_varint(at, b.size);
		memcpy(at, b.data, b.size);
		return at + b.size;
	}
	uint64_t value = 0;
	if (f->kind == FLAG)
		value = *(const bool *)member;
	else
		memcpy(&value, member, sizeof value);
	if (!value)
		return at;
	*at++ = (char)(number << 1);
	return put_varint(at, value);
}

static size_t room_for(const struct field *fields, size_t n, const void *r)
{
	size_t room = 1 + n * 11;
	for (size_t i = 0; i < n; i++) {
		if (fields[i].kind == BYTES)
			room += ((const struct bytes *)(const void *)((const char *)r + fields[i].offset))->size;
	}
	return room;
}

static void encode(const struct field *fields, size_t n, const void *r, struct buf *out)
{
	char *start = buf_reserve(out, room_for(fields, n, r)), *at = start;
	*at++ = JOB_RECORD_VERSION;
	for (size_t i = 0; i < n; i++)
		at = encode_field(&fields[i], (unsigned)i + 1, r, at);
	out->size += (size_t)(at - start);
	out->data[out->size] = 0;
}

static void set_number(const struct field *f, void *r, uint64_t value)
{
	if (f->kind == FLAG)
		*((bool *)((char *)r + f->offset)) = value != 0;
	else if (f->kind == NUMBER)
		memcpy((char *)r + f->offset, &value, sizeof value);
}

static enum errcode truncated(size_t at, size_t size, struct err *e)
{
	return err_set(e, E_INVALID, "record of %zu bytes: broken at byte %zu", size, at);
}

/* *r is zeroed by the caller. */
static enum errcode decode(const struct field *fields, size_t n, struct bytes head, void *r, struct err *e)
{
	const char *at = head.data, *end = head.data + head.size;
	if (at == end || *at++ != JOB_RECORD_VERSION)
		return err_set(e, E_INVALID, "record of %zu bytes: is of version %d, must be %d", head.size,
			head.size ? head.data[0] : 0, JOB_RECORD_VERSION);
	while (at < end) {
		const char *field = at;
		unsigned tag = (unsigned char)*at++, number = tag >> 1;
		uint64_t value;
		const struct field *f = number && number <= n ? &fields[number - 1] : NULL;
		if (!(at = get_varint(at, end, &value)))
			return truncated((size_t)(field - head.data), head.size, e);
		if (tag & 1) {
			if (value > (uint64_t)(end - at))
				return truncated((size_t)(field - head.data), head.size, e);
			if (f && f->kind == BYTES)
				memcpy((char *)r + f->offset, &(struct bytes){at, value}, sizeof(struct bytes));
			at += value;
		} else if (f) {
			set_number(f, r, value);
		}
	}
	return E_OK;
}

void job_record_encode(const struct job_record *r, struct buf *out)
{
	encode(job_fields, COUNT(job_fields), r, out);
}

enum errcode job_record_decode(struct bytes head, struct job_record *out, struct err *e)
{
	struct job_record r = {0};
	enum errcode code = decode(job_fields, COUNT(job_fields), head, &r, e);
	if (code)
		return code;
	if (r.state > JOB_CANCELLED || r.priority > JOB_PRIORITY_MAX)
		return err_set(e, E_INVALID, "record of %zu bytes: state %llu or priority %llu does not exist", head.size,
			(unsigned long long)r.state, (unsigned long long)r.priority);
	*out = r;
	return E_OK;
}

void attempt_record_encode(const struct attempt_record *r, struct buf *out)
{
	encode(attempt_fields, COUNT(attempt_fields), r, out);
}

enum errcode attempt_record_decode(struct bytes head, struct attempt_record *out, struct err *e)
{
	struct attempt_record r = {0};
	enum errcode code = decode(attempt_fields, COUNT(attempt_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void key_record_encode(const struct key_record *r, struct buf *out)
{
	encode(key_fields, COUNT(key_fields), r, out);
}

enum errcode key_record_decode(struct bytes head, struct key_record *out, struct err *e)
{
	struct key_record r = {0};
	enum errcode code = decode(key_fields, COUNT(key_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void callback_record_encode(const struct callback_record *r, struct buf *out)
{
	encode(callback_fields, COUNT(callback_fields), r, out);
}

enum errcode callback_record_decode(struct bytes head, struct callback_record *out, struct err *e)
{
	struct callback_record r = {0};
	enum errcode code = decode(callback_fields, COUNT(callback_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void batch_record_encode(const struct batch_record *r, struct buf *out)
{
	encode(batch_record_fields, COUNT(batch_record_fields), r, out);
}

enum errcode batch_record_decode(struct bytes head, struct batch_record *out, struct err *e)
{
	struct batch_record r = {0};
	enum errcode code = decode(batch_record_fields, COUNT(batch_record_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void batch_definition_encode(const struct batch_definition *d, struct buf *out)
{
	encode(batch_definition_fields, COUNT(batch_definition_fields), d, out);
}

enum errcode batch_definition_decode(struct bytes head, struct batch_definition *out, struct err *e)
{
	struct batch_definition r = {0};
	enum errcode code = decode(batch_definition_fields, COUNT(batch_definition_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void member_record_encode(const struct member_record *r, struct buf *out)
{
	encode(member_record_fields, COUNT(member_record_fields), r, out);
}

enum errcode member_record_decode(struct bytes head, struct member_record *out, struct err *e)
{
	struct member_record r = {0};
	enum errcode code = decode(member_record_fields, COUNT(member_record_fields), head, &r, e);
	if (!code)
		*out = r;
	return code;
}

void item_record_encode(uint64_t becomes, struct buf *out)
{
	encode(item_fields, COUNT(item_fields), &(struct item_record){becomes}, out);
}

enum errcode item_record_decode(struct bytes head, uint64_t *becomes, struct err *e)
{
	struct item_record r = {0};
	enum errcode code = decode(item_fields, COUNT(item_fields), head, &r, e);
	if (!code)
		*becomes = r.becomes;
	return code;
}
