/* What an earlier engine left: children that live, jobs that they hold, and who is to blame when it crashed.
 *
 * Order: the store is loaded (every live job is pending again) → a module's crash is counted against its job → living children
 * are adopted and say what they hold → jobs are given out, at the latest after PROCESS_RECOVER_MS. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void blame(void *context, const struct module_crumb *crumb)
{
	struct daemon *d = context;
	struct job *j;
	struct job_error evidence = {.code = "crashed", .retryable = 1};
	if (!crumb->crashed)
		return;
	log_write(LOG_LEVEL_ERROR, "module_panic", "instance=%s capability=%s %s", crumb->instance, crumb->capability,
		crumb->evidence);
	snprintf(evidence.message, sizeof evidence.message, "%s", crumb->evidence);
	if (crumb->job && queue_reclaim(d->queues, crumb->job, crumb->fence, clock_now(d), d, &j) == E_OK) {
		job_started(j, clock_now(d));
		queue_crashed(d->queues, crumb->job, crumb->fence, &evidence, clock_now(d), NULL);
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
	log_write(LOG_LEVEL_INFO, "ready", "node=%s socket=%s epoch=%llu", d->settings->node, d->settings->socket,
		(unsigned long long)d->store->epoch);
}

enum errcode recovery_adopt(struct daemon *d, struct err *e)
{
	module_crumbs(d->modules, blame, d);
	supervisor_hold(d->supervisor, true);
	enum errcode code = workers_add_all(d, e);
	if (code)
		return code;
	if (d->processes)
		process_recover(d->processes, adopt, recovered, d);
	else
		recovered(d);
	return E_OK;
}
