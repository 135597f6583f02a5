#include "queue/state.h"

#include <assert.h>
#include <stdlib.h>

const struct queue_limits queue_default_limits = {
	.max_attempts = 3,
	.retry_delay_ms = 1000,
	.retry_cap_ms = 5 * 60 * 1000,
	.max_crashes = 3,
	.timeout_ms = JOB_TIMEOUT_DEFAULT_MS,
	.keep_results_ms = 7LL * 24 * 3600 * 1000,
	.keep_dead_ms = 180LL * 24 * 3600 * 1000,
	.max_dead = 1000000,
};

struct queues *queues_new(struct store *store, uint32_t node, uint64_t random_seed, const struct queue_hooks *hooks)
{
	struct queues *qs = NEW(struct queues);
	qs->store = store;
	qs->ids.node = node;
	qs->random = random_seed;
	qs->hash_seed = random_seed * 0x9e3779b97f4a7c15ULL;
	qs->limits = queue_default_limits;
	qs->keys.kind = KEY_IDEMPOTENCY;
	qs->uniques.kind = KEY_UNIQUE;
	if (hooks)
		qs->hooks = *hooks;
	pool_init(&qs->jobs, sizeof(struct job));
	pool_init(&qs->leases, sizeof(struct lease));
	list_init(&qs->changes);
	list_init(&qs->held);
	list_init(&qs->cancels);
	list_init(&qs->inputs);
	list_init(&qs->spaces);
	return qs;
}

static void free_changes(struct list *changes, bool with_batch)
{
	list_each(changes, l)
	{
		struct change *c = container_of(l, struct change, link);
		if (with_batch)
			store_batch_free(c->batch);
		free(c);
	}
}

static void queue_free(struct queue *q)
{
	if (!q)
		return;
	tenants_free(q);
	order_fini(q);
	free(q);
}

void queues_free(struct queues *qs)
{
	if (!qs)
		return;
	for (size_t i = 0; i < qs->live.room; i++) {
		struct job *j = qs->live.slots[i];
		if (!j)
			continue;
		if (j->state == JOB_PROCESSING)
			lease_end(qs, j);
		if (j->more) {
			keyset_fini(&j->more->items);
			free(j->more->text);
			free(j->more->error);
			free(j->more);
		}
		pool_put(&qs->jobs, j);
	}
	index_fini(&qs->live);
	list_each(&qs->inputs, l) free(l);
	list_each(&qs->cancels, l) free(l);
	free_changes(&qs->changes, false);
	free_changes(&qs->held, true);
	pool_fini(&qs->jobs);
	pool_fini(&qs->leases);
	heap_fini(&qs->due);
	heap_fini(&qs->timeouts);
	heap_fini(&qs->expiries);
	heap_fini(&qs->wakes);
	for (size_t i = 0; i < qs->room; i++)
		queue_free(qs->table[i]);
	free(qs->table);
	spaces_free(qs);
	for (size_t i = 0; i < qs->groups.room; i++)
		free(qs->groups.slots[i].value);
	idmap_fini(&qs->groups);
	for (size_t i = 0; i < qs->runs.room; i++)
		free(qs->runs.slots[i].value);
	idmap_fini(&qs->runs);
	idmap_fini(&qs->dead_busy);
	keys_fini(&qs->keys);
	keys_fini(&qs->uniques);
	store_batch_free(qs->prune.batch);
	prune_dead_fini(qs);
	free(qs);
}

int64_t queues_now(const struct queues *qs)
{
	return qs->now_ms;
}

uint64_t queues_next_id(struct queues *qs, int64_t now_ms)
{
	return id_next(&qs->ids, now_ms);
}

/* ── the queues by name ── */

static uint64_t hash_names(struct bytes namespace, struct bytes capability)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a; the names come from clients, but their number is limited */
	for (size_t i = 0; i < namespace.size; i++)
		h = (h ^ (unsigned char)namespace.data[i]) * 1099511628211ULL;
	h = (h ^ '/') * 1099511628211ULL;
	for (size_t i = 0; i < capability.size; i++)
		h = (h ^ (unsigned char)capability.data[i]) * 1099511628211ULL;
	return h ^ h >> 32;
}

