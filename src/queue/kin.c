/* Live jobs of the same run stand in one list, so that a cancelled run finds its jobs without a look at all others. */
#include "queue/state.h"

#include <stdlib.h>

void kin_join(struct job *j)
{
	struct queues *qs = j->queue->qs;
	if (!j->run_id)
		return;
	struct list *kin = idmap_get(&qs->runs, j->run_id);
	if (!kin) {
		kin = NEW(struct list);
		list_init(kin);
		idmap_put(&qs->runs, j->run_id, kin);
	}
	struct job_more *m = queues_more(j);
	m->job = j;
	list_append(kin, &m->kin);
}

void kin_leave(struct queues *qs, struct job *j)
{
	if (!j->run_id || !j->more->kin.next)
		return;
	struct list *kin = idmap_get(&qs->runs, j->run_id);
	list_remove(&j->more->kin);
	if (!list_empty(kin))
		return;
	idmap_remove(&qs->runs, j->run_id);
	free(kin);
}

void queues_each_of_run(struct queues *qs, uint64_t run_id, bool (*visit)(void *context, struct job *j), void *context)
{
	struct list *kin = run_id ? idmap_get(&qs->runs, run_id) : NULL;
	for (struct list *at = kin ? kin->next : NULL, *next; at && at != kin; at = next) {
		next = at->next; /* the visitor may change j, and no other job of the list */
		if (!visit(context, container_of(at, struct job_more, kin)->job))
			return;
	}
}
