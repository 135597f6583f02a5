/* journal.h - every execution of a handler, written down where a test can count them afterwards.
 *
 * A line each, appended in one write, so that the lines of all instances stand in the order in which things happened:
 *
 *     begin JOB FENCE ATTEMPT PID CAPABILITY
 *     end JOB FENCE ATTEMPT PID CAPABILITY CODE          not written by whoever is killed meanwhile
 *
 * The descriptor is -1 when no journal is wanted. Any thread. */
#pragma once
#include <reeve/worker.h>

/* The file that "journal" in the instance's configuration names (JSON, or NULL), or -1. */
int journal_open(const char *config);

/* Calls the handler, and says so before and after. Calls (reeve_call, /v1/invoke) have no job; theirs is "-". */
int journal_run(int journal, const char *capability, int (*handle)(void *state, struct reeve_job *job), void *state,
	struct reeve_job *job);
