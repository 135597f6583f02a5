#include "os/proc.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool parse(char *text, struct proc_stat *s)
{
	char *at = strrchr(text, ')'); /* the name before it may hold anything, ')' included */
	if (!at)
		return false;
	int parent, group, session;
	unsigned flags;
	unsigned long long user, kernel, start;
	long long pages;
	if (sscanf(at + 1, " %c %d %d %d %*d %*d %u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %*u %lld",
			&s->state, &parent, &group, &session, &flags, &user, &kernel, &start, &pages) != 9)
		return false;
	s->parent = parent;
	s->group = group;
	s->session = session;
	s->flags = flags;
	s->start = start;
	s->cpu_ms = (user + kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	s->rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

bool proc_stat_read(pid_t pid, struct proc_stat *out)
{
	char path[40], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (fd_read_file(path, text, sizeof text) <= 0)
		return false;
	struct proc_stat s = {.pid = pid};
	if (!parse(text, &s))
		return false;
	*out = s;
	return true;
}

bool proc_is(pid_t pid, uint64_t start)
{
	struct proc_stat s;
	return pid > 0 && proc_stat_read(pid, &s) && s.start == start && s.state != 'Z' && s.state != 'X';
}

/* Bytes of /proc/PID/NAME, -1 when it cannot be read. */
static ssize_t read_of(pid_t pid, const char *name, char *into, size_t size)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return fd_read_file(path, into, size);
}

static bool holds(const char *text, ssize_t n, const char *name, const char *value)
{
	size_t name_n = strlen(name);
	for (const char *at = text; n > 0 && at < text + n; at += strlen(at) + 1)
		if (strncmp(at, name, name_n) == 0 && at[name_n] == '=' && strcmp(at + name_n + 1, value) == 0)
			return true;
	return false;
}

/* A kernel thread and a zombie have neither arguments nor environment, and never will. */
static bool is_without_memory(pid_t pid)
{
	enum { KERNEL_THREAD = 0x200000 }; /* PF_KTHREAD */
	struct proc_stat s;
	return !proc_stat_read(pid, &s) || s.state == 'Z' || s.state == 'X' || (s.flags & KERNEL_THREAD);
}

enum proc_environment proc_environment(pid_t pid, const char *name, const char *value)
{
	enum { ENVIRONMENT_MAX = 256 << 10 }; /* bytes looked at: ours stands near the beginning */
	char argument[2];
	char *text = malloc(ENVIRONMENT_MAX);
	ssize_t n = text ? read_of(pid, "environ", text, ENVIRONMENT_MAX) : -1;
	enum proc_environment found = holds(text, n, name, value) ? PROC_HAS : PROC_HAS_NOT;
	if (n == 0 && !is_without_memory(pid)) {
		/* In the middle of an exec both are empty. Arguments and still no environment: it was started with none. */
		if (read_of(pid, "cmdline", argument, sizeof argument) == 0 ||
			read_of(pid, "environ", argument, sizeof argument) != 0)
			found = PROC_IN_EXEC;
	}
	free(text);
	return found;
}

int proc_open_child(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int proc_open(pid_t pid, uint64_t start)
{
	int fd = proc_open_child(pid);
	if (fd < 0)
		return -1;
	if (proc_is(pid, start))
		return fd;
	close(fd);
	errno = ESRCH;
	return -1;
}

int proc_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

void proc_boot_id(char into[40])
{
	ssize_t n = fd_read_file("/proc/sys/kernel/random/boot_id", into, 40);
	into[n < 0 ? 0 : strcspn(into, "\n")] = 0;
}
