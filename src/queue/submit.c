#include "queue/state.h"

#include <stdlib.h>

/* The job that a spec asks for; it waits from when its batch is durable. */
static struct job *job_of(struct queues *qs, const struct job_spec *spec, const struct key *unique, uint64_t id)
{
	struct job *j = queues_job_new(qs, id, queues_get(qs, spec->namespace, spec->capability));
	struct job_record r = {.submitted_at_ms = qs->now_ms,
		.due_at_ms = spec->due_at_ms > qs->now_ms ? spec->due_at_ms : 0,
		.expires_at_ms = spec->expires_at_ms,
		.deadline_ms = spec->deadline_ms,
		.retry_delay_ms = (uint64_t)spec->retry_delay_ms,
		.retry_cap_ms = (uint64_t)spec->retry_cap_ms,
		.run_id = spec->run_id,
		.step = spec->step,
		.parent_id = spec->parent_id,
		.item_key = spec->item_key,
		.timeout_ms = (uint64_t)spec->timeout_ms,
		.max_attempts = (uint64_t)spec->max_attempts,
		.priority = (uint64_t)spec->priority,
		.tags = spec->tags,
		.traceparent = spec->traceparent,
		.callback = spec->callback,
		.batch_id = spec->batch_id,
		.key = spec->key};
	if (unique) {
		r.unique_states = unique->detail;
		r.unique_name = (struct bytes){(const char *)unique->name, sizeof unique->name};
	}
	head_apply(j, &r);
	if (j->due_at_ms <= qs->now_ms) /* one that waits for long would only take the place of others */
		input_keep(qs, spec->input, &j->input);
	return j;
}

static struct job *add_job(
	struct queues *qs, struct store_batch *b, const struct job_spec *spec, const struct key *unique)
{
	struct job *j = job_of(qs, spec, unique, id_next(&qs->ids, qs->now_ms));
	head_put(b, j, spec->parent_id ? (struct bytes){0} : spec->input, true);
	return j;
}

static void durable(struct queues *qs, struct job *j)
{
	queues_place(qs, j, false);
	if (j->flags & JOB_CANCEL_LATER)
		cancel_settled(qs, j);
}

static void drop(struct queues *qs, struct job *j)
{
	cancel_given_up(qs, j);
	queues_job_free(qs, j);
}

/* ── in a batch of somebody else's ── */

static void submitted_in(void *context, enum errcode code)
{
	struct job *j = context;
	if (!code)
		durable(j->queue->qs, j);
	else if (code == E_NO_SPACE) /* whoever committed the batch gave it up */
		drop(j->queue->qs, j);
}

uint64_t queues_submit_in(struct queues *qs, struct store_batch *b, const struct job_spec *spec, int64_t now_ms)
{
	queues_touch(qs, now_ms);
	struct job *j = add_job(qs, b, spec, NULL);
	store_batch_then(b, submitted_in, j);
	return j->id;
}

/* ── on its own ── */

struct submit {
	struct change change;
	void (*done)(void *context, const struct submit_reply *reply);
	void *context;
	size_t n;
	struct job **jobs; /* NULL where an earlier job stands for it */
	uint64_t *ids;
	bool *existing;
	struct key *keys; /* of each spec; or NULL: none has one */
};

/* One allocation holds the arrays, too. */
static struct submit *submit_new(size_t n, bool with_keys)
{
	size_t each = sizeof(struct job *) + sizeof(uint64_t) + (with_keys ? sizeof(struct key) : 0) + sizeof(bool);
	struct submit *s = mem_new(sizeof *s + n * each);
	s->n = n;
	s->jobs = (struct job **)(s + 1);
	s->ids = (uint64_t *)(s->jobs + n);
	s->keys = with_keys ? (struct key *)(s->ids + n) : NULL;
	s->existing = with_keys ? (bool *)(s->keys + n) : (bool *)(s->ids + n);
	return s;
}

static void give_up(struct queues *qs, struct submit *s, size_t i)
{
	const struct key *k = s->keys && s->keys[i].job_id ? keys_find(&qs->keys, &s->keys[i]) : NULL;
	if (k && k->job_id == s->ids[i])
		keys_remove(&qs->keys, &s->keys[i]);
	const struct job_more *m = s->jobs[i]->more;
	if (m && m->unique_states)
		unique_release(qs, NULL, s->ids[i], m->unique_name);
	drop(qs, s->jobs[i]);
}

