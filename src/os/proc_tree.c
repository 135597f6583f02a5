#include "os/proc_tree.h"

#include "base/mem.h"
#include "os/os_clock.h"
#include "os/proc.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct table {
	struct proc_stat *all;
	bool *in; /* belongs to the tree */
	size_t n, room;
	bool unsure; /* one of them could not be told from the others: look again */
};

static void table_fini(struct table *t)
{
	free(t->all);
	free(t->in);
}

static void read_all(struct table *t)
{
	DIR *d = opendir("/proc");
	if (!d)
		return;
	struct dirent *entry;
	while ((entry = readdir(d))) {
		struct proc_stat s;
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || !proc_stat_read(pid, &s))
			continue;
		if (t->n == t->room) {
			t->room = t->room ? t->room * 2 : 256;
			t->all = mem_resize(t->all, t->room * sizeof *t->all);
		}
		t->all[t->n++] = s;
	}
	closedir(d);
	t->in = mem_new(t->n + 1);
}

static bool root_was_replaced(const struct table *t, const struct proc_tree *tree)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->all[i].pid == tree->root)
			return t->all[i].start != tree->start;
	return false;
}

static bool parent_is_in(const struct table *t, const struct proc_stat *s)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->in[i] && t->all[i].pid == s->parent)
			return true;
	return false;
}

static bool is_ours(struct table *t, const struct proc_stat *s, const struct proc_tree *tree, bool by_number)
{
	if (by_number && (s->pid == tree->root || s->session == tree->root || s->group == tree->root))
		return true;
	if (!tree->name || s->start < tree->start)
		return false;
	enum proc_environment marked = proc_environment(s->pid, tree->name, tree->value);
	t->unsure = t->unsure || marked == PROC_IN_EXEC;
	return marked == PROC_HAS;
}

static void mark(struct table *t, const struct proc_tree *tree)
{
	bool by_number = tree->root > 1 && !root_was_replaced(t, tree);
	for (size_t i = 0; i < t->n; i++)
		t->in[i] = is_ours(t, &t->all[i], tree, by_number);
	for (bool grew = true; grew;) {
		grew = false;
		for (size_t i = 0; i < t->n; i++)
			if (!t->in[i] && parent_is_in(t, &t->all[i]))
				grew = t->in[i] = true;
	}
}

/* Signals those who live; *fd is a pidfd of one of them, to wait on. */
static unsigned kill_marked(const struct table *t, int *fd)
{
	unsigned living = 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct proc_stat *s = &t->all[i];
		if (!t->in[i] || s->state == 'Z' || s->state == 'X' || s->pid == 1 || s->pid == getpid() || s->pid == getppid())
			continue;
		int one = proc_open(s->pid, s->start);
		if (one < 0)
			continue;
		proc_signal(one, SIGKILL);
		living++;
		if (*fd < 0)
			*fd = one;
		else
			close(one);
	}
	return living;
}

unsigned proc_tree_kill(const struct proc_tree *tree, int64_t limit_ms)
{
	int64_t until_us = os_clock_monotonic_us() + limit_ms * 1000;
	for (;;) {
		scoped(table_fini) struct table t = {0};
		scoped(mem_close_at) int fd = -1;
		read_all(&t);
		mark(&t, tree);
		unsigned living = kill_marked(&t, &fd);
		if ((living == 0 && !t.unsure) || os_clock_monotonic_us() > until_us)
			return living;
		struct pollfd one = {fd, POLLIN, 0}; /* the others will be seen in the next round */
		poll(&one, 1, living ? 20 : 1);
	}
}
