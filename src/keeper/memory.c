#include "keeper/keeper.h"

#include "base/err.h"
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

static void *map(const char *path, size_t size, int *keep, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_errno(e, errno, "opening %s", path);
		return NULL;
	}
	void *at =
		ftruncate(fd, (off_t)size) < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		err_errno(e, errno, "mapping %s (%zu bytes)", path, size);
	if (keep && at != MAP_FAILED)
		*keep = fd;
	else
		close(fd);
	return at == MAP_FAILED ? NULL : at;
}

/* A file of another layout, or of before a reboot, tells nothing of who lives now. */
static void check(struct keeper_memory *m)
{
	char boot[40];
	proc_boot_id(boot);
	if (m->magic == KEEPER_STATE_MAGIC && m->version == KEEPER_STATE_VERSION && m->slot_n == KEEPER_SLOTS &&
		m->high <= KEEPER_SLOTS && strncmp(m->boot, boot, sizeof m->boot) == 0)
		return;
	for (uint32_t i = 0; i < m->high && i < KEEPER_SLOTS; i++)
		m->slots[i].state = KEEPER_FREE;
	m->magic = KEEPER_STATE_MAGIC;
	m->version = KEEPER_STATE_VERSION;
	m->slot_n = KEEPER_SLOTS;
	m->high = 0;
	m->engine_pid = 0;
	strcpy(m->boot, boot);
}

bool memory_open(struct keeper *k, const char *run, struct err *e)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/keeper.state", run);
	k->memory = map(path, sizeof *k->memory, NULL, e);
	if (!k->memory)
		return false;
	check(k->memory);
	snprintf(path, sizeof path, "%s/breadcrumbs", run);
	k->crumbs = map(path, sizeof *k->crumbs, &k->crumbs_fd, e);
	if (!k->crumbs)
		return false;
	if (k->crumbs->magic != BREADCRUMB_MAGIC || k->crumbs->crumb_n != BREADCRUMBS) {
		memset(k->crumbs, 0, sizeof *k->crumbs);
		k->crumbs->magic = BREADCRUMB_MAGIC;
		k->crumbs->crumb_n = BREADCRUMBS;
	}
	k->crumbs->ended.known = 0;
	return true;
}

static int open_log(const char *path)
{
	/* Our own open file description: O_NONBLOCK here is not the child's. Read and write: neither end ever sees the other gone. */
	return path[0] ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : 0;
}

bool memory_open_logs(struct keeper *k, uint32_t slot)
{
	const struct keeper_slot *s = &k->memory->slots[slot];
	int out = open_log(s->out);
	if (out < 0)
		return false;
	int err = open_log(s->err);
	if (err < 0) {
		if (out)
			close(out);
		return false;
	}
	k->out[slot] = out;
	k->err[slot] = err;
	return true;
}

static void drop(int *fd)
{
	if (*fd)
		close(*fd);
	*fd = 0;
}

void memory_close_logs(struct keeper *k, uint32_t slot)
{
	drop(&k->out[slot]);
	drop(&k->err[slot]);
}

static void adopt_one(struct keeper *k, uint32_t slot)
{
	struct keeper_slot *s = &k->memory->slots[slot];
	int fd = proc_open(s->pid, s->start);
	if (fd < 0) {
		s->status = 0;
		s->known = 0;
		s->state = KEEPER_GONE;
		keeper_say("info", "child_gone instance=%s pid=%d", s->instance, (int)s->pid);
		return;
	}
	k->pidfd[slot] = fd;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot};
	epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event);
	keeper_say("info", "child_adopted instance=%s pid=%d", s->instance, (int)s->pid);
}

void memory_adopt(struct keeper *k)
{
	for (uint32_t slot = 0; slot < k->memory->high; slot++) {
		struct keeper_slot *s = &k->memory->slots[slot];
		if (s->state == KEEPER_FREE)
			continue;
		memory_open_logs(k, slot); /* if a FIFO is gone, there is nobody to read it either */
		if (s->state == KEEPER_ALIVE)
			adopt_one(k, slot);
	}
}

int memory_find(const struct keeper *k, pid_t pid)
{
	for (uint32_t slot = 0; slot < k->memory->high; slot++)
		if (k->memory->slots[slot].state == KEEPER_ALIVE && k->memory->slots[slot].pid == pid)
			return (int)slot;
	return -1;
}

void memory_exited(struct keeper *k, uint32_t slot, int status, bool known)
{
	struct keeper_slot *s = &k->memory->slots[slot];
	s->status = status;
	s->known = known;
	s->state = KEEPER_GONE;
	drop(&k->pidfd[slot]); /* closing takes it out of the epoll set */
	k->owed[slot] |= OWE_EXITED;
}

void memory_forget(struct keeper *k, uint32_t slot)
{
	if (k->memory->slots[slot].state != KEEPER_GONE)
		return;
	k->memory->slots[slot].state = KEEPER_FREE;
	k->owed[slot] = 0;
	memory_close_logs(k, slot);
}
