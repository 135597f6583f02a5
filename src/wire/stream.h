/* stream.h - bytes to messages and back, for one connection of the link: splitting, joining, descriptors.
 *
 * Owns buffers but does no I/O: the caller reads into stream_in_space() and writes stream_out's bytes. Memory comes from the
 * caller's `resize` (realloc's contract; the engine's aborts, the SDK's returns NULL and the connection ends). A message of
 * one frame is handed out in place, so the hot path copies nothing. One thread at a time. */
#pragma once
#include "wire/frame.h"

enum { STREAM_ROOM = 256 << 10, STREAM_FILES = 64 };

struct wire_message { /* one, whole; borrowed until the next call for its stream */
	uint8_t type;
	uint64_t id;
	const char *data;
	size_t size;
	int files[FRAME_DESCRIPTORS_MAX]; /* the taker's own now: close them; -1: none */
	int file_n;
};

/* ── in ── */

struct stream_in {
	void *(*resize)(void *old, size_t size); /* size 0 frees */
	char *buffer;
	size_t begin, end; /* unread bytes in it */
	bool greeted; /* the preface was read */
	uint64_t features; /* of the other side; valid when greeted */
	char *joined; /* the parts of a message that is under way */
	size_t joined_size, joined_room;
	uint8_t joined_type; /* 0: none is */
	uint64_t joined_id;
	int joined_files[FRAME_DESCRIPTORS_MAX], joined_file_n;
	int files[STREAM_FILES]; /* received and not yet claimed by a frame, in order */
	int file_n;
};

/* Room for the next read; *room is at least one frame's rest. NULL: no memory. */
char *stream_in_space(struct stream_in *s, size_t *room);
/* `size` bytes were read into it, and these descriptors came with them. False: more descriptors than frames can claim (the
 * connection is to be ended; stream_in_fini closes all). */
bool stream_in_got(struct stream_in *s, size_t size, const int *files, int file_n);
/* 1: *m is the next message; 0: read more; -1: the connection is to be ended because of *why. */
int stream_in_next(struct stream_in *s, struct wire_message *m, const char **why);
/* Frees, and hands out the descriptors nobody took, one per call, to be closed; -1: no more. */
int stream_in_take_file(struct stream_in *s);
void stream_in_fini(struct stream_in *s); /* after the files were taken */

/* ── out ── */

struct stream_part {
	const void *data;
	size_t size;
};

struct stream_out {
	void *(*resize)(void *old, size_t size); /* size 0 frees */
	char *buffer;
	size_t begin, end, room;
	struct stream_out_file {
		size_t at; /* the descriptor goes with the byte at this place of the buffer */
		int fd; /* owned; the writer closes it after sendmsg */
	} * files;
	int file_begin, file_end, file_room;
};

bool stream_out_preface(struct stream_out *s, uint64_t features);
/* Appends a message made of parts, and takes `files` over. False: no memory or longer than FRAME_MESSAGE_MAX: nothing was
 * appended, and the files are still the caller's. */
bool stream_out_put(struct stream_out *s, uint8_t type, uint8_t flags, uint64_t id, const struct stream_part *parts,
	int n, const int *files, int file_n);
/* What to write next: bytes that stop before the next byte that has descriptors, and the descriptors of their first byte. */
size_t stream_out_next(const struct stream_out *s, const char **data, int files[FRAME_DESCRIPTORS_MAX], int *file_n);
/* `size` > 0 of them were written: the descriptors (close them) are forgotten. */
void stream_out_wrote(struct stream_out *s, size_t size, int file_n);
static inline bool stream_out_empty(const struct stream_out *s)
{
	return s->begin == s->end;
}
static inline size_t stream_out_size(const struct stream_out *s)
{
	return s->end - s->begin;
}
int stream_out_take_file(struct stream_out *s); /* as stream_in_take_file */
void stream_out_fini(struct stream_out *s);
