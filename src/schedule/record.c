/* The row of STORE_SCHEDULE. Members that an older version wrote or a newer one adds are passed over. */
#include "schedule/set.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static struct store_key key_of(const struct schedule *s, char text[2 * JOB_NAME_MAX + 2])
{
	snprintf(text, 2 * JOB_NAME_MAX + 2, "%s/%s", s->definition->namespace, s->definition->name);
	return (struct store_key){.text = bytes_of(text)};
}

static json_t *head_json(const struct schedule *s)
{
	json_t *last = json_array();
	for (size_t i = 0; i < s->last_n; i++)
		json_array_append_new(last, json_pack("[I,I,I]", (json_int_t)s->last[i].at_ms,
										(json_int_t)s->last[i].made_at_ms, (json_int_t)s->last[i].id));
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "config",
		s->origin == SCHEDULE_FROM_CONFIG, "paused", s->paused, "created", (json_int_t)s->created_at_ms, "decided",
		(json_int_t)s->decided_ms, "waiting", (json_int_t)s->waiting_ms, "made", (json_int_t)s->made, "missed",
		(json_int_t)s->missed, "skipped", (json_int_t)s->skipped, "failed", (json_int_t)s->failed, "last", last,
		"error", s->error);
}

void record_put(const struct schedule *s, bool with_definition, struct store_batch *b)
{
	char key[2 * JOB_NAME_MAX + 2];
	json_t *json = head_json(s);
	scoped(mem_free_at) char *head = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (with_definition) {
		scoped(mem_free_at) char *body = json_dumps(s->definition->json, JSON_COMPACT);
		store_batch_put(b, STORE_SCHEDULE, key_of(s, key), bytes_of(head), bytes_of(body));
	} else {
		store_batch_put_head(b, STORE_SCHEDULE, key_of(s, key), bytes_of(head));
	}
}

void record_delete(const struct schedule *s, struct store_batch *b)
{
	char key[2 * JOB_NAME_MAX + 2];
	store_batch_delete(b, STORE_SCHEDULE, key_of(s, key));
}

static int64_t number(const json_t *head, const char *name)
{
	return json_integer_value(json_object_get(head, name));
}

static void read_last(struct schedule *s, const json_t *last)
{
	for (size_t i = 0; i < json_array_size(last) && i < SCHEDULE_LAST_MAX; i++) {
		const json_t *at = json_array_get(last, i);
		s->last[s->last_n++] = (struct schedule_last){json_integer_value(json_array_get(at, 0)),
			json_integer_value(json_array_get(at, 1)), (uint64_t)json_integer_value(json_array_get(at, 2))};
	}
}

static void read_head(struct schedule *s, const json_t *head)
{
	const char *error = json_string_value(json_object_get(head, "error"));
	s->origin = json_is_true(json_object_get(head, "config")) ? SCHEDULE_FROM_CONFIG : SCHEDULE_FROM_API;
	s->paused = json_is_true(json_object_get(head, "paused"));
	s->created_at_ms = number(head, "created");
	s->decided_ms = number(head, "decided");
	s->waiting_ms = number(head, "waiting");
	s->made = (uint64_t)number(head, "made");
	s->missed = (uint64_t)number(head, "missed");
	s->skipped = (uint64_t)number(head, "skipped");
	s->failed = (uint64_t)number(head, "failed");
	read_last(s, json_object_get(head, "last"));
	snprintf(s->error, sizeof s->error, "%s", error ? error : "");
}

enum errcode record_read(const struct store_row *row, struct schedule **out, struct err *e)
{
	struct schedule_definition *d = NULL;
	char pointer[64];
	json_t *head = json_loadb(row->head.data, row->head.size, 0, NULL);
	json_t *body = json_loadb(row->body.data, row->body.size, 0, NULL);
	enum errcode code = json_is_object(head) && json_is_object(body)
							? schedule_parse(body, &d, pointer, e)
							: err_set(e, E_INVALID, "its row in the store is damaged");
	if (!code) {
		struct schedule *s = NEW(struct schedule);
		s->definition = d;
		read_head(s, head);
		*out = s;
	}
	json_decref(head);
	json_decref(body);
	return code;
}
