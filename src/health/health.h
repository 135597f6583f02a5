/* health.h - asks what worker/health.h wants to know: over HTTP, gRPC, TCP, by a command, or of the process table.
 *
 * One question of an instance has at most one probe under way; the next is asked `interval` after the one before began, or at
 * once when that took longer. Nothing waits for anything: a server that hangs costs a socket and a timer, and delays nobody.
 * Loop thread only. */
#pragma once
#include "loop/loop.h"
#include "worker/instance.h"

struct health;

/* `answer` is told of every probe that ended; it may call health_update for the same instance. */
struct health *health_new(struct loop *l,
	void (*answer)(
		void *context, struct instance *i, enum health_question q, enum health_answer answer, const char *why),
	void *context);
/* supervisor_calls.probe: begins and ends what its state asks for. */
void health_update(struct health *h, struct instance *i);
void health_forget(struct instance *i); /* before it is freed */
void health_free(struct health *h); /* nothing is asked any more; all are forgotten */
