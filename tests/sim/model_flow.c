/* Limits and pauses: what may be given out, counted afresh each time. */
#include "sim.h"

static bool other_space(const struct sim_job *j, int queue)
{
	return sim_space[j->queue] != sim_space[queue];
}

static uint64_t places(struct world *w, int queue, bool space, int tenant)
{
	uint64_t n = 0;
	list_each(&w->live, l)
	{
		const struct sim_job *j = container_of(l, struct sim_job, link);
		if (!j->place || (space ? other_space(j, queue) : j->queue != queue))
			continue;
		n += tenant < 0 || j->tenant == tenant;
	}
	return n;
}

static bool has_place(struct world *w, const struct limit *l, int queue, bool space, int tenant)
{
	return !l->concurrency || places(w, queue, space, tenant) < l->concurrency;
}

bool model_may_give(struct world *w, int queue)
{
	int space = sim_space[queue];
	if (w->paused[queue] || w->space_paused[space] || w->all_paused)
		return false;
	return has_place(w, &w->flow[queue].all, queue, false, -1) &&
		   has_place(w, &w->space_flow[space].all, queue, true, -1);
}

bool model_key_open(struct world *w, const struct sim_job *j)
{
	return !j->tenant ||
		   (!w->key_shut[j->queue][j->tenant] && has_place(w, &w->flow[j->queue].key, j->queue, false, j->tenant));
}

static int tenant_of(struct bytes key)
{
	int t = SIM_TENANTS - 1;
	while (t && !bytes_equal(key, bytes_of(sim_tenants[t])))
		t--;
	return t;
}

/* That a key has no token is the queue's word (it may have been drained by the engine before); that it never gives more than the
 * rate is ours, and that somebody wakes it. */
void model_keys_look(struct world *w, int queue)
{
	struct queue_key keys[SIM_TENANTS];
	size_t n = queue_top_keys(w->queues[queue], keys, SIM_TENANTS);
	memset(w->key_shut[queue], 0, sizeof w->key_shut[queue]);
	for (size_t i = 0; i < n; i++) {
		int t = tenant_of(keys[i].key);
		if (keys[i].state != GATE_OPEN)
			model_turn_forget(w, queue, t);
		if (keys[i].state != GATE_RATE)
			continue;
		w->key_shut[queue][t] = true;
		SIM_CHECK(w,
			queues_tick(w->qs, w->now_ms) <= queues_now(w->qs) + 1000000 / (int64_t)w->flow[queue].key.rate_milli + 2,
			"key %s: waits for a token, and nobody wakes it", sim_tenants[t]);
	}
}

/* ── rates: at most burst + rate * w jobs in any time w ── */

static double per_ms(const struct limit *l)
{
	return l->rate_milli / 1e6;
}

static void spend(struct world *w, struct sim_bucket *b, const struct limit *l, const char *whose)
{
	int64_t now = queues_now(w->qs);
	if (!l->rate_milli)
		return;
	b->tokens += (double)(now - b->at_ms) * per_ms(l);
	if (b->tokens > l->burst)
		b->tokens = l->burst;
	b->at_ms = now;
	SIM_CHECK(w, b->tokens > 0.99, "lease: more than the rate of the %s allows", whose);
	b->tokens -= 1;
}

void model_spend(struct world *w, int queue, int tenant)
{
	int space = sim_space[queue];
	spend(w, &w->buckets[queue], &w->flow[queue].all, "queue");
	spend(w, &w->space_buckets[space], &w->space_flow[space].all, "namespace");
	if (tenant)
		spend(w, &w->key_buckets[queue][tenant], &w->flow[queue].key, "key");
}

/* A bucket whose limit has changed is taken to be full: what was owed is the queue's to forget or to remember. */
static void fill(struct world *w, struct sim_bucket *b, const struct limit *l)
{
	*b = (struct sim_bucket){l->burst, queues_now(w->qs)};
}

bool model_rate_explains(struct world *w, int queue)
{
	struct queue_info info;
	queue_get_info(w->queues[queue], &info);
	const struct limit *l = info.blocked == BLOCK_RATE			   ? &w->flow[queue].all
							: info.blocked == BLOCK_NAMESPACE_RATE ? &w->space_flow[sim_space[queue]].all
																   : NULL;
	if (!l || !l->rate_milli)
		return false;
	w->counts[DID_BLOCKED]++;
	return (double)(info.opens_at_ms - queues_now(w->qs)) <= 1 / per_ms(l) + 2;
}

/* ── lengths ── */

uint64_t model_length(struct world *w, int queue, bool space, bool sure)
{
	uint64_t n = 0;
	list_each(&w->live, l)
	{
		const struct sim_job *j = container_of(l, struct sim_job, link);
		if (space ? other_space(j, queue) : j->queue != queue)
			continue;
		n += sure ? model_waits(j) : !j->fence;
	}
	return n;
}

/* ── after a restart, or when they were set ── */

static void read_space(void *context, const struct namespace_info *info)
{
	struct world *w = context;
	for (int i = 0; i < SIM_QUEUES; i++) {
		if (!bytes_equal(info->name, bytes_of(sim_names[i][0])))
			continue;
		w->space_paused[sim_space[i]] = info->paused;
		w->space_flow[sim_space[i]] = info->flow;
		fill(w, &w->space_buckets[sim_space[i]], &info->flow.all);
	}
}

void model_flow_read(struct world *w)
{
	for (int i = 0; i < SIM_QUEUES; i++) {
		struct queue_info info;
		queue_get_info(w->queues[i], &info);
		w->paused[i] = info.paused;
		w->flow[i] = info.flow;
		fill(w, &w->buckets[i], &info.flow.all);
		for (int t = 1; t < SIM_TENANTS; t++)
			fill(w, &w->key_buckets[i][t], &info.flow.key);
		model_turns_forget(w, i);
	}
	namespaces_each(w->qs, read_space, w);
	w->all_paused = queues_paused(w->qs);
}