static struct queue **slot(struct queues *qs, uint64_t hash, struct bytes namespace, struct bytes capability)
{
	size_t i = hash & (qs->room - 1);
	for (struct queue *q; (q = qs->table[i]); i = (i + 1) & (qs->room - 1)) {
		if (q->hash == hash && bytes_equal(q->info.capability, capability) && bytes_equal(q->info.namespace, namespace))
			break;
	}
	return &qs->table[i];
}

static void grow(struct queues *qs)
{
	struct queue **old = qs->table;
	size_t old_room = qs->room;
	qs->room = old_room ? old_room * 2 : 16;
	qs->table = mem_new(qs->room * sizeof(struct queue *));
	for (size_t i = 0; i < old_room; i++) {
		if (old[i])
			*slot(qs, old[i]->hash, old[i]->info.namespace, old[i]->info.capability) = old[i];
	}
	free(old);
}

static struct queue *queue_new(struct queues *qs, uint64_t hash, struct bytes namespace, struct bytes capability)
{
	struct queue *q = mem_new(sizeof *q + namespace.size + capability.size);
	q->qs = qs;
	q->hash = hash;
	q->limits = qs->limits;
	q->flow = qs->limits.flow;
	q->space = space_get(qs, namespace);
	order_init(q);
	memcpy(q->name, namespace.data, namespace.size);
	memcpy(q->name + namespace.size, capability.data, capability.size);
	q->info.namespace = (struct bytes){q->name, namespace.size};
	q->info.capability = (struct bytes){q->name + namespace.size, capability.size};
	return q;
}

static struct bytes or_default(struct bytes namespace)
{
	return namespace.size ? namespace : bytes_of("default");
}

struct queue *queues_find_queue(struct queues *qs, struct bytes namespace, struct bytes capability)
{
	namespace = or_default(namespace);
	return qs->room ? *slot(qs, hash_names(namespace, capability), namespace, capability) : NULL;
}

struct queue *queues_get(struct queues *qs, struct bytes namespace, struct bytes capability)
{
	namespace = or_default(namespace);
	if ((qs->queue_n + 1) * 4 > qs->room * 3)
		grow(qs);
	uint64_t hash = hash_names(namespace, capability);
	struct queue **at = slot(qs, hash, namespace, capability);
	if (!*at) {
		*at = queue_new(qs, hash, namespace, capability);
		qs->queue_n++;
	}
	return *at;
}

enum errcode queues_check_room(struct queues *qs, struct bytes namespace, struct bytes capability, struct err *e)
{
	if (qs->queue_n >= QUEUES_MAX && !queues_find_queue(qs, namespace, capability))
		return err_set(e, E_LIMIT, "capability \"%.*s\": there are queues of %d capabilities already",
			(int)capability.size, capability.data, QUEUES_MAX);
	return E_OK;
}

enum errcode queues_open(
	struct queues *qs, struct bytes namespace, struct bytes capability, struct queue **out, struct err *e)
{
	enum errcode code = namespace.size ? job_name_check("namespace", namespace, e) : E_OK;
	if (!code)
		code = job_name_check("capability", capability, e);
	if (!code)
		code = queues_check_room(qs, namespace, capability, e);
	if (!code)
		*out = queues_get(qs, namespace, capability);
	return code;
}

void queues_set_limits(struct queues *qs, const struct queue_limits *limits)
{
	qs->limits = *limits;
	qs->bounded |= limits->flow.max_length > 0;
}

struct bytes queue_capability(const struct queue *q)
{
	return q->info.capability;
}

struct bytes queue_namespace(const struct queue *q)
{
	return q->info.namespace;
}

