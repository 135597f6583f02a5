/* io.h - a Unix socket of the link: connect, read into a stream, write out of one. Non-blocking, no locks, no policy. */
#pragma once
#include "wire/message.h"

void *io_resize(void *old, size_t size); /* for the streams */

/* A connected, non-blocking socket, or -1: errno. */
int io_connect(const char *path);

/* What is there, into `in`. 1: read some; 0: nothing is there now; -1: the connection is over. `wait`: until something is there,
 * if the socket blocks. */
int io_read(int fd, struct stream_in *in, bool wait);

/* All that can be written now. 1: all is written; 0: the socket is full; -1: the connection is over. */
int io_write(int fd, struct stream_out *out);

/* Frees both, with the descriptors in them. */
void io_forget(struct stream_in *in, struct stream_out *out);

bool io_put(
	struct stream_out *out, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int file_n);
bool io_put_bytes(struct stream_out *out, uint8_t type, uint64_t id, const void *data, size_t size);
bool io_put_simple(struct stream_out *out, uint8_t type, uint64_t id, uint64_t fence, int64_t number, struct span data);
