/* callback.h - who is told when a job or a batch is over: HTTP POSTs that are kept until they have arrived.
 *
 *   end of a job ──same store batch──► row of STORE_CALLBACK ──durable──► POST ──2xx──► the row goes
 *                                          ▲                               │
 *                                          └── backoff, Retry-After ───────┤ no answer, or another status
 *                                                                          └──410, too many, too old──► failed: retry or purge
 *
 * INVARIANTS
 *  - a callback is in the same store batch as the end that it tells of; nothing is sent before that is durable
 *  - at least once: a receiver tells repetitions by the delivery id, which is the callback's own and stays over attempts
 *  - at most `in_flight` requests at one time, `in_flight_per_host` to one host, and 1 to a host that did not answer the last
 *    one: a dead receiver costs the others nothing but that
 *  - only what still has to be sent is in memory, 80 bytes each; what is sent is read from the store when its time has come
 *
 * Loop thread only, except callback_check. The clock and the network are parameters: `send` makes the request (sender.c, or a
 * test) and calls callback_sent. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "callback/allow.h"
#include "queue/queue.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CALLBACK_URL_MAX = 2048,
	CALLBACK_HEADERS_MAX = 16,
	CALLBACK_HEADER_VALUE_MAX = 2048,
	CALLBACK_RESULT_MAX_BYTES = 64 << 10, /* of a job's result in what is sent; a longer one is to be fetched */
	CALLBACK_ERROR_SIZE = 256,
};

/* Whether {"url": ..., "headers": {...}} may be a callback: form, limits, and as far as its text says whether `allow` lets it be
 * reached. Any thread. The sentence names what is wrong. */
enum errcode callback_check(const struct allow *allow, struct bytes target, struct err *e);

extern const char *const callbacks_schema; /* JSON Schema of `callbacks` in the configuration: callbacks.schema.json */

struct callback_limits {
	int64_t retry_base_ms, retry_cap_ms; /* wait = min(cap, base * 2^(n-1)) * U(0.5, 1) */
	int64_t max_age_ms; /* then it has failed */
	int64_t keep_ms; /* a failed one, to be looked at */
	int max_attempts;
	unsigned in_flight, in_flight_per_host;
};
extern const struct callback_limits callback_default_limits;

/* One request. Made by callbacks, owned by whoever sends until callback_sent. */
struct callback_request {
	uint64_t id; /* the delivery's */
	int attempt; /* 1 is the first */
	char type[32]; /* "job.completed" */
	char *url, host[256]; /* host: as allow_address wants it */
	struct bytes headers; /* the JSON object that was given, or empty: target_next_header */
	struct buf body;
	/* The answer, filled by the sender. */
	int status; /* of HTTP; 0: there was none */
	bool refused; /* the address may not be reached: trying again would not help */
	int64_t retry_after_ms; /* as the receiver said, or 0 */
	char error[CALLBACK_ERROR_SIZE]; /* why it did not arrive: a sentence */
	void *callback; /* of callbacks.c */
};

struct callbacks;
struct callback_view;
enum callback_news { CALLBACK_DELIVERED, CALLBACK_RETRIED, CALLBACK_FAILED }; /* failed: given up */

struct callbacks_options {
	struct store *store;
	struct queues *queues; /* for ids and for commits that survive a full disk */
	struct callback_limits limits;
	uint64_t random_seed;
	void *context; /* of the functions below */
	void (*send)(void *context, struct callback_request *r);
	/* For events; may be NULL. */
	void (*told)(void *context, const struct callback_view *v, enum callback_news news);
};

struct callbacks *callbacks_new(const struct callbacks_options *o);
enum errcode callbacks_load(struct callbacks *cs, int64_t now_ms, struct err *e); /* after queues_load */
void callbacks_free(struct callbacks *cs); /* after store_close and the sender's end */
void callback_sent(struct callbacks *cs, struct callback_request *r, int64_t now_ms); /* takes r */
void callback_request_free(struct callback_request *r); /* of a sender that ends with it unsent */

/* Adds a callback to the batch; sent when that is durable. Its id. */
struct callback_spec {
	struct bytes target; /* as callback_check let pass */
	const char *type;
	struct bytes namespace;
	uint64_t job_id, batch_id; /* what it tells of: one of them, or the job and its batch */
	struct bytes members; /* JSON members of what is sent, without braces: "\"status\":\"completed\",..." */
};
uint64_t callbacks_add(struct callbacks *cs, struct store_batch *b, const struct callback_spec *spec);

/* Called by the wiring from the queue's hook `ending`. */
void callbacks_job_ending(struct callbacks *cs, struct job *j, const struct job_outcome *o, struct store_batch *b);
void callbacks_tick(struct callbacks *cs, int64_t now_ms);

/* ── look, and manage ── */

struct callback_view { /* decoded from a row's head; texts are borrowed from it */
	uint64_t id, job_id, batch_id;
	struct bytes namespace, type, url;
	bool failed;
	int attempts, last_status; /* last_status 0: no answer */
	int64_t created_at_ms, last_at_ms, next_at_ms; /* last: of the last attempt, 0: none yet; next: pending ones only */
	struct bytes error; /* of the last attempt; empty: none */
};
/* Any thread. The url is between its quotes, as JSON text has it. */
enum errcode callback_view_decode(uint64_t id, struct bytes head, struct callback_view *out, struct err *e);

/* A failed one is tried from the beginning again, a pending one at once. `done` when it is durable. E_NOT_FOUND; E_STATE: it
 * is just being sent. */
enum errcode callbacks_retry(
	struct callbacks *cs, uint64_t id, int64_t now_ms, queue_done *done, void *context, struct err *e);
/* Never to be sent. E_NOT_FOUND; E_STATE as above. */
enum errcode callbacks_purge(struct callbacks *cs, uint64_t id, queue_done *done, void *context, struct err *e);

struct callback_stats {
	uint64_t pending, in_flight, failed; /* now */
	uint64_t delivered_total, failed_total, attempts_failed_total; /* since the engine's start */
};
void callbacks_get_stats(const struct callbacks *cs, struct callback_stats *out);
