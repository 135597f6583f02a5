/* run_host.h - the test host's instance and jobs, and what run.c does with them. */
#pragma once
#include "attempt.h"
#include "keyset.h"
#include "run.h"
#include "run_input.h"
#include "text.h"

#include <stdio.h>

struct run {
	struct reeve_instance base;
	const struct abi_worker *w;
	const struct run_options *options;
	struct run_input in;
	void *state;
	FILE *items;
	bool quiet; /* not the last repetition: nothing is shown */
	bool interrupted;
	struct run_job *current; /* guarded by `turn`; NULL between two runs */
	pthread_mutex_t turn;
	pthread_mutex_t print; /* one line at a time */
};

struct run_job {
	struct attempt a;
	struct run *run;
	struct run_job *caller; /* of reeve_call, or NULL */
	int depth;
	struct keyset keys;
	pthread_cond_t ended;
	int outcome;
};

extern const struct reeve_host_ops run_ops;

void run_job_init(struct run_job *j, struct run *r, const struct reeve_capability *c, uint64_t number);
void run_job_fini(struct run_job *j);
int run_job_run(struct run_job *j); /* the handler, to its end, also when it is pending; the outcome */
void run_add_error(struct text *out, const struct attempt *a);
/* The result as the daemon would keep it: the reply, a blob's name, or null. */
int run_add_result(struct text *out, const struct run_job *j);
