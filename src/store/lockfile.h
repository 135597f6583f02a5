/* lockfile.h - one process at a time in a data directory. The kernel gives the lock up when the process ends, however. */
#pragma once
#include "base/err.h"

/* The descriptor to close at the end. E_CONFLICT names the pid of who holds it. */
enum errcode lockfile_take(const char *path, int *fd, struct err *e);
