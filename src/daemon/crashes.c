/* What is remembered of modules that crashed the engine: in the store, for the engine that counts dies of them. */
#include "daemon/daemon.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CRASHED_PREFIX "crashed/" /* in STORE_SETTING: {"n","at_ms","why","spec"} of a worker */

struct crashes {
	int64_t n, at_ms;
	char why[256]; /* of the last */
};

static struct store_key key_of(const struct worker *w, char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1])
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
	if (d->store->ops->read(d->store, STORE_SETTING, key_of(w, name), NULL, &body, NULL) != E_OK)
		return c;
	json_t *before = json_loadb(body.data, body.size, 0, NULL);
	const char *spec = json_string_value(json_object_get(before, "spec"));
	const char *why = json_string_value(json_object_get(before, "why"));
	if (spec && strcmp(spec, w->spec) == 0) {
		c.n = json_integer_value(json_object_get(before, "n"));
		c.at_ms = json_integer_value(json_object_get(before, "at_ms"));
		snprintf(c.why, sizeof c.why, "%s", why ? why : "");
	}
	json_decref(before);
	return c;
}

unsigned crashes_count(struct daemon *d, const struct worker *w, const char *why)
{
	char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1];
	scoped(buf_fini) struct buf body = {0};
	struct crashes c = read_crashes(d, w);
	int64_t now_ms = clock_now(d);
	c.n = now_ms - c.at_ms < w->restart.window_ms ? c.n + 1 : 1;
	buf_format(&body, "{\"n\":%lld,\"at_ms\":%lld,\"why\":", (long long)c.n, (long long)now_ms);
	buf_json_string(&body, bytes_of(why));
	buf_text(&body, ",\"spec\":");
	buf_json_string(&body, bytes_of(w->spec));
	buf_text(&body, "}");
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_SETTING, key_of(w, name), (struct bytes){0}, buf_bytes(&body));
	queues_commit(d->queues, b, NULL, NULL);
	return (unsigned)c.n;
}

void crashes_forget(struct daemon *d, const struct worker *w)
{
	char name[WORKER_ID_MAX + sizeof CRASHED_PREFIX + 1];
	if (read_crashes(d, w).n == 0)
		return;
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, STORE_SETTING, key_of(w, name));
	queues_commit(d->queues, b, NULL, NULL);
}

void crashes_act(struct daemon *d, struct worker *w, const char *why)
{
	bool demote = w->on_crash == WORKER_CRASH_DEMOTE;
	log_write(LOG_LEVEL_WARNING, demote ? "worker_demoted" : "worker_quarantined", "worker=%s why=\"%s\"", w->id, why);
	if (demote)
		supervisor_set_type(d->supervisor, w, WORKER_PROCESS);
	else
		supervisor_quarantine(d->supervisor, w, why);
}

void crashes_recall(struct daemon *d)
{
	list_each(supervisor_workers(d->supervisor), at)
	{
		struct worker *w = container_of(at, struct worker, link);
		if (w->type != WORKER_MODULE || w->on_crash == WORKER_CRASH_RESTART || !w->wanted)
			continue;
		struct crashes c = read_crashes(d, w);
		if (c.n > 0)
			crashes_act(d, w, c.why);
	}
}

enum errcode crashes_promote(struct daemon *d, const char *id, struct err *e)
{
	struct worker *w = supervisor_find(d->supervisor, id);
	if (!w)
		return err_set(e, E_NOT_FOUND, "there is no worker \"%s\"", id);
	if (w->removing)
		return err_set(e, E_STATE, "worker \"%s\" is being removed", id);
	if (w->type != WORKER_PROCESS || w->on_crash != WORKER_CRASH_DEMOTE || read_crashes(d, w).n == 0)
		return err_set(e, E_STATE,
			"worker \"%s\" was not demoted; only a module that runs as a process since it crashed can be promoted", id);
	crashes_forget(d, w);
	log_write(LOG_LEVEL_INFO, "worker_promoted", "worker=%s", id);
	supervisor_set_type(d->supervisor, w, WORKER_MODULE);
	return E_OK;
}
