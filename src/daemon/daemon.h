/* daemon.h - the engine as a whole: the only place that knows every part. Loop thread only.
 *
 *   main.c       options, exit code                 wiring.c     who calls whom
 *   settings.c   the configuration file             workers.c    declarations: from the file, at run time, reload
 *   recovery.c   what an earlier engine left        clients.c    clients of the link
 *   batches.c    what follows from a batch
 *   schedules.c  what a schedule makes              callbacks.c  to the sender and back
 *   offline.c    restore, doctor                    reserve.c    a start on a full disk
 *   clock.c      timers: ticks and wake-ups         stop.c       draining to the end */
#pragma once
#include "api/api.h"
#include "blob/blob.h"
#include "blob/collect.h"
#include "claim/claim.h"
#include "callback/sender.h"
#include "daemon/settings.h"
#include "dispatch/dispatch.h"
#include "event/event.h"
#include "health/health.h"
#include "http/http.h"
#include "link/client_session.h"
#include "log/log.h"
#include "log/output.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "module/module.h"
#include "pipeline/pipeline.h"
#include "process/process.h"
#include "queue/queue.h"
#include "queue/wait.h"
#include "registry/registry.h"
#include "schedule/schedule.h"
#include "store/store.h"
#include "worker/supervisor.h"

struct daemon {
	struct options options;
	struct settings *settings;
	struct loop *loop;
	struct outputs *outputs;
	struct store *store;
	struct queues *queues;
	struct waits *waits;
	struct events *events;
	struct metrics *metrics;
	struct blobs *blobs;
	struct blob_collector *collector;
	struct callbacks *callbacks;
	struct batches *batches;
	struct sender *sender;
	struct pipelines *pipelines;
	struct schedules *schedules;
	struct registry *registry;
	struct health *health;
	struct supervisor *supervisor;
	struct dispatch *dispatch;
	struct claims *claims;
	struct process_host *processes;
	struct module_host *modules;
	struct api api;
	struct http_server *http;
	struct link_clients *clients;

	struct loop_timer *tick, *supervise, *deliver, *claim; /* queue and runs; supervisor; dispatch; claims */
	struct loop_timer *recover; /* end of recovery */
	int64_t tick_at_ms; /* when that timer fires */
	int64_t supervise_at_ms, deliver_at_ms, claim_at_ms; /* the same; 0: they are off */
	struct message turn; /* dispatch_turn and claims_turn at the end of the loop's turn */
	bool turn_wanted;
	int64_t started_at_ms;
	struct loop_timer *reserve; /* makes it anew */
	enum errcode reserve_code; /* of the pool's last try */
	bool no_space; /* the reserve was given up: the disk is full */
	bool recovering; /* jobs are not given out yet */
	bool stopping;
	int exit_code;
};

/* wiring.c, wiring_jobs.c */
enum errcode daemon_open(
	struct daemon *d, struct err *e); /* settings are read; everything is there when it returns E_OK */
void daemon_set_limits(struct daemon *d, const struct settings *s); /* of jobs, from the settings */
void daemon_close(struct daemon *d); /* accepts a half opened one */

/* clock.c */
void clock_open(struct daemon *d);
void clock_close(struct daemon *d);
void clock_tick(void *daemon); /* of queues and runs; sets its own timer */
void clock_want_turn(void *daemon);
void clock_wake_queues(void *daemon, int64_t at_ms);
void clock_wake_dispatch(void *daemon, int64_t at_ms);
void clock_wake_claims(void *daemon, int64_t at_ms);
void clock_wake_supervisor(void *daemon, int64_t at_ms);
int64_t clock_now(void *daemon);

/* workers.c */
enum errcode workers_add_all(struct daemon *d, struct err *e); /* the file's, and those added at run time before */
enum errcode workers_resolve(struct daemon *d, struct worker *w, struct err *e); /* where its code is */
enum errcode workers_add(
	struct daemon *d, const json_t *declaration, struct err *e); /* over the API: kept in the store */
enum errcode workers_remove(struct daemon *d, const char *id, struct err *e);
void workers_reload(struct daemon *d); /* SIGHUP: a bad file changes nothing */
void workers_forget(struct daemon *d, struct worker *w); /* removed for good */
void workers_gone(
	struct daemon *d, const struct worker *w); /* after a reload: its changed declaration takes its place */

/* by_hand.c */
void by_hand_note(void *daemon, const struct worker *w); /* somebody started or stopped it */
void by_hand_recall(struct daemon *d, struct worker *w); /* before it is added: not wanted when it had been stopped */
void by_hand_forget(struct daemon *d, const struct worker *w); /* removed for good: another of its name starts */

/* check.c */
/* A worker's configuration against the schema that its code declares: any thread; context is not used. */
enum errcode check_config(void *context, const char *schema, struct bytes config, struct err *e);
/* All workers of the file, before anything is started: d has its settings, nothing else. A worker whose code is not there is
 * warned of on standard error. Blocks. */
enum errcode check_workers(struct daemon *d, struct err *e);

/* schedules.c */
void schedules_open(struct daemon *d);
enum errcode schedules_read(struct daemon *d, struct err *e); /* those of before, and those of the file */
void schedules_take_settings(struct daemon *d, struct settings *s); /* from now on */

/* crashes.c */
/* One more, for the reason given; returns how many within the worker's window. */
unsigned crashes_count(struct daemon *d, const struct worker *w, const char *why);
void crashes_forget(struct daemon *d, const struct worker *w);
/* on_crash: demote and quarantine, which hold until the declaration is changed or somebody promotes or starts it. */
void crashes_act(struct daemon *d, struct worker *w, const char *why);
void crashes_recall(struct daemon *d); /* acts for those that crashed an earlier engine */
/* A demoted worker is a module again. E_NOT_FOUND; E_STATE: it was not demoted. */
enum errcode crashes_promote(struct daemon *d, const char *id, struct err *e);

/* recovery.c */
enum errcode recovery_adopt(
	struct daemon *d, struct err *e); /* instances that live; jobs are held until they have spoken */

/* batches.c */
void batches_open(struct daemon *d); /* after the callbacks */

/* callbacks.c */
enum errcode callbacks_open(struct daemon *d, struct err *e); /* after the queues */

/* clients.c */
struct client_holds { /* what a request of the link's waits with: first member of it */
	void (*gone)(struct client_holds *holds); /* the client is: answers the request, and frees */
};
void client_batch(void *context, struct link_request *r, enum link_batch what, uint64_t id, int64_t timeout_ms,
	struct bytes json); /* client_batches.c */
void client_control(void *context, struct link_request *r, const struct message_control *what); /* client_control.c */
enum errcode clients_open(struct daemon *d, struct err *e);

/* stop.c */
void stop_begin(struct daemon *d, int exit_code);
void stop_check(struct daemon *d); /* ends the loop when nothing is left */

/* reserve.c */
void reserve_begin(struct daemon *d); /* before anything is opened */
void reserve_open(struct daemon *d); /* the queues are there */
void reserve_close(struct daemon *d);

/* offline.c: without an engine that runs; each prints lines of JSON and gives the exit code */
int offline_restore(const struct daemon *d);
int offline_doctor(const struct daemon *d);
