/* main.c - reeved, the keeper: it spawns and reaps every child and keeps the engine alive. It parses nothing but its own
 * arguments, loads nothing, and allocates nothing once it runs. */
#include "keeper/keeper.h"

#include "base/err.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/os_clock.h"
#include "os/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIGNALS_TAG = KEEPER_SLOTS + 1, ABANDON_AFTER = 3 };

static const char usage[] =
	"usage: reeved --config FILE --data-dir DIR [--socket PATH]\n"
	"The daemon: starts reeve-engine and keeps it and its workers alive. `reeve up` starts it for you.\n";

void keeper_say(const char *severity, const char *format, ...)
{
	char line[512], when[32];
	int64_t ms = os_clock_ms();
	time_t seconds = ms / 1000;
	struct tm tm;
	strftime(when, sizeof when, "%FT%T", gmtime_r(&seconds, &tm));
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	dprintf(2, "%s.%03dZ %s keeper %s\n", when, (int)(ms % 1000), severity, line);
}

static const char *data_directory(char **argv)
{
	const char *found = NULL;
	for (char **a = argv + 1; *a; a++) {
		if (strcmp(*a, "--help") == 0 || strcmp(*a, "-h") == 0) {
			fputs(usage, stdout);
			exit(0);
		}
		if (strncmp(*a, "--data-dir=", 11) == 0)
			found = *a + 11;
		else if (strcmp(*a, "--data-dir") == 0 && a[1])
			found = *++a;
	}
	return found && *found ? found : NULL;
}

/* 0 to 2 are open, 3 and 4 are kept for the engine, and nothing we were given reaches a child. */
static void tidy_descriptors(void)
{
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	int fd;
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		;
	close(fd);
	for (int reserved = ENGINE_FD; reserved <= BREADCRUMB_FD; reserved++)
		if (fcntl(reserved, F_GETFD) < 0) {
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (fd != reserved) {
				dup3(fd, reserved, O_CLOEXEC);
				close(fd);
			}
		}
	char number[16];
	snprintf(number, sizeof number, "%d", ENGINE_FD);
	setenv(KEEPER_ENV_FD, number, 1);
	snprintf(number, sizeof number, "%d", BREADCRUMB_FD);
	setenv(KEEPER_ENV_BREADCRUMB, number, 1);
}

static void take_signals(struct keeper *k)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&set, (int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP}[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGCHLD,
		SIG_DFL); /* were it ignored, as some parents leave it, the kernel would reap for us and keep the status */
	k->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = SIGNALS_TAG};
	epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->signals, &event);
}

static bool prepare(struct keeper *k, const char *data, struct err *e)
{
	char run[4096];
	int lock;
	if (path_join(run, sizeof run - 64, data, "run", e) != E_OK || path_make_directory(run, 0700, e) != E_OK ||
		lock_take(run, &lock, e) != E_OK || !memory_open(k, run, e) || !engine_find(k, e))
		return false;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->control = -1;
	k->exit_code = -1;
	fd_raise_limit(&k->files);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	take_signals(k);
	return true;
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int slot = memory_find(k, pid);
		if (pid == k->engine_pid)
			engine_exited(k, status);
		else if (slot >= 0)
			memory_exited(k, (uint32_t)slot, status, true);
		/* anyone else was an orphan that we, as subreaper, were given */
	}
}

/* The engine does not stop: end everything ourselves. */
static void abandon(struct keeper *k)
{
	keeper_say("error", "abandoned stop_asked=%u", k->stop_asked);
	for (uint32_t slot = 0; slot < k->memory->high; slot++)
		child_signal(k, slot, SIGKILL, true);
	if (k->engine_pid > 0)
		kill(k->engine_pid, SIGKILL);
	k->exit_code = 1;
}

static void asked_to_stop(struct keeper *k)
{
	k->stop_asked++;
	k->owe_stop = true;
	if (k->stop_asked >= ABANDON_AFTER)
		abandon(k);
	else if (k->restart_at_us)
		engine_start(k); /* it is told to stop at once, and ends the workers in order */
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;
	while (read(k->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP)
			k->owe_reload = true;
		else if (info.ssi_signo != SIGCHLD)
			asked_to_stop(k);
	}
	reap(k);
}

static void turn(struct keeper *k)
{
	struct epoll_event events[64];
	int64_t due =
		k->restart_at_us ? k->restart_at_us : k->kill_at_us; /* never both: one has no engine, the other has */
	int64_t left = due - os_clock_monotonic_us();
	int n = epoll_wait(k->epoll, events, 64, !due ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0);
	for (int i = 0; i < n; i++) {
		uint64_t tag = events[i].data.u64;
		if (tag == SIGNALS_TAG)
			read_signals(k);
		else if (tag < KEEPER_SLOTS && k->pidfd[tag])
			memory_exited(k, (uint32_t)tag, 0, false);
		else if (tag == KEEPER_SLOTS && k->control >= 0 && events[i].events & ~(uint32_t)EPOLLOUT)
			channel_read(k);
	}
	if (k->restart_at_us && os_clock_monotonic_us() >= k->restart_at_us)
		engine_start(k);
	if (k->kill_at_us && os_clock_monotonic_us() >= k->kill_at_us)
		engine_end_late(k);
	channel_flush(k);
}

static char engine_name[] = "reeve-engine"; /* the engine's argv[0] */
static struct keeper the_keeper; /* zeroed pages cost nothing until they are used */

int main(int argc, char **argv)
{
	struct keeper *k = &the_keeper;
	struct err e = {0};
	const char *data = data_directory(argv);
	if (!data) {
		fprintf(stderr, "reeved: --data-dir DIR is missing\n%s", usage);
		return KEEPER_EXIT_USAGE;
	}
	k->argv = argv;
	argv[0] = engine_name;
	tidy_descriptors();
	if (!prepare(k, data, &e)) {
		fprintf(stderr, "reeved: %s\n", e.text);
		return 1;
	}
	engine_end_former(k);
	memory_adopt(k);
	engine_start(k);
	while (k->exit_code < 0)
		turn(k);
	return k->exit_code;
}
