/* crumb.h - breadcrumbs of module threads (wire/breadcrumb.h): what each has in hand, for the engine after this one. */
#pragma once
#include "module/module.h"
#include "wire/breadcrumb.h"

struct crumbs; /* the mapped file, or memory of our own */

struct crumbs *crumbs_open(
	int fd); /* -1: in memory; installs the handlers of SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL */
void crumbs_close(struct crumbs *c);
void crumbs_read(struct crumbs *c, void (*visit)(void *context, const struct module_crumb *crumb), void *context);

/* For the calling thread, which must end with crumb_leave: a crumb, and a stack for its signal handler. */
void crumb_enter(struct crumbs *c, const char *instance);
void crumb_leave(void);
void crumb_set(uint64_t job, uint64_t fence, uint32_t attempt, const char *capability); /* before foreign code runs */
void crumb_clear(void);
/* A nested call: the capability changes and comes back; *kept has room for the name. */
struct crumb_name {
	char text[136];
};
void crumb_push(const char *capability, struct crumb_name *kept);
void crumb_pop(const struct crumb_name *kept);