static void submit_applied(struct change *c, enum errcode code)
{
	struct submit *s = container_of(c, struct submit, change);
	for (size_t i = 0; i < s->n; i++) {
		if (!s->jobs[i])
			continue;
		if (!code)
			durable(c->qs, s->jobs[i]);
		else if (code == E_NO_SPACE)
			give_up(c->qs, s, i);
	}
	if (s->done)
		s->done(s->context, &(struct submit_reply){code, s->n, s->ids, s->existing});
	free(s);
}

static enum errcode check_live(struct queues *qs, size_t n, struct err *e)
{
	if (qs->live.n + n > LIVE_MAX)
		return err_set(e, E_LIMIT, "%zu jobs: %zu are waiting already, at most %d may", n, qs->live.n, LIVE_MAX);
	return E_OK;
}

static enum errcode check_room(struct queues *qs, size_t n, struct err *e)
{
	if (n == 0 || n > JOB_BATCH_MAX)
		return err_set(e, E_INVALID, "%zu jobs: one submit must have 1 to %d", n, JOB_BATCH_MAX);
	if (qs->full)
		return err_set(e, E_NO_SPACE, "the disk is full: nothing was kept");
	return check_live(qs, n, e);
}

static const struct key *key_in_use(const struct queues *qs, const struct key *key)
{
	const struct key *k = keys_find(&qs->keys, key);
	return k && k->expires_at_ms > qs->now_ms ? k : NULL;
}

/* Also between the specs of one submit: `seen` has those before it, or is NULL. */
static enum errcode check_key(
	const struct queues *qs, const struct job_spec *spec, const struct key *key, struct keys *seen, struct err *e)
{
	const struct key *k = key_in_use(qs, key);
	if (k && spec->batch_id && !(qs->hooks.joined && qs->hooks.joined(qs->hooks.context, spec->batch_id, k->job_id)))
		return err_set(e, E_CONFLICT, "idempotency key: was used for a job that is not in this batch");
	if (!k && seen)
		k = keys_find(seen, key);
	if (k && k->detail != key->detail)
		return err_set(e, E_CONFLICT, "idempotency key: was used within the last 24 hours with another input");
	if (seen) {
		struct key used = *key;
		used.job_id = 1; /* some job */
		keys_add(seen, &used);
	}
	return E_OK;
}

/* A unique job is made unless an earlier one holds its key. */
static const struct key *held_by(const struct queues *qs, const struct job_spec *spec, struct key *unique)
{
	key_of_unique(spec, unique);
	unique->expires_at_ms = spec->unique.period_ms ? qs->now_ms + spec->unique.period_ms : JOB_TIME_MAX_MS;
	return unique_holder(qs, unique);
}

static bool seen_before(struct keys *seen, struct key key)
{
	if (keys_find(seen, &key))
		return true;
	key.job_id = 1; /* some job */
	keys_add(seen, &key);
	return false;
}

/* seen: the keys of the specs before it, in the same submit. */
static bool is_new(struct queues *qs, const struct job_spec *spec, const struct key *key, struct keys *seen)
{
	enum job_state state = spec->due_at_ms > qs->now_ms ? JOB_SCHEDULED : JOB_PENDING;
	struct key unique;
	if (spec->idempotency_key.size && (key_in_use(qs, key) || seen_before(seen, *key)))
		return false;
	if (!spec->unique.states)
		return true;
	return !held_by(qs, spec, &unique) && !(spec->unique.states >> state & 1 && seen_before(seen, unique));
}

/* The queues that it asks for are made, also when there is no room: they are counted for the check. */
static enum errcode check_lengths(
	struct queues *qs, const struct job_spec *specs, size_t n, const struct key *keys, struct err *e)
{
	enum errcode code = E_OK;
	scoped(keys_fini) struct keys seen = {0};
	for (size_t i = 0; i < n; i++) {
		if (is_new(qs, &specs[i], keys ? &keys[i] : NULL, &seen))
			room_ask(queues_get(qs, specs[i].namespace, specs[i].capability));
	}
	for (size_t i = 0; !code && i < n; i++)
		code = room_check(queues_get(qs, specs[i].namespace, specs[i].capability), e);
	for (size_t i = 0; i < n; i++)
		room_forget(queues_get(qs, specs[i].namespace, specs[i].capability));
	return code;
}

