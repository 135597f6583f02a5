#include "event/event.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <assert.h>
#include <stdlib.h>

struct events {
	struct event **ring; /* event n is at n % keep */
	size_t keep;
	uint64_t first, last; /* ids: first begins this engine's; last is the one given last */
	struct list subscribers;
	int64_t heard_at_ms; /* the last event that somebody was subscribed to */
	bool left_out; /* events since the last one */
};

#define HEARD_MS 60000 /* who comes back within has missed nothing */

/* 4096 ids for each millisecond that passed before us: an engine that ran before gave fewer. */
struct events *events_new(size_t keep, int64_t now_ms)
{
	struct events *es = NEW(struct events);
	es->ring = mem_new(keep * sizeof(struct event *));
	es->keep = keep;
	es->last = (uint64_t)now_ms << 12;
	es->first = es->last + 1;
	list_init(&es->subscribers);
	return es;
}

void events_free(struct events *es)
{
	if (!es)
		return;
	assert(list_empty(&es->subscribers));
	for (size_t i = 0; i < es->keep; i++)
		free(es->ring[i]);
	free(es->ring);
	free(es);
}

static struct bytes cut(struct bytes t, size_t max)
{
	if (t.size > max)
		for (t.size = max; t.size && ((unsigned char)t.data[t.size] & 0xC0) == 0x80; t.size--)
			; /* not through a character */
	return t;
}

static void copy_text(struct bytes *t, char **at)
{
	if (t->size)
		memcpy(*at, t->data, t->size);
	t->data = *at;
	*at += t->size;
}

/* One allocation: the event, and its texts behind it. */
static struct event *copy(const struct event *e)
{
	struct event c = *e;
	struct bytes *texts[] = {&c.namespace, &c.capability, &c.worker, &c.instance, &c.schedule, &c.message};
	size_t size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = cut(*texts[i], i == ARRAY_SIZE(texts) - 1 ? 512 : 128);
		size += texts[i]->size;
	}
	struct event *to = mem_resize(NULL, sizeof *to + size);
	char *at = (char *)(to + 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		copy_text(texts[i], &at);
	*to = c;
	return to;
}

static bool wanted(struct events *es, int64_t now_ms, const struct event *e)
{
	if (!list_empty(&es->subscribers))
		es->heard_at_ms = now_ms;
	if (!e->minor || now_ms - es->heard_at_ms <= HEARD_MS)
		return true;
	es->left_out = true;
	return false;
}

void event_publish(struct events *es, int64_t now_ms, const struct event *e)
{
	if (!es || !wanted(es, now_ms, e))
		return;
	struct event *own = copy(e);
	own->after_gap = es->left_out;
	es->left_out = false;
	own->id = ++es->last;
	own->at_ms = now_ms;
	free(es->ring[own->id % es->keep]);
	es->ring[own->id % es->keep] = own;
	list_each(&es->subscribers, at)
	{
		struct event_subscriber *s = container_of(at, struct event_subscriber, link);
		s->wake(s->context);
	}
}

uint64_t events_last(const struct events *es)
{
	return es->last;
}

const struct event *events_next(struct events *es, uint64_t *cursor, bool *lost)
{
	uint64_t oldest = es->last >= es->first + es->keep ? es->last - es->keep + 1 : es->first;
	if (*cursor > es->last)
		*cursor = es->last; /* an id that nobody gave */
	if (*cursor + 1 < oldest) {
		*lost = true;
		*cursor = oldest - 1;
	}
	if (*cursor == es->last)
		return NULL;
	++*cursor;
	*lost |= es->ring[*cursor % es->keep]->after_gap;
	return es->ring[*cursor % es->keep];
}

void events_subscribe(struct events *es, struct event_subscriber *s)
{
	list_append(&es->subscribers, &s->link);
	es->left_out = false; /* it begins now, or was away for long */
}

void events_unsubscribe(struct event_subscriber *s)
{
	if (s->link.next)
		list_remove(&s->link);
}

static void text_member(struct buf *out, const char *name, struct bytes value)
{
	if (!value.size)
		return;
	buf_format(out, ",\"%s\":", name);
	buf_json_utf8(out, value);
}

static void id_member(struct buf *out, const char *name, uint64_t id, void (*id_text)(uint64_t id, char text[14]))
{
	char text[14];
	if (!id)
		return;
	id_text(id, text);
	buf_format(out, ",\"%s\":\"%s\"", name, text);
}

void event_format(const struct event *e, void (*id_text)(uint64_t id, char text[14]), struct buf *out)
{
	char at[RFC3339_SIZE];
	rfc3339_format(e->at_ms, at);
	buf_format(out, "{\"id\":\"%llu\",\"type\":\"%s\",\"at\":\"%s\"", (unsigned long long)e->id, e->type, at);
	text_member(out, "namespace", e->namespace);
	id_member(out, "job_id", e->job_id, id_text);
	id_member(out, "run_id", e->run_id, id_text);
	id_member(out, "batch_id", e->batch_id, id_text);
	text_member(out, "capability", e->capability);
	text_member(out, "worker", e->worker);
	text_member(out, "instance", e->instance);
	text_member(out, "schedule", e->schedule);
	if (e->attempt)
		buf_format(out, ",\"attempt\":%d", e->attempt);
	if (strstr(e->type, ".progress"))
		buf_format(out, ",\"percent\":%d", e->percent);
	text_member(out, "message", e->message);
	buf_text(out, "}");
}
