/* The reserve (os/reserve.h): an engine that starts on a full disk gives it up, works with what that frees, and takes no new jobs and
 * blobs until there is space for another. */
#include "daemon/daemon.h"

#include "os/reserve.h"

#define AGAIN_MS 1000

static void make_work(void *context)
{
	struct daemon *d = context;
	d->reserve_code = reserve_make(d->settings->data_dir, NULL);
}

static void made(void *context)
{
	struct daemon *d = context;
	if (!d->reserve) /* the daemon is ending, and what it is made of may be gone */
		return;
	if (d->reserve_code) {
		loop_timer_set(d->reserve, AGAIN_MS);
		return;
	}
	if (d->no_space)
		log_write(LOG_LEVEL_INFO, "disk_has_space", NULL);
	d->no_space = false;
	queues_set_no_space(d->queues, false);
}

static void fire(void *context)
{
	struct daemon *d = context;
	loop_work(d->loop, make_work, made, d);
}

void reserve_begin(struct daemon *d)
{
	if (!reserve_needed(d->settings->data_dir))
		return;
	reserve_give_up(d->settings->data_dir);
	d->no_space = true;
	log_write(
		LOG_LEVEL_WARNING, "disk_full", "what=\"the reserve is given up; no jobs are taken until there is space\"");
}

void reserve_open(struct daemon *d)
{
	if (d->settings->memory_store)
		return;
	queues_set_no_space(d->queues, d->no_space);
	d->reserve = loop_timer_new(d->loop, fire, d);
	loop_timer_set(d->reserve, d->no_space ? AGAIN_MS : 0);
}

void reserve_close(struct daemon *d)
{
	loop_timer_free(d->reserve);
	d->reserve = NULL;
}
