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

static void print_line(struct buf *line)
{
	puts(line->data);
	fflush(stdout);
	buf_fini(line);
}

/* Names of directories and what stands in a damaged row are bytes of any kind. */
static void add_text(struct buf *line, const char *name, const char *value)
{
	buf_format(line, ",\"%s\":", name);
	buf_json_utf8(line, bytes_of(value));
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
	struct buf line = {0};
	buf_format(&line, "{\"done\":%" PRIu64 ",\"total\":%" PRIu64 "}", done, total);
	print_line(&line);
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
	struct buf line = {0};
	buf_format(&line,
		"{\"rows\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"epoch\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"restored\":true",
		n.rows, n.blobs, n.epoch, n.damaged);
	add_text(&line, "damaged_blob", n.damaged_name);
	add_text(&line, "created_at", n.created_at);
	add_text(&line, "node", n.node);
	add_text(&line, "data_dir", o.data_dir);
	buf_text(&line, "}");
	print_line(&line);
	return n.damaged ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_finding(void *context, const struct doctor_finding *f)
{
	static const char *const words[] = {"ok", "warning", "error", "repaired"};
	struct buf line = {0};
	buf_format(&line, "{\"check\":\"%s\",\"status\":\"%s\"", f->check, words[f->status]);
	add_text(&line, "message", f->text);
	buf_text(&line, "}");
	print_line(&line);
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