void queues_each(struct queues *qs, void (*visit)(void *context, struct queue *q), void *context)
{
	for (size_t i = 0; i < qs->room; i++) {
		if (qs->table[i])
			visit(context, qs->table[i]);
	}
}

/* ── jobs ── */

struct job *queues_find(struct queues *qs, uint64_t id)
{
	return index_get(&qs->live, id);
}

struct job *queues_job_new(struct queues *qs, uint64_t id, struct queue *q)
{
	struct job *j = pool_get(&qs->jobs);
	j->id = id;
	j->queue = q;
	j->state = JOB_SETTLING;
	q->arriving++;
	q->space->length++;
	index_put(&qs->live, j);
	return j;
}

static void arrived(struct queue *q)
{
	q->arriving--;
	q->space->length--;
}

void queues_job_free(struct queues *qs, struct job *j)
{
	assert(j->state == JOB_SETTLING);
	flow_leave(j);
	index_remove(&qs->live, j);
	if (j->flags & JOB_DURABLE)
		j->queue->info.processing--;
	else
		arrived(j->queue);
	input_drop(qs, j->input);
	group_leave(qs, j);
	kin_leave(qs, j);
	if (j->more) {
		tenant_leave(j);
		heap_remove(&qs->expiries, &j->more->expiry);
		keyset_fini(&j->more->items);
		free(j->more->text);
		free(j->more->error);
		free(j->more);
	}
	pool_put(&qs->jobs, j);
}

struct job_more *queues_more(struct job *j)
{
	if (!j->more) {
		j->more = NEW(struct job_more);
		j->more->job = j;
	}
	return j->more;
}

static uint64_t *counter(struct job *j)
{
	struct queue_info *i = &j->queue->info;
	return j->state == JOB_PENDING ? &i->pending : j->state == JOB_SCHEDULED ? &i->scheduled : &i->processing;
}

static bool waits(const struct job *j)
{
	return j->state == JOB_PENDING || j->state == JOB_SCHEDULED;
}

void queues_set_state(struct job *j, enum job_state state)
{
	struct group *g = j->more ? j->more->group : NULL;
	if (j->flags & JOB_DURABLE) {
		--*counter(j);
		j->queue->space->length -= waits(j);
		if (g)
			--*group_counter(g, j->state);
	} else if (state == JOB_SETTLING) {
		return;
	} else {
		arrived(j->queue);
	}
	j->flags |= JOB_DURABLE;
	j->state = (uint8_t)state;
	++*counter(j);
	j->queue->space->length += waits(j);
	if (g)
		++*group_counter(g, j->state);
}

struct bytes job_callback(const struct job *j)
{
	const struct job_more *m = j->more;
	if (!m || !m->callback_size)
		return (struct bytes){0};
	return (struct bytes){m->text + m->tags_size + m->trace_size, m->callback_size};
}

int queues_max_attempts(const struct job *j)
{
	return j->max_attempts ? j->max_attempts : j->queue->limits.max_attempts;
}

int64_t queues_expires_at(const struct job *j)
{
	const struct job_more *m = j->more;
	if (!m)
		return 0;
	int64_t at = j->attempts ? 0 : m->expires_at_ms;
	return m->deadline_ms && (!at || m->deadline_ms < at) ? m->deadline_ms : at;
}

void queues_place(struct queues *qs, struct job *j, bool back_to_its_place)
{
	j->holder = NULL;
	flow_leave(j);
	if (queues_expires_at(j))
		heap_put(&qs->expiries, &j->more->expiry, queues_expires_at(j), j->id);
	if (j->due_at_ms > qs->now_ms) {
		queues_set_state(j, JOB_SCHEDULED);
		heap_put(&qs->due, &j->due, j->due_at_ms, j->id);
		return;
	}
	queues_set_state(j, JOB_PENDING);
	if (qs->hooks.pending)
		qs->hooks.pending(qs->hooks.context, j);
	if (back_to_its_place)
		order_return(j->queue, j);
	else
		order_append(j->queue, j);
	flow_ready(j->queue);
}
