#include "keeper/keeper.h"

#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child needs and what it tells: it runs in our memory until exec (vfork), so it says why it failed by writing here. */
struct plan {
	char **argv, **env;
	const char *directory, *out, *err, *ready;
	int ready_fd; /* 0: none */
	const struct keeper_limit *limits;
	uint32_t limit_n;
	const struct rlimit *files;
	struct keeper_slot *slot; /* NULL: it is the engine */
	int control, crumbs; /* the engine's */
	volatile int error;
	volatile uint32_t step;
};

static _Noreturn void fail(struct plan *p, uint32_t step)
{
	p->error = errno;
	p->step = step;
	_exit(127);
}

static void reset_signals(void)
{
	struct sigaction def = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			sigaction(s, &def, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(struct plan *p)
{
	setrlimit(RLIMIT_NOFILE, p->files);
	for (uint32_t i = 0; i < p->limit_n; i++) {
		struct rlimit l = {p->limits[i].soft, p->limits[i].hard};
		if (setrlimit((__rlimit_resource_t)p->limits[i].resource, &l) < 0)
			fail(p, KEEPER_STEP_LIMIT);
	}
}

static void open_as(struct plan *p, const char *path, int flags, int number)
{
	int fd = open(path && path[0] ? path : "/dev/null", flags | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, number) < 0)
		fail(p, KEEPER_STEP_LOG);
}

/* The slot is filled in by the child itself before it becomes another program: should the keeper be killed at this very
 * moment, the next one still finds it. */
static void sign(struct keeper_slot *slot)
{
	struct proc_stat self;
	slot->start = proc_stat_read(getpid(), &self) ? self.start : 0;
	slot->pid = getpid();
}

static _Noreturn void become_worker(struct plan *p)
{
	sign(p->slot);
	if (p->directory[0] && chdir(p->directory) < 0)
		fail(p, KEEPER_STEP_DIRECTORY);
	open_as(p, NULL, O_RDONLY, 0);
	open_as(p, p->out, O_RDWR, 1);
	open_as(p, p->err, O_RDWR, 2);
	if (p->ready_fd)
		open_as(p, p->ready, O_RDWR, p->ready_fd);
	set_limits(p); /* after the opens: our descriptors may stand above the child's limit */
	execvpe(p->argv[0], p->argv, p->env);
	fail(p, KEEPER_STEP_EXEC);
}

static _Noreturn void become_engine(struct plan *p, const char *path)
{
	if (dup2(p->control, ENGINE_FD) < 0 || dup2(p->crumbs, BREADCRUMB_FD) < 0)
		fail(p, KEEPER_STEP_FORK);
	execve(path, p->argv, p->env);
	fail(p, KEEPER_STEP_EXEC);
}

/* vfork: no page table is copied, and a failure of exec is known when it returns. The parent is stopped meanwhile. Signals are
 * blocked in the keeper, so none is handled by the child in our memory. */
static __attribute__((noinline)) pid_t run(struct plan *p, const char *engine)
{
	pid_t pid = vfork();
	if (pid != 0)
		return pid;
	setsid();
	reset_signals();
	if (engine)
		become_engine(p, engine);
	become_worker(p);
}

/* -1: it did not become a program; p->step and errno say why. */
static pid_t start(struct plan *p, const char *engine)
{
	pid_t pid = run(p, engine);
	if (pid < 0)
		p->step = KEEPER_STEP_FORK;
	if (pid > 0 && p->error) {
		waitpid(pid, NULL, 0);
		errno = p->error;
		return -1;
	}
	return pid;
}

static void failed(struct keeper *k, uint32_t slot, uint32_t step, int error)
{
	k->failed_step[slot] = (uint8_t)step;
	k->failed_errno[slot] = (int16_t)error;
	k->owed[slot] |= OWE_FAILED;
}

static void fill_slot(struct keeper *k, struct keeper_slot *s, const struct keeper_parsed *p)
{
	uint32_t slot = p->spawn->head.slot;
	memcpy(s->instance, p->spawn->instance, sizeof s->instance);
	strcpy(s->out, p->out);
	strcpy(s->err, p->err);
	s->pid = 0;
	s->start = 0;
	s->status = 0;
	s->known = 0;
	if (slot >= k->memory->high)
		k->memory->high = slot + 1;
}

void child_spawn(struct keeper *k, const struct keeper_parsed *p)
{
	uint32_t slot = p->spawn->head.slot;
	struct keeper_slot *s = &k->memory->slots[slot];
	if (s->state != KEEPER_FREE) {
		failed(k, slot, KEEPER_STEP_REQUEST, EBUSY);
		return;
	}
	fill_slot(k, s, p);
	if (!memory_open_logs(k, slot)) {
		failed(k, slot, KEEPER_STEP_LOG, errno);
		return;
	}
	__atomic_store_n(&s->state, KEEPER_ALIVE, __ATOMIC_RELEASE);
	struct plan plan = {.argv = p->argv,
		.env = p->env,
		.directory = p->directory,
		.out = p->out,
		.err = p->err,
		.ready = p->ready,
		.ready_fd = (int)p->spawn->ready_fd,
		.limits = p->spawn->limits,
		.limit_n = p->spawn->limit_n,
		.files = &k->files,
		.slot = s};
	if (start(&plan, NULL) > 0) {
		k->owed[slot] |= OWE_SPAWNED;
		return;
	}
	failed(k, slot, plan.step, errno);
	s->state = KEEPER_FREE;
	memory_close_logs(k, slot);
}

void child_signal(struct keeper *k, uint32_t slot, int signal, bool group)
{
	const struct keeper_slot *s = &k->memory->slots[slot];
	if (s->state != KEEPER_ALIVE || s->pid <= 1 || signal < 0 || signal >= NSIG)
		return;
	if (k->pidfd[slot] && !proc_is(s->pid, s->start)) /* not our child: its number may be another's by now */
		return;
	kill(group ? -s->pid : s->pid, signal);
}

pid_t child_engine(struct keeper *k, int control)
{
	struct plan plan = {.argv = k->argv, .env = environ, .control = control, .crumbs = k->crumbs_fd};
	return start(&plan, k->engine_path);
}
