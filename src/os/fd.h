/* fd.h - descriptors: flags, the limit on their number, small files read whole. Any thread; EINTR is dealt with. */
#pragma once
#include "base/err.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

int fd_set_cloexec(int fd, int on); /* 0, or -1 with errno */

/* Raises this process's soft limit on descriptors to its hard limit; *was has the limits of before (programs that we start
 * get those: select() breaks above 1024). */
void fd_raise_limit(struct rlimit *was);

/* Reads at most size-1 bytes of a file into `into` and ends them with a NUL. The number of bytes, or -1 with errno. */
ssize_t fd_read_file(const char *path, char *into, size_t size);

/* write() until all is written; 0, or -1 with errno. For blocking descriptors. */
int fd_write_all(int fd, const void *data, size_t size);