/* Whatever can be refused is refused here: nothing has changed yet. */
static enum errcode check(struct queues *qs, const struct job_spec *specs, size_t n, struct submit *s, struct err *e)
{
	scoped(keys_fini) struct keys seen = {0};
	for (size_t i = 0; i < n; i++) {
		enum errcode code = job_spec_check(&specs[i], e);
		if (!code)
			code = queues_check_room(qs, specs[i].namespace, specs[i].capability, e);
		if (!code && specs[i].idempotency_key.size) {
			key_of(&specs[i], &s->keys[i]);
			s->keys[i].expires_at_ms = qs->now_ms + KEY_KEEP_MS;
			code = check_key(qs, &specs[i], &s->keys[i], n > 1 ? &seen : NULL, e);
		}
		if (code) {
			if (n > 1)
				err_prefix(e, "job %zu of %zu", i + 1, n);
			return code;
		}
	}
	return qs->bounded ? check_lengths(qs, specs, n, s->keys, e) : E_OK;
}

enum errcode queues_has_room(struct queues *qs, const struct job_spec *spec, int64_t now_ms, struct err *e)
{
	struct submit none = {0};
	queues_touch(qs, now_ms);
	enum errcode code = check_live(qs, 1, e);
	return code ? code : check(qs, spec, 1, &none, e);
}

static void add(struct queues *qs, struct submit *s, size_t i, const struct job_spec *spec, struct store_batch *b)
{
	struct key *key = spec->idempotency_key.size ? &s->keys[i] : NULL, unique;
	const struct key *used = key ? key_in_use(qs, key) : NULL;
	bool is_unique = spec->unique.states != 0;
	if (!used && is_unique)
		used = held_by(qs, spec, &unique);
	if (used) {
		s->ids[i] = used->job_id;
		s->existing[i] = true;
		return;
	}
	s->jobs[i] = add_job(qs, b, spec, is_unique ? &unique : NULL);
	s->ids[i] = s->jobs[i]->id;
	if (key) {
		key->job_id = s->ids[i];
		keys_add(&qs->keys, key);
		keys_put_row(&qs->keys, b, key);
	}
	if (is_unique) {
		unique.job_id = s->ids[i];
		unique_take(qs, b, &unique);
	}
}

/* All new jobs of a submit are of one batch, or of none. */
static void join(struct queues *qs, const struct submit *s, uint64_t batch_id, struct store_batch *b)
{
	size_t n = 0;
	scoped(mem_free_at) uint64_t *ids = mem_new(s->n * sizeof *ids);
	for (size_t i = 0; i < s->n; i++) {
		if (s->jobs[i])
			ids[n++] = s->jobs[i]->id;
	}
	if (n && qs->hooks.joining)
		qs->hooks.joining(qs->hooks.context, batch_id, ids, n, b);
}

enum errcode queues_submit(struct queues *qs, const struct job_spec *specs, size_t n, int64_t now_ms,
	void (*done)(void *context, const struct submit_reply *reply), void *context, struct err *e)
{
	queues_touch(qs, now_ms);
	qs->refusal.max_length = 0;
	if (qs->no_space)
		return err_set(e, E_NO_SPACE, "the disk is full: nothing was kept");
	enum errcode code = check_room(qs, n, e);
	if (code)
		return code;
	bool with_keys = false;
	for (size_t i = 0; i < n; i++)
		with_keys |= specs[i].idempotency_key.size > 0;
	scoped(mem_free_at) struct submit *s = submit_new(n, with_keys);
	if ((code = check(qs, specs, n, s, e)))
		return code;
	struct store_batch *b = store_batch_new();
	for (size_t i = 0; i < n; i++)
		add(qs, s, i, &specs[i], b);
	if (specs[0].batch_id)
		join(qs, s, specs[0].batch_id, b);
	s->done = done;
	s->context = context;
	struct submit *submitted = take(s);
	change_commit(qs, &submitted->change, b, false, submit_applied);
	return E_OK;
}
