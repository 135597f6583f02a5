/* path.h - names of files: joined within a limit, directories made, a program looked for in PATH. */
#pragma once
#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* "directory/name"; an absolute name stands for itself. E_INVALID when it does not fit `size`. */
enum errcode path_join(char *into, size_t size, const char *directory, const char *name, struct err *e);

/* mkdir -p; every directory made gets `mode`. An existing directory is fine and keeps its own. */
enum errcode path_make_directory(const char *path, mode_t mode, struct err *e);

/* Where a program is: a name with a slash is taken from `directory` (NULL: the current one); another is looked for in PATH.
 * E_NOT_FOUND: no such file, naming what was looked for; E_DENIED: it is there but is no executable file. */
enum errcode path_find_program(const char *name, const char *directory, char *into, size_t size, struct err *e);
