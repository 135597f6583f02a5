#include "callback/parts.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "callback/target.h"
#include "job/job_record.h"
#include "wire/id.h"

#include <stdio.h>
#include <stdlib.h>

const struct callback_limits callback_default_limits = {
	.retry_base_ms = 1000,
	.retry_cap_ms = 10 * 60 * 1000,
	.max_age_ms = 24LL * 3600 * 1000,
	.keep_ms = 7LL * 24 * 3600 * 1000,
	.max_attempts = 100,
	.in_flight = 64,
	.in_flight_per_host = 4,
};

struct callbacks *callbacks_new(const struct callbacks_options *o)
{
	struct callbacks *cs = NEW(struct callbacks);
	cs->o = *o;
	cs->random = o->random_seed;
	list_init(&cs->changes);
	return cs;
}

void callbacks_free(struct callbacks *cs)
{
	if (!cs)
		return;
	for (size_t i = 0; i < cs->by_id.room; i++)
		free(cs->by_id.slots[i].value);
	for (size_t i = 0; i < cs->hosts.room; i++) {
		struct host *h = cs->hosts.slots[i].value;
		if (h)
			heap_fini(&h->due);
		free(h);
	}
	list_each(&cs->changes, at) free(at); /* their first member */
	callback_prune_abandon(cs);
	idmap_fini(&cs->by_id);
	idmap_fini(&cs->hosts);
	heap_fini(&cs->turns);
	free(cs);
}

static struct host *host_get(struct callbacks *cs, uint64_t hash)
{
	struct host *h = idmap_get(&cs->hosts, hash);
	if (!h) {
		h = NEW(struct host);
		h->set = cs;
		h->hash = hash;
		idmap_put(&cs->hosts, hash, h);
	}
	return h;
}

void host_release(struct host *h)
{
	if (--h->n) {
		deliver_turn(h);
		return;
	}
	heap_remove(&h->set->turns, &h->turn);
	idmap_remove(&h->set->hosts, h->hash);
	heap_fini(&h->due);
	free(h);
}

struct callback *callback_new(struct callbacks *cs, uint64_t id, uint64_t host_hash)
{
	struct callback *c = NEW(struct callback);
	*c = (struct callback){.set = cs, .host = host_get(cs, host_hash), .id = id};
	c->host->n++;
	idmap_put(&cs->by_id, id, c);
	cs->stats.pending++;
	return c;
}

void callback_free(struct callback *c)
{
	heap_remove(&c->host->due, &c->due);
	idmap_remove(&c->set->by_id, c->id);
	c->set->stats.pending--;
	host_release(c->host);
	free(c);
}

/* ── load ── */

struct load {
	struct callbacks *set;
	struct err *e;
	enum errcode code;
};

static bool load_row(void *context, const struct store_row *row)
{
	struct load *l = context;
	struct callback_record r;
	struct target t;
	char text[ID_TEXT_SIZE];
	l->code = callback_record_decode(row->head, &r, l->e);
	if (!l->code && r.failed) {
		l->set->stats.failed++;
		return true;
	}
	if (!l->code)
		l->code = target_read(r.target, &t, l->e);
	if (l->code) {
		id_format(row->key.id, text);
		err_prefix(l->e, "callback %s", text);
		return false;
	}
	callback_wait(callback_new(l->set, row->key.id, t.host_hash), r.next_at_ms);
	target_fini(&t);
	return true;
}

enum errcode callbacks_load(struct callbacks *cs, int64_t now_ms, struct err *e)
{
	struct err own = {0};
	struct load l = {.set = cs, .e = e ? e : &own};
	cs->now_ms = now_ms;
	enum errcode code = cs->o.store->ops->load(cs->o.store, STORE_CALLBACK, load_row, &l, l.e);
	return code ? code : l.code;
}

/* ── add ── */

static void stored(void *context, enum errcode code)
{
	struct callback *c = context;
	if (code == E_NO_SPACE) /* whoever committed the batch gave it up */
		callback_free(c);
	if (code)
		return;
	callback_wait(c, 0);
	deliver_due(c->set);
}

static void put(const struct callback_spec *spec, uint64_t id, int64_t now_ms, struct store_batch *b)
{
	scoped(buf_fini) struct buf head = {0}, body = {0};
	char text[ID_TEXT_SIZE], at[RFC3339_SIZE];
	struct callback_record r = {.target = spec->target,
		.type = bytes_of(spec->type),
		.job_id = spec->job_id,
		.batch_id = spec->batch_id,
		.created_at_ms = now_ms,
		.since_ms = now_ms};
	if (!bytes_equal(spec->namespace, bytes_of("default")))
		r.namespace = spec->namespace;
	callback_record_encode(&r, &head);
	id_format(id, text);
	rfc3339_format(now_ms, at);
	buf_format(&body, "{\"delivery_id\":\"%s\",\"type\":\"%s\",\"timestamp\":\"%s\",", text, spec->type, at);
	buf_add(&body, spec->members.data, spec->members.size);
	buf_text(&body, "}");
	store_batch_put(b, STORE_CALLBACK, (struct store_key){.id = id}, buf_bytes(&head), buf_bytes(&body));
}

uint64_t callbacks_add(struct callbacks *cs, struct store_batch *b, const struct callback_spec *spec)
{
	struct target t;
	int64_t now_ms = queues_now(cs->o.queues);
	if (target_read(spec->target, &t, NULL) != E_OK)
		return 0; /* it was read when it was submitted: only a damaged row could have another one */
	uint64_t id = queues_next_id(cs->o.queues, now_ms);
	struct callback *c = callback_new(cs, id, t.host_hash);
	target_fini(&t);
	put(spec, id, now_ms, b);
	store_batch_then(b, stored, c);
	return id;
}

void callbacks_job_ending(struct callbacks *cs, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	static const char *const types[] = {
		[END_COMPLETED] = "job.completed", [END_FAILED] = "job.failed", [END_CANCELLED] = "job.cancelled"};
	scoped(buf_fini) struct buf members = {0};
	struct bytes target = job_callback(j);
	if (!target.size)
		return;
	payload_of_job(cs, j, o, &members);
	callbacks_add(cs, b,
		&(struct callback_spec){.target = target,
			.type = types[o->end],
			.namespace = queue_namespace(j->queue),
			.job_id = j->id,
			.batch_id = job_batch(j),
			.members = buf_bytes(&members)});
}

void callbacks_tick(struct callbacks *cs, int64_t now_ms)
{
	cs->now_ms = now_ms;
	deliver_due(cs);
	callback_prune_tick(cs);
}

void callbacks_get_stats(const struct callbacks *cs, struct callback_stats *out)
{
	*out = cs->stats;
}
