/* wiring.h - what the files of the wiring offer each other. Each opens one part and sets its hooks. */
#pragma once
#include "daemon/daemon.h"

/* wiring_jobs.c */
void wiring_queues(struct daemon *d);
void wiring_collector(struct daemon *d);
void wiring_pipelines(struct daemon *d);
void wiring_dispatch(struct daemon *d);
void wiring_claims(struct daemon *d);

/* wiring_workers.c */
void wiring_supervisor(struct daemon *d);
void wiring_modules(struct daemon *d, const char *scratch);
enum errcode wiring_processes(struct daemon *d, const char *run, const char *scratch, struct err *e);
void wiring_worker_log(
	struct daemon *d, const struct instance *i, int severity, struct bytes event, struct bytes fields);
uint64_t wiring_seed(void); /* from the kernel */
