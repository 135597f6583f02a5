/* What an earlier engine left: children that live, jobs that they hold, and who is to blame when it crashed.
 *
 * Order: the store is loaded (every live job is pending again) → a module's crash is counted against its job → living children
 * are adopted and say what they hold → jobs are given out, at the latest after PROCESS_RECOVER_MS. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CRASHED_PREFIX "crashed/" /* in STORE_SETTING: {"n","at_ms"} of a worker whose module crashed the engine */

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

/* ── what is remembered of crashes: in the store, for the engine that counts dies of them ── */

struct crashes {
	int64_t n, at_ms;
};

static struct store_key crashes_key(const struct worker *w, char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1])
{
	snprintf(name, WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1, CRASHED_PREFIX "%s", w->id);
	return (struct store_key){.text = bytes_of(name)};
}

/* Of this very declaration: one that was changed since begins anew. */
static struct crashes read_crashes(struct daemon *d, const struct worker *w)
{
	char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1];
	scoped(buf_fini) struct buf body = {0};
	struct crashes c = {0};
	if (d->store->ops->read(d->store, STORE_SETTING, crashes_key(w, name), NULL, &body, NULL) != E_OK)
		return c;
	json_t *before = json_loadb(body.data, body.size, 0, NULL);
	const char *spec = json_string_value(json_object_get(before, "spec"));
	if (spec && strcmp(spec, w->spec) == 0) {
		c.n = json_integer_value(json_object_get(before, "n"));
		c.at_ms = json_integer_value(json_object_get(before, "at_ms"));
	}
	json_decref(before);
	return c;
}

/* One more; returns how many within the worker's window. */
static unsigned count_crash(struct daemon *d, const struct worker *w)
{
	char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1];
	scoped(buf_fini) struct buf body = {0};
	struct crashes c = read_crashes(d, w);
	int64_t now_ms = clock_now(d);
	c.n = now_ms - c.at_ms < w->restart.window_ms ? c.n + 1 : 1;
	buf_format(&body, "{\"n\":%lld,\"at_ms\":%lld,\"spec\":", (long long)c.n, (long long)now_ms);
	buf_json_string(&body, bytes_of(w->spec));
	buf_text(&body, "}");
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_SETTING, crashes_key(w, name), (struct bytes){0}, buf_bytes(&body));
	queues_commit(d->queues, b, NULL, NULL);
	return (unsigned)c.n;
}

/* on_crash: demote holds until the declaration is changed. */
static void demote(struct daemon *d)
{
	list_each(supervisor_workers(d->supervisor), at)
	{
		struct worker *w = container_of(at, struct worker, link);
		if (w->type != WORKER_MODULE || w->on_crash != WORKER_CRASH_DEMOTE || read_crashes(d, w).n == 0)
			continue;
		log_write(LOG_LEVEL_WARNING, "worker_demoted", "worker=%s why=\"as a module it crashed the engine\"", w->id);
		w->type = WORKER_PROCESS;
	}
}

static void blame_workers(struct blame *b)
{
	for (size_t k = 0; k < b->n; k++) {
		const struct worker *w = supervisor_find(b->daemon->supervisor, b->workers[k].worker);
		if (w && w->type == WORKER_MODULE)
			supervisor_blame(b->daemon->supervisor, w->id, count_crash(b->daemon, w), b->workers[k].evidence);
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
	demote(d);
	blame_workers(&b);
	if (d->processes)
		process_recover(d->processes, adopt, recovered, d);
	else
		recovered(d);
	return E_OK;
}
