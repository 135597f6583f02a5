#include "keeper/keeper.h"

#include "base/err.h"
#include "os/os_clock.h"
#include "os/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	QUICK_US = 10 * 1000000, /* an engine that lived shorter died quickly */
	BACKOFF_FIRST_MS = 100, /* after the second quick death in a row; the first is followed at once */
	BACKOFF_CAP_MS = 10 * 1000,
	LEAVE_US = 5 * 1000000, /* from the end of the channel to the engine's end */
	FORMER_WAIT_MS = 1000, /* an orphaned engine sees the end of its channel and goes by itself */
	STOP_TRIES = 2, /* engines that may die instead of stopping */
};

bool engine_find(struct keeper *k, struct err *e)
{
	static const char *const places[] = {"reeve-engine", "../libexec/reeve/reeve-engine", "../lib/reeve/reeve-engine"};
	const char *named = getenv("REEVE_ENGINE");
	if (named) {
		snprintf(k->engine_path, sizeof k->engine_path, "%s", named);
		return true;
	}
	char self[2048] = "";
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !strrchr(self, '/'))
		return err_errno(e, errno, "finding reeved's own place"), false;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(k->engine_path, sizeof k->engine_path, "%s/%s", self, places[i]);
		if (access(k->engine_path, X_OK) == 0)
			return true;
	}
	err_set(e, E_NOT_FOUND, "reeve-engine is neither in %s nor in %s/../libexec/reeve", self, self);
	return false;
}

void engine_end_former(struct keeper *k)
{
	int fd = k->memory->engine_pid > 1 ? proc_open(k->memory->engine_pid, k->memory->engine_start) : -1;
	if (fd < 0)
		return;
	struct pollfd one = {fd, POLLIN, 0};
	if (poll(&one, 1, FORMER_WAIT_MS) == 0) {
		keeper_say("warning", "former_engine_killed pid=%d", (int)k->memory->engine_pid);
		proc_signal(fd, SIGKILL);
		poll(&one, 1, -1);
	}
	close(fd);
}

static void forget_debts(struct keeper *k)
{
	memset(k->owed, 0, sizeof k->owed); /* LIST tells the next engine */
	k->owe_list_end = k->owe_reload = k->wait_writable = false;
	k->owe_stop = k->stop_asked > 0;
}

static void connect_engine(struct keeper *k, int ours, pid_t pid)
{
	struct proc_stat stat;
	k->control = ours;
	k->engine_pid = pid;
	k->memory->engine_start = proc_stat_read(pid, &stat) ? stat.start : 0;
	k->memory->engine_pid = pid;
	k->crumbs->engines++;
	forget_debts(k);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = KEEPER_SLOTS};
	epoll_ctl(k->epoll, EPOLL_CTL_ADD, ours, &event);
	keeper_say("info", "engine_started pid=%d", (int)pid);
}

void engine_start(struct keeper *k)
{
	int pair[2] = {-1, -1};
	k->restart_at_us = 0;
	k->engine_started_us = os_clock_monotonic_us();
	pid_t pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -1 : child_engine(k, pair[1]);
	int error = errno;
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid > 0) {
		connect_engine(k, pair[0], pid);
		return;
	}
	keeper_say("error", "engine_not_started path=%s error=\"%s\"", k->engine_path, strerror(error));
	if (pair[0] >= 0)
		close(pair[0]);
	k->exit_code = 1;
}

void engine_lost(struct keeper *k)
{
	close(k->control);
	k->control = -1;
	k->kill_at_us = os_clock_monotonic_us() + LEAVE_US; /* it is on its way out, and may have something to write yet */
}

void engine_end_late(struct keeper *k)
{
	keeper_say("warning", "engine_killed pid=%d why=\"its channel ended and it did not\"", (int)k->engine_pid);
	k->kill_at_us = 0;
	kill(k->engine_pid, SIGKILL);
}

static int64_t backoff_us(unsigned quick_deaths)
{
	int64_t ms = 0;
	if (quick_deaths > 1)
		ms = BACKOFF_FIRST_MS << (quick_deaths - 2 < 10 ? quick_deaths - 2 : 10);
	return (ms < BACKOFF_CAP_MS ? ms : BACKOFF_CAP_MS) * 1000;
}

static void start_later(struct keeper *k)
{
	int64_t now = os_clock_monotonic_us();
	k->quick_deaths = now - k->engine_started_us < QUICK_US ? k->quick_deaths + 1 : 0;
	int64_t wait = backoff_us(k->quick_deaths);
	k->restart_at_us = now + wait;
	keeper_say("warning", "engine_restart in_ms=%lld quick_deaths=%u", (long long)(wait / 1000), k->quick_deaths);
}

static void tell_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		keeper_say("error", "engine_died pid=%d signal=%s", (int)pid, sigabbrev_np(WTERMSIG(status)));
	else
		keeper_say(
			WEXITSTATUS(status) ? "error" : "info", "engine_exited pid=%d status=%d", (int)pid, WEXITSTATUS(status));
}

void engine_exited(struct keeper *k, int status)
{
	tell_end(k->engine_pid, status);
	if (k->control >= 0)
		close(k->control);
	k->control = -1;
	k->kill_at_us = 0;
	k->engine_pid = 0;
	k->memory->engine_pid = 0;
	k->crumbs->ended.status = status;
	k->crumbs->ended.known = 1;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (code == KEEPER_EXIT_DONE || code == KEEPER_EXIT_USAGE || code == KEEPER_EXIT_CONFIG ||
		code == KEEPER_EXIT_ESSENTIAL)
		k->exit_code = code;
	else if (k->stop_asked && ++k->stop_tries >= STOP_TRIES)
		k->exit_code = 1;
	else
		start_later(k);
}
