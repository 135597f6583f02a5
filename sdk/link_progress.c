/* link_progress.c - progress of handlers: at most one word of a job in PROGRESS_MS goes over the link, and the last one is always told. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

enum { PROGRESS_MS = 100, OUT_MANY = 1 << 20 }; /* above OUT_MANY unsent bytes it is kept, too */

void link_progress_forget(struct link_job *j)
{
	free(j->progress);
	j->progress = NULL;
}

static void put(struct link_job *j, int percent, const char *message, size_t size, int64_t now_ms)
{
	j->progress_ms = now_ms;
	link_put_simple(j->host, FRAME_PROGRESS, j->a.number, j->a.fence, percent, (struct span){message, size});
	link_progress_forget(j);
}

static void keep(struct link_job *j, int percent, const char *message, size_t size)
{
	struct link_host *h = j->host;

	link_progress_forget(j);
	j->progress = strndup(message ? message : "", size);
	j->progress_percent = percent;
	if (h->progress_at_ms == 0)
		h->progress_at_ms = j->progress_ms + PROGRESS_MS;
}

void link_progress_say(struct link_job *j, int percent, const char *message, size_t size)
{
	struct link_host *h = j->host;
	int64_t now_ms = link_now_ms();

	if ((percent == 100 || now_ms - j->progress_ms >= PROGRESS_MS) && stream_out_size(&h->out) < OUT_MANY)
		put(j, percent, message, size, now_ms);
	else
		keep(j, percent, message, size);
	link_wake(h);
}

int link_progress_wait_ms(const struct link_host *h, int otherwise)
{
	int64_t wait = h->progress_at_ms - link_now_ms();

	if (h->progress_at_ms == 0 || (otherwise >= 0 && otherwise <= wait))
		return otherwise;
	return wait > 0 ? (int)wait : 0;
}

void link_progress_tell(struct link_host *h)
{
	int64_t now_ms = link_now_ms();

	if (h->progress_at_ms == 0 || h->progress_at_ms > now_ms)
		return;
	h->progress_at_ms = h->online ? 0 : now_ms + PROGRESS_MS;
	for (unsigned i = 0; h->online && i < LINK_BUCKETS; i++) {
		for (struct link_job *j = h->table[i]; j; j = j->hash_next) {
			if (!j->progress || j->state != LINK_RUNNING)
				continue;
			if (now_ms - j->progress_ms >= PROGRESS_MS && stream_out_size(&h->out) < OUT_MANY)
				put(j, j->progress_percent, j->progress, strlen(j->progress), now_ms);
			else if (h->progress_at_ms == 0)
				h->progress_at_ms = now_ms + PROGRESS_MS;
		}
	}
}
