/* client_session.h - the daemon's socket for clients of the link: submit many, wait, show, change, invoke, without HTTP.
 *
 * It stands beside the API's socket (its path + ".link", mode 0600, so only the daemon's user and root). link/ knows no
 * queue and no dispatch: the wiring fills struct link_client_handlers. Each request has an answer function; the handler
 * may answer at once or later (after the commit), in any order, exactly once per request, on the loop thread. When the
 * client goes away first, gone() is told and answers to that client are ignored: a struct link_request stays valid until it
 * was answered.
 *
 * Answers are gathered per turn of the loop: a group commit of 64 jobs becomes one write per client. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "job/job.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct link_clients; /* the listening socket and its clients */
struct link_request; /* one question; answered once */
struct message_control; /* wire/message.h */

enum {
	LINK_CLIENTS_MAX = 1024,
	LINK_REQUESTS_MAX = 16384
}; /* the latter per client: more in flight end the connection */

struct link_outcome {
	uint64_t id;
	enum job_state state; /* not final: the wait timed out */
	struct bytes result;
	const struct job_error *error; /* failed, cancelled; else NULL */
};

enum link_batch { LINK_BATCH_OPEN, LINK_BATCH_CLOSE, LINK_BATCH_CANCEL, LINK_BATCH_WAIT };

struct link_client_handlers {
	void *context;
	/* n specs (1 to JOB_BATCH_MAX), all or none; already through job_spec_check. Borrowed for the call. Answer by
	 * link_submitted or link_refused. */
	void (*submit)(void *context, struct link_request *r, const struct job_spec *specs, size_t n);
	/* Answer by link_ended when the job is over, or by its state after timeout_ms (0: now; < 0: no limit). */
	void (*wait)(void *context, struct link_request *r, uint64_t id, int64_t timeout_ms);
	void (*show)(void *context, struct link_request *r, uint64_t id); /* answer by link_shown */
	/* /v1/invoke: answer by link_called. timeout_ms 0: the default. */
	void (*call)(void *context, struct link_request *r, struct bytes namespace, struct bytes capability,
		struct bytes input, int64_t timeout_ms);
	/* What is to become of a batch; json: of LINK_BATCH_OPEN; timeout_ms: of LINK_BATCH_WAIT (< 0: no limit). Answer by
	 * link_shown. */
	void (*batch)(void *context, struct link_request *r, enum link_batch what, uint64_t id, int64_t timeout_ms,
		struct bytes json);
	/* One job, dead letter or queue is to be changed. Nothing of it was checked; borrowed for the call. Answer by
	 * link_controlled when it is durable. */
	void (*control)(void *context, struct link_request *r, const struct message_control *what);
	/* The client of r is gone: stop waiting, then answer (the answer goes nowhere and frees r). NULL: no interest. */
	void (*gone)(void *context, struct link_request *r);
};

enum errcode link_clients_open(struct loop *loop, const char *path, const char *node,
	const struct link_client_handlers *handlers, struct link_clients **out, struct err *e);
/* Ends the clients, as if they went away. What is still unanswered (a commit under way) may be answered afterwards. */
void link_clients_close(struct link_clients *c);

/* The answers; each ends r. A client may ask in its SUBMIT for the outcomes, too: then the session itself calls wait() for
 * each id, with a request of its own. existing[i]: an idempotency key met
 * job ids[i], which was there before; NULL: none. */
void link_submitted(struct link_request *r, const uint64_t *ids, const bool *existing, size_t n);
void link_refused(struct link_request *r, const struct err *why); /* any request */
void link_ended(struct link_request *r, const struct link_outcome *outcome);
void link_shown(struct link_request *r, struct bytes json);
void link_controlled(struct link_request *r);
void link_called(struct link_request *r, struct bytes result, const struct job_error *error);

void *link_request_get(const struct link_request *r); /* the handler's own pointer; NULL at first */
void link_request_set(struct link_request *r, void *context);
