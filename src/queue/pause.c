#include "queue/state.h"

/* The row's key in STORE_SETTING: "queue/NAMESPACE/CAPABILITY"; names have no '/'. */
static struct bytes setting_key(const struct queue *q, struct buf *text)
{
	buf_text(text, "queue/");
	buf_add(text, q->info.namespace.data, q->info.namespace.size);
	buf_text(text, "/");
	buf_add(text, q->info.capability.data, q->info.capability.size);
	return buf_bytes(text);
}

void queue_pause(struct queue *q, bool paused)
{
	struct queues *qs = q->qs;
	scoped(buf_fini) struct buf text = {0};
	struct store_key key = {.text = setting_key(q, &text)};
	if (q->paused == paused)
		return;
	q->paused = paused;
	struct store_batch *b = store_batch_new();
	if (paused)
		store_batch_put(b, STORE_SETTING, key, (struct bytes){0}, bytes_of("{\"paused\":true}"));
	else
		store_batch_delete(b, STORE_SETTING, key);
	change_simple(qs, b, NULL, NULL);
	if (!paused && q->nonempty && qs->hooks.ready)
		qs->hooks.ready(qs->hooks.context, q);
}

void pause_load(struct queues *qs, struct bytes key)
{
	static const char prefix[] = "queue/";
	size_t n = sizeof prefix - 1;
	if (key.size <= n || memcmp(key.data, prefix, n))
		return;
	struct bytes rest = {key.data + n, key.size - n};
	const char *slash = memchr(rest.data, '/', rest.size);
	if (!slash)
		return;
	struct bytes namespace = {rest.data, (size_t)(slash - rest.data)};
	struct bytes capability = {slash + 1, rest.size - namespace.size - 1};
	queues_get(qs, namespace, capability)->paused = true;
}
