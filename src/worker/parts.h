/* parts.h - what the files of the supervisor share: keep.c looks after one instance, supervisor.c after workers. */
#pragma once
#include "worker/supervisor.h"

struct supervisor {
	struct supervisor_calls calls;
	struct list workers;
	uint64_t chance; /* of splitmix64 */
	bool held, ending;
	bool look_again; /* somebody is ready, or wanted no more: others may have waited for that */
};

/* keep.c */
int64_t keep_now(struct supervisor *s);
uint64_t keep_chance(struct supervisor *s);
void keep_look_again(struct supervisor *s); /* at the next tick, which comes at once */
void keep_wake_at(struct supervisor *s, int64_t at_ms);
bool keep_move(struct supervisor *s, struct instance *i, enum instance_state to); /* false: there is no such arrow */
void keep_create(struct supervisor *s, struct worker *w); /* a new instance, on its way to running */
void keep_initialized(struct supervisor *s, struct instance *i, const struct err *error);
void keep_start(struct supervisor *s, struct instance *i);
void keep_kill(struct supervisor *s, struct instance *i, const char *category, const char *why);
void keep_stop(struct supervisor *s, struct instance *i); /* whatever its state; i may be gone afterwards */
void keep_fail(struct supervisor *s, struct instance *i); /* its last_error says why; i may be gone afterwards */
void keep_answer(
	struct supervisor *s, struct instance *i, enum health_question q, enum health_answer answer, const char *why);
struct instance_events keep_events(struct supervisor *s);
