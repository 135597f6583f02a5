/* Every blob: is it what its name says, is it needed, and is there what is needed? */
#include "base/mem.h"
#include "upkeep/checks.h"
#include "upkeep/files.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 256 };

struct counts {
	uint64_t n, bytes, damaged, unnamed;
	char first[BLOB_NAME_SIZE]; /* damaged */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_named(const struct doctor *d, const char *name)
{
	return d->ref_n && bsearch(name, d->refs, d->ref_n, sizeof *d->refs, by_name);
}

static uint64_t total(struct blobs *b)
{
	static struct blob_info page[PAGE];
	uint64_t all = 0;
	for (size_t n = PAGE; n == PAGE; all += n)
		if (blobs_list(b, all ? page[PAGE - 1].name : NULL, page, PAGE, &n, NULL) != E_OK)
			break;
	return all;
}

static void check_page(
	struct doctor *d, struct blobs *b, const struct blob_info *page, size_t n, uint64_t all, struct counts *c)
{
	for (size_t i = 0; i < n; i++) {
		c->n++;
		c->bytes += page[i].bytes;
		c->unnamed += d->reader && !is_named(d, page[i].name);
		if (blob_verify(b, page[i].name, NULL, NULL) == E_IO && c->damaged++ == 0)
			memcpy(c->first, page[i].name, BLOB_NAME_SIZE);
		if (d->o->progress)
			d->o->progress(d->o->context, c->n, all);
	}
}

static void check_all(struct doctor *d, struct blobs *b)
{
	static struct blob_info page[PAGE];
	struct counts c = {0};
	uint64_t all = total(b);
	for (size_t n = PAGE; n == PAGE;) {
		if (blobs_list(b, c.n ? page[PAGE - 1].name : NULL, page, PAGE, &n, NULL) != E_OK)
			break;
		check_page(d, b, page, n, all, &c);
	}
	if (c.damaged)
		doctor_say(d, "blobs", DOCTOR_ERROR,
			"%" PRIu64 " of %" PRIu64 " have another content than their name says; the first: %s", c.damaged, c.n,
			c.first);
	else
		doctor_say(d, "blobs", DOCTOR_OK, "%" PRIu64 ", %" PRIu64 " bytes; each is what its name says", c.n, c.bytes);
	if (c.unnamed)
		doctor_say(d, "blobs", DOCTOR_OK,
			"%" PRIu64 " of them are named by no row; those that no other blob names either are deleted in time",
			c.unnamed);
}

static void check_needed(struct doctor *d, struct blobs *b)
{
	uint64_t missing = 0;
	const char *first = NULL;
	for (size_t i = 0; i < d->ref_n; i++) {
		int fd = -1;
		if (d->refs[i].needed && blob_open(b, d->refs[i].name, &fd, NULL, NULL) == E_NOT_FOUND && missing++ == 0)
			first = d->refs[i].name;
		mem_close_at(&fd);
	}
	if (missing)
		doctor_say(d, "blobs", DOCTOR_ERROR, "%" PRIu64 " inputs of jobs are not there; the first: %s", missing, first);
}

static void check_unfinished(struct doctor *d, const char *directory)
{
	char path[PATH_MAX + 8];
	snprintf(path, sizeof path, "%s/tmp", directory);
	if (d->lock < 0 || !files_any(path, ""))
		return; /* a daemon is at work: uploads are under way */
	if (d->repair && files_remove(path, NULL) == E_OK)
		doctor_say(d, "blobs", DOCTOR_REPAIRED, "uploads that were never finished are gone");
	else
		doctor_say(d, "blobs", DOCTOR_OK, "there are uploads that were never finished; the next start removes them");
}

void checks_blobs(struct doctor *d)
{
	char path[PATH_MAX];
	struct blobs *b;
	struct err e;
	snprintf(path, sizeof path, "%s/blobs", d->o->data_dir);
	if (access(path, F_OK) != 0) {
		doctor_say(d, "blobs", DOCTOR_OK, "there are none yet");
		return;
	}
	check_unfinished(d, path);
	if (blobs_open_only(path, &b, &e) != E_OK) {
		doctor_say(d, "blobs", DOCTOR_ERROR, "%s", e.text);
		return;
	}
	if (d->ref_n)
		qsort(d->refs, d->ref_n, sizeof *d->refs, by_name);
	check_all(d, b);
	check_needed(d, b);
	blobs_close(b);
}

void checks_forget(struct doctor *d)
{
	free(d->refs);
}
