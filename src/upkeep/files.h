/* files.h - inside upkeep/: whole directories. */
#pragma once
#include "base/err.h"

#include <stdbool.h>

enum errcode files_remove(
	const char *path, struct err *e); /* a file, or a directory with all that is in it; it may be missing */
bool files_any(const char *directory, const char *except); /* it has an entry other than that */
