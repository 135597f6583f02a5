/* proc.h - what /proc says of a process: who it is (pid and start time), whose child, what it uses. Any thread. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	pid_t pid, parent, group, session;
	char state; /* 'R', 'S', 'Z' ... */
	unsigned flags; /* the kernel's PF_... */
	uint64_t start; /* clock ticks since boot: with it a pid is never mistaken for a later process of the same number */
	uint64_t cpu_ms; /* user and system, threads included, children not */
	uint64_t rss_bytes;
};

/* False: no such process. No allocation. */
bool proc_stat_read(pid_t pid, struct proc_stat *out);

/* True when the process lives (a zombie does not) and is the one that had this start time. */
bool proc_is(pid_t pid, uint64_t start);

/* Whether the environment it was started with has NAME=value. Of other users' processes, and of those that are gone, one learns
 * nothing: PROC_HAS_NOT. While a process is in the middle of an exec nobody can tell: ask again. */
enum proc_environment { PROC_HAS_NOT, PROC_HAS, PROC_IN_EXEC };
enum proc_environment proc_environment(pid_t pid, const char *name, const char *value);

/* A pidfd of that very process (start time checked after opening), close-on-exec; -1: it is gone. */
int proc_open(pid_t pid, uint64_t start);
int proc_open_child(pid_t pid); /* of a child that was not waited for yet, so the number is its own; -1 with errno */
int proc_signal(int pidfd, int signal); /* 0, or -1 with errno */

void proc_boot_id(char into[40]); /* of this boot of the machine; "" when unknown */
