#include "blob/parts.h"

#include "base/mem.h"
#include "os/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct blob_writer {
	struct blobs *blobs;
	int fd;
	char *temporary; /* path; NULL once it has its name */
	uint64_t bytes;
	gnutls_hash_hd_t hash;
	struct refs_writer refs;
};

/* ── names ── */

void blobs_folder(const struct blobs *b, unsigned folder, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%02x", b->directory, folder);
}

void blobs_path(const struct blobs *b, const char *name, const char *suffix, char path[PATH_MAX])
{
	const char *hex = name + BLOB_PREFIX_SIZE;
	snprintf(path, PATH_MAX, "%s/%.2s/%s%s", b->directory, hex, hex + 2, suffix);
}

bool blobs_entry_name(unsigned folder, const char *entry, const char *suffix, char name[BLOB_NAME_SIZE])
{
	size_t n = strlen(entry), more = strlen(suffix);
	if (n != BLOB_HEX_SIZE - 2 + more || strcmp(entry + n - more, suffix) != 0)
		return false;
	snprintf(name, BLOB_NAME_SIZE, BLOB_PREFIX "%02x%.*s", folder, BLOB_HEX_SIZE - 2, entry);
	return blob_name_valid(name, BLOB_FULL_SIZE);
}

static enum errcode check_name(const char *name, struct err *e)
{
	if (blob_name_valid(name, strlen(name)))
		return E_OK;
	return err_set(
		e, E_INVALID, "\"%.100s\" is no blob's name: \"sha256:\" and 64 lower-case hexadecimal digits", name);
}

/* ── the directory ── */

static enum errcode make_directory(const char *path, struct err *e)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? E_OK : err_errno(e, errno, "mkdir %s", path);
}

/* What a killed engine left half written; nobody has a name for it. */
static void empty_directory(const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *entry; d && (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
}

enum errcode blobs_open(const char *directory, uint64_t max_bytes, struct blobs **out, struct err *e)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof temporary, "%s/tmp", directory) > PATH_MAX - 100)
		return err_set(e, E_TOO_LARGE, "blob directory: its path is longer than %d bytes", PATH_MAX - 100);
	enum errcode code = make_directory(directory, e);
	if (!code)
		code = make_directory(temporary, e);
	if (code)
		return code;
	empty_directory(temporary);
	code = blobs_open_only(directory, out, e);
	if (!code)
		(*out)->max_bytes = max_bytes;
	return code;
}

enum errcode blobs_open_only(const char *directory, struct blobs **out, struct err *e)
{
	if (strlen(directory) > PATH_MAX - 100)
		return err_set(e, E_TOO_LARGE, "blob directory: its path is longer than %d bytes", PATH_MAX - 100);
	struct blobs *b = NEW(struct blobs);
	b->directory = mem_text(directory);
	pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return E_OK;
}

void blobs_close(struct blobs *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b->directory);
	free(b);
}

/* ── writing ── */

enum errcode blob_writer_open(struct blobs *b, struct blob_writer **out, struct err *e)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/tmp/%d-%llu", b->directory, (int)getpid(),
		(unsigned long long)atomic_fetch_add(&b->counter, 1));
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "blob: open %s", path);
	struct blob_writer *w = NEW(struct blob_writer);
	w->blobs = b;
	w->fd = fd;
	w->temporary = mem_text(path);
	if (gnutls_hash_init(&w->hash, GNUTLS_DIG_SHA256) != 0) {
		blob_writer_abort(w);
		return err_set(e, E_INTERNAL, "SHA-256 is not available");
	}
	*out = w;
	return E_OK;
}

static enum errcode write_all(int fd, const char *data, size_t size, struct err *e)
{
	while (size) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "blob: write");
		data += n;
		size -= (size_t)n;
	}
	return E_OK;
}

enum errcode blob_writer_add(struct blob_writer *w, const void *data, size_t size, struct err *e)
{
	if (size > w->blobs->max_bytes || w->bytes > w->blobs->max_bytes - size)
		return err_set(e, E_TOO_LARGE, "blob: more than %llu bytes, the limit of one blob",
			(unsigned long long)w->blobs->max_bytes);
	enum errcode code = write_all(w->fd, data, size, e);
	if (code)
		return code;
	gnutls_hash(w->hash, data, size);
	refs_add(&w->refs, w->blobs, (struct bytes){data, size});
	w->bytes += size;
	return E_OK;
}

static void take_name(gnutls_hash_hd_t hash, char name[BLOB_NAME_SIZE])
{
	unsigned char digest[32];
	gnutls_hash_output(hash, digest);
	memcpy(name, BLOB_PREFIX, BLOB_PREFIX_SIZE + 1);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(name + BLOB_PREFIX_SIZE + 2 * i, 3, "%02x", digest[i]);
}

