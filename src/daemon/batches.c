/* Batches: what follows from one, and who hears of it. */
#include "daemon/daemon.h"

#include "base/mem.h"

#define KEEP_MS (7LL * 24 * 3600 * 1000) /* as runs */

static uint64_t on_submit(void *context, struct bytes namespace, struct bytes text, struct store_batch *b)
{
	struct daemon *d = context;
	struct submission job;
	scoped(mem_free_at) char *copy = mem_copy(text.data, text.size);
	enum errcode code = job_template_parse(&job, namespace, d->settings->callbacks.allow, copy, clock_now(d));
	uint64_t id = code ? 0 : queues_submit_in(d->queues, b, &job.specs[0], clock_now(d));
	if (code)
		log_write(LOG_LEVEL_ERROR, "batch_then_refused", "error=\"%s\"", job.error.text);
	submission_fini(&job);
	return id;
}

static void on_changed(void *context, uint64_t id, struct bytes namespace, const char *status, int percent)
{
	struct daemon *d = context;
	api_batch_changed(&d->api, id, namespace, status, percent);
}

void batches_open(struct daemon *d)
{
	struct batches_options options = {.store = d->store,
		.queues = d->queues,
		.callbacks = d->callbacks,
		.keep_ms = KEEP_MS,
		.context = d,
		.submit = on_submit,
		.changed = on_changed};
	d->batches = batches_new(&options);
}
