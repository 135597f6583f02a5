/* lock.h - one owner of a directory: flock on `<directory>/lock`, which holds the owner's pid for people and messages.
 *
 * The kernel drops the lock with the process, however it ends, so a stale file means nothing and is never removed. */
#pragma once
#include "base/err.h"

/* *fd is the lock, held until it is closed (it is close-on-exec). E_CONFLICT: another process holds it; the sentence names the
 * directory and its pid. Waits, 2 s at most, only when that process is dead: see lock.c. */
enum errcode lock_take(const char *directory, int *fd, struct err *e);
