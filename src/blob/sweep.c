#include "blob/sweep.h"

#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNMARKED, MARKED, DELETING };

struct candidate {
	unsigned char digest[32];
	atomic_uchar state;
	bool refs; /* names others */
	bool expanded;
};

struct sweep {
	struct blobs *blobs;
	int64_t before_ms;
	struct candidate *all;
	size_t n, max;
	size_t next; /* to delete, or not */
	bool second; /* those without refs */
	struct sweep_counts counts;
};

struct sweep *sweep_new(struct blobs *b, int64_t before_ms, size_t max)
{
	struct sweep *s = NEW(struct sweep);
	s->blobs = b;
	s->before_ms = before_ms;
	s->max = max;
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	free(s->all);
	free(s);
}

/* ── candidates ── */

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void digest_of(const char *name, unsigned char digest[32])
{
	const char *hex = name + BLOB_PREFIX_SIZE;
	for (int i = 0; i < 32; i++)
		digest[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

static void name_of(const struct candidate *c, char name[BLOB_NAME_SIZE])
{
	memcpy(name, BLOB_PREFIX, BLOB_PREFIX_SIZE + 1);
	for (size_t i = 0; i < 32; i++)
		snprintf(name + BLOB_PREFIX_SIZE + 2 * i, 3, "%02x", c->digest[i]);
}

static bool is_old(const struct sweep *s, const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000LL + st->st_mtim.tv_nsec / 1000000 < s->before_ms;
}

static void add(struct sweep *s, const char *name)
{
	char path[PATH_MAX];
	if (s->n == s->max)
		return; /* the next collection begins with another folder */
	if ((s->n & (s->n - 1)) == 0)
		s->all = mem_resize(s->all, (s->n ? s->n * 2 : 1) * sizeof *s->all);
	struct candidate *c = &s->all[s->n++];
	*c = (struct candidate){0};
	digest_of(name, c->digest);
	blobs_path(s->blobs, name, BLOB_REFS, path);
	c->refs = access(path, F_OK) == 0;
}

void sweep_walk(struct sweep *s, unsigned folder)
{
	char path[PATH_MAX], name[BLOB_NAME_SIZE];
	struct stat st;
	blobs_folder(s->blobs, folder, path);
	DIR *d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (!blobs_entry_name(folder, entry->d_name, "", name) ||
			fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		s->counts.n++;
		s->counts.bytes += (uint64_t)st.st_size;
		if (is_old(s, &st))
			add(s, name);
	}
	if (d)
		closedir(d);
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct candidate *)a)->digest, ((const struct candidate *)b)->digest, 32);
}

void sweep_sort(struct sweep *s)
{
	if (s->n)
		qsort(s->all, s->n, sizeof *s->all, by_digest);
	s->counts.candidates = s->n;
}

/* ── marking ── */

static struct candidate *find(struct sweep *s, const char *name)
{
	struct candidate key;
	digest_of(name, key.digest);
	return s->n ? bsearch(&key, s->all, s->n, sizeof *s->all, by_digest) : NULL;
}

void sweep_mark(void *sweep, const char *name)
{
	struct candidate *c = find(sweep, name);
	unsigned char unmarked = UNMARKED;
	if (c)
		atomic_compare_exchange_strong(&c->state, &unmarked, MARKED);
}

/* Names of a blob that is not there are of one that was never finished, or is deleted already. */
static void mark_names_of(struct sweep *s, int folder, const char *entry, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	blobs_path(s->blobs, name, "", path);
	if (access(path, F_OK) == 0) {
		if (!find(s, name))
			refs_each(s->blobs, name, sweep_mark, s);
	} else if (fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_old(s, &st)) {
		unlinkat(folder, entry, 0);
	}
}

void sweep_roots(struct sweep *s, unsigned folder)
{
	char path[PATH_MAX], name[BLOB_NAME_SIZE];
	blobs_folder(s->blobs, folder, path);
	DIR *d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));)
		if (blobs_entry_name(folder, entry->d_name, BLOB_REFS, name))
			mark_names_of(s, dirfd(d), entry->d_name, name);
	if (d)
		closedir(d);
}

void sweep_expand(struct sweep *s)
{
	char name[BLOB_NAME_SIZE];
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < s->n; i++) {
			struct candidate *c = &s->all[i];
			if (!c->refs || c->expanded || atomic_load(&c->state) != MARKED)
				continue;
			name_of(c, name);
			c->expanded = more = true;
			refs_each(s->blobs, name, sweep_mark, s);
		}
	}
}

/* ── deleting ── */

/* Somebody may have begun to use it since it was found: its time says so. */
static bool delete_file(struct sweep *s, const char *name, uint64_t *bytes)
{
	char path[PATH_MAX], refs[PATH_MAX];
	struct stat st;
	blobs_path(s->blobs, name, "", path);
	blobs_path(s->blobs, name, BLOB_REFS, refs);
	pthread_mutex_lock(&s->blobs->lock);
	bool gone = lstat(path, &st) == 0 && is_old(s, &st) && unlink(path) == 0;
	if (gone)
		unlink(refs);
	pthread_mutex_unlock(&s->blobs->lock);
	*bytes = gone ? (uint64_t)st.st_size : 0;
	return gone;
}

static void delete_one(struct sweep *s, struct candidate *c)
{
	char name[BLOB_NAME_SIZE];
	unsigned char unmarked = UNMARKED;
	uint64_t bytes;
	name_of(c, name);
	if (!atomic_compare_exchange_strong(&c->state, &unmarked, DELETING)) {
		pthread_mutex_lock(&s->blobs->lock);
		blobs_touch(s->blobs, name); /* not looked at again for a while */
		pthread_mutex_unlock(&s->blobs->lock);
		return;
	}
	if (!delete_file(s, name, &bytes)) {
		atomic_store(&c->state, MARKED);
		sweep_expand(s); /* it stays, so what it names does */
		return;
	}
	s->counts.deleted++;
	s->counts.deleted_bytes += bytes;
	atomic_fetch_sub(&s->blobs->n, 1);
	atomic_fetch_sub(&s->blobs->bytes, bytes);
	atomic_fetch_add(&s->blobs->collected, 1);
	atomic_fetch_add(&s->blobs->collected_bytes, bytes);
}

bool sweep_delete(struct sweep *s, size_t steps)
{
	sweep_expand(s); /* a commit may have marked one meanwhile */
	for (size_t i = 0; i < steps; i++) {
		while (s->next < s->n && s->all[s->next].refs == s->second)
			s->next++;
		if (s->next == s->n && s->second)
			return false;
		if (s->next == s->n) {
			s->second = true;
			s->next = 0;
			continue;
		}
		delete_one(s, &s->all[s->next++]);
	}
	return true;
}

void sweep_get_counts(const struct sweep *s, struct sweep_counts *out)
{
	*out = s->counts;
}
