/* A blob may name others in its content: a run's gathered items name their attachments. It would take reading all blobs to know that
 * later, so the names are noted while the content goes by. */
#include "blob/parts.h"

#include "base/mem.h"
#include "os/durable.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adding {
	struct refs_writer *r;
	const struct blobs *b;
};

static bool open_file(struct refs_writer *r, const struct blobs *b)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/tmp/%d-%p" BLOB_REFS, b->directory, (int)getpid(), (void *)r);
	r->file = fopen(path, "we");
	r->temporary = r->file ? mem_text(path) : NULL;
	return r->file;
}

static void add(void *context, const char *name)
{
	struct adding *a = context;
	struct refs_writer *r = a->r;
	if (r->failed || strcmp(name, r->last) == 0)
		return;
	memcpy(r->last, name, BLOB_NAME_SIZE);
	r->failed = (!r->file && !open_file(r, a->b)) || fprintf(r->file, "%s\n", name + BLOB_PREFIX_SIZE) < 0;
}

void refs_add(struct refs_writer *r, const struct blobs *b, struct bytes piece)
{
	name_scan(&r->scan, piece, add, &(struct adding){r, b});
}

enum errcode refs_publish(struct refs_writer *r, struct blobs *b, const char *name, struct err *e)
{
	char path[PATH_MAX];
	if (r->failed || (r->file && fflush(r->file) != 0))
		return err_set(e, E_NO_SPACE, "blob: the names in it could not be written");
	if (!r->file)
		return E_OK;
	blobs_path(b, name, BLOB_REFS, path);
	enum errcode code = durable_publish(NULL, fileno(r->file), r->temporary, path, e);
	if (!code) {
		free(take(r->temporary));
		refs_use(b, name);
	}
	return code;
}

void refs_fini(struct refs_writer *r)
{
	if (r->file)
		fclose(r->file);
	if (r->temporary)
		unlink(r->temporary);
	free(r->temporary);
	*r = (struct refs_writer){0};
}

bool refs_each(const struct blobs *b, const char *name, void (*found)(void *context, const char *ref), void *context)
{
	char path[PATH_MAX], ref[BLOB_NAME_SIZE + 2] = BLOB_PREFIX;
	blobs_path(b, name, BLOB_REFS, path);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(ref + BLOB_PREFIX_SIZE, (int)(sizeof ref - BLOB_PREFIX_SIZE), f)) {
		ref[strcspn(ref, "\n")] = 0;
		if (blob_name_valid(ref, strlen(ref)))
			found(context, ref);
	}
	fclose(f);
	return true;
}

enum { USE_DEPTH = 32 }; /* of names within names; nobody's are deeper than two */

struct using
{
	struct blobs *b;
	int depth;
};

static void use(void *context, const char *ref)
{
	const struct using *u = context;
	pthread_mutex_lock(&u->b->lock);
	blobs_touch(u->b, ref);
	pthread_mutex_unlock(&u->b->lock);
	if (u->depth < USE_DEPTH)
		refs_each(u->b, ref, use, &(struct using){u->b, u->depth + 1});
}

void refs_use(struct blobs *b, const char *name)
{
	refs_each(b, name, use, &(struct using){b, 0});
}
