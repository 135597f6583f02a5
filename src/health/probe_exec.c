/* exec: the command exits with status 0. It runs in the worker's directory with the worker's environment, in a session of its own,
 * and is ended with all of it when its time is over. posix_spawn shares our memory until the exec: nothing is copied. */
#include "health/probe.h"

#include "base/mem.h"
#include "os/proc.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct exec_probe {
	struct probe probe;
	uv_poll_t poll;
	int pidfd;
	pid_t pid;
	bool reaped;
};

static void on_closed(uv_handle_t *handle)
{
	struct exec_probe *x = container_of((uv_poll_t *)handle, struct exec_probe, poll);
	close(x->pidfd);
	free(x);
}

static void exec_close(struct probe *p)
{
	struct exec_probe *x = container_of(p, struct exec_probe, probe);
	if (x->reaped)
		uv_close((uv_handle_t *)&x->poll, on_closed);
	else
		kill(-x->pid, SIGKILL); /* it is reaped, and x freed, when it has ended */
}

static const struct probe_ops ops = {exec_close};

static void on_exit_seen(uv_poll_t *poll, int error, int events)
{
	struct exec_probe *x = container_of(poll, struct exec_probe, poll);
	int status;
	kill(-x->pid, SIGKILL); /* what it has left behind; before it is reaped, for then its number may be another's */
	if (waitpid(x->pid, &status, WNOHANG) != x->pid)
		return;
	x->reaped = true;
	if (!x->probe.done) /* it was cancelled, or too late */
		uv_close((uv_handle_t *)&x->poll, on_closed);
	else if (WIFSIGNALED(status))
		probe_tell(&x->probe, false, "the command was ended by signal %d", WTERMSIG(status));
	else
		probe_tell(&x->probe, WEXITSTATUS(status) == 0, "the command exited with status %d", WEXITSTATUS(status));
}

/* The engine's environment with the worker's over it, and without what concerns keeper and engine. */
static char **environment(const struct worker *w)
{
	size_t n = 0, own = 0;
	while (environ[n])
		n++;
	while (w->environment && w->environment[own])
		own++;
	char **all = mem_new((n + own + 1) * sizeof *all);
	size_t k = 0;
	for (size_t i = 0; i < own; i++)
		all[k++] = w->environment[i];
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "REEVE_", 6) != 0)
			all[k++] = environ[i]; /* the first of a name counts */
	return all;
}

static int spawn(const struct worker *w, char *const *command, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, all;
	scoped(mem_free_at) char **env = environment(w);
	const char *directory = w->working_directory ? w->working_directory : w->code.directory;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&how);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	if (directory)
		posix_spawn_file_actions_addchdir_np(&files, directory);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int bad = posix_spawnp(pid, command[0], &files, &how, command, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	return bad;
}

struct probe *probe_exec(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	pid_t pid;
	int bad = spawn(q->instance->worker, q->check->command, &pid);
	if (bad) {
		snprintf(why, PROBE_WHY, "%s: %s", q->check->command[0], strerror(bad));
		return NULL;
	}
	int pidfd = proc_open_child(pid);
	if (pidfd < 0) {
		snprintf(why, PROBE_WHY, "%s: %s", q->check->command[0], strerror(errno));
		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return NULL;
	}
	struct exec_probe *x = NEW(struct exec_probe);
	probe_init(&x->probe, &ops);
	x->pid = pid;
	x->pidfd = pidfd;
	uv_poll_init(loop_uv(prober_loop(p)), &x->poll, x->pidfd);
	uv_poll_start(&x->poll, UV_READABLE, on_exit_seen);
	return &x->probe;
}
