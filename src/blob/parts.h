/* parts.h - inside blob/: the directory, and what its files offer one another. */
#pragma once
#include "blob/blob.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define BLOB_PREFIX		 "sha256:"
#define BLOB_PREFIX_SIZE 7
#define BLOB_HEX_SIZE	 64
#define BLOB_FULL_SIZE	 (BLOB_PREFIX_SIZE + BLOB_HEX_SIZE)
#define BLOB_REFS		 ".refs"
#define BLOB_FOLDERS	 256

struct blobs {
	char *directory;
	uint64_t max_bytes;
	atomic_uint_fast64_t counter; /* of temporary names */
	pthread_mutex_t lock; /* between "it is used" and "it is deleted"; nothing slow is done under it */
	atomic_uint_fast64_t n, bytes, collected, collected_bytes;
};

/* <directory>/ab/cdef…: 256 folders keep each listing short. `suffix` is "" or BLOB_REFS. */
void blobs_path(const struct blobs *b, const char *name, const char *suffix, char path[PATH_MAX]);
void blobs_folder(const struct blobs *b, unsigned folder, char path[PATH_MAX]);
/* Of an entry of a folder. False: it is no blob (nor, with BLOB_REFS, its names). */
bool blobs_entry_name(unsigned folder, const char *entry, const char *suffix, char name[BLOB_NAME_SIZE]);
bool blobs_touch(struct blobs *b, const char *name); /* under the lock; false: it is not there */

/* names.c: names in what comes in pieces */
struct name_scan { /* zero-initialised is at the beginning */
	char tail[BLOB_FULL_SIZE - 1]; /* the end of what was seen, without a whole name */
	size_t n;
};
void name_scan(struct name_scan *s, struct bytes piece, void (*found)(void *context, const char *name), void *context);

/* refs.c: the names in a blob's content, 64 hexadecimal digits a line */
struct refs_writer { /* zero-initialised: none was seen */
	struct name_scan scan;
	FILE *file;
	char *temporary; /* its path, or NULL */
	char last[BLOB_NAME_SIZE];
	bool failed;
};
void refs_add(struct refs_writer *r, const struct blobs *b, struct bytes piece);
/* Puts them beside the blob that is to be called `name`, and uses them; before the blob itself is there. */
enum errcode refs_publish(struct refs_writer *r, struct blobs *b, const char *name, struct err *e);
void refs_fini(struct refs_writer *r); /* what was not published goes */
/* False: the blob names none. */
bool refs_each(const struct blobs *b, const char *name, void (*found)(void *context, const char *ref), void *context);
void refs_use(struct blobs *b, const char *name); /* all that the blob names */
