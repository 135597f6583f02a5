/* blob.h - large inputs and outputs: files named by their SHA-256, written once, shared by content.
 *
 * <directory>/ab/cdef….  A blob is written to a temporary file, fsynced, renamed, its directory fsynced (os/durable.h): one
 * that has a name is whole. Hashing and writing run on the pool or on the caller's own thread, never on the loop.
 *
 * USE  A blob lives as long as a row of the store names it, or another blob that lives does (the names in a blob's content are
 * beside it, in …cdef.refs). One that nothing names is deleted a while after its last use (collect.h). Writing is a use, and so
 * is blob_use(): call it before something that is acknowledged names a blob. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOB_NAME_SIZE 80 /* "sha256:" + 64 hex + NUL, with room */

struct blobs; /* the directory; thread-safe */

enum errcode blobs_open(const char *directory, uint64_t max_bytes, struct blobs **out, struct err *e);
enum errcode blobs_open_only(
	const char *directory, struct blobs **out, struct err *e); /* to read: nothing is made or removed */
void blobs_close(struct blobs *b);

/* Streaming write, any one thread at a time. */
struct blob_writer;
enum errcode blob_writer_open(struct blobs *b, struct blob_writer **out, struct err *e);
enum errcode blob_writer_add(
	struct blob_writer *w, const void *data, size_t size, struct err *e); /* E_TOO_LARGE, E_NO_SPACE */
enum errcode blob_writer_close(
	struct blob_writer *w, char name[BLOB_NAME_SIZE], uint64_t *bytes, struct err *e); /* durable; frees w */
void blob_writer_abort(struct blob_writer *w);

enum errcode blob_put_fd(
	struct blobs *b, int fd, char name[BLOB_NAME_SIZE], uint64_t *bytes, struct err *e); /* from its beginning */
enum errcode blob_open(
	struct blobs *b, const char *name, int *fd, uint64_t *bytes, struct err *e); /* E_NOT_FOUND, E_INVALID */
/* It is needed from now on, and so are those that it names: no collection deletes them for as long as blobs are kept unused.
 * E_NOT_FOUND, E_INVALID, E_IO. Blocks. */
enum errcode blob_use(struct blobs *b, const char *name, struct err *e);
/* Reads all of it. E_IO: the content has another SHA-256 than its name says. Blocks. */
enum errcode blob_verify(struct blobs *b, const char *name, uint64_t *bytes, struct err *e);

struct blob_info {
	char name[BLOB_NAME_SIZE];
	uint64_t bytes;
	int64_t used_at_ms; /* Unix time of its last use, or of the last collection that found it in use */
};
/* In order of their names, after `after` (NULL: from the first), at most `max`; *n: how many. Blocks. */
enum errcode blobs_list(
	struct blobs *b, const char *after, struct blob_info *out, size_t max, size_t *n, struct err *e);

struct blob_stats {
	uint64_t n, bytes; /* counted by each collection, and kept since */
	uint64_t collected, collected_bytes; /* since the start */
};
void blobs_get_stats(struct blobs *b, struct blob_stats *out); /* any thread */

bool blob_name_valid(const char *name, size_t size);
/* Every blob's name that stands anywhere in data, whatever else that is; names.c. */
void blob_each_name(struct bytes data, void (*found)(void *context, const char *name), void *context);
/* The blob an input refers to: the top-level member "blob" of a JSON object whose value is a blob's name. Never parses
 * more than the top level. `only`: the object has no other member. False: none. */
bool blob_of_input(struct bytes input, char name[BLOB_NAME_SIZE], bool *only);