bool blobs_touch(struct blobs *b, const char *name)
{
	char path[PATH_MAX];
	blobs_path(b, name, "", path);
	return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_there(struct blobs *b, const char *name)
{
	pthread_mutex_lock(&b->lock);
	bool there = blobs_touch(b, name);
	pthread_mutex_unlock(&b->lock);
	return there;
}

/* After this the blob is on the disk under its name: content, then name, then the folder's entry (and the folder's own). */
static enum errcode publish(struct blob_writer *w, const char *name, struct err *e)
{
	struct blobs *b = w->blobs;
	char path[PATH_MAX], folder[PATH_MAX];
	blobs_path(b, name, "", path);
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
	enum errcode code = make_directory(folder, e);
	if (!code)
		code = durable_sync_directory(NULL, folder, e);
	if (!code)
		code = refs_publish(&w->refs, b, name, e);
	if (!code && is_there(b, name)) /* shared by content; the temporary file goes */
		return durable_sync_directory(NULL, path, e);
	if (!code)
		code = durable_publish(NULL, w->fd, w->temporary, path, e);
	if (code)
		return code;
	free(take(w->temporary));
	atomic_fetch_add(&b->n, 1);
	atomic_fetch_add(&b->bytes, w->bytes);
	return E_OK;
}

enum errcode blob_writer_close(struct blob_writer *w, char name[BLOB_NAME_SIZE], uint64_t *bytes, struct err *e)
{
	char made[BLOB_NAME_SIZE];
	take_name(w->hash, made);
	enum errcode code = publish(w, made, e);
	if (!code) {
		memcpy(name, made, BLOB_NAME_SIZE);
		if (bytes)
			*bytes = w->bytes;
	}
	blob_writer_abort(w);
	return code;
}

void blob_writer_abort(struct blob_writer *w)
{
	if (!w)
		return;
	if (w->temporary)
		unlink(w->temporary);
	free(w->temporary);
	refs_fini(&w->refs);
	if (w->hash)
		gnutls_hash_deinit(w->hash, NULL);
	close(w->fd);
	free(w);
}

enum errcode blob_put_fd(struct blobs *b, int fd, char name[BLOB_NAME_SIZE], uint64_t *bytes, struct err *e)
{
	struct blob_writer *w;
	enum errcode code = blob_writer_open(b, &w, e);
	if (code)
		return code;
	char piece[1 << 16];
	off_t at = 0;
	for (ssize_t n; (n = pread(fd, piece, sizeof piece, at)) != 0; at += n) {
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			code = err_errno(e, errno, "blob: read");
		else
			code = blob_writer_add(w, piece, (size_t)n, e);
		if (code) {
			blob_writer_abort(w);
			return code;
		}
	}
	return blob_writer_close(w, name, bytes, e);
}

/* ── reading ── */

enum errcode blob_open(struct blobs *b, const char *name, int *fd, uint64_t *bytes, struct err *e)
{
	enum errcode code = check_name(name, e);
	if (code)
		return code;
	char path[PATH_MAX];
	blobs_path(b, name, "", path);
	int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (opened < 0 && errno == ENOENT)
		return err_set(e, E_NOT_FOUND, "there is no blob %s", name);
	struct stat st;
	if (opened < 0 || fstat(opened, &st) != 0) {
		code = err_errno(e, errno, "blob %s", name);
		mem_close_at(&opened);
		return code;
	}
	*fd = opened;
	if (bytes)
		*bytes = (uint64_t)st.st_size;
	return E_OK;
}

enum errcode blob_use(struct blobs *b, const char *name, struct err *e)
{
	enum errcode code = check_name(name, e);
	if (code)
		return code;
	if (!is_there(b, name))
		return err_set(e, E_NOT_FOUND, "there is no blob %s", name);
	refs_use(b, name);
	return E_OK;
}

static enum errcode hash_file(int fd, gnutls_hash_hd_t hash, struct err *e)
{
	char piece[1 << 16];
	for (ssize_t n; (n = read(fd, piece, sizeof piece)) != 0;) {
		if (n < 0 && errno != EINTR)
			return err_errno(e, errno, "blob: read");
		if (n > 0)
			gnutls_hash(hash, piece, (size_t)n);
	}
	return E_OK;
}

enum errcode blob_verify(struct blobs *b, const char *name, uint64_t *bytes, struct err *e)
{
	scoped(mem_close_at) int fd = -1;
	char found[BLOB_NAME_SIZE];
	gnutls_hash_hd_t hash;
	enum errcode code = blob_open(b, name, &fd, bytes, e);
	if (code)
		return code;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
		return err_set(e, E_INTERNAL, "SHA-256 is not available");
	code = hash_file(fd, hash, e);
	take_name(hash, found);
	gnutls_hash_deinit(hash, NULL);
	if (!code && strcmp(found, name) != 0)
		return err_set(
			e, E_IO, "the blob %s is damaged: its content has the SHA-256 %s", name, found + BLOB_PREFIX_SIZE);
	return code;
}

void blobs_get_stats(struct blobs *b, struct blob_stats *out)
{
	*out = (struct blob_stats){.n = atomic_load(&b->n),
		.bytes = atomic_load(&b->bytes),
		.collected = atomic_load(&b->collected),
		.collected_bytes = atomic_load(&b->collected_bytes)};
}
