/* Listing: folder by folder, each sorted. */
#include "blob/parts.h"

#include "base/mem.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct names {
	char (*names)[BLOB_NAME_SIZE];
	size_t n, room;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Those of one folder that come after `after`. */
static void read_folder(const struct blobs *b, unsigned folder, const char *after, struct names *out)
{
	char path[PATH_MAX], name[BLOB_NAME_SIZE];
	blobs_folder(b, folder, path);
	DIR *d = opendir(path);
	out->n = 0;
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (!blobs_entry_name(folder, entry->d_name, "", name) || (after && strcmp(name, after) <= 0))
			continue;
		if (out->n == out->room)
			out->names = mem_resize(out->names, (out->room = out->room ? out->room * 2 : 64) * sizeof *out->names);
		memcpy(out->names[out->n++], name, BLOB_NAME_SIZE);
	}
	if (d)
		closedir(d);
	if (out->n)
		qsort(out->names, out->n, sizeof *out->names, by_name);
}

static bool look(const struct blobs *b, const char *name, struct blob_info *out)
{
	char path[PATH_MAX];
	struct stat st;
	blobs_path(b, name, "", path);
	if (lstat(path, &st) != 0)
		return false; /* it has gone meanwhile */
	memcpy(out->name, name, BLOB_NAME_SIZE);
	out->bytes = (uint64_t)st.st_size;
	out->used_at_ms = st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000;
	return true;
}

enum errcode blobs_list(struct blobs *b, const char *after, struct blob_info *out, size_t max, size_t *n, struct err *e)
{
	struct names names = {0};
	if (after && !blob_name_valid(after, strlen(after)))
		return err_set(e, E_INVALID, "\"%.100s\" is no blob's name", after);
	unsigned folder = after ? (unsigned)strtoul((char[]){after[7], after[8], 0}, NULL, 16) : 0;
	for (*n = 0; folder < BLOB_FOLDERS && *n < max; folder++) {
		read_folder(b, folder, after, &names);
		for (size_t i = 0; i < names.n && *n < max; i++)
			*n += look(b, names.names[i], &out[*n]);
	}
	free(names.names);
	return E_OK;
}
