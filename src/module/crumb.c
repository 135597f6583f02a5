#include "module/crumb.h"

#include "base/mem.h"
#include "os/os_clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct crumbs {
	struct breadcrumbs *map;
};

enum { STACK_BYTES = 64 << 10 };
static __thread struct breadcrumb *mine;
static __thread void *signal_stack;

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
static struct sigaction before[ARRAY_SIZE(fatal)]; /* the default, or a sanitizer that has a report to make */

/* Async-signal-safe: one store into shared memory, then what would have happened without us. */
static void on_fatal(int number)
{
	if (mine)
		__atomic_store_n(&mine->mark, (uint32_t)number, __ATOMIC_RELEASE);
	for (size_t k = 0; k < ARRAY_SIZE(fatal); k++)
		if (fatal[k] == number)
			sigaction(number, &before[k], NULL);
	raise(number);
}

static void install(void)
{
	struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER};
	for (size_t k = 0; k < ARRAY_SIZE(fatal); k++) {
		struct sigaction old;
		if (sigaction(fatal[k], &action, &old) == 0 && old.sa_handler != on_fatal)
			before[k] = old;
	}
}

struct crumbs *crumbs_open(int fd)
{
	struct crumbs *c = NEW(struct crumbs);
	struct stat st;
	bool shared = fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct breadcrumbs);
	c->map = mmap(NULL, sizeof *c->map, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS,
		shared ? fd : -1, 0);
	if (c->map == MAP_FAILED)
		abort(); /* a few pages: memory ran out */
	c->map->magic = BREADCRUMB_MAGIC;
	c->map->crumb_n = BREADCRUMBS;
	install();
	return c;
}

void crumbs_close(struct crumbs *c)
{
	if (!c)
		return;
	munmap(c->map, sizeof *c->map);
	free(c);
}

/* "in capability email.parse", or "(load)", "(start)"...: what the control thread was about. */
static void place_of(const char *capability, char *into, size_t size)
{
	size_t n = strlen(capability);
	if (*capability == '(')
		snprintf(into, size, "during %.*s", (int)(n - 2), capability + 1);
	else
		snprintf(into, size, "in capability %s", capability);
}

static void describe(const struct breadcrumb *from, bool anyone_marked, struct module_crumb *to)
{
	memset(to, 0, sizeof *to);
	to->job = from->job;
	to->fence = from->fence;
	snprintf(to->instance, sizeof to->instance, "%.95s", from->instance);
	snprintf(to->capability, sizeof to->capability, "%.135s", from->capability);
	to->crashed = from->mark != 0;
	char place[160];
	place_of(to->capability, place, sizeof place);
	const char *name = from->mark && from->mark < 64 ? sigabbrev_np((int)from->mark) : NULL;
	if (from->mark == BREADCRUMB_STUCK)
		snprintf(to->evidence, sizeof to->evidence, "module panic: stuck %s", place);
	else if (to->crashed)
		snprintf(to->evidence, sizeof to->evidence, "module panic: SIG%s %s", name ? name : "?", place);
	else
		snprintf(to->evidence, sizeof to->evidence, "%s",
			anyone_marked ? "another module crashed the engine" : "the engine ended");
}

void crumbs_read(struct crumbs *c, void (*visit)(void *, const struct module_crumb *), void *context)
{
	bool marked = false;
	for (unsigned k = 0; k < BREADCRUMBS; k++)
		marked |= c->map->crumbs[k].mark != 0;
	for (unsigned k = 0; k < BREADCRUMBS; k++) {
		struct breadcrumb *b = &c->map->crumbs[k];
		struct module_crumb crumb;
		if (b->state == BREADCRUMB_BUSY || b->mark) {
			describe(b, marked, &crumb);
			visit(context, &crumb);
		}
		memset(b, 0, sizeof *b);
	}
}

void crumb_enter(struct crumbs *c, const char *instance)
{
	for (unsigned k = 0; k < BREADCRUMBS && !mine; k++) {
		uint32_t was = BREADCRUMB_FREE;
		if (__atomic_compare_exchange_n(
				&c->map->crumbs[k].state, &was, BREADCRUMB_IDLE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			mine = &c->map->crumbs[k];
	}
	signal_stack = malloc(STACK_BYTES);
	if (signal_stack)
		sigaltstack(&(stack_t){.ss_sp = signal_stack, .ss_size = STACK_BYTES}, NULL);
	if (!mine)
		return; /* more threads than crumbs: it runs without */
	mine->thread = (uint32_t)syscall(SYS_gettid);
	snprintf(mine->instance, sizeof mine->instance, "%s", instance);
}

void crumb_leave(void)
{
	if (mine)
		__atomic_store_n(&mine->state, BREADCRUMB_FREE, __ATOMIC_RELEASE);
	mine = NULL;
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	free(signal_stack);
	signal_stack = NULL;
}

static void put_name(char *into, const char *name)
{
	size_t n = strnlen(name, 135);
	memcpy(into, name, n);
	into[n] = 0;
}

void crumb_set(uint64_t job, uint64_t fence, uint32_t attempt, const char *capability)
{
	if (!mine)
		return;
	mine->job = job;
	mine->fence = fence;
	mine->attempt = attempt;
	mine->started_at_ms = os_clock_ms();
	put_name(mine->capability, capability);
	__atomic_store_n(&mine->state, BREADCRUMB_BUSY, __ATOMIC_RELEASE);
}

void crumb_clear(void)
{
	if (mine)
		__atomic_store_n(&mine->state, BREADCRUMB_IDLE, __ATOMIC_RELEASE);
}

void crumb_push(const char *capability, struct crumb_name *kept)
{
	if (!mine)
		return;
	put_name(kept->text, mine->capability);
	put_name(mine->capability, capability);
}

void crumb_pop(const struct crumb_name *kept)
{
	if (mine)
		put_name(mine->capability, kept->text);
}
