/* load.h - a shared object becomes a worker: checked before anything in it runs, and never unmapped.
 *
 * A file that was replaced since it was loaded is loaded anew: its new code runs, while the old mapping stays for threads
 * that may still be in it. The same file is mapped once, however often it is loaded. Any thread, one at a time. */
#pragma once
#include "sdk/abi.h"
#include "base/err.h"

/* `entry` names an object of type struct reeve_worker or a function that returns a pointer to one; NULL: reeve_export.
 * Sentences name file and symbol, or both ABI numbers. `scratch` is a directory for a private copy, when one is needed. */
enum errcode load_worker(
	const char *path, const char *entry, const char *scratch, struct abi_worker *out, struct err *e);
