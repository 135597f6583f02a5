/* breadcrumb.h - what each module thread has in hand, written where an engine's death does not reach.
 *
 * The keeper makes the file `<data>/run/breadcrumbs` and gives the engine its descriptor (KEEPER_ENV_BREADCRUMB); the engine
 * maps it shared. A module thread owns one crumb; before a handler runs it fills the crumb and sets BUSY, afterwards IDLE:
 * two plain writes, no system call. A handler for SIGSEGV, SIGBUS, SIGABRT, SIGFPE and SIGILL sets `mark` on its thread's
 * crumb and lets the default action happen; the stuck-thread watch sets BREADCRUMB_STUCK before it ends the engine.
 *
 * The next engine maps the file, looks at the crumbs before it starts any module, and then clears them:
 *   - if any crumb is marked, those jobs crashed (or hung): it counts as a crash of the job and of the worker; the others that
 *     were BUSY only lost their host and are given out again without blame;
 *   - if none is marked (kill -9 from outside, power cut, keeper gone), nobody is to blame: all are given out again.
 * `ended` says how the engine before ended, as seen by the keeper.
 *
 * Pure layout; one machine, one build. Members that two threads see (state, mark) are accessed with __atomic builtins. */
#pragma once
#include <stdint.h>

#define BREADCRUMB_MAGIC 0x5245455643520001ull
#define BREADCRUMBS		 1024u /* module threads in one engine */

enum breadcrumb_state { BREADCRUMB_FREE, BREADCRUMB_IDLE, BREADCRUMB_BUSY };

enum { BREADCRUMB_STUCK = 1000 }; /* mark: 0 none, a signal's number, or this */

struct breadcrumb {
	uint32_t state; /* enum breadcrumb_state; stored last with release when it becomes BUSY */
	uint32_t mark;
	uint64_t job; /* id; 0: a transactional call */
	uint64_t fence;
	int64_t started_at_ms;
	uint32_t attempt;
	uint32_t thread; /* tid, for the reader of a core file */
	char instance[96];
	char capability[136];
} __attribute__((aligned(64)));

struct breadcrumbs {
	uint64_t magic;
	uint32_t crumb_n;
	uint32_t engines; /* how many engines were started on this file; the keeper counts */
	struct {
		uint32_t known; /* 0: no engine ended yet under this keeper */
		int32_t status; /* as from waitpid */
	} ended;
	struct breadcrumb crumbs[BREADCRUMBS];
};
