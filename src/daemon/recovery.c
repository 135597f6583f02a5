/* What an earlier engine left: children that live, jobs that they hold, and who is to blame when it crashed.
 *
 * Order: the store is loaded (every live job is pending again) → a module's crash is counted against its job → living children
 * are adopted and say what they hold → jobs are given out, at the latest after PROCESS_RECOVER_MS. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct blamed { /* workers whose module crashed */
	char worker[WORKER_ID_MAX + 1], evidence[256];
};

struct blame {
	struct daemon *daemon;
	struct blamed workers[16];
	size_t n;
};

/* "<worker id>-<6 hex>" */
static void remember(struct blame *b, const struct module_crumb *crumb)
{
	const char *dash = strrchr(crumb->instance, '-');
	size_t n = dash ? (size_t)(dash - crumb->instance) : 0;
	if (n == 0 || n > WORKER_ID_MAX || b->n == ARRAY_SIZE(b->workers))
		return;
	struct blamed *to = &b->workers[b->n];
	memcpy(to->worker, crumb->instance, n);
	to->worker[n] = 0;
	snprintf(to->evidence, sizeof to->evidence, "%s", crumb->evidence);
	for (size_t k = 0; k < b->n; k++)
		if (strcmp(b->workers[k].worker, to->worker) == 0)
			return;
	b->n++;
}

static void blame(void *context, const struct module_crumb *crumb)
{
	struct blame *b = context;
	struct daemon *d = b->daemon;
	struct job *j;
	struct job_error evidence = {.code = "crashed", .retryable = 1};
	if (!crumb->crashed)
		return;
	log_write(LOG_LEVEL_ERROR, "module_panic", "instance=%s capability=%s %s", crumb->instance, crumb->capability,
		crumb->evidence);
	remember(b, crumb);
	snprintf(evidence.message, sizeof evidence.message, "%s", crumb->evidence);
	if (crumb->job && queue_reclaim(d->queues, crumb->job, crumb->fence, clock_now(d), d, &j) == E_OK) {
		job_started(j, clock_now(d));
		queue_crashed(d->queues, crumb->job, crumb->fence, &evidence, (struct bytes){0}, clock_now(d), NULL);
	}
}

static void blame_workers(struct daemon *d, const struct blame *b)
{
	for (size_t k = 0; k < b->n; k++) {
		const char *why = b->workers[k].evidence;
		struct worker *w = supervisor_find(d->supervisor, b->workers[k].worker);
		if (!w || w->type != WORKER_MODULE)
			continue;
		unsigned n = crashes_count(d, w, why);
		if (w->on_crash == WORKER_CRASH_RESTART)
			supervisor_blame(d->supervisor, w->id, n, why);
		else
			crashes_act(d, w, why);
	}
}

static struct instance *adopt(void *context, const char *worker_id, const char *instance_id)
{
	struct daemon *d = context;
	return supervisor_adopt(d->supervisor, worker_id, instance_id);
}

static void recovered(void *context)
{
	struct daemon *d = context;
	d->recovering = false;
	supervisor_hold(d->supervisor, false);
	dispatch_hold(d->dispatch, d->stopping);
	claims_hold(d->claims, d->stopping);
	log_write(LOG_LEVEL_INFO, "ready", "node=%s socket=%s epoch=%llu", d->settings->node, d->settings->socket,
		(unsigned long long)d->store->epoch);
}

enum errcode recovery_adopt(struct daemon *d, struct err *e)
{
	struct blame b = {.daemon = d};
	module_crumbs(d->modules, blame, &b);
	supervisor_hold(d->supervisor, true);
	enum errcode code = workers_add_all(d, e);
	if (code)
		return code;
	blame_workers(d, &b);
	crashes_recall(d);
	if (d->processes)
		process_recover(d->processes, adopt, recovered, d);
	else
		recovered(d);
	return E_OK;
}
