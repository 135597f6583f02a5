/* blob.h - large inputs and outputs: files named by their SHA-256, written once, shared by content.
 *
 * <directory>/ab/cdef….  A blob is written to a temporary file, fsynced, renamed, its directory fsynced (os/durable.h): one
 * that has a name is whole. Hashing and writing run on the pool or on the caller's own thread, never on the loop. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BLOB_NAME_SIZE 80 /* "sha256:" + 64 hex + NUL, with room */

struct blobs; /* the directory; thread-safe */

enum errcode blobs_open(const char *directory, uint64_t max_bytes, struct blobs **out, struct err *e);
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
bool blob_name_valid(const char *name, size_t size);
/* The blob an input refers to: the top-level member "blob" of a JSON object whose value is a blob's name. Never parses
 * more than the top level. `only`: the object has no other member. False: none. */
bool blob_of_input(struct bytes input, char name[BLOB_NAME_SIZE], bool *only);
