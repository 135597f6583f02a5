/* What is done with a data directory that no engine uses. For `reeve restore` and `reeve doctor`, which show it to a person. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "upkeep/backup.h"
#include "upkeep/doctor.h"
#include "wire/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void print_json(json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

/* A few times a second, for the bar. */
static void print_progress(void *context, uint64_t done, uint64_t total)
{
	static int64_t last_ms;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
	if (ms - last_ms < 100)
		return;
	last_ms = ms;
	print_json(json_pack("{sIsI}", "done", (json_int_t)done, "total", (json_int_t)total));
}

int offline_restore(const struct daemon *d)
{
	struct restore_options o = {.file = d->options.restore,
		.data_dir = d->settings->data_dir,
		.force = d->options.force,
		.progress = print_progress};
	struct restored n;
	struct err e;
	if (restore_run(&o, &n, &e) != E_OK) {
		fprintf(stderr, "reeve: %s\n", e.text);
		return EXIT_FAILURE;
	}
	print_json(json_pack("{sIsIsIsIsssssssssb}", "rows", (json_int_t)n.rows, "blobs", (json_int_t)n.blobs, "epoch",
		(json_int_t)n.epoch, "damaged", (json_int_t)n.damaged, "damaged_blob", n.damaged_name, "created_at",
		n.created_at, "node", n.node, "data_dir", o.data_dir, "restored", 1));
	return n.damaged ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_finding(void *context, const struct doctor_finding *f)
{
	static const char *const words[] = {"ok", "warning", "error", "repaired"};
	print_json(json_pack("{ssssss}", "check", f->check, "status", words[f->status], "message", f->text));
}

int offline_doctor(const struct daemon *d)
{
	struct doctor_options o = {.data_dir = d->settings->data_dir,
		.memory_store = d->settings->memory_store,
		.repair = d->options.repair,
		.found = print_finding,
		.progress = print_progress};
	return doctor_run(&o) ? EXIT_SUCCESS : EXIT_FAILURE;
}
