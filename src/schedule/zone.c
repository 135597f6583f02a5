#include "schedule/zone.h"

#include "base/mem.h"

#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST	 0 /* 1970 */
#define LAST	 7258118400 /* 2200 */
#define FOR_EVER (1LL << 60)

enum { NAME_MAX_BYTES = 64 };

struct change {
	int64_t at;
	int offset;
};

struct zone {
	struct zone *next;
	char name[NAME_MAX_BYTES + 1];
	struct change *changes; /* the first one at -FOR_EVER */
	size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *zones; /* few, and never freed: nobody has to count who uses one */

static void add_change(struct zone *z, int64_t at, int offset)
{
	if (z->n && z->changes[z->n - 1].offset == offset)
		return;
	z->changes = mem_resize(z->changes, (z->n + 1) * sizeof *z->changes);
	z->changes[z->n++] = (struct change){at, offset};
}

/* The first second after `at` that is in another of GLib's intervals. */
static int64_t next_interval(GTimeZone *tz, int64_t at)
{
	int64_t before = at, step = 86400;
	int here = g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, at);
	while (g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, before + step) == here) {
		before += step;
		if (before > LAST)
			return before;
		step *= 2;
	}
	int64_t after = before + step;
	while (after - before > 1) {
		int64_t middle = before + (after - before) / 2;
		if (g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, middle) == here)
			before = middle;
		else
			after = middle;
	}
	return after;
}

static void read_changes(struct zone *z, GTimeZone *tz)
{
	for (int64_t at = FIRST; at < LAST; at = next_interval(tz, at)) {
		int interval = g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, at);
		add_change(z, at == FIRST ? -FOR_EVER : at, g_time_zone_get_offset(tz, interval));
	}
}

/* A name, not a path that leaves the data, nor the rules of POSIX ("EST5EDT,M3.2.0"), which GLib would take, too. */
static bool is_name(struct bytes name)
{
	if (!name.size || name.size > NAME_MAX_BYTES || name.data[0] == '/')
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", name.data[i]))
			return false;
	return strncmp(name.data, "right/", 6) != 0; /* counts leap seconds: not the system's clock */
}

static bool is_zone_file(const char *name)
{
	char path[4096], magic[4];
	const char *directory = getenv("TZDIR");
	snprintf(path, sizeof path, "%s/%s", directory ? directory : "/usr/share/zoneinfo", name);
	scoped(mem_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

static struct zone *zone_read(const char *name)
{
	struct zone *z = NEW(struct zone);
	snprintf(z->name, sizeof z->name, "%s", name);
	if (strcmp(name, "UTC") == 0) {
		add_change(z, -FOR_EVER, 0);
		return z;
	}
	GTimeZone *tz = is_zone_file(name) ? g_time_zone_new_identifier(name) : NULL;
	if (!tz) {
		free(z);
		return NULL;
	}
	read_changes(z, tz);
	g_time_zone_unref(tz);
	return z;
}

static const struct zone *find_or_read(const char *name)
{
	struct zone *z = zones;
	while (z && strcmp(z->name, name) != 0)
		z = z->next;
	if (!z && (z = zone_read(name))) {
		z->next = zones;
		zones = z;
	}
	return z;
}

enum errcode zone_find(struct bytes name, const struct zone **out, struct err *e)
{
	char text[NAME_MAX_BYTES + 1] = "";
	const struct zone *z = NULL;
	if (is_name(name)) {
		memcpy(text, name.data, name.size);
		pthread_mutex_lock(&lock);
		z = find_or_read(text);
		pthread_mutex_unlock(&lock);
	}
	if (!z)
		return err_set(e, E_NOT_FOUND,
			"timezone \"%.*s\": there is no such zone on this machine; write UTC or a name of the IANA data (package "
			"tzdata), such as Europe/Berlin",
			(int)(name.size < NAME_MAX_BYTES ? name.size : NAME_MAX_BYTES), name.data);
	*out = z;
	return E_OK;
}

void zone_span_at(const struct zone *z, int64_t at, struct zone_span *out)
{
	size_t low = 0, high = z->n; /* changes[low].at <= at < changes[high].at */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (z->changes[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	out->from = z->changes[low].at;
	out->until = high < z->n ? z->changes[high].at : FOR_EVER;
	out->offset = z->changes[low].offset;
	out->before = z->changes[low ? low - 1 : 0].offset;
}
