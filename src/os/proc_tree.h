/* proc_tree.h - ends a process with all that it started, however they hid: children, its session and group, and everything
 * that was started with NAME=value in its environment (that finds those who called setsid and whose parents are gone).
 *
 * SIGKILL to all of them, then again, until none is left: a process may fork while we look. A signal goes only to the process
 * that was looked at (pidfd and start time). The caller itself, and its parent, are never ended. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct proc_tree {
	pid_t root; /* may be gone already */
	uint64_t
		start; /* its start time: should another process have its number now, number, session and group are not followed */
	const char *name, *value; /* the mark in the environment; NULL: none */
};

/* Blocks (pool thread): some milliseconds where they die at once, limit_ms at most. How many are left: not 0 only when a
 * process cannot be killed (it hangs in the kernel, or is another user's). */
unsigned proc_tree_kill(const struct proc_tree *tree, int64_t limit_ms);
