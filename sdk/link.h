/* link.h - the process side of the link: serves a daemon with the handlers of a worker. Private to link_*.c.
 *
 *   main thread      waits for WELCOME, calls start; then health checks; then drain and stop
 *   I/O thread       connects, connects again, reads all frames, writes what others have put
 *   handler threads  as many as WELCOME says; each takes a job, runs it, puts its RESULT
 *
 * One lock, `lock`, guards everything in struct link_host and the members of struct link_job below `attempt`. It is held
 * for memory operations and non-blocking writes only, never while a handler or callback runs.
 *
 * A job lives here until the engine says SETTLED (its end is durable), so that an engine that dies before the commit can be
 * told again. A call (bit 63 of its id) has no SETTLED: it is forgotten once its result was put. */
#pragma once
#include "abi.h"
#include "attempt.h"
#include "io.h"
#include "text.h"

#include <pthread.h>

enum link_state { LINK_WAITING, LINK_RUNNING, LINK_ENDED };

struct link_kept { /* an item or checkpoint that the engine has not answered */
	struct link_kept *next;
	uint64_t key;
	size_t size;
	char data[];
};

struct link_waiter { /* a thread that waits for CALL_RESULT or BLOB_NAME; on its stack */
	struct link_waiter *next;
	struct link_job *job;
	uint64_t number;
	int fd; /* BLOB_PUT: the file; CALL: -1 */
	bool done;
	int outcome;
	char *data; /* malloced: the callee's result or error; the blob's name */
	size_t size;
};

struct link_job {
	struct attempt a;
	struct link_host *host;
	struct link_job *hash_next, *next; /* next: in the ready queue, a capability's queue or the free list */
	enum link_state state;
	unsigned capability;
	char *memory; /* input and checkpoint */
	size_t room;
	unsigned window, unanswered;
	uint64_t emitted, checkpoint_after; /* items emitted in all; when the checkpoint was made */
	struct link_kept *items, **items_end, *checkpoint;
	int item_outcome; /* of the first item that the engine refused */
	int outcome;
	bool cancelling, forgotten, recycle;
	pthread_t canceller;
	int64_t progress_ms; /* when the last word of it was put */
	int progress_percent;
	char *progress; /* kept for later, or NULL */
	pthread_cond_t wake; /* emit, call, blob: something came; end: cancel returned */
};

struct link_serial { /* per capability */
	bool busy;
	struct link_job *first, **last;
};

enum {
	LINK_BUCKETS = 1024,
	LINK_ANNOUNCEMENTS = 16,
	LINK_LONG_NS = 20000, /* handlers that take as long are worth a thread each */
};

struct link_host {
	struct reeve_instance base;
	const struct abi_worker *w;
	void *state;
	const char *path; /* of the socket */
	char *token;
	pthread_mutex_t lock;

	/* connection */
	int fd; /* -1: none */
	bool online; /* WELCOME was read on this connection */
	struct stream_in in;
	struct stream_out out;
	int wake_fd, signal_fd;
	bool asleep, woken;
	int64_t offline_since_ms, retry_ms;
	pthread_t io;
	pthread_cond_t came_online;

	/* instance */
	char instance[128];
	struct text config;
	unsigned concurrency;
	char *announcements[LINK_ANNOUNCEMENTS]; /* JSON; said again after a reconnect */
	unsigned announcement_n;
	bool welcomed, started, draining, gave_up, closing, ping;
	int64_t grace_ms;
	bool healthy;
	char why[256];
	pthread_cond_t main_wake;

	/* jobs */
	struct link_job *table[LINK_BUCKETS];
	struct link_job *ready, **ready_end, *free_jobs;
	struct link_serial *serial;
	unsigned idle, running, unsettled;
	unsigned blocked; /* handlers that wait for an answer of the engine */
	unsigned threads_woken; /* of the idle threads: on their way */
	int64_t mean_ns; /* of what handlers take, a moving average */
	uint64_t numbers; /* of calls and blobs */
	int64_t progress_at_ms; /* when kept words of progress are put; 0: there are none */
	struct link_waiter *waiters;
	pthread_cond_t work, quiet; /* quiet: running or unsettled fell */
	pthread_t *threads;
	unsigned thread_n;
};

extern const struct reeve_host_ops link_ops;

/* link_io.c */
void *link_io_run(void *host);
void link_put(struct link_host *h, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int n);
void link_put_simple(struct link_host *h, uint8_t type, uint64_t id, uint64_t fence, int64_t number, struct span data);
void link_put_json(struct link_host *h, uint8_t type, const struct text *json);
void link_wake(struct link_host *h); /* the I/O thread writes soon */
void link_flush(struct link_host *h); /* now, on this thread, as far as it goes */
int64_t link_now_ms(void); /* monotonic */

/* link_progress.c; all with the lock held */
void link_progress_say(struct link_job *j, int percent, const char *message, size_t size);
void link_progress_forget(struct link_job *j);
int link_progress_wait_ms(const struct link_host *h, int otherwise); /* for poll: -1 is for ever */
void link_progress_tell(struct link_host *h); /* what was kept and is due */

/* link_job.c; all with the lock held */
struct link_job *link_job_find(struct link_host *h, uint64_t id, uint64_t fence);
bool link_job_take(struct link_host *h, struct wire_message *m); /* a JOB frame; false: malformed or no memory */
void link_jobs_wake(struct link_host *h); /* after all JOB frames that were there: a thread to begin with them */
bool link_jobs_wait(
	const struct link_host *h); /* jobs wait although a thread is idle: see again soon, link_jobs_wake_one */
void link_jobs_wake_one(struct link_host *h);
void link_block(struct link_host *h, pthread_cond_t *until); /* a handler waits; others may begin meanwhile */
void link_job_cancel(struct link_host *h, struct link_job *j, bool forget);
void link_job_cancel_all(struct link_host *h);
void link_job_settled(struct link_host *h, struct link_job *j);
void link_job_item_done(struct link_job *j, int outcome);
void link_job_drop(struct link_host *h, struct link_job *j); /* the engine does not want it */
void link_job_resend(struct link_host *h, struct link_job *j); /* after a reconnect: all that was not answered */
void link_job_give_back(struct link_host *h); /* all that wait */
void link_job_ended(struct link_host *h, struct link_job *j, int outcome);
void link_jobs_free(struct link_host *h);
void *link_job_thread(void *host); /* without the lock */

/* link_host.c */
int link_serve(const struct abi_worker *w); /* the exit status */
