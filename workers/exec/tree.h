/* tree.h - ends a command with all that it started, also what left its session: everything that has its mark in the environment. */
#pragma once
#include <sys/types.h>

/* `mark` is a whole environment entry, "NAME=value". `leader` leads a session; it must not be reaped yet. */
void tree_end(pid_t leader, const char *mark);
