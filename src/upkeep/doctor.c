#include "upkeep/doctor.h"

#include "base/mem.h"
#include "base/units.h"
#include "store/lockfile.h"
#include "upkeep/backup.h"
#include "upkeep/checks.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPACE_WARNING (1ull << 30)
#define SPACE_ERROR	  (64ull << 20)

void doctor_say(struct doctor *d, const char *check, enum doctor_status status, const char *format, ...)
{
	struct doctor_finding f = {.check = check, .status = status};
	va_list args;
	va_start(args, format);
	vsnprintf(f.text, sizeof f.text, format, args);
	va_end(args);
	d->bad |= status == DOCTOR_ERROR;
	d->o->found(d->o->context, &f);
}

/* ── the directory ── */

static void check_permissions(struct doctor *d, const struct stat *st)
{
	if (st->st_uid != geteuid())
		doctor_say(d, "directory", DOCTOR_ERROR, "%s belongs to user %u, this is user %u", d->o->data_dir,
			(unsigned)st->st_uid, (unsigned)geteuid());
	else if (!(st->st_mode & 077))
		doctor_say(d, "directory", DOCTOR_OK, "%s is its owner's alone", d->o->data_dir);
	else if (d->repair && chmod(d->o->data_dir, 0700) == 0)
		doctor_say(d, "directory", DOCTOR_REPAIRED, "%s was open to others, mode %03o: now 700", d->o->data_dir,
			(unsigned)st->st_mode & 0777);
	else
		doctor_say(d, "directory", DOCTOR_WARNING, "%s is open to others: mode %03o, should be 700", d->o->data_dir,
			(unsigned)st->st_mode & 0777);
}

/* Held until the end where something may be repaired. */
static void check_lock(struct doctor *d)
{
	char path[PATH_MAX];
	struct err e;
	snprintf(path, sizeof path, "%s/lock", d->o->data_dir);
	if (access(path, F_OK) != 0) {
		doctor_say(d, "lock", DOCTOR_OK, "no daemon has ever used it");
		return;
	}
	enum errcode code = lockfile_take(path, &d->lock, &e);
	if (code == E_CONFLICT) {
		d->repair = false;
		doctor_say(d, "lock", d->o->repair ? DOCTOR_WARNING : DOCTOR_OK, "a daemon works here%s",
			d->o->repair ? "; nothing is repaired meanwhile" : "");
	} else if (code) {
		doctor_say(d, "lock", DOCTOR_ERROR, "%s", e.text);
	} else {
		doctor_say(d, "lock", DOCTOR_OK, "no daemon uses it");
	}
}

static bool check_directory(struct doctor *d)
{
	struct stat st;
	struct err e;
	if (stat(d->o->data_dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		doctor_say(d, "directory", DOCTOR_ERROR, "%s: there is no such directory", d->o->data_dir);
		return false;
	}
	check_lock(d);
	check_permissions(d, &st);
	if (restore_check_finished(d->o->data_dir, &e) != E_OK)
		doctor_say(d, "directory", DOCTOR_ERROR, "%s", e.text);
	return true;
}

static void check_space(struct doctor *d)
{
	struct statvfs st;
	char left[UNITS_TEXT_SIZE];
	if (statvfs(d->o->data_dir, &st) != 0) {
		doctor_say(d, "space", DOCTOR_ERROR, "%s: %s", d->o->data_dir, strerror(errno));
		return;
	}
	uint64_t bytes = (uint64_t)st.f_bavail * st.f_frsize;
	units_format_size(bytes >> 20 << 20, left);
	doctor_say(d, "space",
		bytes < SPACE_ERROR		? DOCTOR_ERROR
		: bytes < SPACE_WARNING ? DOCTOR_WARNING
								: DOCTOR_OK,
		"%s are left on the disk", left);
	if (st.f_files && st.f_favail < 1000)
		doctor_say(d, "space", DOCTOR_WARNING, "room for %llu files is left", (unsigned long long)st.f_favail);
}

static void check_kernel(struct doctor *d)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), memory = memfd_create("reeve-doctor", MFD_CLOEXEC);
	bool proc = access("/proc/self/fd", F_OK) == 0;
	if (pidfd < 0 || memory < 0 || !proc)
		doctor_say(d, "kernel", DOCTOR_ERROR, "missing:%s%s%s", pidfd < 0 ? " pidfd_open (Linux 5.3)" : "",
			memory < 0 ? " memfd_create" : "", proc ? "" : " /proc");
	else
		doctor_say(d, "kernel", DOCTOR_OK, "has what the engine needs");
	mem_close_at(&pidfd);
	mem_close_at(&memory);
}

/* ── the store ── */

static void check_store(struct doctor *d)
{
	struct err e;
	int format = 0, ours = 0;
	enum errcode code = store_sqlite_inspect(d->o->data_dir, &format, &ours, &d->reader, &e);
	if (code == E_NOT_FOUND) {
		doctor_say(d, "format", DOCTOR_OK, "there is no store yet");
		return;
	}
	if (code) {
		doctor_say(d, "format", DOCTOR_ERROR, "%s", e.text);
		return;
	}
	doctor_say(d, "format", DOCTOR_OK,
		format == ours ? "%d, as this version writes it" : "%d; the next start brings it up", format);
	if (store_sqlite_integrity(d->reader, &e) != E_OK)
		doctor_say(d, "store", DOCTOR_ERROR, "the file is damaged: %s", e.text);
	else
		doctor_say(d, "store", DOCTOR_OK, "every page is as it should be");
	if (format == ours)
		checks_rows(d);
	else
		doctor_say(d, "rows", DOCTOR_WARNING, "not looked at: they are of format %d", format);
}

bool doctor_run(const struct doctor_options *o)
{
	struct doctor d = {.o = o, .repair = o->repair, .lock = -1};
	check_kernel(&d);
	if (check_directory(&d)) {
		check_space(&d);
		if (!o->memory_store)
			check_store(&d);
		checks_blobs(&d);
	}
	store_snapshot_close(d.reader);
	mem_close_at(&d.lock);
	checks_forget(&d);
	return !d.bad;
}
