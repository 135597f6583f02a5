/* sender.h - makes the requests of callbacks, by http/client.h. What it sends:
 *
 *   POST, Content-Type: application/json, the headers of the target, and
 *   Reeve-Delivery: <id>   the same over all attempts          Reeve-Attempt: <n>
 *   Reeve-Event: job.completed                                 Reeve-Signature: sha256=<hex>   HMAC of the body, with a secret
 *
 * At most SENDER_ANSWER_MAX bytes of an answer are read (and thrown away), and each address is asked of `allow` when the
 * connection is made. */
#pragma once
#include "callback/allow.h"
#include "callback/callback.h"
#include "loop/loop.h"

enum { SENDER_ANSWER_MAX = 64 << 10, SENDER_SECRET_MAX = 4096 };

struct sender_options {
	struct loop *loop;
	const struct allow *allow; /* borrowed; NULL: anything may be reached */
	struct bytes secret; /* empty: no signature; copied */
	const char *ca_file; /* NULL: the system's; copied */
	int64_t timeout_ms; /* of one request, from the name to the answer */
	unsigned connections; /* kept for the next request */
	void *context;
	void (*sent)(void *context, struct callback_request *r); /* on the loop thread; takes r */
};

struct sender;
struct sender *sender_new(const struct sender_options *o);
void sender_send(struct sender *s, struct callback_request *r);
/* Ends what is under way at once: those requests are freed, `sent` is not called any more. Before the loop is freed. */
void sender_free(struct sender *s);
