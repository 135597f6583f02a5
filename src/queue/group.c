/* Live jobs that belong to the same batch are counted together: a batch of a million shows how far it is without a look at each. */
#include "queue/state.h"

#include <stdlib.h>

void group_join(struct job *j, uint64_t batch_id)
{
	struct queues *qs = j->queue->qs;
	if (!batch_id)
		return;
	struct group *g = idmap_get(&qs->groups, batch_id);
	if (!g) {
		g = NEW(struct group);
		g->id = batch_id;
		idmap_put(&qs->groups, batch_id, g);
	}
	g->live++;
	queues_more(j)->group = g;
}

void group_leave(struct queues *qs, struct job *j)
{
	struct group *g = j->more ? j->more->group : NULL;
	if (!g)
		return;
	if (j->flags & JOB_DURABLE)
		g->counts.processing--;
	if (--g->live)
		return;
	idmap_remove(&qs->groups, g->id);
	free(g);
}

uint64_t *group_counter(struct group *g, enum job_state state)
{
	return state == JOB_PENDING		? &g->counts.pending
		   : state == JOB_SCHEDULED ? &g->counts.scheduled
									: &g->counts.processing;
}

uint64_t job_batch(const struct job *j)
{
	return j->more && j->more->group ? j->more->group->id : 0;
}

struct job_counts queues_count_batch(const struct queues *qs, uint64_t batch_id)
{
	const struct group *g = batch_id ? idmap_get(&qs->groups, batch_id) : NULL;
	return g ? g->counts : (struct job_counts){0};
}
