/* Workers that somebody stopped: with restart policy unless-stopped they stay so when the daemon starts again. */
#include "daemon/daemon.h"

#include <stdio.h>

#define STOPPED_PREFIX "stopped/" /* in STORE_SETTING */

static struct store_key key_of(const struct worker *w, char text[WORKER_ID_MAX + sizeof STOPPED_PREFIX + 1])
{
	snprintf(text, WORKER_ID_MAX + sizeof STOPPED_PREFIX + 1, STOPPED_PREFIX "%s", w->id);
	return (struct store_key){.text = bytes_of(text)};
}

static bool is_kept(struct daemon *d, struct store_key key)
{
	scoped(buf_fini) struct buf body = {0};
	return d->store->ops->read(d->store, STORE_SETTING, key, NULL, &body, NULL) == E_OK;
}

void by_hand_note(void *daemon, const struct worker *w)
{
	struct daemon *d = daemon;
	char text[WORKER_ID_MAX + sizeof STOPPED_PREFIX + 1];
	struct store_key key = key_of(w, text);
	if (w->wanted && w->on_crash == WORKER_CRASH_QUARANTINE)
		crashes_forget(d, w);
	if (w->restart.when != RESTART_UNLESS_STOPPED)
		return;
	struct store_batch *b = store_batch_new();
	if (!w->wanted)
		store_batch_put(b, STORE_SETTING, key, (struct bytes){0}, bytes_of("{}"));
	else
		store_batch_delete(b, STORE_SETTING, key);
	queues_commit(d->queues, b, NULL, NULL);
}

void by_hand_recall(struct daemon *d, struct worker *w)
{
	char text[WORKER_ID_MAX + sizeof STOPPED_PREFIX + 1];
	if (w->restart.when == RESTART_UNLESS_STOPPED && is_kept(d, key_of(w, text)))
		w->wanted = false;
}

void by_hand_forget(struct daemon *d, const struct worker *w)
{
	char text[WORKER_ID_MAX + sizeof STOPPED_PREFIX + 1];
	struct store_key key = key_of(w, text);
	if (!is_kept(d, key))
		return;
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, STORE_SETTING, key);
	queues_commit(d->queues, b, NULL, NULL);
}
