/* Which job is next, over all of them, without lists or heaps: what queue/order.c must agree with. */
#include "sim.h"

static struct sim_job *at(struct list *l)
{
	return container_of(l, struct sim_job, link);
}

bool model_waits(const struct sim_job *j)
{
	return j->state == SIM_LIVE && !j->fence && !j->settling;
}

bool model_expired(const struct sim_job *j, int64_t now_ms)
{
	return (j->expires_at_ms && !j->attempts && j->expires_at_ms <= now_ms) ||
		   (j->deadline_ms && j->deadline_ms <= now_ms);
}

static int effective(const struct sim_job *j, int64_t now_ms)
{
	int64_t waited = now_ms > j->due_at_ms ? now_ms - j->due_at_ms : 0, p = j->priority + waited / 60000;
	return p > 9 ? 9 : (int)p;
}

static bool before(const struct sim_job *a, const struct sim_job *b)
{
	return a->due_at_ms < b->due_at_ms || (a->due_at_ms == b->due_at_ms && a->id < b->id);
}

static bool more_urgent(const struct sim_job *a, const struct sim_job *b, int64_t now_ms)
{
	int p = effective(a, now_ms), q = effective(b, now_ms);
	return p > q || (p == q && before(a, b));
}

/* The most urgent, and the first of each lane. */
struct next {
	const struct sim_job *best, *heads[10][SIM_TENANTS];
	const struct sim_job *rival; /* the most urgent of another level than the best one's */
};

static void find_rival(struct world *w, struct next *n)
{
	for (int p = 0; p < 10; p++) {
		for (int t = 0; n->best && p != n->best->priority && t < SIM_TENANTS; t++) {
			const struct sim_job *j = n->heads[p][t];
			if (j && (!n->rival || more_urgent(j, n->rival, queues_now(w->qs))))
				n->rival = j;
		}
	}
}

static bool may_go(struct world *w, const struct sim_job *j, const struct next *n)
{
	return j == n->best || !n->rival || more_urgent(j, n->rival, queues_now(w->qs));
}

static void look(struct world *w, int queue, struct next *n)
{
	int64_t now = queues_now(w->qs);
	*n = (struct next){0};
	list_each(&w->live, l)
	{
		const struct sim_job *j = at(l);
		if (j->queue != queue || !model_waits(j) || j->due_at_ms > now || model_expired(j, now) ||
			!model_key_open(w, j))
			continue;
		const struct sim_job **head = &n->heads[j->priority][j->tenant];
		if (!*head || before(j, *head))
			*head = j;
		if (!n->best || more_urgent(j, n->best, now))
			n->best = j;
	}
	find_rival(w, n);
}

void model_turns_forget(struct world *w, int queue)
{
	memset(w->turns[queue], 0, sizeof w->turns[queue]);
}

/* A key that stepped aside comes back behind the others, at whatever priority. */
void model_turn_forget(struct world *w, int queue, int tenant)
{
	for (int p = 0; p < 10; p++)
		w->turns[queue][p].head[tenant] = 0;
}

/* While a lane has the same job to give, no other gives two. */
static void check_turn(struct world *w, int queue, const struct sim_job *given, const struct next *n)
{
	struct sim_turns *t = &w->turns[queue][given->priority];
	for (int lane = 0; lane < SIM_TENANTS; lane++) { /* where one of them may not go its age decides, not its turn */
		const struct sim_job *head = n->heads[given->priority][lane];
		if (head && !may_go(w, head, n)) {
			*t = (struct sim_turns){0};
			return;
		}
	}
	for (int lane = 0; lane < SIM_TENANTS; lane++) {
		const struct sim_job *head = n->heads[given->priority][lane];
		if (!head || head->id != t->head[lane]) {
			t->head[lane] = head ? head->id : 0;
			t->passed[lane] = 0;
		}
		if (!head || lane == given->tenant)
			continue;
		SIM_CHECK(w, !(t->passed[lane] >> given->tenant & 1), "job %llu: key %d had a turn twice, key %d none",
			(unsigned long long)given->id, given->tenant, lane);
		t->passed[lane] |= (uint8_t)(1u << given->tenant);
	}
	t->head[given->tenant] = 0;
}

void model_given(struct world *w, int queue, uint64_t id)
{
	struct next n;
	bool may = model_may_give(w, queue);
	model_keys_look(w, queue);
	look(w, queue, &n);
	if (!id) {
		model_turns_forget(w, queue); /* keys that got a token in the same millisecond may have any order */
		SIM_CHECK(w, !may || !n.best || model_rate_explains(w, queue), "lease: gave nothing, job %llu is next",
			(unsigned long long)(n.best ? n.best->id : 0));
		return;
	}
	const struct sim_job *j = model_find(w, id);
	SIM_CHECK(w, may, "lease: gave job %llu of a queue that is paused or at its limit", (unsigned long long)id);
	SIM_CHECK(w, n.best && j->priority == n.best->priority && n.heads[j->priority][j->tenant] == j && may_go(w, j, &n),
		"lease: gave job %llu, job %llu is next", (unsigned long long)id,
		(unsigned long long)(n.best ? n.best->id : 0));
	check_turn(w, queue, j, &n);
	model_spend(w, queue, j->tenant);
}
